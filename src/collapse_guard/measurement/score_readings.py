"""Readings of task scores: one replicate per item, paired across generations by its id where items have ids."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from functools import partial

from collapse_guard.errors import InputError
from collapse_guard.evidence import Scores
from collapse_guard.indicators.base import reading_of
from collapse_guard.indicators.rates import not_finite, too_few
from collapse_guard.indicators.registry import names
from collapse_guard.records import Direction, EffectScale, Reading
from collapse_guard.records.readings import TRAINING_PERPLEXITY

FAMILY = "tasks"
MINIMUM_ITEMS = 60
"""Items that a comparison needs at least: where no score changes, a fall by 0.05 is excluded with 95% (3 / 60, the
rule of three)."""


def score_readings(scores: Mapping[str, Scores], only: Collection[str] | None = None) -> list[Reading]:
    """Readings of each task, whose value is the mean score, and of indicators that are computed from scores.

    Args:
        scores: Name of each task -> its scores.
        only: Names of indicators and tasks to read; None: all.

    Raises:
        InputError: A task has the name of an indicator.

    Example:
        >>> score_readings({"facts": Scores.of_counts(correct=63, total=90)})[0].value
        0.7
    """
    check_tasks(scores)
    tasks = [_reading(_task(name, found), found, MINIMUM_ITEMS) for name, found in scores.items()]
    derived = [(metric, metric.read(scores)) for metric in reading_of("scores", only)]
    tasks += [_reading(metric.reading, found, metric.minimum_n) for metric, found in derived if found is not None]
    return [reading for reading in tasks if only is None or reading.indicator in only]


def check_tasks(tasks: Collection[str]) -> None:
    """Refuse tasks that have the name of an indicator; raises InputError."""
    taken = next((name for name in tasks if name in (*names(), TRAINING_PERPLEXITY)), None)
    if taken:
        raise InputError(f"`scores` must have names that no indicator has, but got {taken!r}: rename it")


def _task(name: str, scores: Scores) -> Callable[..., Reading]:
    direction = Direction.UP if scores.lower_is_better else Direction.DOWN
    return partial(
        Reading, indicator=name, family=FAMILY, unit="share of points", direction=direction, scale=EffectScale.SHARE
    )


def _reading(make: Callable[..., Reading], scores: Scores, n_minimum: int) -> Reading:
    n, items = len(scores), scores.items or ()
    problem = not_finite(items or tuple(map(str, range(n))), scores.values, "scores", of="item")
    return make(
        value=math.nan if problem else float(scores.values.mean()),
        n=n,
        n_minimum=n_minimum,
        replicates=tuple(scores.values.tolist()),
        weights=(1.0,) * len(items),
        keys=items,
        group="item",
        problem=problem or too_few(n, n_minimum, "items"),
    )
