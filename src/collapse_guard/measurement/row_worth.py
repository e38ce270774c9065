"""What samples that are rows are worth: how many real rows teach as much about held-out real rows.

A density (`clouds`) is learnt from parts of the samples of one size, and the wild type's evaluation rows are its
examination. Its learning curve on rows of the pool is a fact of the wild type, made once.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.indicators.instruments import Instruments, instruments
from collapse_guard.indicators.neighbours import neighbour_radii
from collapse_guard.indicators.reverse.axes import MainAxes
from collapse_guard.indicators.reverse.clouds import cloud_losses
from collapse_guard.indicators.reverse.real_equivalent import LEVEL, RealEquivalent, real_equivalent
from collapse_guard.measurement.replicates import Groups, groups_of_vectors
from collapse_guard.records import EffectScale, Interval, Reading
from collapse_guard.wildtype import WildType

UNIT = "real rows"
"""Unit of `RealEquivalent` where samples are rows."""
SIZES = (1024, 512, 256, 128, 64, 32, 16, 8)
"""Samples in a part; the learning curve goes on below and above."""
PARTS = 12
"""Parts that the founder's samples should fill at least."""
NOISE = 0.15
"""Largest noise of the change between two generations that parts should have, in logarithms: a seventh."""
MOST_SAMPLES = 1 << 15
"""Samples that are used at most."""
MOST_ROWS = 500
"""Evaluation rows that are used at most, …"""
FEWEST_ROWS = 20
"""… and at least."""
REFERENCE_PARTS = 8
"""Draws of the pool that are the wild type's own reading."""
_SMALLER, _LARGER = (2, 4), (2048,)
_POOL = 2 * SIZES[-1]
_ROWS_AT_EACH = 1024
_FEWEST_DRAWS, _DRAWS_OF_LARGER = 8, 2
_NARROWEST = 0.1
_NEAR = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class RowLessons:
    """What is frozen of a wild type of vectors to tell what samples are worth."""

    axes: MainAxes
    """In which densities are learnt."""
    narrowest: float
    """How narrow a cloud may be: a tenth of how far a real row is from the next one."""
    examined: FloatArray
    """m p: evaluation rows, along the axes."""
    sizes: IntArray
    """k: numbers of real rows, rising."""
    losses: FloatArray
    """k: mean loss of the evaluation rows after so many, in nats."""
    noise: FloatArray
    """k: standard deviation of the logarithm of what so many real rows are found to be worth."""

    def worth(self, vectors: FloatArray) -> float:
        """How many real rows teach as much as these vectors: n d, at least 2, as they are measured."""
        loss = _mean_loss(self.axes(vectors), self.examined, self.narrowest)
        return real_equivalent(loss, self.sizes, self.losses)


def row_worth(
    wild_type: WildType, vectors: FloatArray, only: Collection[str] | None = None, size: int | None = None
) -> list[Reading]:
    """The reading of `real_equivalent` of samples that are rows, with a replicate for each part of them.

    Args:
        wild_type: Of vectors.
        vectors: n d: the samples, as they are measured.
        only: Names of indicators to read; None: all.
        size: Samples in a part, as at the founder; None: as many as these allow.
    """
    if only is not None and RealEquivalent.name not in only:
        return []
    size = size or part_size(wild_type, len(vectors))
    return [_reading(wild_type, groups_of_vectors(vectors, size), size)]


def row_worth_of_pool(wild_type: WildType, size: int, only: Collection[str] | None = None) -> list[Reading]:
    """The wild type's own reading: draws of its pool in the place of parts.

    Args:
        wild_type: Of vectors.
        size: Samples in a part (`Reading.budget`).
        only: Names of indicators to read; None: all.
    """
    if only is not None and RealEquivalent.name not in only:
        return []
    pool = wild_type.measured(wild_type.pool_vectors)
    members = [] if _lacking(wild_type) else [pool[draw] for draw in _draws(len(pool), size, REFERENCE_PARTS)]
    groups = Groups(members=members, label=f"{size} samples", n=len(pool), needed=lambda n: size * n)
    return [_reading(wild_type, groups, size)]


def part_size(wild_type: WildType, n: int) -> int:
    """Samples in a part: as many as leave enough parts of n samples to tell two generations apart, or the fewest.

    Larger parts show rarer things; more parts have less noise, by what is known of that of real rows. Half of the pool
    is the most, so that draws of it differ.
    """
    if _lacking(wild_type):
        return SIZES[-1]
    lessons, most = lessons_of(wild_type), len(wild_type.pool_vectors) // 2
    noise = dict(zip(lessons.sizes.tolist(), lessons.noise.tolist(), strict=True))
    for size in SIZES:
        parts = min(n, MOST_SAMPLES) // size
        if parts >= PARTS and size <= most and noise[size] * math.sqrt(2.0 / parts) <= NOISE:
            return size
    return SIZES[-1]


def lessons_of(wild_type: WildType) -> RowLessons:
    """What is frozen of a wild type, made once."""
    return instruments(wild_type).of(_lessons)


