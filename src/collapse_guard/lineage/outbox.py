"""Evidence that could not be assessed because the store did not answer, kept in a directory until it does.

A directory of its own per generation, written whole or not at all, without pickle:

    pending.json          what was asked for (`PendingRequest`)
    samples.parquet       samples that are texts (column `text`), token ids (column `ids`) or a table (its columns)
    beside.parquet        prompts of the samples (column `prompt`), and which were cut (column `truncated`)
    losses.parquet        losses on wild-type documents, one row per document
    training_losses.parquet                         losses on training documents, one row per document
    own_losses.parquet, founder_losses.parquet      losses on samples, one row per sample
    scores.parquet        scores of tasks, one row per item
    arrays.safetensors    samples that are vectors, and embeddings

The name of the directory ends with a digest of all files, and pending.json has one of each other file, so that a file
that was damaged or edited is noticed before it is read, and named.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import AwareDatetime, Field
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from collapse_guard.canonical import SampleKind, normal_samples
from collapse_guard.corpus.arrow import read_arrow
from collapse_guard.errors import InputError
from collapse_guard.evidence import Evidence, Losses, Scores
from collapse_guard.frames import rows_of
from collapse_guard.records import Decision, Mixture, Origin, Record, TrainingCheck
from collapse_guard.table import Column

PENDING = Path(".collapse_guard", "pending")
"""Where evidence waits, in the working directory."""
WILD_TYPES = Path(".collapse_guard", "wild-types")
"""Where wild types that are nowhere else are kept beside it, by fingerprint."""

_REQUEST, _SAMPLES, _ARRAYS = "pending.json", "samples.parquet", "arrays.safetensors"
_BESIDE = "beside.parquet"
_BESIDE_COLUMNS = {"prompts": ("prompt", pa.large_string()), "truncated": ("truncated", pa.bool_())}
_LOSSES = {name: f"{name}.parquet" for name in ("losses", "own_losses", "founder_losses", "training_losses")}

_LOSS_COLUMNS = {
    "document": pa.large_string(),
    "nll": pa.float64(),
    "n_tokens": pa.int64(),
    "n_bytes": pa.int64(),
    "entropy": pa.float64(),
    "token_nll": pa.large_list(pa.float64()),
}


_SCORES = "scores.parquet"
_OPTIONAL = (*_LOSSES, "embeddings", "scores", *_BESIDE_COLUMNS)
"""Parts of evidence of which pending.json says whether they are there."""
_FILES = (_REQUEST, _SAMPLES, _BESIDE, _ARRAYS, *_LOSSES.values(), _SCORES)
_SCORE_COLUMNS = {
    "task": pa.large_string(),
    "item": pa.large_string(),
    "score": pa.float64(),
    "lower_is_better": pa.bool_(),
}


class PendingRequest(Record):
    """The assessment that was asked for; `index` and `parents` are None where the store was to find them."""

    lineage: str
    """Lineage of the generation."""
    index: int | None = Field(default=None, ge=0)
    """Index of the generation; None: one after the newest."""
    parents: tuple[int, ...] | None = None
    """Parents of the generation; None: the newest."""
    mixture: Mixture | None = None
    """What it was trained on, where known."""
    items: int | None = Field(default=None, ge=1)
    """Documents that it was trained on, where known."""
    founding: str = ""
    """Why the lineage is founded anew with it; empty: it is not."""
    wild_type_path: str
    """Directory of the wild type."""
    wild_type: str
    """Fingerprint of the wild type that stood there."""
    policy: dict[str, Any]
    """Policy, as plain JSON types."""
    seed: int
    """Seed of the assessment."""
    look: int | None = None
    """How often it was assessed before, in its training; None: it is assessed only once."""
    decisions: tuple[Decision, ...] = ()
    """What was done in the middle of its training."""
    training_check: TrainingCheck | None = None
    """What was found of evaluation documents in its training texts; None: nobody looked."""
    origin: Origin | None = None
    """The training that it came from, where known."""
    created: AwareDatetime
    """When the evidence was collected."""


class _Contents(Record):
    """pending.json: the request, and which files belong to it."""

    request: PendingRequest
    samples: SampleKind
    has_losses: bool
    has_own_losses: bool = False
    has_founder_losses: bool = False
    has_training_losses: bool = False
    has_embeddings: bool
    has_prompts: bool = False
    has_truncated: bool = False
    has_scores: bool = False
    sources: dict[str, str] | None = None
    digests: dict[str, str] = Field(default_factory=dict)
    """Name of each other file -> digest of its bytes; empty where an earlier version wrote none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pending:
    """Evidence read back, with what was asked for."""

    path: Path
    """Its directory."""
    request: PendingRequest
    """The assessment that was asked for."""
    evidence: Evidence
    """What was collected, exactly as it was."""


