"""What a person sees who waits for a long command: what is done, how far it is, and the time left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from collapse_guard.cli.terminal import errors

if TYPE_CHECKING:
    from collapse_guard.corpus.files import TextFiles

_TOLD_EVERY = 500


class Wait:
    """Tells of one pass after the other."""

    def __init__(self, progress: Progress) -> None:
        """Tell it to a display."""
        self._progress = progress

    def read(self, texts: Iterable[str], files: TextFiles) -> Iterator[str]:
        """The texts of files, by their share of the bytes of these files."""
        sizes = [file.stat().st_size for given in files.given for file in given.files if file.is_file()]
        task = self._progress.add_task("reading", total=sum(sizes) or None)
        waiting = 0
        for number, text in enumerate(texts):
            waiting += len(text)
            if number % _TOLD_EVERY == 0:
                self._progress.advance(task, waiting)
                waiting = 0
            yield text
        self._end(task)

    def watch(self, doing: str, texts: Iterable[str], n: int) -> Iterator[str]:
        """The n texts of a pass."""
        task = self._progress.add_task(doing, total=n)
        for number, text in enumerate(texts):
            if number % _TOLD_EVERY == 0:
                self._progress.update(task, completed=number)
            yield text
        self._end(task)

    def for_the_rest(self, doing: str) -> None:
        """Say what is done last, of which nobody knows how long it takes."""
        self._progress.add_task(doing, total=None)

    def _end(self, task: TaskID) -> None:
        self._progress.remove_task(task)


@contextmanager
def waiting() -> Iterator[Wait]:
    """Tell on a terminal, and nowhere else, how far a command is."""
    console = errors()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Wait(progress)
