"""Commands in forked processes, which die by SIGKILL when they are about to do something for the n-th time."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FILE_EVENTS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.copyfile", "shutil.rmtree")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
NEVER = -1


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    """Exit code; that of a signal is negative."""
    said: str
    """Standard output and standard error together."""
    moments: int = 0
    """How many statements of a database and changes of files there were."""


def must(ended: Ended, *codes: int) -> Ended:
    """A command that was to end with one of these codes; raises a RuntimeError with what it said."""
    if ended.code not in codes:
        raise RuntimeError(f"a command that prepares a trial ended with {ended.code}: {ended.said}")
    return ended


def run(arguments: Sequence[object], folder: Path, *, kill_at: int = NEVER) -> Ended:
    """Run `collapse-guard` in a folder, in a copy of this process; `kill_at` is a moment, counted from 0.

    This process must not have computed anything: threads of other libraries do not live on in a copy.
    """
    return wait(start(arguments, folder, kill_at=kill_at))


@dataclass(frozen=True, kw_only=True)
class Started:
    """A command that runs."""

    pid: int
    said: Path
    moments: Path


def start(arguments: Sequence[object], folder: Path, *, kill_at: int = NEVER) -> Started:
    """`run`, without waiting for its end."""
    sys.stdout.flush()
    sys.stderr.flush()
    said, moments = (folder / f".{kind}-{os.urandom(4).hex()}" for kind in ("said", "moments"))
    pid = os.fork()
    if pid:
        return Started(pid=pid, said=said, moments=moments)
    code = 99
    try:
        os.chdir(folder)
        handle = os.open(said, os.O_WRONLY | os.O_CREAT)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        code = _command([str(argument) for argument in arguments], _count(moments, kill_at))
    finally:
        os._exit(code)


def wait(started: Started) -> Ended:
    """How a command that was started ends."""
    _, status = os.waitpid(started.pid, 0)
    said = started.said.read_text("utf-8", "replace") if started.said.exists() else ""
    moments = int(started.moments.read_text()) if started.moments.exists() else 0
    for path in (started.said, started.moments):
        path.unlink(missing_ok=True)
    return Ended(code=os.waitstatus_to_exitcode(status), said=said, moments=moments)


def _command(arguments: list[str], finish: Callable[[], None]) -> int:
    from collapse_guard.cli import main

    sys.argv = ["collapse-guard", *arguments]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        finish()
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _count(path: Path, kill_at: int) -> Callable[[], None]:
    """Count moments, and kill this process at one; what is returned writes down how many there were."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    seen = 0

    def moment(*_: Any) -> None:
        nonlocal seen
        if seen == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1

    def audit(name: str, given: tuple[Any, ...]) -> None:
        if name in _FILE_EVENTS or (name == "open" and isinstance(given[2], int) and given[2] & _WRITES):
            moment()

    for name in ("before_cursor_execute", "commit", "rollback"):
        event.listen(Engine, name, moment)
    sys.addaudithook(audit)

    def finish() -> None:
        number, path_of = seen, os.fspath(path)
        Path(path_of).write_text(str(number))

    return finish
