"""SIGTERM as an exception, while something is on its way that must not be lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


@contextmanager
def termination_raises() -> Iterator[None]:
    """In the body, SIGTERM raises SystemExit with the exit code of that signal: evidence can be kept on the way out.

    Without it the process would end at once, as a job that is cancelled or runs out of time does.
    """
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
