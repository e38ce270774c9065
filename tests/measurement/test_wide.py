"""Rows of 12,288 numbers, as images of 3 by 64 by 64 are: what collapses is found, and what does not is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from collapse_guard import Evidence, Policy, WildType
from collapse_guard.assessment import conclude
from collapse_guard.measurement.measure import founding_budget, measure, reference_readings
from collapse_guard.records import Assessment, Generation, Severity

N, DIRECTIONS, KINDS = 240, 24, 5
SHAPE = (3, 64, 64)
DECIDING = ("total_variance", "effective_rank", "vendi", "unique_samples", "real_equivalent")


def waves(n: int) -> np.ndarray:
    """Smooth patterns."""
    rng, steps = np.random.default_rng(n), np.linspace(0.0, 2.0 * np.pi, SHAPE[-1])
    across, down, start = rng.integers(0, 6, n), rng.integers(0, 6, n), rng.uniform(0.0, 2.0 * np.pi, (n, 3))
    angles = across[:, None, None, None] * steps[:, None] + down[:, None, None, None] * steps
    return np.cos(angles + start[:, :, None, None])


CENTRES = 0.9 * waves(KINDS)
AXES = waves(DIRECTIONS) * (0.3 / np.sqrt(np.arange(1, DIRECTIONS + 1)))[:, None, None, None]


def images(n: int, seed: int, *, kinds: int = KINDS, still: slice = slice(0), spread: float = 1.0) -> np.ndarray:
    """Images of some kinds, which vary along smooth patterns, the main one first; `still` ones do not vary."""
    rng = np.random.default_rng(seed)
    along = rng.normal(size=(n, DIRECTIONS))
    along[:, still] = 0.0
    shown = CENTRES[rng.integers(0, kinds, n)] + np.tensordot(along, AXES, axes=1) + 0.05 * rng.normal(size=(n, *SHAPE))
    middle = shown.mean(axis=0)
    return middle + spread * (shown - middle)


class Lineage:
    """A founder of real images, and what is said of generations behind it."""

    def __init__(self) -> None:
        self.wild_type = WildType.fit_arrays(images(300, 0), evaluation_fraction=0.5)
        readings = measure(self.wild_type, Evidence(samples=images(N, 1)), only=DECIDING)
        self.budget = founding_budget(readings)
        self.reference = reference_readings(self.wild_type, sample_tokens=None, budget=self.budget, only=DECIDING)
        self.founder = self.concluded(readings, Generation(lineage="images", index=0))

    def concluded(self, readings: dict, generation: Generation, *history: Assessment) -> Assessment:
        return conclude(generation, readings, self.reference, history=history, policy=Policy())

    def severity(self, samples: np.ndarray) -> Severity:
        readings = measure(self.wild_type, Evidence(samples=samples), budget=self.budget, only=DECIDING)
        generation = Generation(lineage="images", index=1, parents=(0,))
        return self.concluded(readings, generation, self.founder).verdict.severity


@pytest.fixture(scope="module")
def lineage() -> Lineage:
    return Lineage()


COLLAPSES = {
    "the three main directions": {"still": slice(3)},
    "all but eight directions": {"still": slice(8, None)},
    "a fifth of the spread": {"spread": 0.8},
    "three of five kinds": {"kinds": 2},
}


@pytest.mark.parametrize("lost", COLLAPSES)
def test_what_is_lost_is_found(lineage: Lineage, lost: str) -> None:
    assert lineage.severity(images(N, 50, **COLLAPSES[lost])) is Severity.COLLAPSED


@pytest.mark.slow
def test_real_images_are_not_called_collapsed_nor_worse_more_often_than_the_level_says(lineage: Lineage) -> None:
    said = [lineage.severity(images(N, seed)) for seed in range(100, 106)]
    assert Severity.COLLAPSED not in said
    assert said.count(Severity.HEALTHY) >= 5
