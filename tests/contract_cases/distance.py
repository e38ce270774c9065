"""An item is a vector; the reference is frozen."""

import functools
import math

import numpy as np
import torch
from scipy.linalg import sqrtm

from collapse_guard.indicators import distance
from contract_cases.case import ITEMS, Case

DIMENSION = 2
K = 3
REFERENCE = np.random.default_rng(77).normal(size=(25, DIMENSION))
CODEBOOK = np.array([[0.0, 0.0], [1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [4.0, 4.0]])
BANDWIDTH = 1.0


def vectors(rng):
    return list(torch.tensor(rng.normal(size=(ITEMS, DIMENSION)), dtype=torch.float32))


def stacked(items):
    return (torch.stack(items),)


def matrix(items):
    return np.stack([item.double().numpy() for item in items])


def histogram(x):
    counts = [0] * len(CODEBOOK)
    for row in x:
        counts[min(range(len(CODEBOOK)), key=lambda c: ((row - CODEBOOK[c]) ** 2).sum())] += 1
    return counts


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def shares(x):
    return [count / len(x) for count in histogram(x)]


def slow_jensen_shannon(items):
    p, q = shares(matrix(items)), shares(REFERENCE)
    m = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    return (kl(p, m) + kl(q, m)) / 2


def slow_mauve(items):
    p, q = shares(matrix(items)), shares(REFERENCE)
    points = [(0.0, 1.0), (1.0, 0.0)]
    for w in np.linspace(1e-6, 1 - 1e-6, 25):
        r = [w * a + (1 - w) * b for a, b in zip(p, q, strict=True)]
        points.append((math.exp(-5 * kl(q, r)), math.exp(-5 * kl(p, r))))
    areas = []
    for x, y in (zip(*sorted(points), strict=True), zip(*sorted((y, x) for x, y in points), strict=True)):
        areas.append(np.trapezoid(y, x))
    return sum(areas) / 2


def slow_mmd(items):
    w = np.random.default_rng(5).normal(size=(64, DIMENSION)) / BANDWIDTH

    def k(a, b):
        return float(np.cos(w @ (a - b)).mean())

    def mean(x, y, *, same):
        values = [k(a, b) for i, a in enumerate(x) for j, b in enumerate(y) if not (same and i == j)]
        return sum(values) / len(values)

    x = matrix(items)
    within = mean(x, x, same=True) + mean(REFERENCE, REFERENCE, same=True)
    return within - 2 * mean(x, REFERENCE, same=False)


def slow_frechet(items):
    x, s = matrix(items), np.cov(REFERENCE.T)
    own = np.cov(x.T)
    root = sqrtm(own @ s).real
    return ((x.mean(0) - REFERENCE.mean(0)) ** 2).sum() + np.trace(own + s - 2 * root)


def balls(x):
    """(centre, radius) of each row."""
    return [(a, sorted(np.linalg.norm(a - b) for j, b in enumerate(x) if j != i)[K - 1]) for i, a in enumerate(x)]


def memberships(x, y):
    """In which balls around x each of y lies."""
    return np.array([[np.linalg.norm(b - centre) < radius for centre, radius in balls(x)] for b in y])


def slow_precision(items):
    return memberships(REFERENCE, matrix(items)).any(axis=1).mean()


def slow_recall(items):
    return memberships(matrix(items), REFERENCE).any(axis=1).mean()


def slow_density(items):
    return memberships(REFERENCE, matrix(items)).sum() / K / len(items)


def slow_coverage(items):
    return memberships(REFERENCE, matrix(items)).any(axis=0).mean()


def narrowed(items):
    """Three of them take the place of all, each three times nearer to the middle."""
    return [items[i % 3] / 3 for i in range(len(items))]


def far(items):
    return [item + 3.0 for item in items]


case = functools.partial(Case, items=vectors, batch=stacked)

CASES = {
    "jensen_shannon": case(
        metric=lambda: distance.JensenShannon(CODEBOOK, histogram(REFERENCE)),
        pure=distance.jensen_shannon,
        slow=slow_jensen_shannon,
        collapse=narrowed,
    ),
    "mmd": case(
        metric=lambda: distance.Mmd(REFERENCE, BANDWIDTH, n_features=64, seed=5),
        pure=distance.feature_mmd2,
        slow=slow_mmd,
        collapse=far,
    ),
    "frechet": case(
        metric=lambda: distance.Frechet(REFERENCE.mean(axis=0), np.cov(REFERENCE.T)),
        pure=distance.frechet,
        slow=slow_frechet,
        collapse=narrowed,
    ),
    "mauve": case(
        metric=lambda: distance.Mauve(CODEBOOK, histogram(REFERENCE)),
        pure=distance.mauve,
        slow=slow_mauve,
        collapse=narrowed,
    ),
    "precision": case(
        metric=lambda: distance.Precision(REFERENCE, k=K),
        pure=distance.precision,
        slow=slow_precision,
        collapse=far,
    ),
    "recall": case(
        metric=lambda: distance.Recall(REFERENCE, k=K),
        pure=distance.recall,
        slow=slow_recall,
        collapse=narrowed,
    ),
    "density": case(
        metric=lambda: distance.Density(REFERENCE, k=K),
        pure=distance.density,
        slow=slow_density,
        collapse=far,
    ),
    "coverage": case(
        metric=lambda: distance.Coverage(REFERENCE, k=K),
        pure=distance.coverage,
        slow=slow_coverage,
        collapse=narrowed,
    ),
}
