"""Files about a verdict that a command writes before it exits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from collapse_guard.errors import InputError
from collapse_guard.records import Assessment
from collapse_guard.report import json_text, junit, markdown


@dataclass(frozen=True, kw_only=True)
class ReportFiles:
    """Files for a verdict besides the terminal; None: not written."""

    json: Path | None = None
    """The whole assessment."""
    summary: Path | None = None
    """Markdown, appended to what is there."""
    junit: Path | None = None
    """JUnit XML."""

    def check(self) -> None:
        """Refuse a path that cannot be written, before anything is measured or stored; raises InputError."""
        for path, option in ((self.json, "--json"), (self.summary, "--summary"), (self.junit, "--junit")):
            if path is not None:
                check_writable(path, option)

    def write(self, history: Sequence[Assessment], *, strict: bool = False, allow_undecided: bool = False) -> None:
        """Write the requested files about the last of `history`; JUnit fails exactly when the exit code does."""
        if self.json is not None:
            write_text(self.json, json_text(history[-1]))
        if self.junit is not None:
            write_text(self.junit, junit(history[-1], strict=strict, allow_undecided=allow_undecided))
        if self.summary is not None:
            write_text(self.summary, f"{markdown(history)}\n", mode="a")


def check_writable(path: Path, option: str) -> None:
    """Raise InputError if `path` is a directory, or its directory does not exist."""
    if path.is_dir():
        raise InputError(f"`{option}` must be a file, but got the directory {str(path)!r}")
    if not path.parent.is_dir():
        raise InputError(
            f"`{option}` must be in an existing directory, but got {str(path)!r}: make {path.parent} first"
        )


def write_text(path: Path, text: str, *, mode: str = "w") -> None:
    """Write text as UTF-8; raises an InputError with the path if the system refuses."""
    try:
        with path.open(mode, encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be written: {error.strerror}") from error
