"""The learning curve of the small model on real documents, and what it says that the samples are worth."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.indicators.base import Indicator, reading_of
from collapse_guard.indicators.groups import content_order
from collapse_guard.indicators.likelihood import Perplexity
from collapse_guard.indicators.rates import too_few
from collapse_guard.indicators.reverse import LearningCurve, Learnt
from collapse_guard.measurement.refits import (
    evaluation_ngrams,
    losses_of,
    pool_ids,
    shuffled,
    small_model,
)
from collapse_guard.measurement.replicates import groups_of_units
from collapse_guard.measurement.reverse import BUDGETS, lack_of_pool
from collapse_guard.measurement.sample_readings import all_empty
from collapse_guard.measurement.samples import TextSamples
from collapse_guard.records import Reading
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.cache import Cache

MOST_TOKENS = BUDGETS[-1]
"""Tokens of samples, and of real documents, that are learnt from at most."""
DRAWS = 4
"""Draws of real documents at each size of the curve."""
SMALLEST = 16
"""Real documents at the beginning of the curve; each further size is twice the one before."""


def learning_curve(wild_type: WildType) -> LearningCurve:
    """The loss of each evaluation document after 16, 32, 64, … documents of the pool, and after all of them.

    Args:
        wild_type: Of texts.
    """
    made = _made_of(wild_type)
    weights = losses_of(wild_type, made["nll"][0, 0]).n_tokens.astype(np.float64)
    rates: FloatArray = made["nll"] / weights
    return LearningCurve.of(made["sizes"], rates, weights, available=int(made["available"][0]))


def learning_readings(wild_type: WildType, samples: TextSamples, only: Collection[str] | None = None) -> list[Reading]:
    """Readings of what the small model learns from all samples, beside its learning curve on real documents.

    Args:
        wild_type: Of texts.
        samples: The samples, without empty ones; a million tokens of them are learnt from at most.
        only: Names of indicators to read; None: all.
    """
    metrics = reading_of("learning", only)
    if not metrics:
        return []
    groups = groups_of_units(samples.tokens, BUDGETS[0], "tokens", "samples")
    problem = lack_of_pool(wild_type, BUDGETS[0]) or too_few(len(wild_type.evaluation), Perplexity.minimum_n)
    problem = problem or groups.problem or groups.too_few(1)
    if not len(samples) and samples.n_empty:
        problem = all_empty(samples.n_empty)
    if problem:
        parts = {"n": len(samples), "n_minimum": groups.needed(1)}
        return [metric.reading(value=math.nan, problem=problem, **parts) for metric in metrics]
    chosen = _in_order(samples.tokens)
    model = small_model(wild_type, chosen, _made_of(wild_type)["discounts"].tolist())
    learnt = Learnt(losses_of(wild_type, model.nll(evaluation_ngrams(wild_type))), learning_curve(wild_type))
    return [_reading(metric, learnt, len(chosen), groups.needed(1)) for metric in metrics]


def _reading(metric: type[Indicator], learnt: Learnt, n: int, n_minimum: int) -> Reading:
    interval = metric.read(learnt)
    return metric.reading(value=interval.value, n=n, n_minimum=n_minimum, interval=interval)


def _made_of(wild_type: WildType) -> dict[str, npt.NDArray[Any]]:
    return _made.of(wild_type.fingerprint, lambda: dict(wild_type.kept("learning", lambda: _make(wild_type))))


def _make(wild_type: WildType) -> dict[str, npt.NDArray[Any]]:
    ids, evaluation = pool_ids(wild_type), evaluation_ngrams(wild_type)
    most = _reach(ids)
    sizes = [*(size for k in range(32) if (size := SMALLEST << k) < most), most]
    whole = small_model(wild_type, ids[:most])
    drawn = [shuffled(ids, number) for number in range(DRAWS)]

    def after(n: int) -> list[FloatArray]:
        if n == len(ids):  # every draw is the whole pool
            return [whole.nll(evaluation)] * DRAWS
        return [small_model(wild_type, one[:n], whole.discounts).nll(evaluation) for one in drawn]

    nll = np.array([after(n) for n in sizes])
    return {
        "sizes": np.array(sizes),
        "nll": nll,
        "discounts": np.array(whole.discounts),
        "available": np.array([len(ids)]),
    }


def _in_order(ids: list[IntArray]) -> list[IntArray]:
    """A million tokens at most, in content order."""
    order = content_order([part.tobytes() for part in ids])
    ordered = [ids[i] for i in order]
    return ordered[: _reach(ordered)]


def _reach(ids: list[IntArray]) -> int:
    """How many of the first documents have a million tokens at most, at least one."""
    return max(1, int(np.searchsorted(np.cumsum(list(map(len, ids))), MOST_TOKENS, side="right")))


_made: Cache[str, dict[str, npt.NDArray[Any]]] = Cache()
