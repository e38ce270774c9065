"""Readings with a replicate for each prompt, paired across generations by what the prompt says."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from collapse_guard.arrays import IntArray
from collapse_guard.indicators.base import Indicator, reading_of
from collapse_guard.indicators.instruments import Instruments
from collapse_guard.indicators.rates import Rates
from collapse_guard.indicators.samples import PromptedSamples
from collapse_guard.measurement.prompts import Prompts
from collapse_guard.records import Reading


def prompt_readings(
    tokens: Sequence[IntArray], prompts: Prompts | None, instruments: Instruments, only: Collection[str] | None = None
) -> list[Reading]:
    """Readings of samples with their prompts; none without.

    Args:
        tokens: n: token ids of the samples that are not empty.
        prompts: Their prompts, and behind those the ones of empty samples.
        instruments: Of the wild type.
        only: Names of indicators to read; None: all.
    """
    if prompts is None or not tokens:
        return []
    given = PromptedSamples(tokens, prompts.numbers[: len(tokens)], prompts.keys, instruments)
    return [_reading(metric, metric.read(given)) for metric in reading_of("prompts", only)]


def _reading(metric: type[Indicator], rates: Rates) -> Reading:
    n = len(rates.documents) if rates.n is None else rates.n
    few = f"{n} prompts can be read, {metric.minimum_n} are needed" if n < metric.minimum_n else ""
    return metric.reading(
        value=rates.value,
        n=n,
        n_minimum=metric.minimum_n,
        replicates=tuple((rates.sums / rates.units).tolist()),
        weights=tuple(rates.units.tolist()),
        keys=rates.documents,
        group="prompt",
        problem=rates.problem or few,
    )
