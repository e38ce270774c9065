"""What chance alone does to an effect in one generation of a lineage, from all that is known there."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from collapse_guard.comparison.chance import ASSUMED, Spread, moderated, pooled, quantile, reach, spread_of_changes
from collapse_guard.comparison.contrast import Contrast
from collapse_guard.records import Chance, Direction, Reading


@dataclass(frozen=True, kw_only=True)
class Chances:
    """What a generation may spend on false alarms of one indicator, and what is known of its noise."""

    watch_level: float
    """Probability of a false WATCH that it may spend."""
    margin_level: float
    """Probability that chance alone reaches the margin."""
    past: tuple[float, ...] = ()
    """Effects of the generations between the founder and this one, oldest first."""

    def of(
        self,
        reading: Reading,
        reference: Reading,
        contrast: Contrast,
        *,
        watch: float,
        others: Spread | None = None,
        slice_: str = "",
        n_slices: int = 1,
    ) -> Chance:
        """What chance alone does to one comparison.

        Args:
            reading: Of this generation: of all documents, also where the comparison is of a slice.
            reference: Of its founder.
            contrast: The effect with its error.
            watch: The policy's watch level, as an effect.
            others: Spread of the other slices; None: it is not of a slice, or there are too few.
            slice_: The slice; empty: all documents or samples.
            n_slices: Slices among which the worst is chosen.
        """
        changes = spread_of_changes(self.past)
        data = of_data(reading, reference, slice_)
        # How far the other slices lie apart is an estimate of the same noise as that of the refits, and a worse one.
        if data is not None and others is not None:
            data = pooled([data, others])
        known = [spread for spread in (changes, others if data is None else None) if spread is not None]
        choices = n_slices * (2 if reading.direction is Direction.BOTH else 1)
        watch_level, margin_level = self.watch_level / choices, self.margin_level / choices

        def spread(level: float) -> Spread:
            found = [moderated(known, watch=watch, level=level)] if known else []
            found += [] if data is None else [data]
            return max(found, key=lambda one: quantile(level, one.freedom) * one.sd, default=Spread(0.0, ASSUMED))

        error = contrast.standard_error if math.isfinite(contrast.standard_error) else 0.0
        freedom = max(1.0, contrast.degrees_of_freedom)
        return Chance(
            sd=spread(watch_level).sd,
            watch=reach(spread(watch_level), standard_error=error, freedom=freedom, level=watch_level),
            # Whether harm is beyond the margin is tested on the documents, with their error.
            margin=reach(spread(margin_level), standard_error=0.0, freedom=freedom, level=margin_level),
            refits=reading.refits.n if data is not None and reading.refits is not None else 0,
            generations=0 if changes is None else len(self.past),
            slices=0 if others is None else n_slices - 1,
        )


def of_data(reading: Reading, reference: Reading, slice_: str = "") -> Spread | None:
    """Spread of an effect between two samples of real documents, by refits of a small model; None: there are none.

    The spread of a slice is estimated from few refits, so it is averaged with what the number of its documents would
    give if all slices were alike.

    Args:
        reading: One side.
        reference: The other.
        slice_: The slice; empty: all documents.
    """
    if reading.refits is None or reference.refits is None:
        return None
    freedom = min(reading.refits.n, reference.refits.n) - 1.0
    if not slice_:
        return Spread(math.hypot(reading.refits.sd, reference.refits.sd), freedom)
    sides = [_of_slice(side, slice_) for side in (reading, reference)]
    return Spread(math.sqrt(math.fsum(sides)), 2.0 * freedom)


def _of_slice(reading: Reading, slice_: str) -> float:
    """Variance of the distance of a slice from the others, by another sample of real documents."""
    by_slice = {} if reading.refits is None else reading.refits.by_slice
    sizes = Counter(reading.slices)
    if slice_ not in by_slice:
        return 0.0
    of_one = math.fsum(sizes[name] * sd**2 for name, sd in by_slice.items()) / len(by_slice)
    return float(by_slice[slice_] ** 2 + of_one / sizes[slice_]) / 2.0
