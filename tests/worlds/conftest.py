"""How a simulation is held to its law: all of its means at once, wrongly refused once in a million."""

import numpy as np
import pytest
from scipy import stats

ONCE_IN = 1e-6
"""Probability that `agrees` refuses a simulation of the right law, over all numbers that it is given (Bonferroni)."""


def z_values(values, expected):
    """How many standard errors the means over lineages are from what is expected; 0 where nothing varies."""
    gap = values.mean(axis=0) - expected
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    exact = error < 1e-14
    assert np.abs(gap[exact]).max(initial=0.0) < 1e-9
    return np.where(exact, 0.0, gap / np.where(exact, 1.0, error))


@pytest.fixture
def agrees():
    """Whether means over lineages, [lineages, numbers], are those of a law; by t tests at ONCE_IN together."""

    def check(values, expected):
        values, expected = np.asarray(values), np.asarray(expected)
        assert values.shape[1:] == expected.shape
        limit = stats.t.isf(ONCE_IN / 2 / expected.size, df=len(values) - 1)
        return bool(np.abs(z_values(values, expected)).max() < limit)

    return check
