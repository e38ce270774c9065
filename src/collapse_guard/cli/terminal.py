"""Print for people and for pipes: with colour and wrapping only on a terminal; nothing is ever cut."""

from __future__ import annotations

import io
import logging
import os
import sys
from contextlib import suppress
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 160


class _PatientConsole(Console):
    """A console that outlives its reader: `| head` must not change the exit code."""

    def on_broken_pipe(self) -> None:
        """Drop what nobody reads any more; rich would exit with 1, which means collapsed."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


def output() -> Console:
    """The console on standard output."""
    return _console(stderr=False)


def errors() -> Console:
    """The console on standard error."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = _PatientConsole(stderr=stderr, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED_WIDTH
    return console


def say(text: str | Text, *, style: str = "", to: Console | None = None) -> None:
    """Print text without markup; it is wrapped only on a terminal, so a pipe gets whole lines."""
    console = to or output()
    plain = text if isinstance(text, Text) else Text(printable(text), style=style)
    console.print(plain, soft_wrap=not console.is_terminal)


def say_item(mark: Text, text: str) -> None:
    """Print an item of a list behind its mark; on a terminal its further lines are indented."""
    console = output()
    if not console.is_terminal:
        return say(Text.assemble("  ", mark, " ", printable(text)))
    item = Table.grid(padding=(0, 1, 0, 0))
    item.add_row(Text(" "), mark, Text(printable(text)))
    return console.print(item)


def say_error(message: str) -> None:
    """Print an error as one block on standard error; where that cannot be written, the exit code says enough."""
    with suppress(OSError):
        say(Text.assemble(("error: ", "bold red"), printable(message)), to=errors())


def say_warning(message: str) -> None:
    """Print a warning on standard error; the command continues, also where that cannot be written."""
    with suppress(OSError):
        say(Text.assemble(("warning: ", "bold yellow"), printable(message)), to=errors())


def open_closed_streams() -> None:
    """Print into nothing where a shell closed a stream (`>&-`): Python then has none."""
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - for as long as the process


def drop_unwritten() -> bool:
    """Forget what was printed and cannot be written, as on a full disk; whether there was none on standard output.

    Python would try again at its end, and exit with a code of its own.
    """
    return all([_is_flushed(stream) for stream in (sys.stderr, sys.stdout)][1:])


def _is_flushed(stream: TextIO) -> bool:
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return False
    return True


def printable(text: str) -> str:
    r"""Remove from a text what could control a terminal: escapes, direction overrides, halves of surrogates.

    Example:
        >>> printable("new\x1b[31ms\u202e\tbot")
        'new[31ms bot'
    """
    return "".join(_as_printable(character) for character in text)


def _as_printable(character: str) -> str:
    if character.isprintable() or character == "\n":
        return character
    return " " if character.isspace() else ""


def quiet_libraries() -> None:
    """Silence notes about tables and requests that are sent again; importing MLflow resets the level of "mlflow"."""
    for name in ("mlflow.store", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # that it asks again; what it came to is said


def make_streams_forgiving() -> None:
    """Let a terminal of a narrow encoding show `?` for a mark that it lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
