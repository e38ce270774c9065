"""Reverse readings: a small language model is fitted on the samples, and scores the wild type's evaluation documents.

Samples fill disjoint parts of exactly as many tokens as the founder's did (the budget), because more text teaches more.
A document's loss is its mean over the parts, so documents are the replicates, paired across generations.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.evidence import Losses
from collapse_guard.indicators.base import Indicator, reading_of
from collapse_guard.indicators.instruments import Instruments, instruments
from collapse_guard.indicators.likelihood import from_others
from collapse_guard.indicators.rates import Rates, ScoredDocuments
from collapse_guard.measurement.loss_readings import document_reading
from collapse_guard.measurement.refits import (
    evaluation_ngrams,
    losses_of,
    pool_refits,
    pool_tokens,
    rarity_of_each,
    small_model,
)
from collapse_guard.measurement.replicates import groups_of_units
from collapse_guard.measurement.sample_readings import all_empty
from collapse_guard.measurement.samples import TextSamples
from collapse_guard.records import Reading, Refits
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.cache import Cache
from collapse_guard.wildtype.slices import slice_of_each

BUDGETS = tuple(1024 << k for k in range(11))
"""Tokens in a part: 1,024 to a million."""
N_PARTS = 2
"""Parts that the founder's samples must fill; a later generation must fill one. Larger parts show more of a change, and
as much more noise; with one part the founder would have no room for a generation that writes less."""
MOST_PARTS = 8
"""Parts that are used at most: more of them would cost more and move little."""
MOST_OF_TRAINING = 1 << 18
"""Tokens of a draw that stands for a training set, at most: training on more makes less noise."""
SMALLEST_SHARE = 2
"""The pool must have so many times the budget, so that draws of it differ."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ReverseLosses:
    """Losses of the evaluation documents under the small model, fitted on parts of the samples."""

    budget: int
    """Tokens in a part."""
    nll: FloatArray
    """P d: nats of each document, summed over it, after each part; no rows where the samples fill too few."""
    losses: Losses
    """The mean over the parts."""
    n: int
    """Samples in all."""
    n_minimum: int
    """Samples that are needed."""
    problem: str
    """Why there are no losses, as a sentence; empty where there are."""


def reverse_losses(wild_type: WildType, samples: Sequence[IntArray], tokens: int | None = None) -> ReverseLosses:
    """Fit the small model on parts of the samples, and score the evaluation documents.

    Args:
        wild_type: Of texts.
        samples: Token ids of each sample; their order does not matter.
        tokens: Tokens in a part, as at the founder. None: as many as two parts and half of the pool allow.
    """
    budget = fitting_budget(wild_type, samples) if tokens is None else tokens
    minimum = N_PARTS if tokens is None else 1
    groups = groups_of_units(samples, budget, "tokens", "samples")
    problem = lack_of_pool(wild_type, budget) or groups.problem or groups.too_few(minimum)
    parts = [] if problem else groups.members[:MOST_PARTS]
    nll = np.zeros((0, len(wild_type.evaluation)))
    if parts:
        evaluation, discounts = evaluation_ngrams(wild_type), pool_refits(wild_type, budget).discounts
        nll = np.stack([small_model(wild_type, part, discounts).nll(evaluation) for part in parts])
    mean = nll.mean(axis=0) if parts else np.full(nll.shape[1], math.nan)
    return ReverseLosses(
        budget=budget,
        nll=nll,
        losses=losses_of(wild_type, mean),
        n=groups.n,
        n_minimum=groups.needed(minimum),
        problem=problem,
    )


def fitting_budget(wild_type: WildType, samples: Sequence[IntArray]) -> int:
    """The largest budget of which the samples fill two parts and the pool has twice as much; at least the smallest."""
    available, pool = sum(map(len, samples)), pool_tokens(wild_type)
    for budget in reversed(BUDGETS):
        fits = available >= N_PARTS * budget and pool >= SMALLEST_SHARE * budget
        if fits and len(groups_of_units(samples, budget, "tokens", "samples").members) >= N_PARTS:
            return budget
    return BUDGETS[0]


def reverse_readings(
    wild_type: WildType, samples: TextSamples, only: Collection[str] | None = None, budget: int | None = None
) -> list[Reading]:
    """Readings of losses under the small model that was fitted on samples.

    Args:
        wild_type: Of texts.
        samples: The samples, without empty ones.
        only: Names of indicators to read; None: all.
        budget: Tokens in a part, as at the founder; None: as many as these samples allow.
    """
    metrics = reading_of("reverse", only)
    if not metrics:
        return []
    found = reverse_losses(wild_type, samples.tokens, budget)
    if found.problem:
        problem = found.problem if len(samples) or not samples.n_empty else all_empty(samples.n_empty)
        return [_unread(metric, found, problem) for metric in metrics]
    return _readings(wild_type, metrics, found.nll, found.budget)


