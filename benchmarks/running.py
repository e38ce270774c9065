"""Run a row: both sides at full and at half size, memory in processes of their own."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal

import measuring
from row import Row, Work, agreement

Side = Literal["ours", "peer"]


@dataclass(kw_only=True)
class Measured:
    """One side of a row; `missing` says why there is nothing else."""

    seconds: float | None = None
    growth: float | None = None
    """Seconds at full size, as times of those at half of it."""
    extra: float | None = None
    """MB above imports and data."""
    peak: float | None = None
    """MB of the process."""
    value: Any = None
    missing: str = ""


@dataclass(kw_only=True)
class Result:
    """A row with what was measured."""

    row: Row
    ours: Measured
    peer: Measured = field(default_factory=Measured)

    @property
    def ratio(self) -> float | None:
        """How many times as long the peer takes."""
        return self.peer.seconds / self.ours.seconds if self.ours.seconds and self.peer.seconds else None

    @property
    def criteria(self) -> list[tuple[str, bool]]:
        """The requirements of this row, and whether each is met; one that could not be measured is not met."""
        row, ours, peer = self.row, self.ours, self.peer
        shared = ours.extra / peer.extra if ours.extra is not None and peer.extra else None
        memory = ours.peak if row.alone else ours.extra
        requirements = [
            ("ratio at least {:g}", row.ratio, None if self.ratio is None else -self.ratio),
            ("{:g} of the peer's memory", row.memory_share, shared),
            ("under {:g} s", row.seconds, ours.seconds),
            ("under {:g} MB", row.megabytes, memory),
            ("growth at most {:g}", row.growth, ours.growth),
        ]
        return [
            (text.format(limit), found is not None and found <= (-limit if found < 0 else limit))
            for text, limit, found in requirements
            if limit is not None
        ]

    @property
    def agreement(self) -> str:
        """How the values of both sides agree."""
        if self.ours.missing or self.peer.missing or self.row.peer is None:
            return self.row.remark
        return agreement(self.row, self.ours.value, self.peer.value)


def run(row: Row) -> Result:
    """Measure both sides of a row."""
    ours = _measured(row, "ours", row.ours)
    return Result(row=row, ours=ours, peer=_measured(row, "peer", row.peer) if row.peer else Measured())


def child(row: Row, side: Side, n: int) -> dict[str, Any]:
    """Memory, and for rows that run alone seconds, of one side in this process, as JSON can hold them."""
    work = row.ours if side == "ours" else row.peer
    if work is None:
        raise ValueError(f"row {row.name} has no peer")
    with measuring.threads(2 if row.alone else 1):
        work(row.data(row.tiny))
        data = row.data(n)
        memory, _ = measuring.peak_of(work, data)
        # With two threads, what counts is how long it takes.
        seconds = measuring.best_of(work, data, time.perf_counter)[0] if row.alone else None
    return {"seconds": seconds, "extra": memory.extra, "peak": memory.peak}


def _measured(row: Row, side: Side, work: Work) -> Measured:
    try:
        return _alone(row, side) if row.alone else _here(row, side, work)
    except Exception as error:
        # Whatever breaks one row, a missing package or a peer that has changed, the others go on.
        return Measured(missing=f"{type(error).__name__}: {error}")


def _alone(row: Row, side: Side) -> Measured:
    found = _in_a_process(row, side, row.n)
    half = _in_a_process(row, side, row.n // 2) if row.grows else {}
    growth = found["seconds"] / half["seconds"] if half else None
    return Measured(**found, growth=growth)


def _here(row: Row, side: Side, work: Work) -> Measured:
    with measuring.threads(1):
        # The first call imports, and makes pools and buffers.
        work(row.data(row.tiny))
        half = measuring.best_of(work, row.data(row.n // 2))[0] if row.grows else None
        seconds, value = measuring.best_of(work, row.data(row.n))
    memory = _in_a_process(row, side, row.n) if row.with_memory else {}
    growth = seconds / half if half else None
    return Measured(seconds=seconds, growth=growth, value=value, extra=memory.get("extra"), peak=memory.get("peak"))


def _in_a_process(row: Row, side: Side, n: int) -> dict[str, Any]:
    return measuring.in_a_process("--child", row.name, side, str(n), n_threads=2 if row.alone else 1)
