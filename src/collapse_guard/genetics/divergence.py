r"""Divergence of a generation from the wild type, and effective size, computed from counts of types.

The formula of `homozygosity` stands here; the indicator of that name calls it. A generation may lose nothing and still
diverge: the fixation index compares how diverse two populations are, F_ST tells whether they are the same population.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import numbers
from collapse_guard.arrays import FloatArray
from collapse_guard.errors import InputError


def homozygosity(counts: npt.ArrayLike) -> FloatArray:
    r"""Homozygosity S: the chance that two different occurrences are of one type, `sum_i c_i (c_i - 1) / (N (N - 1))`.

    Range: [0, 1]. Collapse: up. Undefined (NaN) for fewer than two occurrences. Unbiased for any N.
    Cost: O(V) for V types.

    Args:
        counts: [..., types]: occurrences, whole and not negative.

    Returns:
        [...]: one value for each row of counts.

    Raises:
        InputError: A count is negative or not whole.

    Source: Simpson (1949), Measurement of diversity, Nature 163:688; Nei and Roychoudhury (1974), Genetics 76:379.

    Example:
        >>> homozygosity([[10, 5, 3, 2, 2, 1, 1, 1, 1], [9, 0, 0, 0, 0, 0, 0, 0, 0]]).round(6).tolist()
        [0.184615, 1.0]
    """
    return _homozygosity(_checked_counts("counts", counts))


def hudson_fst(counts: npt.ArrayLike, reference_counts: npt.ArrayLike) -> FloatArray:
    r"""Hudson's F_ST between a generation and the wild type, `1 - H_within / H_between`.

    H is the chance that two occurrences differ in type. H_within takes both from one sample and averages over the two
    samples; H_between takes one from each. Range: up to 1, where the samples share no type and each has a single one.
    Two samples of one source give 0 on average, so about half of such pairs are below 0. Collapse: up. Undefined (NaN)
    for a sample of fewer than two occurrences, and where both hold the same single type. Numerator and denominator are
    unbiased for samples of any size, so average them over loci, not the ratios; the ratio is unbiased up to O(1/N).

    Drift does not change the mean of H_between: it stays the diversity of the wild type. So under drift alone F_ST is
    half the fixation index, up to 1/2; in a lineage far above that, more than chance is at work.
    Cost: O(V) for V types.

    Args:
        counts: [..., types]: occurrences in the generation, whole and not negative.
        reference_counts: [..., types]: occurrences of the same types in the wild type.

    Returns:
        [...]: the shape that the leading axes broadcast to.

    Raises:
        InputError: A count is negative or not whole, or the two do not hold the same types.

    Source: Hudson, Slatkin and Maddison (1992), Estimation of levels of gene flow from DNA sequence data, Genetics
    132:583; Bhatia et al. (2013), Estimating and interpreting F_ST, Genome Res. 23:1514, for the estimator.

    Example:
        >>> hudson_fst([[30, 10, 0], [0, 0, 40]], [20, 20, 0]).round(6).tolist()
        [0.102564, 0.74359]
    """
    own, other = _checked_counts("counts", counts), _checked_counts("reference_counts", reference_counts)
    try:
        np.broadcast_shapes(own.shape[:-1], other.shape[:-1])
        fits = own.shape[-1] == other.shape[-1]
    except ValueError:
        fits = False
    if not fits:
        raise InputError(
            "`reference_counts` must hold the same types as `counts`, in rows that broadcast, but got the shapes "
            f"{other.shape} and {own.shape}: count both over one vocabulary"
        )
    within = 1.0 - (_homozygosity(own) + _homozygosity(other)) / 2.0
    with np.errstate(invalid="ignore", divide="ignore"):
        alike = (own / own.sum(-1, keepdims=True) * (other / other.sum(-1, keepdims=True))).sum(-1)
        return np.asarray(1.0 - within / (1.0 - alike))


@dataclass(frozen=True, kw_only=True)
class PedigreeSize:
    """Effective size of a pedigree.

    Example:
        >>> PedigreeSize(size=20.0, standard_error=1.5).size
        20.0
    """

    size: float
    """n_e: the number of samples with which drift alone would inbreed as fast; infinite if nothing is inbred."""
    standard_error: float
    """Standard error of n_e, for independent members; NaN for one member, or if n_e is infinite."""


def pedigree_effective_size(inbreeding: npt.ArrayLike, generations: npt.ArrayLike) -> PedigreeSize:
    r"""Effective size from the inbreeding of members of a pedigree, `n_e = 1 / mean(1 - (1 - F_i)^(1/t_i))`.

    It solves `genetics.inbreeding.inbreeding` for n exactly: t is counted such that F_1 = 1/n, and n_e is a number of
    samples, the 2N_e of genetics. (purgeR has 1/(t_i - 1), since the children of two founders cannot be inbred, and
    N_e = 1/(2 mean).) Unit: samples. Range: [1, inf]. Collapse: down. Infinite if no member is inbred. Members that
    share ancestors are correlated, and the standard error is then too small. Cost: O(members).

    Args:
        inbreeding: F_i of each member, from 0 to 1.
        generations: t_i: generations from the founders to it, above 0; need not be whole. Leave founders out.

    Raises:
        InputError: An argument is outside of its range, or the two do not hold the same members.

    Source: Gutiérrez, Cervantes and Goyache (2009), J. Anim. Breed. Genet. 126:327, for the individual increase and its
    standard error, here n_e^2 sd / sqrt(k); López-Cortegano (2022), Bioinformatics 38:564.

    Example:
        >>> estimate = pedigree_effective_size([0.05, 0.0975, 0.2], generations=[1, 2, 3])
        >>> round(estimate.size, 4), round(estimate.standard_error, 4)
        (17.4741, 2.2069)
    """
    f = numbers("inbreeding", inbreeding, least=0.0, most=1.0)
    t = numbers("generations", generations)
    if f.shape != t.shape or not f.size:
        raise InputError(
            f"`generations` must hold one number for each of `inbreeding`, at least one, but got the shapes "
            f"{t.shape} and {f.shape}: give both for the same members"
        )
    if (t <= 0.0).any():
        raise InputError(f"`generations` must be above 0, but got {t.min()}: leave founders out")
    with np.errstate(divide="ignore"):
        increase = -np.expm1(np.log1p(-f) / t)
    mean = float(increase.mean())
    if mean == 0.0:
        return PedigreeSize(size=math.inf, standard_error=math.nan)
    error = float(increase.std(ddof=1)) / math.sqrt(f.size) / mean**2 if f.size > 1 else math.nan
    return PedigreeSize(size=1.0 / mean, standard_error=error)


def _homozygosity(counts: FloatArray) -> FloatArray:
    total = counts.sum(-1)
    pairs = total * (total - 1.0)
    return np.where(total > 1.0, (counts * (counts - 1.0)).sum(-1) / np.where(total > 1.0, pairs, 1.0), math.nan)


def _checked_counts(name: str, counts: Any) -> FloatArray:
    values = numbers(name, counts, least=0.0)
    if values.ndim == 0 or (values != np.floor(values)).any():
        got = f"the number {values}" if values.ndim == 0 else values[values != np.floor(values)][0]
        raise InputError(f"`{name}` must hold whole numbers, one for each type, but got {got}: count occurrences")
    return values
