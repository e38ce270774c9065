"""Every kind of file that is read, made small and sound, with what reads it."""

from __future__ import annotations

import bz2
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq

from collapse_guard.corpus.losses import read_losses
from collapse_guard.corpus.reading import read_documents, read_samples
from collapse_guard.corpus.scores import read_scores
from collapse_guard.decision.policy import Policy
from collapse_guard.evidence import Evidence, Losses, Scores
from collapse_guard.lineage.outbox import PendingRequest, load_pending, save_pending
from collapse_guard.records import Assessment, Generation, Reading, Severity, Verdict
from collapse_guard.reinjection.sources import ArrowItems
from collapse_guard.store.base import from_text, to_text
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.kept import kept

TEXTS = [f"Fellow citizens of {place}, 漢字 {number}" for number, place in enumerate(["Ohio", "", "Texas"] * 12)]
ROWS = [{"id": number, "text": text} for number, text in enumerate(TEXTS)]


@dataclass(frozen=True)
class Reader:
    """One kind of file, and what reads it."""

    make: Callable[[Path], Path]
    """Writes a sound one into a folder, and returns its path: a file, or a folder of files."""
    read: Callable[[Path], Any]
    """Reads it."""


def _bytes(name: str, data: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def _table(
    name: str, write: Callable[[Any, Path], Any], columns: dict[str, Any] | None = None
) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write(pa.table(columns or {"id": list(range(len(TEXTS))), "text": TEXTS}), folder / name)
        return folder / name

    return make


def _ipc(open_writer: Callable[..., Any], table: Any, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, open_writer(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=16)


def _feather(compression: str) -> Callable[[Any, Path], None]:
    return lambda table, path: pyarrow.feather.write_feather(table, str(path), compression=compression)


def _nested() -> dict[str, Any]:
    return {
        "text": pa.array(TEXTS).dictionary_encode(),
        "messages": [[{"role": "user", "content": text}, {"role": "assistant", "content": text}] for text in TEXTS],
    }


def _saved_dataset(folder: Path) -> Path:
    home = folder / "saved"
    home.mkdir()
    _ipc(pa.ipc.new_stream, pa.table({"text": TEXTS}), home / "data-00000-of-00001.arrow")
    _ipc(pa.ipc.new_stream, pa.table({"indices": pa.array([3, 0, 3, 30], pa.uint64())}), home / "indices.arrow")
    files = [{"filename": "data-00000-of-00001.arrow"}]
    state = {"_data_files": files, "_indices_data_files": [{"filename": "indices.arrow"}]}
    (home / "state.json").write_text(json.dumps(state), encoding="utf-8")
    (home / "dataset_info.json").write_text("{}", encoding="utf-8")
    return home


def _losses() -> dict[str, list[Any]]:
    return {
        "document": [f"d{i}" for i in range(30)],
        "nll": [2.5 + i for i in range(30)],
        "n_tokens": [3 + i for i in range(30)],
    }


def _lines(columns: dict[str, list[Any]], separator: str = "") -> bytes:
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if not separator:
        return "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    return "".join(
        separator.join(map(str, row)) + "\n" for row in [tuple(columns), *(row.values() for row in rows)]
    ).encode()


def _wild_type(folder: Path) -> Path:
    words = np.random.default_rng(0).choice(
        ["war", "peace", "tax", "law", "senate", "union", "trade", "gold"], (80, 12)
    )
    return WildType.fit([" ".join(row) for row in words]).save(folder / "wild-type")


def _vectors(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    table = pa.table({"age": rng.normal(size=80), "height": rng.normal(size=80), "city": ["Oslo", "Bern"] * 40})
    return WildType.fit_arrays(table).save(folder / "vectors")


_MADE = {"values": np.arange(40.0), "names": np.arange(20, dtype=np.uint8)}


def _made(folder: Path) -> Path:
    home = folder / "wild-type"
    home.mkdir()
    kept(home, "0" * 32, "readings", lambda: _MADE)
    return home


def _read_made(home: Path) -> None:
    """Read what was kept beside a wild type: what is damaged is made again, so that it is always the same."""
    before = {path: path.read_bytes() for path in home.rglob("*.safetensors")}
    found = kept(home, "0" * 32, "readings", lambda: _MADE)
    for path, data in before.items():
        path.write_bytes(data)
    assert found.keys() == _MADE.keys()  # noqa: S101
    assert all(np.array_equal(found[name], _MADE[name]) for name in _MADE)  # noqa: S101


def _pending(folder: Path) -> Path:
    columns: dict[str, Any] = _losses()
    evidence = Evidence(
        samples=TEXTS,
        losses=Losses(
            documents=tuple(columns.pop("document")), **columns, token_nll=tuple(np.ones(3) for _ in range(30))
        ),
        embeddings=np.ones((len(TEXTS), 2)),
        scores={"facts": Scores(values=np.array([1.0, 0.5]), items=("a", "b"))},
    )
    request = PendingRequest(
        lineage="newsbot",
        wild_type_path="w",
        wild_type="0" * 32,
        policy={},
        seed=0,
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return save_pending(folder, evidence=evidence, request=request)


def _record(folder: Path) -> Path:
    reading = Reading(
        indicator="perplexity", family="likelihood", value=100.0, unit="1", direction="up", n=400, n_minimum=50
    )
    assessment = Assessment(
        generation=Generation(lineage="newsbot", index=0, parents=()),
        verdict=Verdict(
            severity=Severity.HEALTHY, reasons=(), lineage="newsbot", generation=0, wild_type="", policy=""
        ),
        readings={"perplexity": reading},
        comparisons=(),
    )
    return _bytes("assessment.json", to_text(assessment).encode())(folder)


def _samples(path: Path, column: str = "text") -> None:
    """Read samples, and encode them as whatever writes them does."""
    for text in read_samples(path, column=column):
        text.encode()


def _documents(path: Path) -> None:
    """Read real documents, and encode them as whatever writes them does."""
    for text in read_documents(path):
        text.encode()


def _items(path: Path) -> None:
    """Read the documents of a training set in another order than that of the file."""
    items = ArrowItems(path)
    for place in reversed(range(len(items))):
        items[place].encode()


def _record_of(path: Path) -> Assessment:
    """Read a stored assessment."""
    text = path.read_text("utf-8", "surrogateescape")
    return from_text(text, lineage="newsbot", index=0, where="a run")


_POLICY = b"""preset = "strict"
alpha = 0.05
decides = ["perplexity", "vendi"]
[drift.perplexity]
margin = 0.05
watch = 0.02
[tasks.facts]
margin = 0.05
watch = 0.02
[reinjection]
minimum = 0.1
"""
_JSONL = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in ROWS).encode()
_CSV = "id,text\n" + "".join(f'{row["id"]},"{row["text"]}"\n' for row in ROWS)
_messages = partial(_samples, column="{messages.assistant}: {text}")

READERS: dict[str, Reader] = {
    "parquet": Reader(_table("a.parquet", partial(pq.write_table, row_group_size=12)), _samples),
    "parquet-nested": Reader(_table("a.parquet", partial(pq.write_table, compression="zstd"), _nested()), _messages),
    "arrow-file": Reader(_table("a.arrow", partial(_ipc, pa.ipc.new_file)), _samples),
    "arrow-stream": Reader(_table("a.arrow", partial(_ipc, pa.ipc.new_stream)), _documents),
    "arrow-nested": Reader(_table("a.arrow", partial(_ipc, pa.ipc.new_file), _nested()), _messages),
    "feather": Reader(_table("a.feather", _feather("uncompressed")), _samples),
    "feather-lz4": Reader(_table("a.feather", _feather("lz4")), _samples),
    "feather-zstd": Reader(_table("a.feather", _feather("zstd"), _nested()), _messages),
    "items-arrow": Reader(_table("a.arrow", partial(_ipc, pa.ipc.new_file)), _items),
    "items-parquet": Reader(_table("a.parquet", partial(pq.write_table, row_group_size=12)), _items),
    "saved-dataset": Reader(_saved_dataset, _samples),
    "jsonl": Reader(_bytes("a.jsonl", _JSONL), _samples),
    "json": Reader(_bytes("a.json", json.dumps(ROWS).encode()), _samples),
    "json-columns": Reader(_bytes("a.json", json.dumps({"text": TEXTS}).encode()), _samples),
    "csv": Reader(_bytes("a.csv", _CSV.encode()), _samples),
    "tsv": Reader(_bytes("a.tsv", _CSV.replace(",", "\t").encode("utf-16")), _samples),
    "txt": Reader(_bytes("a.txt", "\n".join(TEXTS).encode()), _documents),
    "gz": Reader(_bytes("a.jsonl.gz", gzip.compress(_JSONL, mtime=0)), _samples),
    "bz2": Reader(_bytes("a.jsonl.bz2", bz2.compress(_JSONL)), _samples),
    "zst": Reader(_bytes("a.jsonl.zst", pa.compress(_JSONL, codec="zstd", asbytes=True)), _samples),
    "losses-parquet": Reader(_table("a.parquet", pq.write_table, _losses()), read_losses),
    "losses-arrow": Reader(_table("a.arrow", partial(_ipc, pa.ipc.new_file), _losses()), read_losses),
    "losses-jsonl": Reader(_bytes("a.jsonl", _lines(_losses())), read_losses),
    "losses-csv": Reader(_bytes("a.csv", _lines(_losses(), ",")), read_losses),
    "scores": Reader(_bytes("a.jsonl", _lines({"item": ["a", "b", "c"], "score": [1, 0.5, 0]})), read_scores),
    "policy": Reader(_bytes("policy.toml", _POLICY), Policy.load),
    "wild-type": Reader(_wild_type, WildType.load),
    "wild-type-vectors": Reader(_vectors, WildType.load),
    "wild-type-made": Reader(_made, _read_made),
    "pending": Reader(_pending, load_pending),
    "record": Reader(_record, _record_of),
}
