"""Files that a command writes, and the formats of a report about a verdict: a new format is declared here alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from collapse_guard.cli import options
from collapse_guard.errors import InputError
from collapse_guard.records import Assessment
from collapse_guard.whole_files import append_whole, write_whole


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

    def check(self, *read: Path | None, store: str | None = None) -> None:
        """`check_outputs` of these files, before anything is measured or stored."""
        check_outputs({f"--{name}": path for name, path in vars(self).items()}, read, store=store)

    def write(self, history: Sequence[Assessment], *, strict: bool = False, allow_undecided: bool = False) -> None:
        """Write the requested files about the last of `history`; JUnit fails exactly when the exit code does."""
        from collapse_guard.report import json_text, junit, markdown

        texts = {
            "json": lambda: json_text(history[-1]),
            "summary": lambda: f"{markdown(history)}\n",
            "junit": lambda: junit(history[-1], strict=strict, allow_undecided=allow_undecided),
        }
        for name, path in vars(self).items():
            if path is not None and name == "summary":
                append_whole(path, _utf8(texts[name]()))
            elif path is not None:
                write_text(path, texts[name]())


def check_outputs(
    outputs: Mapping[str, Path | None], read: Iterable[Path | None] = (), *, store: str | None = None
) -> None:
    """Refuse outputs that cannot be written, that are the same, or that are what is read.

    Args:
        outputs: Option -> the file that it names; None: nothing will be written.
        read: Files and directories that the command reads; a file within such a directory is one of them.
        store: Address of the store that it reads; None: the default.

    Raises:
        InputError: It names the option.
    """
    chosen = {option: path for option, path in outputs.items() if path is not None}
    known = [*(path for path in read if path is not None), *_files_of(store)]
    for place, (option, path) in enumerate(chosen.items()):
        _check_writable(path, option)
        for other, earlier in list(chosen.items())[:place]:
            if _is_file(path) and _is_same(path, earlier):
                raise InputError(f"`{option}` must be another file than `{other}`, but got {str(path)!r} for both")
        for one in known:
            if _is_same(path, one) or _is_within(path, one):
                raise InputError(
                    f"`{option}` must not be what is read, but got {str(path)!r}, which is {_where(path, one)}: "
                    "name another file"
                )


def check_folder(path: Path, option: str, read: Iterable[Path]) -> None:
    """Refuse a directory to be made that is a file, or that would be read the next time; raises InputError."""
    from collapse_guard.corpus.streams import shown_name

    if path.exists() and not path.is_dir():
        raise InputError(f"`{option}` must be a directory, but got the file {str(path)!r}: name another one")
    if shown_name(str(path)) != str(path):
        raise InputError(f"`{option}` must have a name in UTF-8, but got {str(path)!r}: name another directory")
    for one in read:
        if one.is_dir() and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(one)):
            raise InputError(
                f"`{option}` must not be in a directory that is read, but got {str(path)!r}, which is in "
                f"{str(one)!r}: name one elsewhere"
            )


def check_new(path: Path | None, option: str) -> None:
    """Refuse a file that exists; raises InputError."""
    if path is not None and path.exists():
        raise InputError(f"`{option}` must not exist yet, but got {str(path)!r}: move it or name another file")


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, whole or not at all; raises InputError with the path if the system refuses."""
    write_whole(path, [_utf8(text)])


def write_json(path: Path, value: object) -> None:
    """`write_text` of a value as JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_rows(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """`write_text` of rows as JSON, one a line."""
    write_whole(path, _lines(rows))


def _lines(rows: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    return (_utf8(f"{json.dumps(row, ensure_ascii=False)}\n") for row in rows)


def _utf8(text: str) -> bytes:
    """As JSON and readers of pages spell what has no UTF-8 form, such as a name of a file in another encoding."""
    return text.encode(errors="backslashreplace")


def _check_writable(path: Path, option: str) -> None:
    if str(path) == "-":
        raise InputError(f"`{option}` must be a file, but got '-': give /dev/stdout for standard output")
    if path.is_dir():
        raise InputError(f"`{option}` must be a file, but got the directory {str(path)!r}")
    if not path.parent.is_dir():
        raise InputError(
            f"`{option}` must be in an existing directory, but got {str(path)!r}: make {path.parent} first"
        )
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"`{option}` must be a file that you may write, but got {str(path)!r}: name another file")


def _files_of(store: str | None) -> list[Path]:
    """The file of a store that is one."""
    from collapse_guard.store.mlflow.address import default_uri, sqlite_path

    path = sqlite_path(store or os.environ.get("MLFLOW_TRACKING_URI") or default_uri())
    return [] if path is None else [path]


def _is_file(path: Path) -> bool:
    """Whether it is, or would be, a file: a terminal or a pipe may have several outputs."""
    return path.is_file() or not path.exists()


def _is_same(path: Path, other: Path) -> bool:
    """Whether both are one file, by whatever links."""
    if path.exists() and other.exists():
        return path.is_file() and path.samefile(other)
    return Path(os.path.realpath(path)) == Path(os.path.realpath(other))


def _is_within(path: Path, folder: Path) -> bool:
    """Whether a file is in a directory that is read, or is one of its files by another link."""
    if not folder.is_dir() or not _is_file(path):
        return False
    if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        return True
    return path.is_file() and any(one.is_file() and path.samefile(one) for one in folder.iterdir())


def _where(path: Path, read: Path) -> str:
    if not read.is_dir():
        return "read" if str(path) == str(read) else f"the same file as {str(read)!r}"
    return f"in {str(read)!r}"
