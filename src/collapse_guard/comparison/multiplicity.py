"""Many indicators at once: any of them may alarm, all of them must pass."""

from __future__ import annotations

import math
from collections.abc import Sequence

from collapse_guard.errors import InputError


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given: valid under any dependence. Holm (1979).

    A p-value that is not a number counts as 1.

    Example:
        >>> [round(p, 4) for p in holm([0.001, 0.012, 0.021, 0.04, 0.3])]
        [0.005, 0.048, 0.063, 0.08, 0.3]
    """
    known = [1.0 if math.isnan(p) else p for p in p_values]
    adjusted, running = [1.0] * len(known), 0.0
    for place, index in enumerate(sorted(range(len(known)), key=lambda i: known[i])):
        running = max(running, min(1.0, (len(known) - place) * known[index]))
        adjusted[index] = running
    return adjusted


def e_bh(e_values: Sequence[float], alpha: float) -> list[bool]:
    r"""Which hypotheses the e-BH procedure rejects: a false discovery rate of at most alpha, under any dependence.

    .. math:: k^* = \max\{k : e_{(k)} \ge K / (\alpha k)\}, \quad \text{reject the } k^* \text{ largest of } K

    The rate bounds the share of false discoveries, not the chance of any: for a list to look through, such as of
    strata or lost items, not for a verdict. Not valid on running maxima of e-processes (the largest value so far has
    an expectation above 1): give the e-values of one generation, or of an e-process at one stopping time. O(K log K).
    Wang and Ramdas (2022), J. R. Stat. Soc. B 84:822-852.

    Args:
        e_values: K: at least 0; one that is not a number counts as 0.
        alpha: The rate, in (0, 1).

    Raises:
        InputError: `alpha` is not in (0, 1).

    Example:
        >>> e_bh([60.0, 25.0, 12.0, 3.0, 0.5], alpha=0.1)
        [True, True, False, False, False]
    """
    _refuse_level("alpha", alpha)
    known = [0.0 if math.isnan(e) else e for e in e_values]
    largest_first = sorted(known, reverse=True)
    enough = [e for k, e in enumerate(largest_first, 1) if e * alpha * k >= len(known)]
    return [bool(enough) and e >= enough[-1] for e in known]


def all_within(p_values: Sequence[float], level: float) -> bool:
    """Whether "all of them hold" may be claimed, from one p-value each: the largest decides (intersection-union).

    A wrong claim about all is a wrong claim about one that does not hold, so no correction is needed, for any number
    and any dependence. Berger (1982), Technometrics 24:295-300.

    Args:
        p_values: k: of the claims, at least one; one that is not a number counts as 1.
        level: Probability of a wrong claim, in (0, 1).

    Raises:
        InputError: There is no claim, or `level` is not in (0, 1).

    Example:
        >>> all_within([0.001, 0.04, 0.02], level=0.05), all_within([0.001, 0.06, 0.02], level=0.05)
        (True, False)
    """
    _refuse_level("level", level)
    if not p_values:
        raise InputError("`p_values` must hold at least one p-value, but got none: nothing was claimed")
    return all(p <= level for p in p_values)


def _refuse_level(name: str, level: float) -> None:
    if not 0.0 < level < 1.0:
        raise InputError(f"`{name}` must lie between 0 and 1, but got {level}: 0.05 is usual")
