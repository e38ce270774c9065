"""The correction against its slow definition, and its level under dependence."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from collapse_guard.comparison.multiplicity import holm

P_VALUES = st.lists(st.floats(0.0, 1.0), max_size=12)


@given(P_VALUES)
def test_it_is_the_closed_test_of_bonferroni(p_values):
    """Holm's adjusted p is the largest Bonferroni p over all sets that hold the hypothesis: enumerated by size."""
    for i, p in enumerate(holm(p_values)):
        others = sorted((q for j, q in enumerate(p_values) if j != i), reverse=True)
        sets = [sorted([p_values[i], *others[:size]]) for size in range(len(others) + 1)]
        assert p == pytest.approx(max(min(1.0, len(members) * members[0]) for members in sets))


def test_the_published_example_in_any_order_and_what_is_not_a_number():
    assert holm([0.3, 0.001, 0.04, 0.012, 0.021]) == pytest.approx([0.3, 0.005, 0.08, 0.048, 0.063])
    assert holm([]) == []
    assert holm([math.nan, 0.001]) == [1.0, 0.002]


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_any_false_alarm_is_as_rare_as_promised_also_where_one_indicator_really_moved(correlation):
    rng, trials = np.random.default_rng(0), 4000
    common = rng.normal(size=(trials, 1)) * math.sqrt(correlation)
    z = common + rng.normal(size=(trials, 8)) * math.sqrt(1 - correlation)
    z[:, 0] += 6.0
    adjusted = np.array([holm(row) for row in stats.norm.sf(z)])
    assert (adjusted[:, 1:] <= 0.05).any(axis=1).sum() <= stats.binom(trials, 0.05).ppf(0.9999)
    assert (adjusted[:, 0] <= 0.05).mean() > 0.99
