"""Row: one line of the table, with the work of both sides; what it prints is in `table.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Work = Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One indicator at one size. `ours` and `peer` get what `data` made and return numbers that can be compared."""

    name: str
    """For `--only`."""
    what: str
    n: int
    """Size at which it is reported; growth is from half of it."""
    size: str
    """The size in words, with `{n}`."""
    data: Callable[[int], Any]
    """Make the data of size n; the same ones for the same n. Not timed."""
    ours: Work
    peer: Work | None = None
    peer_name: str = ""
    ratio: float | None = None
    """How many times as long the peer must take at least."""
    memory_share: float | None = None
    """The most memory beside the peer's."""
    seconds: float | None = None
    """The most seconds."""
    megabytes: float | None = None
    """The most memory."""
    growth: float | None = None
    """The most growth with twice the data."""
    remark: str = ""
    """Why the peer's values differ, or what its work includes."""
    agree: Callable[[Any, Any, Any], str] | None = None
    """Says how the two values of the data agree; None: their largest difference."""
    tiny: int = 40
    """Size of the warm-up and of the tests."""
    grows: bool = True
    """Whether half the size is measured too."""
    with_memory: bool = False
    alone: bool = False
    """Whether it runs in a process of its own with two threads: time and memory are of that process."""


def largest_difference(ours: Any, theirs: Any) -> float:
    """Between numbers or sequences of numbers of equal length."""
    return float(np.max(np.abs(np.subtract(_numbers(ours), _numbers(theirs)))))


def agreement(row: Row, ours: Any, theirs: Any) -> str:
    """How the values of both sides agree, in words."""
    if row.agree:
        said = row.agree(ours, theirs, row.data(row.n))
    else:
        said = f"max difference {largest_difference(ours, theirs):.0e}"
    return f"{said}; {row.remark}" if row.remark else said


def _numbers(values: Any) -> Sequence[float]:
    return np.atleast_1d(np.asarray(values, dtype=np.float64))
