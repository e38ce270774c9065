r"""Divergence of a generation from the wild type, computed from counts of types.

A generation may lose nothing and still diverge: the fixation index compares how diverse two populations are, F_ST tells
whether they are the same population.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import numbers
from collapse_guard.arrays import FloatArray
from collapse_guard.errors import InputError


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
