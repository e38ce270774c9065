"""Damage files in many small ways, read each, and count what is neither read nor refused in words of ours.

Run `make fuzz`, or `make fuzz FUZZ="--mutations 1000 --only arrow-file"` for a part. Each reader runs in a child
process with bounded memory, so that a crash counts, and so does a reader that does not end, asks for all memory, or
lets a warning of another library through. Fails where there is any fault; a fault is named with the number that makes
it again: `make fuzz FUZZ="--only arrow-file --first 4711 --mutations 1"`.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from fuzzing.damage import damage
from fuzzing.readers import READERS, Reader

from collapse_guard.errors import CollapseGuardError, CollapseGuardWarning

MEMORY = 4 << 30
"""Bytes that a reader may ask for beyond what the process has."""
SECONDS = 20
"""After which one file is taken for one that is read for ever."""


@dataclass
class Outcome:
    """What became of the damaged files of one reader."""

    counts: Counter[str] = field(default_factory=Counter)
    """How many were read, and how many were refused."""
    faults: dict[str, list[int]] = field(default_factory=dict)
    """What happened else -> the numbers of the files."""


def read_once(reader: Reader, sound: Path, number: int) -> str:
    """What becomes of one damaged file: "read", "refused", or the fault. Afterwards it is sound again."""
    victim, before = damage(sound, number)
    try:
        reader.read(sound)
    except CollapseGuardError as error:
        return _refusal(error)
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}: {error!s:.160}"
    finally:
        victim.write_bytes(before)
    return "read"


def _refusal(error: CollapseGuardError) -> str:
    try:
        str(error).encode()
    except UnicodeEncodeError:
        return f"a message that cannot be shown: {error!r:.160}"
    return "refused"


def fuzz(reader: Reader, numbers: range, folder: Path) -> Outcome:
    """Read damaged files in child processes; a child that dies is a fault of the file that it was reading."""
    sound, copy, log = folder / "sound", folder / "copy", folder / "log.jsonl"
    sound.mkdir()
    if _forked(lambda: reader.read(reader.make(sound))) != 0:
        raise AssertionError("the sound file cannot be read")
    outcome, at, start = Outcome(), mmap.mmap(-1, 8), numbers.start
    while start < numbers.stop:
        shutil.copytree(sound, copy)
        log.touch()
        status = _forked(partial(_read_all, reader, next(copy.iterdir()), range(start, numbers.stop), at, log))
        for number, what in map(json.loads, log.read_text(encoding="utf-8").splitlines()):
            _note(outcome, number, what)
        shutil.rmtree(copy)
        start = numbers.stop
        if status != 0:
            died = int.from_bytes(at[:8], "little")
            _note(outcome, died, f"the process died of {signal.Signals(os.WTERMSIG(status)).name}")
            start = died + 1
    return outcome


def _note(outcome: Outcome, number: int, what: str) -> None:
    if what in ("read", "refused"):
        outcome.counts[what] += 1
    else:
        outcome.faults.setdefault(what, []).append(number)


def _read_all(reader: Reader, sound: Path, numbers: range, at: mmap.mmap, log: Path) -> None:
    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", CollapseGuardWarning)
    with log.open("w", encoding="utf-8", buffering=1) as lines:
        for number in numbers:
            at[:8] = number.to_bytes(8, "little")
            signal.alarm(SECONDS)
            lines.write(json.dumps([number, read_once(reader, sound, number)]) + "\n")
    signal.alarm(0)


def _forked(work: Callable[[], Any]) -> int:
    """Do something in a child process; returns the status of its end."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1]


def outcomes(names: list[str], numbers: range) -> Iterator[tuple[str, Outcome]]:
    """The outcome of each reader."""
    memory = Path("/dev/shm")  # noqa: S108 - a disk would be written to millions of times
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as home:
        for name in names:
            folder = Path(home, name)
            folder.mkdir()
            yield name, fuzz(READERS[name], numbers, folder)


def main(arguments: list[str]) -> int:
    """0 where every damaged file was read or refused, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--mutations", type=int, default=100_000, help="damaged files for each reader")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--only", nargs="*", default=list(READERS), choices=list(READERS), help="some of the readers")
    chosen = parser.parse_args(arguments)
    faulty = False
    for name, outcome in outcomes(chosen.only, range(chosen.first, chosen.first + chosen.mutations)):
        print(f"{name}: {outcome.counts['read']:,} read, {outcome.counts['refused']:,} refused", flush=True)
        for what, numbers in outcome.faults.items():
            faulty = True
            print(f"  FAULT, {len(numbers):,} times, such as {numbers[:3]}: {what}", flush=True)
    return int(faulty)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
