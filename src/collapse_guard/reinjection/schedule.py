"""The source that fills each place of a run: a pure function of an append-only list of weights.

The first source is drawn wherever the sum of its weight over the places so far passes the next half; the other sources
share the remaining places in the same way. So at every place the draws of the first source are within half an item of
its share, those of the second within one item, and each later source adds half an item; a change of weights can add
half an item to all but the first. With two sources every window has the exact shares to within one item, also across a
change. With three or more sources that is impossible in general (a sequence with this property is "balanced", and for
most shares there is none).

How often a source was drawn does not depend on where an epoch, a batch or a rank begins, so a change of weights neither
repeats nor skips any of its items. The weights are fractions of 2^40 and sums are whole numbers: exact to 10^12 places.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from collapse_guard.arguments import is_number, whole
from collapse_guard.arrays import IntArray
from collapse_guard.errors import InputError, near
from collapse_guard.records import Mixture, Record

Weights = Mixture | Mapping[str, float]
WhenUsedUp = Literal["raise", "share"]
_BITS = 40
_ONE, _HALF = 1 << _BITS, 1 << (_BITS - 1)
_MOST = 1 << 20
"""Places computed in one go: their sums must fit into 63 bits."""


class Change(Record):
    """New weights of the sources, from a place on."""

    from_index: Annotated[int, Field(ge=0)]
    """The first place with the new weights, counted over all epochs and ranks."""
    weights: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]
    """Weight of each source; 0 for sources that are not named."""
    reason: str = ""
    """Why the weights changed."""


class Filled(NamedTuple):
    """The source and the draw that fill each of some places."""

    sources: IntArray
    """n: number of the source."""
    draws: IntArray
    """n: how often that source was drawn before."""


@dataclass(frozen=True, kw_only=True)
class _Stretch:
    """Places between two changes. Level j divides the remaining places between source j and the sources after it."""

    start: int
    shares: tuple[int, ...]
    """Share of each source but the last in the places that remain for its level, in 2^-40."""
    left: tuple[int, ...]
    """Places that remained for each level before the stretch."""
    due: tuple[int, ...]
    """Draws due to each source but the last before the stretch, in 2^-40."""
    is_end: bool = False
    """Whether no source has a weight."""

    def at(self, index: int) -> tuple[list[int], list[int]]:
        """Places that remain for each level, and draws due on it, before a place of this stretch."""
        left, due = [index], list[int]()
        for level, share in enumerate(self.shares):
            due.append(self.due[level] + (left[level] - self.left[level]) * share)
            left.append(left[level] - (due[level] + _HALF >> _BITS))
        return left, due

    def counts(self, index: int) -> list[int]:
        """How often each source is drawn before a place of this stretch."""
        left, _ = self.at(index)
        return [before - after for before, after in zip(left, [*left[1:], 0], strict=True)]


class Schedule:
    """The weights of the sources over the places of a run. Changes are appended, and never taken back.

    Args:
        sources: Names, in the order in which they are served.
        weights: Weights at the beginning.
        most: Source -> how often it may be drawn in all; sources that are not named have no limit.
        when_used_up: What to do at a limit: "raise" ends the run there with an error; "share" gives the places of the
            source to the others in proportion to their weights, and ends the run only if there are no others.

    Raises:
        InputError: A weight is negative or names no source, all weights are zero, or a limit names no source.

    Example:
        >>> schedule = Schedule(("real", "newest"), {"real": 0.25, "newest": 0.75})
        >>> schedule.counts(1000), schedule.counts(1001)
        ({'real': 250, 'newest': 750}, {'real': 250, 'newest': 751})
        >>> schedule.append(1000, {"real": 1, "newest": 1}, "the guard saw drift")
        >>> schedule.counts(1100)
        {'real': 300, 'newest': 800}
    """

    def __init__(
        self,
        sources: Sequence[str],
        weights: Weights,
        *,
        most: Mapping[str, int] | None = None,
        when_used_up: WhenUsedUp = "raise",
    ) -> None:
        if when_used_up not in ("raise", "share"):
            raise InputError(f'`when_used_up` must be "raise" or "share", but got {when_used_up!r}')
        self.sources, self.when_used_up = tuple(sources), when_used_up
        self.most = {
            source_of(name, self.sources): whole(f"most[{name}]", number, least=0)
            for name, number in (most or {}).items()
        }
        self._changes: list[Change] = []
        self.append(0, weights, "at the beginning")

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes so far, the weights at the beginning first."""
        return tuple(self._changes)

    @property
    def end(self) -> int | None:
        """The first place that no source may fill; None if there is no such place."""
        last = self._stretches[-1]
        return last.start if last.is_end else None

    @property
    def used_up(self) -> dict[str, int]:
        """Source -> the place that would exceed its limit, for the sources that reach it."""
        return dict(self._used_up)

    def append(self, from_index: int, weights: Weights, reason: str = "") -> None:
        """Change the weights from a place on.

        Raises:
            InputError: The place is before the last change, or the weights are invalid. Nothing is changed then.
        """
        named = by_name(weights, self.sources)
        last = self._changes[-1].from_index if self._changes else 0
        if whole("from_index", from_index, least=0) < last:
            raise InputError(
                f"`from_index` must not be before the last change, which is at {last}, but got {from_index}: "
                "earlier weights cannot be changed"
            )
        self._changes.append(Change(from_index=from_index, weights=named, reason=reason))
        self._stretches, self._used_up = self._plan()
        self._starts = [stretch.start for stretch in self._stretches]

    def restore(self, changes: Iterable[Change]) -> None:
        """Take over the changes of an interrupted run.

        Raises:
            InputError: The changes are invalid. Nothing is changed then.
        """
        restored = Schedule(self.sources, {self.sources[0]: 1.0}, most=self.most, when_used_up=self.when_used_up)
        restored._changes = []
        for change in changes:
            restored.append(change.from_index, change.weights, change.reason)
        if not restored._changes or restored._changes[0].from_index:
            raise InputError("`changes` must begin with the weights at place 0: give all changes of the run")
        self.__dict__.update(restored.__dict__)

    def weights_at(self, index: int) -> dict[str, float]:
        """Requested weights at a place; they sum to one."""
        weights = self._changes[bisect.bisect_right(self._changes, index, key=lambda it: it.from_index) - 1].weights
        total = math.fsum(weights.values())
        return {source: weights.get(source, 0.0) / total for source in self.sources}

    def counts(self, index: int) -> dict[str, int]:
        """Source -> how often it is drawn before a place. Cost: O(log changes)."""
        stretch = self._stretches[bisect.bisect_right(self._starts, index) - 1]
        return dict(zip(self.sources, stretch.counts(index), strict=True))

    def filled(self, start: int, stop: int) -> Filled:
        """The sources and draws that fill the places from `start` to before `stop`. Cost: O(places).

        Raises:
            InputError: A source has reached its limit there.
        """
        parts = [Filled(np.empty(0, np.int64), np.empty(0, np.int64))]
        parts += (self._part(first, last) for first, last in self._cut(start, stop))
        return Filled(*map(np.concatenate, zip(*parts, strict=True)))

    def _cut(self, start: int, stop: int) -> Iterable[tuple[int, int]]:
        """Pieces within one stretch, of at most 2^20 places."""
        while start < stop:
            at = bisect.bisect_right(self._starts, start)
            last = min(stop, start + _MOST, self._starts[at] if at < len(self._starts) else stop)
            yield start, last
            start = last

    def _part(self, start: int, stop: int) -> Filled:
        stretch = self._stretches[bisect.bisect_right(self._starts, start) - 1]
        if stretch.is_end:
            raise InputError(
                f"no source may be drawn from place {stretch.start} on: {self._limits_reached()}: add documents, "
                'allow more passes, train for less, or let the others fill in (`when_used_up="share"`)'
            )
        _, due = stretch.at(start)
        counts, n = stretch.counts(start), stop - start
        sources, draws = np.full(n, len(self.sources) - 1, dtype=np.int64), np.empty(n, dtype=np.int64)
        places = np.arange(n)
        remaining = np.arange(n + 1, dtype=np.int64)
        for level, share in enumerate(stretch.shares):
            drawn = ((due[level] + _HALF & _ONE - 1) + remaining * share) >> _BITS
            own = np.diff(drawn) > 0
            taken = places[own]
            sources[taken], draws[taken] = level, counts[level] + drawn[:-1][own]
            places = places[~own]
            remaining = remaining[: len(places) + 1]
        draws[places] = counts[-1] + np.arange(len(places))
        return Filled(sources, draws)

    def _plan(self) -> tuple[list[_Stretch], dict[str, int]]:
        """The stretches between changes, cut where a source reaches its limit."""
        stretches: list[_Stretch] = []
        used_up: dict[str, int] = {}
        ends = [*(change.from_index for change in self._changes[1:]), None]
        for change, end in zip(self._changes, ends, strict=True):
            start: int | None = change.from_index
            while start is not None:
                stretch = self._stretch(stretches[-1] if stretches else None, start, change.weights, used_up)
                stretches.append(stretch)
                limit = None if stretch.is_end else self._first_limit(stretch, end, used_up)
                start = None
                if limit:
                    used_up[limit[1]] = start = limit[0]
            if stretch.is_end:
                break
        return stretches, used_up

    def _stretch(
        self, before: _Stretch | None, start: int, weights: Mapping[str, float], used_up: Mapping[str, int]
    ) -> _Stretch:
        usable = [0.0 if source in used_up else weights.get(source, 0.0) for source in self.sources]
        left, due = before.at(start) if before else ([0] * len(usable), [0] * (len(usable) - 1))
        rest = [math.fsum(usable[level:]) for level in range(len(usable))]
        shares = [
            round(weight / total * _ONE) if total else 0 for weight, total in zip(usable[:-1], rest[:-1], strict=True)
        ]
        is_over = rest[0] <= 0.0 or bool(used_up and self.when_used_up == "raise")
        return _Stretch(start=start, shares=tuple(shares), left=tuple(left), due=tuple(due), is_end=is_over)

    def _first_limit(self, stretch: _Stretch, end: int | None, used_up: Mapping[str, int]) -> tuple[int, str] | None:
        """The first place of a stretch that would exceed the limit of a source, and the source."""
        limits = []
        for level, source in enumerate(self.sources):
            limit = self.most.get(source)
            if limit is None or source in used_up or not self._grows(stretch, level):
                continue
            place = _first(partial(_is_over, stretch, level, limit), stretch.start) - 1
            if end is None or place < end:
                limits.append((place, source))
        return min(limits, default=None)

    def _grows(self, stretch: _Stretch, level: int) -> bool:
        own = stretch.shares[level] if level < len(stretch.shares) else _ONE
        return bool(own) and all(share < _ONE for share in stretch.shares[:level])

    def _limits_reached(self) -> str:
        return ", ".join(f"{source} has been drawn {self.most[source]:,} times" for source in self._used_up)


