"""One trial: a command that is killed at a moment, what is done then, and what must have come of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from killing.process import NEVER, Ended, must, run
from killing.world import NOWHERE, World

RESUME = ("assess", "--resume", "--store", "sqlite:///mlflow.db")


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way into a lineage that is killed, and how one goes on after it."""

    name: str
    killed: Callable[[World], Sequence[object]]
    """Arguments of the command that is killed."""
    then: Callable[[World], Sequence[object]]
    """Arguments of the command that goes on."""
    is_kept: bool = False
    """Whether the evidence waits in the directory of pending evidence when it begins."""


WAYS = (
    Way(name="without a number", killed=lambda world: world.assess(2), then=lambda world: world.assess(2)),
    Way(name="--resume", killed=lambda _: RESUME, then=lambda _: RESUME, is_kept=True),
    Way(
        name="with a number",
        killed=lambda world: world.assess(2, "--generation", 1),
        then=lambda world: world.assess(2, "--generation", 1),
    ),
    Way(
        name="--resume, then again from the files",
        killed=lambda _: RESUME,
        then=lambda world: world.assess(2),
        is_kept=True,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a trial."""

    kill_at: int
    was_killed: bool
    was_stored: bool
    """Whether the generation counted already when the process was killed."""
    fault: str = ""
    """What is wrong; empty: nothing."""


def prepared(world: World, way: Way, name: str) -> Path:
    """The folder of a trial."""
    folder = world.trial(name)
    if way.is_kept:
        must(run(world.assess(2, store=NOWHERE), folder), 2)
    return folder


def complete(world: World, way: Way) -> Ended:
    """The command when nobody kills it."""
    return must(run(way.killed(world), prepared(world, way, f"complete {way.name}")), 0, 3)


def judge(world: World, way: Way, kill_at: int, number: int) -> Outcome:
    """Kill at a moment, go on, and look what is there."""
    folder = prepared(world, way, f"{way.name} {number}")
    killed = run(way.killed(world), folder, kill_at=kill_at)
    before = _stored(folder)
    again = run(way.then(world), folder)
    outcome = Outcome(kill_at=kill_at, was_killed=killed.code == -9, was_stored=len(before) == 2)
    fault = _fault(folder, again)
    return Outcome(**{**vars(outcome), "fault": f"{fault}\n{again.said}" if fault else ""})


def _fault(folder: Path, again: Ended) -> str:
    stored = _stored(folder)
    if again.code not in (0, 3):
        return f"the command that goes on ends with {again.code}"
    if len(stored) != 2 or len(set(stored.values())) != 2:
        return f"the lineage has {len(stored)} generations of {len(set(stored.values()))} different pieces of evidence"
    if not any((folder / ".collapse_guard" / "pending").glob("[!.]*")):
        return ""
    sent = run(RESUME, folder)
    if sent.code not in (0, 3) or _stored(folder) != stored:
        return f"sending what is kept ends with {sent.code} and changes the lineage: {sent.said}"
    return ""


def _stored(folder: Path) -> dict[int, str]:
    return stored_in(f"sqlite:///{folder / 'mlflow.db'}")


def stored_in(uri: str) -> dict[int, str]:
    """Number of each generation that counts -> digest of its evidence; read in a process of its own."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            from collapse_guard.store import open_store

            lines = [f"{one.generation.index} {one.evidence}" for one in open_store(uri).history_so_far("bot")]
            os.write(writer, "\n".join(lines).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        lines = pipe.read().split("\n")
    _, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeError(f"the lineage in {uri} cannot be read")
    return {int(line.split()[0]): line.split()[1] for line in lines if line}


def moments(complete_one: Ended, n: int, seed: int) -> list[int]:
    """n moments of a command, evenly spread over it, from a place that the seed gives; all where there are fewer."""
    import numpy as np

    total = complete_one.moments
    if n >= total:
        return list(range(total))
    offset = np.random.default_rng(seed).random()
    return sorted({int((place + offset) * total / n) for place in range(n)} - {NEVER})
