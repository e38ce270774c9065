"""What measuring costs: seconds, and by how much the peak of memory was raised, of each part of the work."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NamedTuple

import torch

try:
    import resource
except ImportError:  # as on Windows
    resource = None  # type: ignore[assignment]

MEGABYTE = 2**20
_SHORTEST = 0.05
clock = time.monotonic
"""Seconds; tests put another one in its place."""


@dataclass(frozen=True)
class Spent:
    """What a part of the work took, in this process; what parts within it took is theirs alone."""

    seconds: float = 0.0
    host: int = 0
    """Bytes by which it raised the peak of the process's memory: 0 where training had needed as much before."""
    device: int = 0
    """The same of memory that torch allocates on the current CUDA device."""

    def __add__(self, other: Spent) -> Spent:
        """What both took together."""
        return Spent(self.seconds + other.seconds, self.host + other.host, self.device + other.device)

    def __sub__(self, other: Spent) -> Spent:
        """What this took without the other."""
        return Spent(self.seconds - other.seconds, self.host - other.host, self.device - other.device)


class Price(NamedTuple):
    """What measuring takes in one process alone, in seconds."""

    once: float
    """However many samples there are."""
    sample: float
    """For each sample."""

    def affordable(self, allowed: float, n_processes: int = 1) -> int:
        """How many samples as many processes can measure together in a time.

        Example:
            >>> Price(once=2.0, sample=0.01).affordable(12.0), Price(once=2.0, sample=0.01).affordable(1.0)
            (1000, 0)
        """
        left = n_processes * allowed - self.once
        return max(0, math.floor(left / self.sample)) if self.sample > 0.0 else sys.maxsize


class Cost:
    """What a guard takes of a training, part by part, in one process.

    Attributes:
        parts: What the work consists of -> what it took so far, in the order in which it began.
        trained_before: Seconds of training that passed before this process, as where it goes on from a checkpoint.

    Example:
        >>> cost = Cost()
        >>> with cost.of("drawing samples"), cost.of("assessing"):
        ...     pass
        >>> list(cost.parts), cost.total.seconds < 1.0
        (['drawing samples', 'assessing'], True)
    """

    def __init__(self) -> None:
        self.parts: dict[str, Spent] = {}
        self.trained_before = 0.0
        self._began: float | None = None
        self._ended: float | None = None
        self._first_step = 0
        self._spent_before = 0.0
        self._within: list[Spent] = []

    @property
    def total(self) -> Spent:
        """What all parts took together."""
        return sum(self.parts.values(), Spent())

    def begin_training(self, step: int) -> None:
        """Count the time of the training from here on, which is at a step of it."""
        self._began, self._first_step, self._spent_before = clock(), step, self.total.seconds

    def end_training(self) -> None:
        """Count no longer."""
        self._ended = self.trained

    def is_of_training(self, step: int) -> bool:
        """Whether something was trained up to a step, as far as is known: a loop need not count its steps."""
        return self.trained is not None and (not step or step > self._first_step)

    @property
    def trained(self) -> float | None:
        """Seconds of training so far, without what the guard took of them; None: none was seen."""
        if self._began is None or self._ended is not None:
            return self._ended
        within = self.total.seconds - self._spent_before
        return max(0.0, self.trained_before + clock() - self._began - within)

    @property
    def share(self) -> float | None:
        """Seconds of the guard for each second of training; None: none was seen."""
        return self.total.seconds / self.trained if self.trained else None

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Count what is done inside as a part of the work, and to no part around it."""
        self.parts.setdefault(part, Spent())
        self._within.append(Spent())
        before = _now()
        try:
            yield
        finally:
            took = _now() - before
            self.parts[part] += took - self._within.pop()
            if self._within:
                self._within[-1] += took

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Have `part` count here what is done inside."""
        token = _counting.set(self)
        try:
            yield
        finally:
            _counting.reset(token)

    def __str__(self) -> str:
        """In words, the most expensive part first.

        Example:
            >>> print(Cost())
            the guard took 0.0 s
        """
        parts = sorted(self.parts.items(), key=lambda named: -named[1].seconds)
        listed = ", ".join(f"{name} {seconds(spent.seconds)}" for name, spent in parts if spent.seconds >= _SHORTEST)
        trained, total = self.trained, self.total.seconds
        beside = f", {total / trained:.1%} of {seconds(trained)} of training" if trained else ""
        return f"the guard took {seconds(total)}{beside}{f': {listed}' if listed else ''}{self._raised()}"

    def _raised(self) -> str:
        raised = [(spent.host + spent.device, name) for name, spent in self.parts.items()]
        most, name = max(raised, default=(0, ""))
        if most < MEGABYTE:
            return ""
        where = " and ".join(
            f"{n_bytes / MEGABYTE:,.0f} MB of {what}"
            for n_bytes, what in ((self.total.host, "memory"), (self.total.device, "device memory"))
            if n_bytes >= MEGABYTE
        )
        return f". It raised the peak by {where}, most of it while {name}"


_counting: ContextVar[Cost | None] = ContextVar("cost", default=None)


@contextmanager
def part(name: str) -> Iterator[None]:
    """Count what is done inside as a part of the guard's work, where one counts; a probe of your own may use it.

    Example:
        >>> cost = Cost()
        >>> with cost.counting(), part("drawing samples"):
        ...     pass
        >>> list(cost.parts)
        ['drawing samples']
    """
    cost = _counting.get()
    if cost is None:
        yield
        return
    with cost.of(name):
        yield


def seconds(value: float) -> str:
    """A time as people say it.

    Example:
        >>> seconds(0.234), seconds(12.0), seconds(200.0), seconds(7_200.0)
        ('0.2 s', '12.0 s', '3 min 20 s', '2 h 0 min')
    """
    if value < 60.0:
        return f"{value:.1f} s"
    if value < 3600.0:
        return f"{value // 60:.0f} min {value % 60:.0f} s"
    return f"{value // 3600:.0f} h {value % 3600 // 60:.0f} min"


def _now() -> Spent:
    """The clock, and the peaks of memory so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    host = 0 if resource is None else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return Spent(clock(), host, _device_peak())


def _device_peak() -> int:
    is_used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return torch.cuda.max_memory_allocated() if is_used else 0
