"""A wild type as a directory: JSON, parquet and safetensors, written whole or not at all, and checked when read.

wild-type.json        settings, fingerprint, name of the embedder
documents.parquet     role ("evaluation" or "pool"), text, and slice  } kind "text"
                      where the user gave slices (null for none)      }
words.parquet         word, count, rare                               }
tokenizer.json        byte-level BPE                                  }
embedder.json         terms of the default embedder                   }
embedder.safetensors  its numbers, or the check of a custom embedder  }
vectors.safetensors   evaluation, pool                                } kind "vectors"
columns.json          names, and texts that stand for kinds, of a table }
geometry.safetensors  reference, radii, codebook, bandwidth             both kinds
made/                 what is made of all that and takes long (`kept`), not covered by the fingerprint; may be deleted
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from collapse_guard.arrays import freeze
from collapse_guard.corpus import lexicon
from collapse_guard.corpus.arrow import read_arrow, stream_arrow
from collapse_guard.corpus.documents import Documents
from collapse_guard.corpus.embedding import TfidfEmbedder, save_arrays
from collapse_guard.corpus.labels import Labels, Numbering
from collapse_guard.errors import InputError, WildTypeError
from collapse_guard.whole_files import sync, write_errors
from collapse_guard.wildtype.columns import Columns, owners_of
from collapse_guard.wildtype.contents import (
    SCHEMA,
    Contents,
    EmbedderCheck,
    Settings,
    TextContents,
    TextSettings,
    VectorContents,
    VectorSettings,
    fingerprint,
)
from collapse_guard.wildtype.geometry import Geometry
from collapse_guard.wildtype.scaling import Scaling
from collapse_guard.wildtype.tokenization import read_tokenizer

_MANIFEST, _COLUMNS = "wild-type.json", "columns.json"


class Manifest(BaseModel):
    """The content of `wild-type.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: Literal["collapse_guard wild type"] = "collapse_guard wild type"
    """What the directory is."""
    schema_version: int = SCHEMA
    """Version of the layout."""
    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    """Fingerprint of the contents."""
    embedder: str | None = None
    """Name of the embedder; None for vectors."""
    settings: Annotated[TextSettings | VectorSettings, Field(discriminator="kind")]
    """How it was fitted."""


class Saved(NamedTuple):
    """What a directory holds."""

    settings: Settings
    """How it was fitted."""
    contents: Contents
    """Documents and instruments."""
    fingerprint: str
    """Recomputed, and equal to the one that was written."""


def write(path: Path, settings: Settings, contents: Contents) -> None:
    """Write a wild type to a new directory: into a temporary sibling first, then renamed.

    A path that already holds the same wild type is left as it is, also where another process wrote it meanwhile.

    Raises:
        InputError: The path holds something else, or the system refuses to write, as on a full disk.
    """
    manifest = Manifest(
        fingerprint=fingerprint(settings, contents), embedder=_embedder_name(contents), settings=settings
    )
    if _is_taken(path, manifest.fingerprint):
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.mkdir()
            _write_contents(draft, contents)
            (draft / _MANIFEST).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")
            for file in (*draft.iterdir(), draft):
                sync(file)
            _rename(draft, path, manifest.fingerprint)
        except SafetensorError as error:
            raise OSError(str(error)) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    sync(path.parent)


def _rename(draft: Path, path: Path, new: str) -> None:
    try:
        draft.rename(path)
    except OSError:
        if not _is_taken(path, new):
            raise


def read(path: Path) -> Saved:
    """Read a wild type and check its fingerprint.

    Raises:
        WildTypeError: The directory is not a wild type, was written by another version, was changed, or has words that
            this version divides in another way.
    """
    manifest = _read_manifest(path)
    with _as_wild_type_error(path):
        contents = (_read_texts if isinstance(manifest.settings, TextSettings) else _read_vectors)(path, manifest)
        actual = fingerprint(manifest.settings, contents)
    if actual != manifest.fingerprint:
        raise WildTypeError(
            f"{path} must hold the wild type with fingerprint {manifest.fingerprint}, but its files give {actual}: "
            "it was changed after it was saved; restore it, or fit a new one and start a new lineage"
        )
    if isinstance(contents, TextContents):
        _check_words(path, contents)
    return Saved(manifest.settings, contents, actual)


def _check_words(path: Path, contents: TextContents) -> None:
    """Refuse a wild type whose words are not those that are found now: its rare words would be missed in any sample."""
    unspaced = (text for text in chain(contents.evaluation, contents.pool) if not lexicon.has_spaces(text))
    unknown = next(
        (word for text in unspaced for word in lexicon.words(text) if word not in contents.known_words), None
    )
    if unknown is not None:
        raise WildTypeError(
            f"{path} must hold a wild type whose words are found as they are found now, but its documents have the "
            f"word {unknown!r}, which it does not know: another version divided text without spaces in another way; "
            "fit it again on the same documents, and start new lineages with it"
        )


def _is_taken(path: Path, new: str) -> bool:
    """Whether the path holds the same wild type already; raises InputError if it holds anything else."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return False
    try:
        old = read(path).fingerprint
    except WildTypeError as error:
        raise InputError(f"`path` must be free or hold the same wild type, but {error}: choose another path") from error
    if old != new:
        raise InputError(
            f"`path` must be free or hold the same wild type ({new}), but {path} holds {old}: "
            "a wild type is never overwritten, its lineages depend on it; choose another path, or delete it yourself"
        )
    return True


def _embedder_name(contents: Contents) -> str | None:
    if isinstance(contents, VectorContents):
        return None
    if contents.embedder_check is not None:
        return contents.embedder_check.name
    return contents.embedder.name if contents.embedder is not None else None


def _write_contents(folder: Path, contents: Contents) -> None:
    save_arrays(contents.geometry.arrays(), folder / "geometry.safetensors")
    if isinstance(contents, VectorContents):
        save_arrays({"evaluation": contents.evaluation, "pool": contents.pool}, folder / "vectors.safetensors")
        if contents.columns is not None:
            (folder / _COLUMNS).write_text(contents.columns.model_dump_json(indent=2), encoding="utf-8")
        return
    parts = {"evaluation": contents.evaluation, "pool": contents.pool}
    roles = pa.chunked_array([pa.repeat(role, len(documents)) for role, documents in parts.items()])
    texts = pa.chunked_array([documents.to_arrow() for documents in parts.values()])
    columns = {"role": roles, "text": texts}
    if contents.labels is not None:
        columns["slice"] = pa.chunked_array(list(map(_labels_to_arrow, contents.labels)))
    pq.write_table(pa.table(columns), folder / "documents.parquet")
    pq.write_table(_word_table(contents), folder / "words.parquet")
    (folder / "tokenizer.json").write_text(contents.tokenizer.to_str(), encoding="utf-8")
    if contents.embedder_check is not None:
        save_arrays({"check": contents.embedder_check.embeddings}, folder / "embedder.safetensors")
    elif isinstance(contents.embedder, TfidfEmbedder):
        contents.embedder.save(folder)


def _labels_to_arrow(labels: Labels) -> pa.Array:
    codes = pa.array(labels.codes, mask=labels.codes < 0)
    return pa.array(labels.names, pa.string()).take(codes)


def _word_table(contents: TextContents) -> pa.Table:
    rare = [word in contents.rare_words for word in contents.known_words]
    return pa.table({"word": list(contents.known_words), "count": list(contents.known_words.values()), "rare": rare})


def _read_manifest(path: Path) -> Manifest:
    required = f"{path} must be a wild type (a directory with {_MANIFEST}, as `WildType.save` writes it)"
    if not path.is_dir():
        raise WildTypeError(f"{required}, but {'it is a file' if path.exists() else 'there is nothing'}")
    file = path / _MANIFEST
    if not file.is_file():
        entries = sorted(entry.name for entry in path.iterdir())
        raise WildTypeError(f"{required}, but got a directory with {', '.join(entries[:8]) or 'nothing'}")
    return _parse_manifest(file.read_bytes(), required)


def _parse_manifest(data: bytes, required: str) -> Manifest:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WildTypeError(f"{required}, but {_MANIFEST} is not JSON: {error}") from error
    version = body.get("schema_version") if isinstance(body, dict) else None
    if isinstance(version, int) and version != SCHEMA:
        raise WildTypeError(
            f"{required} of schema version {SCHEMA}, but got version {version}: "
            "it was written by another version of collapse_guard; read it with that version, or fit it again"
        )
    try:
        return Manifest.model_validate(body)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "the whole file"
        got = f"{problem['msg']}, got {problem['input']!r:.200}"
        raise WildTypeError(f"{required}, but in {_MANIFEST} `{where}` is invalid: {got}") from error


@contextmanager
def _as_wild_type_error(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # tokenizers raises nothing more precise
        raise WildTypeError(f"{path} must hold the files of a wild type, but they cannot be read: {error}") from error


def _read_vectors(path: Path, manifest: Manifest) -> VectorContents:
    arrays = {name: freeze(array) for name, array in load_file(path / "vectors.safetensors").items()}
    columns, d = _read_columns(path / _COLUMNS), arrays["pool"].shape[1]
    if columns is not None and len(columns.labels) != d:
        raise InputError(f"{_COLUMNS} names {len(columns.labels)} columns, but rows have {d}")
    standardized = isinstance(manifest.settings, VectorSettings) and manifest.settings.standardized
    return VectorContents(
        evaluation=arrays["evaluation"],
        pool=arrays["pool"],
        scaling=Scaling.of(arrays["pool"], standardized=standardized, owners=owners_of(columns)),
        geometry=_read_geometry(path),
        columns=columns,
    )


def _read_columns(path: Path) -> Columns | None:
    return Columns.model_validate_json(path.read_bytes()) if path.is_file() else None


def _read_texts(path: Path, manifest: Manifest) -> TextContents:
    words = read_arrow(path / "words.parquet").to_pydict()
    counts = dict(zip(words["word"], words["count"], strict=True))
    is_rare = dict(zip(words["word"], words["rare"], strict=True))
    parts, labels = _read_documents(path / "documents.parquet")
    is_custom = manifest.embedder not in TfidfEmbedder.names.values()
    return TextContents(
        evaluation=parts["evaluation"],
        pool=parts["pool"],
        labels=labels,
        tokenizer=read_tokenizer((path / "tokenizer.json").read_text(encoding="utf-8")),
        embedder=None if is_custom else TfidfEmbedder.load(path),
        embedder_check=_read_check(path, str(manifest.embedder)) if is_custom else None,
        known_words=counts,
        rare_words={word: count for word, count in counts.items() if is_rare[word]},
        geometry=_read_geometry(path),
    )


def _read_geometry(path: Path) -> Geometry:
    return Geometry.from_arrays(load_file(path / "geometry.safetensors"))


def _read_check(path: Path, name: str) -> EmbedderCheck:
    return EmbedderCheck(name=name, embeddings=load_file(path / "embedder.safetensors")["check"])


def _read_documents(path: Path) -> tuple[dict[str, Documents], tuple[Labels, Labels] | None]:
    """The documents of each role, which follow each other, and their slices; a role without any is lacking."""
    noted = Numbering()

    def texts(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
        for row in rows:
            if "slice" in row:
                noted.add(row["slice"] or "")
            yield row["text"]

    parts = groupby(stream_arrow(path, lambda names: names), itemgetter("role"))
    documents = {role: Documents.from_texts(texts(rows)) for role, rows in parts}
    labels, n = noted.labels(), len(documents["evaluation"])
    if not len(labels):
        return documents, None
    return documents, (labels.select(np.arange(n)), labels.select(np.arange(n, len(labels))))
