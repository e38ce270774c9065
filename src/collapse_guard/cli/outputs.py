"""Files that a command writes, and the formats of a report about a verdict: a new format is declared here alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from collapse_guard.cli import options
from collapse_guard.errors import InputError
from collapse_guard.records import Assessment


@dataclass(frozen=True, kw_only=True)
class ReportFiles:
    """The options of `assess` and `gate` that write a report: a field for each format, and its text in `write`."""

    json: options.Json = None
    summary: Annotated[
        Path | None, options.file('Append a summary in Markdown; on GitHub: --summary "$GITHUB_STEP_SUMMARY".')
    ] = None
    junit: Annotated[
        Path | None, options.file("Write a JUnit XML report; it fails exactly when the exit code does.")
    ] = None

    def check(self) -> None:
        """Refuse a path that cannot be written, before anything is measured or stored; raises InputError."""
        for name, path in vars(self).items():
            check_writable(path, f"--{name}")

    def write(self, history: Sequence[Assessment], *, strict: bool = False, allow_undecided: bool = False) -> None:
        """Write the requested files about the last of `history`; JUnit fails exactly when the exit code does."""
        from collapse_guard.report import json_text, junit, markdown

        texts = {
            "json": lambda: json_text(history[-1]),
            "summary": lambda: f"{markdown(history)}\n",
            "junit": lambda: junit(history[-1], strict=strict, allow_undecided=allow_undecided),
        }
        for name, path in vars(self).items():
            if path is not None:
                write_text(path, texts[name](), mode="a" if name == "summary" else "w")


def check_writable(path: Path | None, option: str) -> None:
    """Raise InputError if `path` is a directory, or its directory does not exist; None: nothing will be written."""
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"`{option}` must be a file, but got the directory {str(path)!r}")
    if not path.parent.is_dir():
        raise InputError(
            f"`{option}` must be in an existing directory, but got {str(path)!r}: make {path.parent} first"
        )


def check_new(path: Path | None, option: str) -> None:
    """`check_writable`, for a file that must not exist yet."""
    check_writable(path, option)
    if path is not None and path.exists():
        raise InputError(f"`{option}` must not exist yet, but got {str(path)!r}: move it or name another file")


def write_text(path: Path, text: str, *, mode: str = "w") -> None:
    """Write text as UTF-8; raises an InputError with the path if the system refuses."""
    try:
        with path.open(mode, encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be written: {error.strerror}") from error


def write_whole(path: Path, text: str) -> None:
    """`write_text`, so that the file is there with all of its text or not at all."""
    part = path.with_name(f"{path.name}.part")
    write_text(part, text)
    part.replace(path)


def write_json(path: Path, value: object) -> None:
    """`write_text` of a value as JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_rows(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """`write_text` of rows as JSON, one a line."""
    write_text(path, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))