def _reading(wild_type: WildType, groups: Groups[FloatArray], size: int) -> Reading:
    lacking = _lacking(wild_type)
    members = groups.members[: MOST_SAMPLES // size]
    logs = [] if lacking else [math.log(lessons_of(wild_type).worth(part)) for part in members]
    reading = groups.of_values(RealEquivalent, logs, lacking=lacking)
    # Logarithms, because what real rows are found to be worth is skewed; their mean stands for the geometric mean.
    changes = {"scale": EffectScale.EXPONENTIAL, "value": EffectScale.EXPONENTIAL.value_of(reading.value)}
    interval = _interval(logs, lessons_of(wild_type).sizes) if reading.is_usable else None
    return reading.model_copy(update={"unit": UNIT, "budget": size, "interval": interval, **changes})


def _interval(logs: Sequence[float], sizes: IntArray) -> Interval:
    """The geometric mean with its t interval over the parts; an end beyond the learning curve is 0 or infinite."""
    mean = math.fsum(logs) / len(logs)
    reach = float(stdtrit(len(logs) - 1, (1.0 + LEVEL) / 2.0)) * float(np.std(logs, ddof=1)) / math.sqrt(len(logs))
    low, high = mean - reach, mean + reach
    smallest, largest = math.log(sizes[0]), math.log(sizes[-1])
    return Interval(
        value=math.exp(mean),
        low=0.0 if low <= smallest + _NEAR else math.exp(low),
        high=math.inf if high >= largest - _NEAR else math.exp(high),
        level=LEVEL,
    )


def _lacking(wild_type: WildType) -> str:
    """Why nobody can tell what samples are worth, as a sentence; empty where one can."""
    sides = (
        ("for evaluation", wild_type.evaluation_vectors, FEWEST_ROWS),
        ("in the pool", wild_type.pool_vectors, _POOL),
    )
    few = (f"{len(rows)} rows {where}, {needed} are needed" for where, rows, needed in sides if len(rows) < needed)
    why = next(few, "")
    return f"the wild type has {why}: fit it on more rows" if why else ""


def _lessons(frozen: Instruments) -> RowLessons:
    wild_type = frozen.wild_type
    made = wild_type.kept("row-lessons", lambda: _made(wild_type))
    axes = MainAxes(made["centre"], made["directions"])
    return RowLessons(
        axes=axes,
        narrowest=float(made["narrowest"][0]),
        examined=axes(_examined(wild_type)),
        sizes=made["sizes"],
        losses=made["losses"],
        noise=made["noise"],
    )


def _made(wild_type: WildType) -> dict[str, FloatArray | IntArray]:
    examined = _examined(wild_type)
    # All of the instrument stands on the evaluation rows: were it fitted on the pool, rows of the pool would fit it.
    axes = MainAxes.of(examined)
    pool, examined = axes(wild_type.measured(wild_type.pool_vectors)), axes(examined)
    narrowest = _NARROWEST * _spacing(examined)
    sizes = np.array([size for size in (*_SMALLER, *reversed(SIZES), *_LARGER) if size <= len(pool)], dtype=np.int64)
    found = [_losses_after(int(size), pool, examined, narrowest) for size in sizes]
    losses = np.array([of_draws.mean() for of_draws in found])
    logs = [np.log([real_equivalent(float(loss), sizes, losses) for loss in of_draws]) for of_draws in found]
    return {
        "centre": axes.centre,
        "directions": axes.directions,
        "narrowest": np.array([narrowest]),
        "sizes": sizes,
        "losses": losses,
        "noise": np.array([of_draws.std(ddof=1) for of_draws in logs]),
    }


def _losses_after(size: int, pool: FloatArray, examined: FloatArray, narrowest: float) -> FloatArray:
    """The mean loss of the evaluation rows after each of several draws of the pool."""
    fewest = _FEWEST_DRAWS if size <= SIZES[0] else _DRAWS_OF_LARGER
    draws = _draws(len(pool), size, max(fewest, _ROWS_AT_EACH // size))
    return np.array([_mean_loss(pool[draw], examined, narrowest) for draw in draws])


def _draws(n: int, size: int, most: int) -> list[IntArray]:
    rng = np.random.default_rng(size)
    return [rng.choice(n, size, replace=False) for _ in range(most)]


def _mean_loss(samples: FloatArray, rows: FloatArray, narrowest: float) -> float:
    return float(cloud_losses(samples=samples, rows=rows, narrowest=narrowest).mean())


def _spacing(rows: FloatArray) -> float:
    """The median distance of a row to the next different one; 1 where all are equal."""
    different = np.unique(rows, axis=0)
    return float(np.median(neighbour_radii(different, 1))) if len(different) > 1 else 1.0


def _examined(wild_type: WildType) -> FloatArray:
    # Evaluation rows stand in a random order that depends on the rows alone.
    return wild_type.measured(wild_type.evaluation_vectors[:MOST_ROWS])