def save_pending(directory: str | Path, *, evidence: Evidence, request: PendingRequest) -> Path:
    """Keep evidence for later, and return its directory inside `directory`.

    A process that is killed meanwhile leaves nothing that `list_pending` shows. Saving the same again changes nothing.

    Raises:
        InputError: the samples are neither texts, nor token ids, nor an array of numbers.
    """
    home = Path(directory)
    home.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=home))
    try:
        _write(scratch, evidence, request)
        target = home / f"{request.created.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{_digest(*_kept_files(scratch))}"
        if not target.exists():
            scratch.rename(target)
            _sync(home)
        return target
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def list_pending(directory: str | Path) -> list[Path]:
    """Return the directories that `save_pending` made in `directory`, oldest first; none where it does not exist."""
    folders = (path for path in Path(directory).glob("*") if not path.name.startswith("."))
    return sorted(path for path in folders if (path / _REQUEST).is_file())


def load_pending(path: str | Path) -> Pending:
    """Read back what `save_pending` wrote.

    Raises:
        InputError: `path` is no such directory, or its files were changed.
    """
    folder = Path(path)
    try:
        _check_unchanged(folder)
        contents = _contents(folder)
        return Pending(path=folder, request=contents.request, evidence=_read(folder, contents))
    except (OSError, ValueError, TypeError, KeyError, RecursionError, pa.ArrowException, SafetensorError) as error:
        raise InputError(
            f"`path` must be a directory that save_pending wrote, but got {str(folder)!r}: {error}"
        ) from error


def discard_pending(path: str | Path) -> None:
    """Delete a directory of pending evidence once it has been sent.

    Raises:
        InputError: `path` is not such a directory.
    """
    folder = Path(path)
    if not (folder / _REQUEST).is_file():
        raise InputError(f"`path` must be a directory that save_pending wrote, but got {str(folder)!r}")
    (folder / _REQUEST).unlink()
    shutil.rmtree(folder)


def _write(folder: Path, evidence: Evidence, request: PendingRequest) -> None:
    kind, samples = normal_samples(evidence.samples)
    arrays: dict[str, npt.NDArray[Any]] = {}
    if kind == "array":
        arrays["samples"] = np.ascontiguousarray(samples)
    elif kind != "none":
        pq.write_table(_sample_table(kind, samples), folder / _SAMPLES)
    beside = _beside_table(evidence)
    if beside.num_columns:
        pq.write_table(beside, folder / _BESIDE)
    if evidence.embeddings is not None:
        arrays["embeddings"] = np.ascontiguousarray(evidence.embeddings)
    if arrays:
        save_file(arrays, folder / _ARRAYS)
    for name, file in _LOSSES.items():
        losses = getattr(evidence, name)
        if losses is not None:
            pq.write_table(_loss_table(losses), folder / file)
    if evidence.scores is not None:
        pq.write_table(_score_table(evidence.scores), folder / _SCORES)
    contents = _Contents(
        request=request,
        samples=kind,
        sources=None if evidence.sources is None else dict(evidence.sources),
        digests={file.name: _digest(file) for file in sorted(folder.iterdir())},
        **{f"has_{name}": getattr(evidence, name) is not None for name in _OPTIONAL},
    )
    (folder / _REQUEST).write_text(json.dumps(contents.to_dict(), indent=2), encoding="utf-8")
    for written in (*folder.iterdir(), folder):
        _sync(written)


