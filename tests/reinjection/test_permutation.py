"""Oracles: the definition of a permutation; and the uniform distribution over all of them, tested at its level."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from collapse_guard.reinjection.permutation import key_of, shuffled


@given(size=st.integers(1, 3000), first=st.integers(0, 2**40), seed=st.integers(0, 2**32))
def test_every_pass_has_each_item_once(size, first, seed):
    one_pass = np.arange(size) + first * size
    assert sorted(shuffled(one_pass, size, key=key_of(seed, "real"))) == list(range(size))


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 513, 65_536, 65_537, 1_000_003])
def test_every_size_is_permuted(size):
    assert np.array_equal(np.sort(shuffled(np.arange(size), size, key=3)), np.arange(size))


def test_a_place_is_filled_alike_whatever_is_asked_beside_it():
    places = np.random.default_rng(0).integers(0, 10**12, 500)
    for size in (7, 300, 10**9 + 7):
        together = shuffled(places, size, key=5)
        assert [int(shuffled([place], size, key=5)[0]) for place in places] == together.tolist()
        assert together.max() < size


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_all_orders_are_equally_frequent_over_the_passes(size):
    passes = 60_000
    orders = shuffled(np.arange(passes * size), size, key=11).reshape(passes, size)
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == math.factorial(size)
    assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("size", [257, 300, 512])
def test_the_first_two_of_many_are_any_two_equally_often(size):
    passes = 20 * size**2 // 10
    places = (np.arange(passes)[:, None] * size + np.arange(2)).ravel()
    first, second = shuffled(places, size, key=13).reshape(passes, 2).T
    counts = np.bincount(first * size + second, minlength=size**2).reshape(size, size)
    assert not counts.diagonal().any()
    assert stats.chisquare(counts[~np.eye(size, dtype=bool)]).pvalue > 1e-4


def test_a_long_order_has_no_trend_and_neighbours_are_not_alike():
    order = shuffled(np.arange(200_003), 200_003, key=17)
    assert stats.spearmanr(np.arange(len(order)), order).pvalue > 1e-4
    assert stats.spearmanr(order[:-1], order[1:]).pvalue > 1e-4
    # Ascents of a random order of n have mean (n - 1) / 2 and variance (n + 1) / 12.
    ascents = (np.diff(order) > 0).sum()
    assert abs(ascents - (len(order) - 1) / 2) < 4 * math.sqrt((len(order) + 1) / 12)


def test_keys_differ_by_seed_and_by_name_and_give_other_orders():
    keys = {key_of(seed, name) for seed in range(50) for name in ("real", "earlier", "newest")}
    assert len(keys) == 150
    assert key_of(3, "real") == key_of(3, "real")
    orders = [tuple(shuffled(np.arange(300), 300, key=key)) for key in sorted(keys)]
    assert len(set(orders)) == 150
