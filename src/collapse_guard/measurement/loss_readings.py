"""Readings of losses.

Losses on wild-type documents have one replicate per document, paired across generations by its id. Losses on samples
have one replicate per group of samples, not paired, because no two generations write the same.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np

from collapse_guard.evidence import Evidence, Losses
from collapse_guard.indicators.base import Indicator, reading_of
from collapse_guard.indicators.groups import content_order
from collapse_guard.indicators.likelihood import Perplexity
from collapse_guard.indicators.likelihood.nats import perplexity
from collapse_guard.indicators.rates import Rates, ScoredDocuments, not_finite, too_few
from collapse_guard.records import Direction, Reading, TailStratum
from collapse_guard.records.readings import TRAINING_PERPLEXITY


def loss_readings(
    losses: Losses,
    tail: TailStratum | None,
    only: Collection[str] | None = None,
    *,
    slices: Mapping[str, str] | None = None,
    rarity: Mapping[str, float] | None = None,
) -> list[Reading]:
    """Readings that losses on wild-type documents allow.

    Args:
        losses: The losses.
        tail: The tail, frozen at the founder; None: nothing is read that needs it.
        only: Names of indicators to read; None: all.
        slices: Id of each evaluation document -> its slice; None: nothing is read that needs slices.
        rarity: Id of each evaluation document -> how rare it is; None: nothing is read that needs it.
    """
    scored = ScoredDocuments(losses, tail, slices, rarity)
    rates = [(metric, metric.read(scored)) for metric in reading_of("losses", only)]
    return [document_reading(metric, found) for metric, found in rates if found is not None]


def training_reading(losses: Losses) -> Reading:
    """The perplexity of documents that a generation was trained on, which is compared with that of others.

    Args:
        losses: Losses on these documents.

    Example:
        >>> losses = Losses(documents=("a", "b"), nll=[math.log(8), math.log(2)], n_tokens=[1, 3])
        >>> round(training_reading(losses).value, 6)
        2.0
    """
    value = perplexity(losses.nll, losses.n_tokens)
    rates = Rates(value=value, documents=losses.documents, sums=losses.nll, units=losses.n_tokens)
    reading = document_reading(Perplexity, rates)
    return reading.model_copy(update={"indicator": TRAINING_PERPLEXITY, "direction": Direction.BOTH})


def output_readings(evidence: Evidence, size: int, only: Collection[str] | None = None) -> list[Reading]:
    """Readings of losses on samples, with the nats per token of groups of samples as replicates.

    A hash of their numbers puts samples into groups, so neither their content nor the order of scoring matters, and a
    drift along the run is spread over all groups. The last group is left out unless it is full; the value is of all
    samples.

    Args:
        evidence: With `own_losses` or `founder_losses`.
        size: Samples in a group (`WildType.group_samples`).
        only: Names of indicators to read; None: all.
    """
    scored = [(metric, metric.read(evidence)) for metric in reading_of("outputs", only)]
    return [_of_samples(metric, *found, size=size) for metric, found in scored if found is not None]


def _of_samples(metric: type[Indicator], value: float, losses: Losses, *, size: int) -> Reading:
    n, n_minimum = len(losses), metric.minimum_n * size
    order = content_order([document.encode() for document in losses.documents])
    groups = order[: n // size * size].reshape(-1, size)
    replicates = losses.nll[groups].sum(axis=1) / losses.n_tokens[groups].sum(axis=1)
    problem = not_finite(losses.documents, losses.nll, of="sample")
    return metric.reading(
        value=math.nan if problem else value,
        n=n,
        n_minimum=n_minimum,
        replicates=tuple(replicates.tolist()),
        group=f"{size} samples",
        problem=problem or too_few(n, n_minimum, "samples"),
    )


def document_reading(metric: type[Indicator], rates: Rates) -> Reading:
    """The reading of an indicator whose replicates are documents."""
    n = len(rates.documents) if rates.n is None else rates.n
    n_minimum = metric.minimum_n if rates.n_minimum is None else rates.n_minimum
    problem = not_finite(rates.documents, rates.sums, rates.what)
    with np.errstate(divide="ignore", invalid="ignore"):
        replicates = tuple((rates.sums / rates.units).tolist())
    return metric.reading(
        value=math.nan if problem else rates.value,
        n=n,
        n_minimum=n_minimum,
        replicates=replicates,
        weights=tuple(rates.units.astype(np.float64).tolist()),
        keys=rates.documents,
        slices=rates.slices,
        group="document",
        problem=rates.problem or problem or too_few(n, n_minimum),
    )
