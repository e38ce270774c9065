"""An item is a vector."""

import math

import numpy as np
import torch

from collapse_guard.indicators import spread
from contract_cases.case import ITEMS, Case

DIMENSION = 4
REAL, OWNERS = [0.9, 1.1, 1.3, 0.8], [0, 1, 2, 2]


def vectors(rng):
    return list(torch.tensor(rng.normal(loc=0.5, size=(ITEMS, DIMENSION)), dtype=torch.float32))


def stacked(items):
    return (torch.stack(items),)


def matrix(items):
    return np.stack([item.double().numpy() for item in items])


def slow_effective_rank(items):
    x = matrix(items)
    s = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    p = s / s.sum()
    return math.exp(-(p * np.log(p)).sum())


def slow_narrowest_column(items):
    a, b, c, d = np.var(matrix(items), axis=0, ddof=1)
    return min(a / 0.9, b / 1.1, (c + d) / (1.3 + 0.8))


def slow_vendi(items):
    unit = [row / np.linalg.norm(row) for row in matrix(items)]
    values = np.linalg.eigvalsh(np.array([[a @ b for b in unit] for a in unit]) / len(unit))
    return math.exp(-sum(value * math.log(value) for value in values if value > 1e-12))


def slow_vendi_2(items):
    unit = [row / np.linalg.norm(row) for row in matrix(items)]
    return len(unit) ** 2 / sum((a @ b) ** 2 for a in unit for b in unit)


def slow_mean_distance(items):
    unit = [row / np.linalg.norm(row) for row in matrix(items)]
    distances = [1 - a @ b for i, a in enumerate(unit) for j, b in enumerate(unit) if i != j]
    return sum(distances) / len(distances)


def of_two_kinds(items):
    return [items[i % 2] for i in range(len(items))]


CASES = {
    "total_variance": Case(
        metric=lambda: spread.TotalVariance(DIMENSION),
        pure=spread.total_variance,
        items=vectors,
        batch=stacked,
        slow=lambda items: float(np.trace(np.cov(matrix(items).T))),
        collapse=lambda items: [0.7 * item for item in items],
    ),
    "effective_rank": Case(
        metric=lambda: spread.EffectiveRank(DIMENSION),
        pure=spread.effective_rank,
        items=vectors,
        batch=stacked,
        slow=slow_effective_rank,
        collapse=lambda items: [item * torch.tensor([1.0, 0.1, 0.1, 0.1]) for item in items],
    ),
    "narrowest_column": Case(
        metric=lambda: spread.NarrowestColumn(REAL, OWNERS),
        pure=spread.narrowest_column,
        items=vectors,
        batch=stacked,
        slow=slow_narrowest_column,
        collapse=lambda items: [item * torch.tensor([1.0, 0.1, 1.0, 1.0]) for item in items],
    ),
    "vendi": Case(
        metric=lambda: spread.Vendi(DIMENSION),
        pure=spread.vendi,
        items=vectors,
        batch=stacked,
        slow=slow_vendi,
        collapse=of_two_kinds,
    ),
    "vendi_2": Case(
        metric=lambda: spread.Vendi2(DIMENSION),
        pure=spread.vendi_2,
        items=vectors,
        batch=stacked,
        slow=slow_vendi_2,
        collapse=of_two_kinds,
    ),
    "mean_distance": Case(
        metric=lambda: spread.MeanDistance(DIMENSION),
        pure=spread.mean_distance,
        items=vectors,
        batch=stacked,
        slow=slow_mean_distance,
        collapse=lambda items: [item + 2.0 * torch.ones(DIMENSION) for item in items],
    ),
}
