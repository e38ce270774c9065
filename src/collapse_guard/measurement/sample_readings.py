"""Readings of generated samples: which formula is read from which groups, by which frozen instrument.

| groups                  | what is read from each                                       |
|-------------------------|--------------------------------------------------------------|
| `group_tokens` tokens   | diversity but unique samples, copied n-grams, homozygosity   |
| `group_tokens` words    | tails                                                        |
| `group_samples` samples | unique samples, near duplicates                              |
| `group_samples` vectors | spread, distance; where there is no text homozygosity as well |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.indicators.base import all_indicators
from collapse_guard.indicators.distance.divergences import jensen_shannon, mauve
from collapse_guard.indicators.diversity.compression import compression_ratio
from collapse_guard.indicators.diversity.distinct import distinct_n
from collapse_guard.indicators.diversity.ngram_entropy import entropy_n
from collapse_guard.indicators.diversity.repetition import repetition
from collapse_guard.indicators.diversity.self_bleu import self_bleu
from collapse_guard.indicators.diversity.self_distinct import self_distinct_n
from collapse_guard.indicators.diversity.unique_samples import unique_samples
from collapse_guard.indicators.genetics.inbreeding import fixation_index, homozygosity
from collapse_guard.indicators.registry import FAMILIES
from collapse_guard.indicators.spread.cosines import mean_distance, vendi, vendi_2
from collapse_guard.indicators.spread.variance import effective_rank, total_variance
from collapse_guard.indicators.tails.lost_ngrams import lost_ngrams
from collapse_guard.indicators.tails.rare import rare_coverage, rare_mass
from collapse_guard.indicators.tails.richness import missing_mass
from collapse_guard.indicators.tails.words import hill_index
from collapse_guard.measurement.instruments import Space, TextInstruments, pair_keys
from collapse_guard.measurement.replicates import Groups, no_groups
from collapse_guard.records import Reading

INDICATORS = all_indicators()
_ORDERS = (1, 2, 3, 4)


def token_readings(
    groups: Groups[list[IntArray]], instruments: TextInstruments, only: Collection[str]
) -> list[Reading]:
    """Diversity, copies and homozygosity of groups of tokens."""
    readings = _read(
        groups,
        only,
        {
            **{f"distinct_{n}": partial(distinct_n, n=n) for n in _ORDERS},
            **{f"self_distinct_{n}": partial(self_distinct_n, n=n) for n in _ORDERS},
            **{f"entropy_{n}": partial(entropy_n, n=n) for n in _ORDERS},
            "self_bleu": self_bleu,
            "repetition": repetition,
            "compression_ratio": lambda group: compression_ratio(instruments.decode(group)),
            "copied_ngrams": lambda group: _share(instruments.copied.contained(group)),
        },
    )
    return readings + _homozygosity("tokens", groups, only, _counts, lambda: instruments.token_homozygosity)


def word_readings(groups: Groups[list[IntArray]], instruments: TextInstruments, only: Collection[str]) -> list[Reading]:
    """Tails of groups of words, given as `TextInstruments.types`."""
    rare, n_words = instruments.rare, len(instruments.word_ids)

    def counts(group: list[IntArray]) -> Tensor:
        return torch.from_numpy(_counts(group, n_words))

    def lost(group: list[IntArray]) -> float:
        keys, pairs = pair_keys(group), instruments.pairs
        return lost_ngrams(pairs.counts(keys), pairs.probabilities, len(keys))

    # Counted anew for each: the counts of all groups together would be far larger than the samples.
    return _read(
        groups,
        only,
        {
            "rare_coverage": lambda group: rare_coverage(counts(group), rare),
            "rare_mass": lambda group: rare_mass(counts(group), rare),
            "missing_mass": lambda group: missing_mass(_counts(group)),
            "hill_index": lambda group: hill_index(_counts(group)),
            "lost_ngrams": lost,
        },
    )


def text_readings(
    groups: Groups[IntArray], texts: Sequence[str], instruments: TextInstruments, only: Collection[str]
) -> list[Reading]:
    """Unique samples and near duplicates of training documents; groups are numbers of texts."""
    is_copy = instruments.training.contained(texts) if "near_duplicates" in only else np.zeros(len(texts), bool)
    return _read(
        groups,
        only,
        {
            "unique_samples": lambda group: unique_samples([texts[i] for i in group]),
            "near_duplicates": lambda group: _share(is_copy[group]),
        },
    )


def vector_readings(groups: Groups[FloatArray], space: Space, only: Collection[str]) -> list[Reading]:
    """Spread of groups of vectors, and their distance to the frozen reference."""
    spread: dict[str, Callable[[FloatArray], float]] = {
        "total_variance": total_variance,
        "effective_rank": effective_rank,
        "vendi": vendi,
        "vendi_2": vendi_2,
        "mean_distance": mean_distance,
        "mmd": space.mmd,
        "frechet": space.frechet,
    }
    return [
        *_read(groups, only, spread),
        *_histogram_readings(groups, space, only),
        *_manifold_readings(groups, space, only),
    ]


def _histogram_readings(groups: Groups[FloatArray], space: Space, only: Collection[str]) -> list[Reading]:
    frozen = space.geometry.histogram
    formulas: dict[str, Callable[[IntArray], float]] = {
        "jensen_shannon": lambda counts: jensen_shannon(counts, frozen),
        "mauve": lambda counts: mauve(counts, frozen),
    }
    if not formulas.keys() & set(only):
        return []
    return _read(groups.of([space.histogram(group) for group in groups.members]), only, formulas)


def _manifold_readings(groups: Groups[FloatArray], space: Space, only: Collection[str]) -> list[Reading]:
    formulas = {name: attrgetter(name) for name in ("precision", "recall", "density", "coverage")}
    if not formulas.keys() & set(only):
        return []
    return _read(groups.of([space.scores(group) for group in groups.members]), only, formulas)


def row_readings(groups: Groups[FloatArray], space: Space, only: Collection[str]) -> list[Reading]:
    """What rows have in common with texts: unique samples, and homozygosity with clusters in the place of tokens."""
    return [
        *_read(groups, only, {"unique_samples": lambda group: unique_samples([row.tobytes() for row in group])}),
        *_homozygosity("clusters", groups, only, space.histogram, lambda: space.cluster_homozygosity),
    ]


def missing_vector_readings(n: int, size: int, problem: str, only: Collection[str]) -> list[Reading]:
    """Spread and distance where there are no vectors, and why."""
    groups: Groups[Any] = no_groups(n, size, problem)
    wanted = [name for name in (*FAMILIES["spread"], *FAMILIES["distance"]) if name in only]
    return [groups.of_values(INDICATORS[name], []) for name in wanted]


def _homozygosity(
    drawn: str,
    groups: Groups[Any],
    only: Collection[str],
    counts: Callable[[Any], IntArray],
    reference: Callable[[], float],
) -> list[Reading]:
    readings = _read(
        groups,
        only,
        {
            "homozygosity": lambda group: homozygosity(counts(group)),
            "fixation_index": lambda group: fixation_index(homozygosity(counts(group)), reference()),
        },
    )
    return [reading.model_copy(update={"drawn": drawn}) for reading in readings]


def _counts(group: Sequence[IntArray], minimum: int = 0) -> IntArray:
    """How often each id occurs."""
    return np.bincount(np.concatenate(group), minlength=minimum).astype(np.int64, copy=False)


def _read(groups: Groups[Any], only: Collection[str], formulas: Mapping[str, Callable[[Any], float]]) -> list[Reading]:
    return [groups.read(INDICATORS[name], formula) for name, formula in formulas.items() if name in only]


def _share(flags: npt.NDArray[np.bool_]) -> float:
    return float(flags.mean()) if len(flags) else math.nan
