"""One limit of time for each operation of a store, whatever stalls on the way."""

from __future__ import annotations

import contextvars
import functools
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import thread as pools
from contextlib import contextmanager
from typing import TypeVar

from collapse_guard.errors import InputError

SETTING = "COLLAPSE_GUARD_STORE_TIMEOUT"
"""Environment variable: seconds that an operation of the store may take."""
DEFAULT_SECONDS = 60.0

T = TypeVar("T")


class LateError(TimeoutError):
    """The store did not answer within the limit."""


class Deadline:
    """The moment at which an operation ends, with or without an answer."""

    def __init__(self, seconds: float) -> None:
        """Begin to count."""
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds until then; 0 once it is over."""
        return max(0.0, self._end - time.monotonic())

    def run(self, request: Callable[[], T]) -> T:
        """The result of a request.

        It runs in a thread of its own, because neither a driver of a database nor an HTTP client has a limit that holds
        for a peer that stalls, or sends a byte now and then. Where the time is over the thread is left alone: the
        request may still be carried out, as one may whose answer was lost on the way.

        Raises:
            LateError: The time was over first.
        """
        answer: Future[T] = Future()
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=context.run, args=(_answer, request, answer), daemon=True, name="lineage store"
        )
        thread.start()
        thread.join(self.remaining)
        if not answer.done():
            _let_python_exit()
            raise LateError(f"it did not answer within {self.seconds:g} s ({SETTING} sets another limit)")
        return answer.result()


def _answer(request: Callable[[], T], answer: Future[T]) -> None:
    try:
        answer.set_result(request())
    except BaseException as error:  # it is raised where the answer is waited for
        answer.set_exception(error)


_CURRENT: contextvars.ContextVar[Deadline | None] = contextvars.ContextVar("deadline", default=None)


@contextmanager
def operation() -> Iterator[Deadline]:
    """One deadline for all that the body of a `with` asks of a store; inside another operation it is the one of that.

    Raises:
        InputError: `COLLAPSE_GUARD_STORE_TIMEOUT` is no number of seconds.
    """
    outer = _CURRENT.get()
    if outer is not None:
        yield outer
        return
    token = _CURRENT.set(Deadline(limit()))
    try:
        yield current()
    finally:
        _CURRENT.reset(token)


def current() -> Deadline:
    """The deadline of the operation that is going on, and outside of one that of this request alone."""
    return _CURRENT.get() or Deadline(limit())


def limit() -> float:
    """Seconds that an operation may take, as the user has set them.

    Raises:
        InputError: They are no positive number.
    """
    text = os.environ.get(SETTING, "").strip()
    try:
        seconds = float(text) if text else DEFAULT_SECONDS
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= threading.TIMEOUT_MAX:
        raise InputError(
            f"`{SETTING}` must be a number of seconds above 0, but got {text!r:.80}: leave it unset for "
            f"{DEFAULT_SECONDS:g}"
        )
    return seconds


@functools.cache
def _let_python_exit() -> None:
    """Keep a request that was left alone from keeping the process from its end.

    Python waits at its end for the threads of all pools, and MLflow downloads in one. A pool's thread is a daemon only
    where a daemon made it, as the threads here do. Python has no public way to leave a pool alone.
    """
    threading._register_atexit(_leave_pools)  # type: ignore[attr-defined]


def _leave_pools() -> None:
    for thread in [thread for thread in pools._threads_queues if thread.daemon]:
        del pools._threads_queues[thread]  # type: ignore[attr-defined]
