"""The trials, the same for every loader."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Protocol

import numpy as np

SIZES = {"real": 1_000, "synthetic": 3_000}
BEFORE, AFTER = 0.1, 0.4
"""Real share before the change and after it."""
CHANGE, END, WINDOW = 4_000, 8_000, 1_000
SAVED = (3_000, 5_000)
"""Places at which the run is interrupted: before the change, and after it."""
FAR = 100_000
MINUTE = 60.0
"""Seconds that a slow library may take to get there."""


class Loader(Protocol):
    """A library, as its documentation has it used. Real items have the numbers below 1,000, and all come again."""

    changes_in_place: bool
    """Whether the weights of a loader in use can change; else `change` makes another one from its state."""

    def take(self, n: int) -> list[int]:
        """The next n items."""

    def change(self, real_share: float) -> None:
        """Other weights from the next item on."""

    def state(self) -> Any:
        """What the library saves."""

    def resume(self, state: Any) -> None:
        """Go on from a state; the loader is new, with the weights that were in use."""


Make = Callable[[float], Loader]


@dataclass(frozen=True, kw_only=True)
class Found:
    """The results of a loader."""

    changes_in_place: bool
    repeated: int
    """Items that came again before all of their source had come: as many were skipped."""
    same_before: int
    """Of the 5,000 items after the place before the change, how many are those of the uninterrupted run."""
    same_after: int
    """The same of the 3,000 after the place after it."""
    deviation: float
    """Largest deviation of the number of real items from its expectation, over all windows of 1,000."""
    resume_seconds: float
    """Time from nothing to the first item at place `reached`."""
    reached: int
    state_bytes: int


def judge(make: Make) -> Found:
    """Run it once without interruption, and again from each saved state in a process of its own."""
    whole, states, in_place = uninterrupted(make)
    same = [_same(resumed_elsewhere(make, states[place], place), whole[place:]) for place in SAVED]
    seconds, reached, size = far_out(make)
    return Found(
        changes_in_place=in_place,
        repeated=repeats(whole),
        same_before=same[0],
        same_after=same[1],
        deviation=deviation(whole),
        resume_seconds=seconds,
        reached=reached,
        state_bytes=size,
    )


def uninterrupted(make: Make) -> tuple[list[int], dict[int, bytes], bool]:
    """All items, the states at the places of `SAVED`, and whether weights changed in place."""
    loader, items, states = make(BEFORE), list[int](), dict[int, bytes]()
    for place in (*sorted((*SAVED, CHANGE)), END):
        items += loader.take(place - len(items))
        if place in SAVED:
            states[place] = pickle.dumps(loader.state())
        if place == CHANGE:
            loader.change(AFTER)
    return items, states, loader.changes_in_place


def resumed(make: Make, state: bytes, place: int) -> list[int]:
    """The items from a place on, of a new loader with the weights of that place."""
    loader = make(BEFORE if place < CHANGE else AFTER)
    loader.resume(pickle.loads(state))  # noqa: S301 - a state that we made a moment ago
    if place >= CHANGE:
        return loader.take(END - place)
    items = loader.take(CHANGE - place)
    loader.change(AFTER)
    return items + loader.take(END - CHANGE)


def resumed_elsewhere(make: Make, state: bytes, place: int) -> list[int]:
    """The same in a new process, which knows nothing of the first."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(resumed, (make, state, place))


def repeats(items: Sequence[int]) -> int:
    """Items that came again before all of their source had come, in each pass through each source."""
    edge, again = SIZES["real"], 0
    for source, size in ((0, edge), (1, SIZES["synthetic"])):
        own = [item for item in items if (item >= edge) == source]
        passes = [own[start : start + size] for start in range(0, len(own), size)]
        again += sum(len(one) - len(set(one)) for one in passes)
    return again


def deviation(items: Sequence[int]) -> float:
    """Largest deviation of the number of real items from its expectation, over all windows."""
    is_real = np.array(items) < SIZES["real"]
    expected = np.where(np.arange(len(items)) < CHANGE, BEFORE, AFTER)
    sums = np.append(0.0, np.cumsum(is_real - expected))
    return float(np.abs(sums[WINDOW:] - sums[:-WINDOW]).max())


def far_out(make: Make) -> tuple[float, int, int]:
    """Seconds to make a loader and resume at `FAR`, or where a minute of running reaches, and bytes of the state."""
    loader, reached, start = make(BEFORE), 0, time.monotonic()
    while reached < FAR and time.monotonic() - start < MINUTE:
        loader.take(10_000)
        reached += 10_000
    state = pickle.dumps(loader.state())
    start = time.monotonic()
    again = make(BEFORE)
    again.resume(pickle.loads(state))  # noqa: S301 - a state that we made a moment ago
    again.take(1)
    return time.monotonic() - start, reached, len(state)


def _same(ours: Sequence[int], theirs: Sequence[int]) -> int:
    return sum(one == other for one, other in zip(ours, theirs, strict=False))
