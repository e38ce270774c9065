"""Texts that are given to a command: their files are found and read, and what is left out of them is said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from collapse_guard.cli.terminal import say_warning
from collapse_guard.cli.waiting import waiting
from collapse_guard.corpus.files import TextFiles
from collapse_guard.corpus.reading import stream_samples


def find_texts(paths: Sequence[Path]) -> TextFiles:
    """Find the files; raises CorpusError as `TextFiles.of`."""
    files = TextFiles.of(paths)
    for phrase in files.left_out:
        say_warning(f"not read: {phrase}")
    return files


def read_texts(files: TextFiles, *, column: str) -> list[str]:
    """Read samples as `read_samples` does; who waits at a terminal sees how far it is."""
    return read_all(stream_samples(files, column=column), files)


def read_all(texts: Iterable[str], files: TextFiles) -> list[str]:
    """The texts that are read from files; who waits at a terminal sees how far it is."""
    with waiting() as wait:
        return list(wait.read(texts, files))
