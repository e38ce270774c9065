"""A limit of time for code that may not end: it is interrupted where it stands, and cleans up as after an error."""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from collapse_guard.errors import CollapseGuardError

Result = TypeVar("Result")

_AGAIN = 1.0
"""Seconds until the code is interrupted again, where it caught the interruption."""


class _TimeIsUpError(BaseException):
    """Not an Exception: what tries again after any error would not end."""


class _Limit(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...


def within(seconds: float | None, action: Callable[[], Result], *, late: str) -> Result:
    """Run `action`, and interrupt it after a number of seconds.

    It is interrupted between two steps of Python, and in the main thread of a POSIX system also while it waits or
    sleeps. A call into other code that never returns to Python cannot be interrupted.

    Args:
        seconds: The limit; None: none.
        action: What may take long.
        late: Message of the error.

    Raises:
        CollapseGuardError: It was interrupted; the cause says where.

    Example:
        >>> within(60.0, lambda: 7, late="too late")
        7
    """
    if seconds is None:
        return action()
    limit = _limit(seconds)
    try:
        try:
            limit.start()
            return action()
        finally:
            limit.stop()
    except _TimeIsUpError as interruption:
        limit.stop()  # which may have been interrupted itself
        raise CollapseGuardError(late) from interruption


def _limit(seconds: float) -> _Limit:
    is_main = threading.current_thread() is threading.main_thread()
    return _Alarm(seconds) if is_main and hasattr(signal, "setitimer") else _Watch(seconds)


class _Alarm:
    """Rings in the main thread, which is where Python handles signals."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._before: Any = None
        self._left = (0.0, 0.0)
        self._rung = 0
        self._is_set = False

    def start(self) -> None:
        self._left = signal.getitimer(signal.ITIMER_REAL)
        if 0.0 < self._left[0] <= self._seconds:
            return  # somebody else's alarm rings first, and would be lost
        self._is_set = True
        self._before = signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, self._seconds, _AGAIN)

    def stop(self) -> None:
        if not self._is_set:
            return
        left, _ = signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, self._before or signal.SIG_DFL)
        if self._left[0]:
            passed = self._seconds + self._rung * _AGAIN - left
            signal.setitimer(signal.ITIMER_REAL, max(self._left[0] - passed, _AGAIN), self._left[1])
        self._is_set = False

    def _ring(self, *_: object) -> None:
        self._rung += 1
        raise _TimeIsUpError


class _Watch:
    """Has another thread raise the error in this one, where no signal arrives."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._is_over = seconds, threading.Event()
        self._watched = ctypes.c_ulong(threading.get_ident())
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(self._watched, None)  # one that has not arrived yet

    def _watch(self) -> None:
        wait = self._seconds
        while not self._is_over.wait(wait):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(self._watched, ctypes.py_object(_TimeIsUpError))
            wait = _AGAIN
