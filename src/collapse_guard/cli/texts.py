"""Texts that are given to a command: their files are found, and what is left out of them is said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from collapse_guard.cli.terminal import say_warning
from collapse_guard.corpus.files import TextFiles


def find_texts(paths: Sequence[Path]) -> TextFiles:
    """Find the files; raises CorpusError as `TextFiles.of`."""
    files = TextFiles.of(paths)
    for phrase in files.left_out:
        say_warning(f"not read: {phrase}")
    return files