def by_name(weights: Weights, sources: Sequence[str]) -> dict[str, float]:
    """Weights by the names of their sources; raises InputError if they are invalid.

    Example:
        >>> by_name(Mixture.with_real(0.25), ("real", "newest"))
        {'real': 0.25, 'newest': 0.75}
    """
    if isinstance(weights, Mixture):
        weights = {source: share for source in ("real", "earlier", "newest") if (share := getattr(weights, source))}
    named = {source_of(name, sources): _weight(name, weight) for name, weight in weights.items()}
    if not math.fsum(named.values()) > 0.0:
        raise InputError(f"`weights` must have a source with a weight above 0, but got {dict(weights)!r}: give one")
    return named


def source_of(name: str, sources: Iterable[str], required: str = "`weights` and limits must be of sources") -> str:
    """The name of a source; raises InputError that says what is required and names the nearest source."""
    if name not in sources:
        raise InputError(f"{required}, but got {name!r}: {near(name, sources)}")
    return name


def _weight(name: str, weight: float) -> float:
    if not is_number(weight) or not 0.0 <= weight < math.inf:
        raise InputError(f"`weights[{name}]` must be a finite number of at least 0, but got {weight!r}: give a share")
    return float(weight)


def _is_over(stretch: _Stretch, level: int, limit: int, index: int) -> bool:
    return stretch.counts(index)[level] > limit


def _first(holds: Callable[[int], bool], start: int) -> int:
    """The first number above `start` for which a condition holds; once it holds, it keeps holding."""
    reach = 1
    while not holds(start + reach):
        reach *= 2
    return bisect.bisect_left(range(start, start + reach + 1), True, key=holds) + start
