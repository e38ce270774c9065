"""Divergences between two histograms over the same clusters: how much of the one the other lacks, and the reverse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from collapse_guard.arguments import above
from collapse_guard.arrays import FloatArray
from collapse_guard.errors import InputError
from collapse_guard.indicators.counts import Values, as_array
from collapse_guard.indicators.samples import VectorGroup
from collapse_guard.indicators.vectors import DistanceIndicator, Vectors, numbers, rows, tag
from collapse_guard.records import Direction, EffectScale

_N_WEIGHTS = 25
_FIRST_WEIGHT = 1e-6


def jensen_shannon(p_counts: Values, q_counts: Values) -> float:
    r"""Jensen-Shannon divergence `KL(P || M) / 2 + KL(Q || M) / 2` with `M = (P + Q) / 2`, in nats.

    Unit: nats. Range: [0, ln 2]; 0 for equal shares, ln 2 for disjoint ones. Collapse: up. Its square root, which is
    what `scipy.spatial.distance.jensenshannon` gives, is a metric. It falls with the number of samples, since samples
    of n and m differ by chance by about (c - 1) (1/n + 1/m) / 8: compare it at equal n only. Undefined (NaN) where one
    of them has no counts, or a number is not finite. O(c).

    Args:
        p_counts: c counts of the generated samples by cluster.
        q_counts: c counts of the reference by cluster.

    Raises:
        InputError: A count is negative, or the shapes differ.

    Source: Lin (1991), Divergence measures based on the Shannon entropy, IEEE Trans. Inf. Theory 37:145, eq. (4.1).

    Example:
        >>> round(jensen_shannon([5, 3, 2], [6, 4, 0]), 8)
        0.07517426
    """
    pair = _shares(p_counts, q_counts)
    if pair is None:
        return math.nan
    p, q = pair
    middle = (p + q)[None] / 2
    divergence = (_kl(p, middle)[0] + _kl(q, middle)[0]) / 2
    return float(min(max(divergence, 0.0), math.log(2.0)))


def mauve(p_counts: Values, q_counts: Values, c: float = 5.0) -> float:
    r"""MAUVE: area under the divergence curve `(exp(-c KL(Q || R)), exp(-c KL(P || R)))` of mixtures R of P and Q.

    R runs over 25 mixtures `w P + (1 - w) Q`, w from 1e-6 to 1 - 1e-6 at equal steps; the curve is closed with the
    points (1, 0) and (0, 1), and its area is that of the trapezoids below it.

    Range: [0, 1]; 1 for equal shares, 0.004072 for disjoint ones. Collapse: down, for what is lost as for what is
    added. It depends on the clusters, so scores compare only over one codebook, and it grows with the number of
    samples: compare it at equal n only. Undefined (NaN) where one of them has no counts, or a number is not finite.
    O(k) for k clusters.

    Args:
        p_counts: k counts of the generated samples by cluster.
        q_counts: k counts of the reference by cluster.
        c: How fast divergence counts as loss.

    Raises:
        InputError: A count is negative, the shapes differ, or `c` is not above 0.

    Source: Pillutla et al. (2021), MAUVE: measuring the gap between neural text and human text using divergence
    frontiers, NeurIPS, eq. (1)-(3).

    Example:
        >>> round(mauve([5, 3, 2], [6, 4, 0]), 6)
        0.749749
    """
    above("c", c, 0.0)
    pair = _shares(p_counts, q_counts)
    if pair is None:
        return math.nan
    p, q = pair
    weights = np.linspace(_FIRST_WEIGHT, 1.0 - _FIRST_WEIGHT, _N_WEIGHTS)[:, None]
    mixtures = weights * p + (1.0 - weights) * q
    x = np.concatenate([[1.0], np.exp(-c * _kl(q, mixtures)), [0.0]])
    y = np.concatenate([[0.0], np.exp(-c * _kl(p, mixtures)), [1.0]])
    # Integrated over y instead, the trapezoids have the same area, since x y is 0 at both ends.
    return float(min(np.sum((y[:-1] + y[1:]) * (x[:-1] - x[1:])) / 2.0, 1.0))


def _shares(p_counts: Values, q_counts: Values) -> tuple[FloatArray, FloatArray] | None:
    """Counts as shares of their sum; None where there are none or one is not finite."""
    p, q = _counts(p_counts, "p_counts"), _counts(q_counts, "q_counts")
    if p.shape != q.shape:
        raise InputError(
            f"`p_counts` and `q_counts` must be over the same clusters, but got {len(p)} and {len(q)} of them"
        )
    totals = p.sum(), q.sum()
    return (p / totals[0], q / totals[1]) if all(0 < total < math.inf for total in totals) else None


def _counts(counts: Values, name: str) -> FloatArray:
    values: FloatArray = as_array(counts).astype(np.float64)
    if values.ndim != 1 or (values < 0).any():
        raise InputError(f"`{name}` must be a list of counts of at least 0, but got {values.tolist()!r:.80}")
    return values


def _kl(shares: FloatArray, mixtures: FloatArray) -> FloatArray:
    """KL divergence from each mixture, which is positive wherever the shares are; 0 log 0 = 0."""
    there = shares > 0
    ratios = shares[there] / mixtures[:, there]
    divergences: FloatArray = np.maximum((shares[there] * np.log(ratios)).sum(axis=1), 0.0)
    return divergences


class _ClusterIndicator(DistanceIndicator):
    """Counts of the nearest centres of a frozen codebook."""

    cost = "O(n c d)"
    definitions = (6, 8)
    undefined = "there are no samples"
    misses = "what happens within a cluster, and what the embedder does not tell apart"

    @classmethod
    def read(cls, group: VectorGroup) -> float:
        """Value of a group, against the pool."""
        return cls.formula(group.counts, group.instruments.geometry.histogram)

    def __init__(self, codebook: Vectors, histogram: Values, **kwargs: Any) -> None:
        """Begin without rows."""
        super().__init__(**kwargs)
        self.codebook = rows(codebook, name="codebook")
        self.histogram = numbers(histogram)
        if self.histogram.shape != (len(self.codebook),):
            raise InputError(
                f"`histogram` must have a count for each of the {len(self.codebook)} centres of `codebook`, "
                f"but got the shape {tuple(self.histogram.shape)}"
            )
        self._add_sum(f"counts_of_clusters_{tag(self.codebook.cpu().numpy())}", len(self.codebook))

    def update(self, x: Tensor) -> None:
        """Add rows."""
        vectors = rows(x, dimension=self.codebook.shape[1])
        centres = self.codebook.to(vectors.device)
        nearest = (centres.square().sum(dim=1) - 2.0 * vectors @ centres.T).argmin(dim=1)
        counts = torch.bincount(nearest, minlength=len(centres)).to(torch.float64)
        # A row that is not finite has no nearest centre: as a count that is not a number it is not hidden.
        self._add_up(counts + 0.0 * vectors.sum())

    def compute(self) -> Tensor:
        """Value of everything since the last reset."""
        return self._scalar(self.formula(*self._totals, self.histogram))


class JensenShannon(_ClusterIndicator):
    """Jensen-Shannon divergence over batches of vectors, by the clusters of a frozen codebook; see `jensen_shannon`.

    As input to `update`: `x` (n, d) of any float type. The state is c counts. Value: float64.

    Args:
        codebook: c d, centres; `Geometry.codebook`.
        histogram: c, reference vectors in each cluster; `Geometry.histogram`.

    Example:
        >>> metric = JensenShannon(codebook=[[0.0], [5.0], [9.0]], histogram=[6, 4, 0])
        >>> metric.update(torch.tensor([[0.0]] * 5 + [[5.0]] * 3 + [[9.0]] * 2))
        >>> metric.compute()
        tensor(0.0752, dtype=torch.float64)
    """

    name, place = "jensen_shannon", 10
    unit = "nats"
    direction = Direction.UP
    value_range = (0.0, math.log(2.0))
    formula = staticmethod(jensen_shannon)


class Mauve(_ClusterIndicator):
    """MAUVE over batches of vectors, by the clusters of a frozen codebook; see `mauve`.

    As input to `update`: `x` (n, d) of any float type. The state is c counts. Value: float64.

    Args:
        codebook: c d, centres; `Geometry.codebook`.
        histogram: c, reference vectors in each cluster; `Geometry.histogram`.

    Example:
        >>> metric = Mauve(codebook=[[0.0], [5.0], [9.0]], histogram=[6, 4, 0])
        >>> metric.update(torch.tensor([[0.0]] * 5 + [[5.0]] * 3 + [[9.0]] * 2))
        >>> metric.compute()
        tensor(0.7497, dtype=torch.float64)
    """

    name, place = "mauve", 40
    unit = "1"
    scale = EffectScale.LOG_RATIO
    direction = Direction.DOWN
    value_range = (0.0, 1.0)
    formula = staticmethod(mauve)
