"""Limits of what is read: a file that was made to fill all memory is refused, and no real one is.

A text, a line and a value of JSON have at most 64 million characters. A file may unpack to 200 times its own size, and
to a billion bytes in any case, since the samples of a collapsed model are alike and pack well.
"""

from __future__ import annotations

from pathlib import Path

from collapse_guard.errors import CorpusError

LARGEST_TEXT = 64_000_000
"""Most characters of a text, a line or a value of JSON."""
LARGEST_UNPACKED = 1_000_000_000
"""Bytes, or characters of all texts, that any file may unpack to."""
LARGEST_ROWS = 16_000_000
"""Rows that any file may have."""
LARGEST_FACTOR = 200
"""Beyond these a file may unpack to as many times its own size, or have as many rows for each of its bytes."""


def check_unpacked(name: str, n_bytes: int, *, packed: int) -> None:
    """Raise CorpusError where far more was unpacked than any real data give.

    Example:
        >>> check_unpacked("samples.jsonl.gz", 900_000_000, packed=1)
    """
    if n_bytes > LARGEST_UNPACKED and n_bytes > LARGEST_FACTOR * packed:
        raise CorpusError(
            f"{name} must unpack to at most {LARGEST_FACTOR} times its size, or to {LARGEST_UNPACKED:,} bytes, but "
            f"{packed:,} bytes of it give {n_bytes:,}: no real data pack so well; write it anew, or unpack it yourself"
        )


def check_rows(path: Path, n_rows: int) -> None:
    """Raise CorpusError where a file says that it has fewer than no rows, or more than its bytes can hold."""
    if n_rows < 0:
        raise CorpusError(f"{path} must have no rows or more, but it says {n_rows:,}: it is damaged; copy it again")
    if n_rows > LARGEST_ROWS and n_rows > LARGEST_FACTOR * path.stat().st_size:
        raise CorpusError(
            f"{path} must have at most {LARGEST_FACTOR} rows for each of its bytes, or {LARGEST_ROWS:,} rows, but it "
            f"has {n_rows:,} in {path.stat().st_size:,} bytes: all are alike; write it anew with fewer rows"
        )


def check_length(what: str, n_characters: int) -> None:
    """Raise CorpusError where a text, a line or a value is longer than any real one."""
    if n_characters > LARGEST_TEXT:
        raise CorpusError(
            f"{what} must have at most {LARGEST_TEXT:,} characters, but it has more: divide it into documents"
        )
