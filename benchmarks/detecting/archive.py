"""A file of many lineages: what each is, and the numbers of all, in two streams that compress well each by itself."""

from __future__ import annotations

import json
import lzma
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Json = dict[str, Any]
ABOUT, NUMBERS = "lineages.jsonl.xz", "numbers.xz"
# Numbers are noise: what is a rare byte does not depend on the byte before, nor on the place.
_NOISE = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 0, "lp": 0, "pb": 0}]


class Entry(NamedTuple):
    """One lineage."""

    about: Json
    """What is said of it in words."""
    numbers: npt.NDArray[np.int64]
    """What stands for its readings (`series`)."""


def write_archive(path: Path, entries: Iterable[Entry]) -> None:
    """Write a file, whole or not at all."""
    entries = list(entries)
    lines = "".join(f"{json.dumps(one.about | {'n_numbers': len(one.numbers)})}\n" for one in entries)
    numbers = np.concatenate([np.zeros(0, np.int64), *(one.numbers for one in entries)])
    partial = path.with_suffix(".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
        for name, content in (
            (ABOUT, lzma.compress(lines.encode(), preset=9 | lzma.PRESET_EXTREME)),
            (NUMBERS, lzma.compress(_bytes(numbers), filters=_NOISE)),
        ):
            # A fixed date: the same lineages are the same file.
            archive.writestr(zipfile.ZipInfo(name), content)
    partial.replace(path)


def read_archive(path: Path) -> Sequence[Entry]:
    """Read a file."""
    with zipfile.ZipFile(path) as archive:
        lines, content = (lzma.decompress(archive.read(name)) for name in (ABOUT, NUMBERS))
    about = [json.loads(line) for line in lines.splitlines()]
    ends = np.cumsum([one["n_numbers"] for one in about])
    return [Entry(*pair) for pair in zip(about, np.split(_numbers(content), ends[:-1]), strict=True)]


def _bytes(numbers: npt.NDArray[np.int64]) -> bytes:
    """The lowest byte of all numbers, then the next one of all: most are small, so all but the first are zero."""
    without_sign = ((numbers << 1) ^ (numbers >> 63)).astype("<u8")
    return without_sign.view(np.uint8).reshape(-1, 8).T.tobytes()


def _numbers(content: bytes) -> npt.NDArray[np.int64]:
    planes = np.frombuffer(content, np.uint8).reshape(8, -1)
    without_sign = np.ascontiguousarray(planes.T).view("<u8").ravel()
    return (without_sign >> 1).astype(np.int64) ^ -(without_sign & 1).astype(np.int64)