def reverse_reference(wild_type: WildType, budget: int, only: Collection[str] | None = None) -> list[Reading]:
    """The wild type's own readings: after draws of its pool of the same budget, which stand in the place of parts."""
    metrics = reading_of("reverse", only)
    if not metrics or lack_of_pool(wild_type, budget):
        return []
    return _readings(wild_type, metrics, pool_refits(wild_type, budget).nll, budget)


def _unread(metric: type[Indicator], found: ReverseLosses, problem: str) -> Reading:
    return metric.reading(
        value=math.nan,
        n=found.n,
        n_minimum=found.n_minimum,
        group="document",
        problem=problem,
        budget=found.budget,
    )


def _readings(wild_type: WildType, metrics: Sequence[type[Indicator]], nll: FloatArray, budget: int) -> list[Reading]:
    readings = []
    for metric in metrics:
        rates = metric.read(_scored(wild_type, nll.mean(axis=0)))
        if rates is None:
            continue
        parts = tuple(float(metric.read(_scored(wild_type, part)).value) for part in nll)
        facts = {"parts": parts, "budget": budget, "refits": refits_of(wild_type, metric, budget, len(parts))}
        readings.append(document_reading(metric, rates).model_copy(update=facts))
    return readings


def own_refits(wild_type: WildType, metric: type[Indicator]) -> Refits | None:
    """What another training sample does to a reading of a model's own losses, by draws as large as the pool allows.

    Args:
        wild_type: Of texts.
        metric: An indicator of losses that compares documents of the wild type with each other.

    Returns:
        None where the pool is too small for two different draws.
    """
    fitting = [budget for budget in BUDGETS if budget <= MOST_OF_TRAINING and not lack_of_pool(wild_type, budget)]
    return refits_of(wild_type, metric, fitting[-1], 1) if fitting else None


def refits_of(wild_type: WildType, metric: type[Indicator], budget: int, n_parts: int) -> Refits:
    """What other draws of the pool, as many as there are parts, do to a reading of this indicator."""
    of_one = _of_one_part.of((wild_type.fingerprint, metric, budget), lambda: _spreads(wild_type, metric, budget))
    scale = 1.0 / math.sqrt(n_parts)
    by_slice = {name: scale * sd for name, sd in of_one.by_slice.items()}
    return Refits(n=of_one.n, sd=scale * of_one.sd, by_slice=by_slice)


def _spreads(wild_type: WildType, metric: type[Indicator], budget: int) -> Refits:
    """What one other draw of the pool does."""
    draws = pool_refits(wild_type, budget)
    read = [metric.read(_scored(wild_type, nll)) for nll in draws.nll]
    scale = math.sqrt(draws.inflation)
    values = [metric.scale.effect_between(one.value, read[0].value) for one in read]
    names, numbers = np.unique(read[0].slices, return_inverse=True)
    distances = np.array([from_others(*_totals(one, numbers)) for one in read]) if len(names) else np.zeros((2, 0))
    by_slice = scale * np.std(distances, axis=0, ddof=1)
    return Refits(
        n=len(read),
        sd=scale * float(np.std(values, ddof=1)),
        by_slice={str(name): float(sd) for name, sd in zip(names, by_slice, strict=True) if name},
    )


def _totals(rates: Rates, numbers: IntArray) -> tuple[FloatArray, FloatArray]:
    """Sums and units of each slice."""
    sums, units = (np.bincount(numbers, part).astype(np.float64) for part in (rates.sums, rates.units))
    return sums, units


_of_one_part: Cache[tuple[str, type[Indicator], int], Refits] = Cache(most=16)


def _scored(wild_type: WildType, nll: FloatArray) -> ScoredDocuments:
    slices, rarity = instruments(wild_type).of(_strata)
    return ScoredDocuments(losses_of(wild_type, nll), None, slices=slices, rarity=rarity)


def _strata(frozen: Instruments) -> tuple[Mapping[str, str] | None, dict[str, float]]:
    return slice_of_each(frozen.wild_type), rarity_of_each(frozen.wild_type)


def lack_of_pool(wild_type: WildType, budget: int) -> str:
    """Say that the pool is too small to tell what its draws differ by, as a sentence; empty where it is not."""
    pool, needed = pool_tokens(wild_type), SMALLEST_SHARE * budget
    if pool >= needed:
        return ""
    return f"the wild type's pool has {pool:,} tokens, {needed:,} are needed: fit it on more documents"
