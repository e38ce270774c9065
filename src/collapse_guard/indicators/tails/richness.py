"""Richness: how many words there are beyond those that were seen, and how many would be seen at another size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from collapse_guard.arrays import IntArray
from collapse_guard.errors import InputError


def rarefaction(counts: npt.ArrayLike | Tensor, n: int) -> float:
    r"""Expected number of types in n of the N occurrences: `sum_i 1 - C(N - c_i, n) / C(N, n)`.

    It brings samples of different sizes to one size. Unit: types. Range: [0, min(n, S)] for S types. Collapse: down.
    Undefined (NaN) where n exceeds N: rarefaction never extrapolates. Its expectation is that of the number of types
    among n draws from the source and does not depend on N. O(V + min(largest count, 40 N / n)). The products are summed
    factor by factor: differences of log-gamma functions would lose the digits of rare types in large samples.

    Args:
        counts: Occurrences of each type, of any shape.
        n: Number of occurrences to bring the sample to.

    Raises:
        InputError: A count is negative or no integer, or `n` is negative.

    Source: Hurlbert (1971), The nonconcept of species diversity, Ecology 52:577.

    Example:
        >>> round(rarefaction([10, 5, 3, 2, 2, 1, 1, 1, 1], n=5), 6)
        3.589632
    """
    seen = occurrences(counts)
    total = int(seen.sum())
    if n < 0:
        raise InputError(f"`n` must be at least 0, but got {n!r}")
    if n > total:
        return math.nan
    # A type is absent with probability below exp(-count * n / N): beyond 40 nothing is left of it in float64.
    factors = min(int(seen.max(initial=0)), 40 * total // max(n, 1) + 1)
    with np.errstate(divide="ignore"):
        log_absent = np.cumsum(np.log1p(-np.minimum(n / (total - np.arange(factors)), 1.0)))
    return -float(np.expm1(log_absent[np.minimum(seen, factors) - 1]).sum())


def rarefied_distinct(counts: npt.ArrayLike | Tensor, n: int) -> float:
    r"""Distinct-n as it would be in n of the n-grams that were counted, `rarefaction(counts, n) / n`.

    Unit: share of n-grams. Range: [0, 1]. Collapse: down. Undefined (NaN) where n exceeds the number of n-grams, or is
    0. Unlike distinct-n itself its expectation does not depend on how many were counted. Cost as `rarefaction`: O(V +
    largest count).

    Args:
        counts: Occurrences of each n-gram, of any shape.
        n: Number of n-grams to bring the sample to.

    Raises:
        InputError: A count is negative or no integer, or `n` is negative.

    Source: Hurlbert (1971), Ecology 52:577; Li et al. (2016) for distinct-n.

    Example:
        >>> rarefied_distinct([3, 3], n=2)
        0.8
    """
    return rarefaction(counts, n) / n if n else math.nan


def missing_mass(counts: npt.ArrayLike | Tensor) -> float:
    r"""Good-Turing missing mass: the estimated probability that the next word was never seen, `f1 / N`.

    f1 is the number of words that occur exactly once, N the number of occurrences. Range: [0, 1]. Collapse: down: a
    source that has lost its rare words repeats those it has. Undefined (NaN) without occurrences. It falls with the
    number of occurrences for any source (its expectation is that of the unseen mass after N - 1), so compare it at
    equal numbers only. O(V) for V words.

    Args:
        counts: Occurrences of each different word, of any shape. Each unknown word counts on its own, so the counts of
            `tails.count_types`, which puts all of them in one place, are not what is wanted.

    Raises:
        InputError: A count is negative or no integer.

    Source: Good (1953), The population frequencies of species, Biometrika 40:237.

    Example:
        >>> missing_mass([5, 3, 1, 1])
        0.2
    """
    seen = occurrences(counts)
    return int((seen == 1).sum()) / int(seen.sum()) if len(seen) else math.nan


def good_turing_coverage(counts: npt.ArrayLike | Tensor) -> float:
    r"""Good's coverage: the estimated share of the source that belongs to types seen, `1 - f1 / N`.

    Range: [0, 1]. Collapse: up. Undefined (NaN) without occurrences. It grows with the number of occurrences, so
    compare it at equal numbers only. O(V) for V types.

    Args:
        counts: Occurrences of each type, of any shape.

    Raises:
        InputError: A count is negative or no integer.

    Source: Good (1953), Biometrika 40:237.

    Example:
        >>> good_turing_coverage([5, 3, 1, 1])
        0.8
    """
    return 1.0 - missing_mass(counts)


def chao1(counts: npt.ArrayLike | Tensor, *, bias_corrected: bool = True) -> float:
    r"""Chao1: a lower bound of the number of types of the source, `S + f1 (f1 - 1) / (2 (f2 + 1))`.

    S is the number of types seen, f1 and f2 of those seen once and twice; without bias correction it is `S + f1^2 /
    (2 f2)`. Unit: types. Range: [S, inf). Collapse: down. Undefined (NaN) without occurrences and, without bias
    correction, where types occur once and none twice. A lower bound only, and for heavy tails, like those of words, a
    poor one that grows with N: compare it at equal numbers only. O(V) for V types.

    Args:
        counts: Occurrences of each type, of any shape.
        bias_corrected: Take the form that is unbiased where all types are equally frequent.

    Raises:
        InputError: A count is negative or no integer.

    Source: Chao (1984), Nonparametric estimation of the number of classes, Scand. J. Statist. 11:265; Chao (2005),
    Species estimation and applications, for the corrected form.

    Example:
        >>> chao1([10, 5, 3, 2, 2, 1, 1, 1, 1]), chao1([10, 5, 3, 2, 2, 1, 1, 1, 1], bias_corrected=False)
        (11.0, 13.0)
    """
    seen = occurrences(counts)
    once, twice = int((seen == 1).sum()), int((seen == 2).sum())
    pairs, classes = (once * (once - 1), twice + 1) if bias_corrected else (once * once, twice)
    if not len(seen) or (pairs and not classes):
        return math.nan
    return len(seen) + (pairs / (2 * classes) if pairs else 0.0)


def ead(n_distinct: int, n_units: int, vocabulary_size: int) -> float:
    r"""Expectation-adjusted distinct: types over those of as many uniform draws, `D / (V (1 - (1 - 1/V)^C))`.

    Range: [0, min(C, V) / (V (1 - (1 - 1/V)^C))]. Collapse: down. Undefined (NaN) without units. Its expectation is 1
    at any number of units for uniform draws, and for these alone: for real text it still depends on C, though less
    than distinct-n, so compare it at equal C (and equal V) all the same. O(1).

    Args:
        n_distinct: D: different units.
        n_units: C: units.
        vocabulary_size: V: units that exist, the same for all that are compared.

    Raises:
        InputError: A number is negative, `vocabulary_size` is below 1, or there are more different units than units
            or than the vocabulary has.

    Source: Liu et al. (2022), Rethinking and refining the distinct metric, ACL.

    Example:
        >>> round(ead(300, 500, vocabulary_size=1000), 6)
        0.762154
    """
    if not 0 <= n_distinct <= min(n_units, vocabulary_size) or vocabulary_size < 1:
        raise InputError(
            "`n_distinct` must be from 0 to `n_units` and to `vocabulary_size`, which is at least 1, but got "
            f"{n_distinct} of {n_units} and {vocabulary_size}: give the counts of one and the same sample"
        )
    if not n_units:
        return math.nan
    if vocabulary_size == 1:
        return float(n_distinct)
    return n_distinct / (-vocabulary_size * math.expm1(n_units * math.log1p(-1.0 / vocabulary_size)))


def hill_number(counts: npt.ArrayLike | Tensor, q: float = 1.0) -> float:
    r"""Hill number: the effective number of types, `(sum_i p_i^q)^(1 / (1 - q))` of the shares p_i = c_i / N.

    Order 0 is the number of types, 1 the exponential of the Shannon entropy, 2 the inverse of the plug-in homozygosity
    and infinity the inverse of the largest share. Unit: types. Range: [1, S] for S types. Collapse: down. Undefined
    (NaN) without occurrences. It grows with the number of occurrences, most for small q, so compare it at equal numbers
    only. O(V) for V types.

    Args:
        counts: Occurrences of each type, of any shape.
        q: Order, from 0 to inf: how much the common types count.

    Raises:
        InputError: A count is negative or no integer, or `q` is negative or NaN.

    Source: Hill (1973), Diversity and evenness: a unifying notation, Ecology 54:427.

    Example:
        >>> hill_number([1, 1, 1, 1]), round(hill_number([10, 5, 3, 2, 2, 1, 1, 1, 1], q=2), 6)
        (4.0, 4.630137)
    """
    if not q >= 0.0:
        raise InputError(f"`q` must be at least 0, but got {q!r}: 1 is the Shannon order")
    seen = occurrences(counts)
    if not len(seen):
        return math.nan
    shares = seen / seen.sum()
    if q == 1.0:
        return math.exp(-float((shares * np.log(shares)).sum()))
    largest = float(shares.max())
    if math.isinf(q):
        return 1.0 / largest
    # Relative to the largest share, as the powers of small shares underflow for large q.
    relative = float(((shares / largest) ** q).sum())
    return math.exp((q * math.log(largest) + math.log(relative)) / (1.0 - q))


def occurrences(counts: npt.ArrayLike | Tensor) -> IntArray:
    """The counts above zero, as 1-D int64.

    Raises:
        InputError: A count is negative or no integer.

    Example:
        >>> occurrences([[2, 0], [1, 0]]).tolist()
        [2, 1]
    """
    array = as_array(counts)
    integers = not array.size or array.dtype.kind in "iu"
    if not integers or array.min(initial=0) < 0:
        got = array.min() if integers else array.dtype
        raise InputError(f"`counts` must be integers of at least 0, but got {got}: count how often each type occurs")
    return array[array > 0].astype(np.int64, copy=False)


def as_array(values: npt.ArrayLike | Tensor) -> npt.NDArray[Any]:
    """Values as a NumPy array, tensors of any device too."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
