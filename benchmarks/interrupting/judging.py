"""Runs a trial without and with its interruptions, and compares what was trained on."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from checkpoints import newest_first, newest_whole
from interrupting.training import Start
from interrupting.trial import Step, Trial

_LIMIT = 300.0
"""Seconds after which a start is held to hang."""


class Line(NamedTuple):
    """A step, as it was written down."""

    step: Step
    trained: int
    """Steps that the model was trained on before."""
    documents: list[int]


class Judged(NamedTuple):
    """What came of a trial."""

    kills: int
    """Each comes before the end of training: a run waits for it in its last step."""
    steps: int
    """That were compared, over all starts."""
    again: int
    """Steps that were trained again after a kill."""
    difference: str
    """The first one; empty: none."""


def judge(trial: Trial, *, is_forgetful: bool = False) -> Judged:
    """Train without an interruption and with all of them, and compare.

    Raises:
        RuntimeError: A start failed or hung.
    """
    folder = Path(tempfile.mkdtemp(prefix="interrupted-"))
    try:
        expected = _uninterrupted(trial, folder, is_forgetful)
        starts = list(_interrupted(trial, folder, is_forgetful))
        steps = sum(len(ranks[0]) for ranks in starts)
        return Judged(len(starts) - 1, steps, steps - len(expected), compare(expected, starts))
    finally:
        shutil.rmtree(folder)


def compare(expected: Sequence[Line], starts: Sequence[Sequence[Sequence[Line]]]) -> str:
    """The first difference between the starts of a run, of each the ranks, and an uninterrupted one.

    Every start must go on with the step that its model is trained up to, and one must come to the end.
    """
    for number, ranks in enumerate(starts):
        for rank, lines in enumerate(ranks):
            difference = _difference([_part(line, rank, len(ranks)) for line in expected], lines)
            if difference:
                return f"start {number}, rank {rank}: {difference}"
    reached = max((line.trained + 1 for ranks in starts for line in ranks[0]), default=0)
    return "" if reached == len(expected) else f"only {reached} of {len(expected)} steps"


def _difference(wanted: Sequence[Line], lines: Sequence[Line]) -> str:
    first = lines[0].trained if lines else 0
    for ours, theirs in zip_longest(wanted[first : first + len(lines)], lines):
        if ours != theirs:
            return f"{theirs} where {ours} was to come"
    return ""


def together(ranks: Sequence[Sequence[Line]]) -> list[Line]:
    """The global batches of some ranks."""
    return [
        first._replace(documents=[item for line in (first, *others) for item in line.documents])
        for first, *others in zip(*ranks, strict=True)
    ]


def _part(line: Line, rank: int, ranks: int) -> Line:
    each = len(line.documents) // ranks
    return line._replace(documents=line.documents[rank * each : (rank + 1) * each])


def _uninterrupted(trial: Trial, folder: Path, is_forgetful: bool) -> list[Line]:
    # One rank leaves no documents out, so what two ranks are given is a part of what it is given.
    ranks = trial.ranks[0] if trial.ranks[0] == trial.ranks[1] else 1
    start = Start(trial, folder / "whole", ranks=ranks, is_forgetful=is_forgetful)
    try:
        _wait(start, None)
    finally:
        start.kill()
    return together(_lines(start))


def _interrupted(trial: Trial, folder: Path, is_forgetful: bool) -> Iterator[list[list[Line]]]:
    """What the ranks of each start were given."""
    for number, kill in enumerate((*trial.kills, None)):
        start = Start(
            trial,
            folder / f"start{number}",
            ranks=trial.ranks[min(number, 1)],
            checkpoint=newest_whole(_checkpoints(folder)),
            is_killed=kill is not None,
            is_forgetful=is_forgetful,
        )
        try:
            _wait(start, kill)
            time.sleep(trial.delays[number] if kill else 0.0)
        finally:
            start.kill()
        _cut(folder, trial.cut[number] if kill else 0)
        yield _lines(start)


def _wait(start: Start, step: Step | None) -> None:
    """Wait until rank 0 has written down a step; None: for the end.

    Raises:
        RuntimeError: It failed, hung, or ended where it was to be killed.
    """
    limit = time.monotonic() + _LIMIT
    while start.is_running and time.monotonic() < limit:
        lines = _read(start.folder / "rank0.jsonl") if step else []
        if step and lines and lines[-1].step >= step:
            return
        start.wait(0.002 if step else 1.0)
    if step or start.exit_code != 0:
        messages = (start.folder / "messages.txt").read_text()[-4000:]
        raise RuntimeError(
            f"{start.folder.name} {'hung' if start.is_running else 'ended'} with {start.exit_code}: {messages}"
        )


def _lines(start: Start) -> list[list[Line]]:
    return [_read(start.folder / f"rank{rank}.jsonl") for rank in range(start.ranks)]


def _read(path: Path) -> list[Line]:
    """The lines that were written whole."""
    whole, _, _ = (path.read_text() if path.exists() else "").rpartition("\n")
    found = (json.loads(line) for line in whole.splitlines())
    return [Line((epoch, batch), trained, documents) for epoch, batch, trained, documents in found]


def _checkpoints(folder: Path) -> Iterator[Path]:
    """Those of the interrupted run."""
    return folder.glob("start*/checkpoints/*.ckpt")


def _cut(folder: Path, number: int) -> None:
    """Cut the newest checkpoints off in the middle, as a machine that fails may do."""
    for path in newest_first(_checkpoints(folder))[:number]:
        os.truncate(path, path.stat().st_size // 2)
