"""Rival rules that people use instead: each returns the first generation of a lineage that it alarms at, or None.

A rule that needs losses raises `NoOpinion` on a lineage without them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import ttest_ind, ttest_rel

from detecting.lineages import Floats, Lineage

Rule = Callable[[Lineage], int | None]
LEVEL, AUC, PATIENCE = 0.05, 0.55, 3
PERPLEXITY_RULE = "perplexity +10%"
"""The rule that the others are compared with."""


class NoOpinion(Exception):  # noqa: N818 - nothing went wrong
    """The lineage has nothing that the rule looks at."""


def first(alarms: npt.ArrayLike) -> int | None:
    """The first generation after the founder that alarms.

    Example:
        >>> first([True, False, True]), first([False, False])
        (2, None)
    """
    found = np.flatnonzero(np.asarray(alarms)[1:])
    return int(found[0]) + 1 if len(found) else None


def above_founder(values: Floats, factor: float) -> int | None:
    """First crossing of a multiple of the founder's value."""
    return first(values > factor * values[0])


def below_founder(values: Floats, factor: float) -> int | None:
    """First crossing from above of a multiple of the founder's value."""
    return first(values < factor * values[0])


def above_best(values: Floats, factor: float) -> int | None:
    """First value above a multiple of the best one before it."""
    best = np.minimum.accumulate(values)
    return first(np.concatenate([[False], values[1:] > factor * best[:-1]]))


def no_improvement(values: Floats, patience: int = PATIENCE) -> int | None:
    """First generation at which the best is that many generations old, as early stopping counts."""
    best = np.minimum.accumulate(values)
    improved = np.concatenate([[True], values[1:] < best[:-1]])
    since = np.arange(len(values)) - np.maximum.accumulate(np.where(improved, np.arange(len(values)), 0))
    return first(since >= patience)


def paired_t(rates: Floats) -> int | None:
    """Paired t test of document losses against the founder's, one-sided, at 5% in every generation."""
    return first([False, *(ttest_rel(now, rates[0], alternative="greater").pvalue < LEVEL for now in rates[1:])])


def welch_t(groups: list[tuple[float, ...]]) -> int | None:
    """Welch's t test of group values against the founder's, two-sided, at 5% in every generation."""
    tests = [ttest_ind(now, groups[0], equal_var=False).pvalue < LEVEL for now in groups[1:]]
    return first([False, *tests])


def _perplexity(rule: Callable[..., int | None], *arguments: float) -> Rule:
    return lambda lineage: rule(_known(lineage.perplexity), *arguments)


def _series(name: str, rule: Callable[[Floats], int | None]) -> Rule:
    return lambda lineage: rule(_known(lineage.series(name)))


def _known(value: Any) -> Any:
    if value is None:
        raise NoOpinion
    return value


RIVALS: dict[str, Rule] = {
    PERPLEXITY_RULE: _perplexity(above_founder, 1.10),
    "perplexity +5%": _perplexity(above_founder, 1.05),
    "perplexity +10% over the best so far": _perplexity(above_best, 1.10),
    "early stopping, patience 3": _perplexity(no_improvement),
    "paired t test of losses, 5%": lambda lineage: paired_t(_known(lineage.rates)),
    "distinct-1 -10%": _series("distinct_1", lambda values: below_founder(values, 0.9)),
    "entropy -10%": _series("entropy", lambda values: below_founder(values, 0.9)),
    "t test of distinct-2, 5%": lambda lineage: welch_t(_known(lineage.groups("distinct_2"))),
    "MMD permutation test, 5%": _series("mmd_p", lambda p: first(p < LEVEL)),
    "domain classifier, AUC > .55": _series("auc", lambda auc: first(auc > AUC)),
}
"""Name -> rule. The last two are the defaults of drift detectors: alibi-detect's, and evidently's for embeddings."""
