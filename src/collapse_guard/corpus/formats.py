"""Formats of files that hold texts or tables: known by the extension, before that of a compression."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from collapse_guard.corpus.streams import COMPRESSIONS, STANDARD_INPUT
from collapse_guard.errors import CorpusError

ARROW = (".arrow", ".feather", ".parquet")
"""Tables of pyarrow, which are compressed within."""
LINES = (".jsonl", ".ndjson")
"""An object a line."""
TABLES = (".arrow", ".csv", ".feather", ".json", ".jsonl", ".ndjson", ".parquet", ".tsv")
"""Extensions of tables, in lower case."""
TEXTS = (*TABLES, ".txt")
"""Extensions of files with texts."""


def format_of(path: Path) -> str:
    """The extension that gives the format, in lower case; empty for a stream, whose first bytes give it.

    Example:
        >>> format_of(Path("real.JSONL.gz")), format_of(Path("real.parquet")), format_of(Path("-"))
        ('.jsonl', '.parquet', '')
    """
    if is_stream(path):
        return ""
    *_, extension = ("", *path.suffixes)
    inner = path.with_suffix("").suffix if extension.lower() in COMPRESSIONS else extension
    return inner.lower()


def is_stream(path: Path) -> bool:
    """Whether it is standard input, or a pipe such as `<(...)` of a shell: it can be read once."""
    if path == STANDARD_INPUT:
        return True
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except OSError:
        return False


def is_known(path: Path, known: Sequence[str]) -> bool:
    """Whether a file has one of the extensions, and a compression only where that is of text."""
    kind = format_of(path)
    return kind in known and (kind not in ARROW or path.suffix.lower() == kind)


def check_extension(path: Path, known: Sequence[str] = TABLES) -> None:
    """Raise CorpusError if a file is no stream and has none of the `known` extensions."""
    if not is_stream(path) and not is_known(path, known):
        required = f"{path} must be a {either(known)} file, but its extension is"
        if path.suffix.lower() not in COMPRESSIONS:
            raise CorpusError(f"{required} {path.suffix!r}: convert it")
        what = f"name it after what it holds, such as {path.stem}.jsonl{path.suffix}"
        raise CorpusError(f"{required} {''.join(path.suffixes[-2:])!r}: unpack it, or {what}")


def either(names: Sequence[str]) -> str:
    """Phrase a choice: "a, b or c"."""
    return f"{', '.join(names[:-1])} or {names[-1]}"