def _sync(path: Path) -> None:
    """Have the system write a file, or the names in a directory, before anything else is done."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sample_table(kind: SampleKind, samples: Any) -> pa.Table:
    if kind == "texts":
        return pa.table({"text": pa.array(samples, pa.large_string())})
    if kind == "table":
        return pa.table({name: _column(column) for name, column in samples.columns.items()})
    return pa.table({"ids": pa.array(samples, pa.large_list(pa.int64()))})


def _column(column: Column) -> pa.Array:
    return pa.array(column, pa.large_string() if isinstance(column, tuple) else pa.float64(), from_pandas=False)


def _beside_table(evidence: Evidence) -> pa.Table:
    """What is known of each sample beside itself."""
    columns = {name: getattr(evidence, part) for part, (name, _) in _BESIDE_COLUMNS.items()}
    kinds = dict(_BESIDE_COLUMNS.values())
    return pa.table({name: pa.array(values, kinds[name]) for name, values in columns.items() if values is not None})


def _loss_table(losses: Losses) -> pa.Table:
    parts: dict[str, Any] = {"document": losses.documents, **vars(losses)}
    if losses.token_nll is not None:
        parts["token_nll"] = [np.asarray(row, dtype=np.float64) for row in losses.token_nll]
    return pa.table(
        {
            name: pa.array(parts[name], kind, from_pandas=False)
            for name, kind in _LOSS_COLUMNS.items()
            if parts[name] is not None
        }
    )


def _score_table(tasks: Mapping[str, Scores]) -> pa.Table:
    """A row per item of each task."""
    rows = [
        (name, None if scores.items is None else scores.items[i], float(value), scores.lower_is_better)
        for name, scores in tasks.items()
        for i, value in enumerate(scores.values)
    ]
    columns = zip(_SCORE_COLUMNS.items(), zip(*rows, strict=True), strict=True) if rows else ()
    return pa.table({name: pa.array(values, kind, from_pandas=False) for (name, kind), values in columns})


def _digest(*files: Path) -> str:
    """Of the names of files and their bytes: the same evidence and request give the same."""
    digest = hashlib.blake2b(digest_size=8)
    for file in files:
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _kept_files(folder: Path) -> list[Path]:
    """Files that `save_pending` wrote; what an editor or a file manager left there is none of them."""
    return sorted(file for file in folder.iterdir() if file.name in _FILES)


def _contents(folder: Path) -> _Contents:
    return _Contents.from_dict(json.loads((folder / _REQUEST).read_bytes()))


def _check_unchanged(folder: Path) -> None:
    """Refuse evidence that is not what its name says; raises a ValueError that names the file."""
    if folder.name.rpartition("-")[2] == _digest(*_kept_files(folder)):
        return
    digests = _contents(folder).digests
    wrong = next((name for name, digest in digests.items() if _digest(folder / name) != digest), _REQUEST)
    which = wrong if digests else "one of its files"
    raise ValueError(
        f"{which} is not what was written, or the directory was renamed: restore it from a backup, or send the "
        "evidence from where it came from"
    )


def _read(folder: Path, contents: _Contents) -> Evidence:
    arrays = load_file(folder / _ARRAYS) if (folder / _ARRAYS).is_file() else {}
    losses: dict[str, Any] = {
        name: _read_losses(folder / file) for name, file in _LOSSES.items() if getattr(contents, f"has_{name}")
    }
    return Evidence(
        samples=arrays["samples"]
        if contents.samples == "array"
        else _read_samples(folder / _SAMPLES, contents.samples),
        **losses,
        **_read_beside(folder / _BESIDE, contents),
        embeddings=arrays["embeddings"] if contents.has_embeddings else None,
        scores=_read_scores(folder / _SCORES) if contents.has_scores else None,
        sources=contents.sources,
    )


def _read_scores(path: Path) -> dict[str, Scores]:
    tasks: dict[str, list[Any]] = {}
    for row in read_arrow(path).to_pylist():
        tasks.setdefault(row["task"], []).append(row)
    return {
        name: Scores(
            values=np.array([row["score"] for row in rows]),
            items=None if rows[0]["item"] is None else tuple(row["item"] for row in rows),
            lower_is_better=rows[0]["lower_is_better"],
        )
        for name, rows in tasks.items()
    }


def _read_beside(path: Path, contents: _Contents) -> dict[str, Any]:
    there = {part: name for part, (name, _) in _BESIDE_COLUMNS.items() if getattr(contents, f"has_{part}")}
    table = read_arrow(path, list(there.values())) if there else {}
    return {part: table[name].to_pylist() for part, name in there.items()}


def _read_samples(path: Path, kind: SampleKind) -> Any:
    if kind == "none":
        return None
    table = read_arrow(path)
    if kind == "table":
        return rows_of("samples", table)
    return table["text"].to_pylist() if kind == "texts" else _rows(table["ids"].combine_chunks())


def _read_losses(path: Path) -> Losses:
    table = read_arrow(path)
    columns = {name: _values(table[name].combine_chunks()) for name in table.column_names}
    return Losses(documents=tuple(columns.pop("document")), **columns)


def _values(column: Any) -> Any:
    if pa.types.is_large_string(column.type):
        return column.to_pylist()
    return _rows(column) if pa.types.is_large_list(column.type) else column.to_numpy()


def _rows(column: Any) -> list[npt.NDArray[Any]]:
    """Rows of a list column as arrays; the values are never touched, so that NaN stays NaN."""
    values = column.flatten().to_numpy(zero_copy_only=False)
    return np.split(values, np.cumsum(column.value_lengths().to_numpy())[:-1]) if len(column) else []
