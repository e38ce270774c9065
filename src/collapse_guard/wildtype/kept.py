"""What is made of a wild type alone and takes long, kept beside its files and read again.

It lies in the folder `made` of the wild type, a safetensors file for each thing, with a digest of the wild type's
fingerprint, of the code that made it and of every number. What is damaged, altered or of other code is made again; a
folder that cannot be written is left alone.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

Arrays = Mapping[str, npt.NDArray[Any]]
"""Name -> numbers."""

FOLDER = "made"
"""Folder of the wild type that holds these files."""
MOST_FILES = 24
"""So many files are kept at most: readings come in one for each length of samples."""
_DIGEST = "digest"
_ROOMS = ("arrays.py", "corpus", "indicators", "measurement", "records", "wildtype")


def kept(home: Path | None, fingerprint: str, name: str, make: Callable[[], Arrays]) -> Arrays:
    """What `make` makes of a wild type: read where it was kept, else made, and kept where that is possible.

    Args:
        home: Directory of the wild type; None: it has none, and nothing is kept.
        fingerprint: Of the wild type.
        name: Of what is made; no two things have the same one.
        make: Makes it of the wild type and of nothing else.
    """
    if home is None:
        return make()
    path = home / FOLDER / f"{name}.safetensors"
    found = _read(path, fingerprint, name)
    if found is None:
        found = make()
        with suppress(OSError):  # a wild type that is only read, or a full disk
            _write(path, fingerprint, name, found)
    return found


def _read(path: Path, fingerprint: str, name: str) -> Arrays | None:
    """What was kept; None where there is nothing, or not what this code made of this wild type."""
    try:
        arrays = load(path.read_bytes())
        digest = arrays.pop(_DIGEST).tobytes()
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None
    return arrays if digest == _digest(fingerprint, name, arrays) else None


def _write(path: Path, fingerprint: str, name: str, made: Arrays) -> None:
    arrays = {key: np.ascontiguousarray(array) for key, array in made.items()}
    path.parent.mkdir(exist_ok=True)
    if len(list(path.parent.glob("*.safetensors"))) >= MOST_FILES:
        return
    digest = np.frombuffer(_digest(fingerprint, name, arrays), np.uint8)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        draft.write_bytes(save({**arrays, _DIGEST: digest}))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _digest(fingerprint: str, name: str, arrays: Arrays) -> bytes:
    digest = hashlib.blake2b(f"{fingerprint} {name} {_code()}".encode(), digest_size=16)
    for key, array in sorted(arrays.items()):
        digest.update(f"{key} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()


@cache
def _code() -> str:
    """A digest of the source of all that makes what is kept."""
    package, digest = Path(__file__).parents[1], hashlib.blake2b(digest_size=16)
    for room in _ROOMS:
        for path in sorted([package / room, *(package / room).rglob("*.py")]):
            if path.is_file():
                digest.update(path.read_bytes())
    return digest.hexdigest()
