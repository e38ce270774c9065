"""Groups of equal size: exact, independent of order, with duplicates spread out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.indicators.groups import content_order, equal_groups, group_samples, samples_needed, windows
from collapse_guard.measurement.replicates import groups_of_vectors

sequences = st.lists(st.lists(st.integers(0, 3), max_size=9), max_size=25)


def lists(groups):
    return [[part.tolist() for part in group] for group in groups]


@given(sequences, st.integers(1, 20))
def test_every_group_has_exactly_the_budget_and_no_two_share_a_sample(samples, budget):
    labelled = [[1000 * i + unit for unit in sample] for i, sample in enumerate(samples)]
    groups = equal_groups(labelled, budget)
    assert all(sum(len(part) for part in group) == budget for group in groups)
    owners = [int(part[0]) // 1000 for group in groups for part in group]
    assert len(owners) == len(set(owners))
    for group in groups:
        for part in group[:-1]:
            assert part.tolist() == labelled[int(part[0]) // 1000], "only the last of a group is cut"


@given(sequences, st.integers(1, 20), st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_the_order_of_samples(samples, budget, random):
    shuffled = random.sample(samples, len(samples))
    assert lists(equal_groups(shuffled, budget)) == lists(equal_groups(samples, budget))


@given(sequences, st.integers(1, 20), st.integers(1, 6))
def test_the_number_needed_fills_the_groups_and_one_less_does_not(samples, budget, n_groups):
    needed = samples_needed(samples, budget, n_groups)
    if needed is None:
        assert not any(samples)
    else:
        assert (len(equal_groups(samples, budget)) >= n_groups) == (len(samples) >= needed)


def test_the_number_needed_counts_what_is_cut_off_at_borders():
    assert samples_needed([[1] * 5], budget=7, n_groups=4) == 8
    assert len(equal_groups([[1] * 5] * 8, budget=7)) == 4
    assert len(equal_groups([[1] * 5] * 7, budget=7)) == 3


def test_duplicates_are_spread_over_the_groups(rng):
    """Half of the samples are one text: in every group its share is near one half, far from all or nothing."""
    samples = [[7, 7]] * 500 + [[int(i), int(i) + 1] for i in rng.integers(10, 10**6, size=500)]
    shares = [np.mean([part[0] == 7 for part in group]) for group in equal_groups(samples, budget=100)]
    assert len(shares) == 20
    assert min(shares) > 0.2
    assert max(shares) < 0.8


def test_the_order_looks_random_and_not_sorted():
    contents = [bytes([i]) for i in range(200)]
    places = np.argsort(content_order(contents))
    assert abs(np.corrcoef(np.arange(200), places)[0, 1]) < 0.25
    assert sorted(content_order(contents).tolist()) == list(range(200))


def test_empty_samples_and_an_unfilled_last_group_add_nothing():
    assert equal_groups([[], [], []], budget=2) == []
    assert equal_groups([[1], []], budget=2) == []
    assert lists(equal_groups([[1], [], [1]], budget=2)) == [[[1], [1]]]


def test_vectors_are_grouped_in_an_order_of_their_own(rng):
    x = rng.normal(size=(23, 3))
    groups = groups_of_vectors(x, 5).members
    assert [group.shape for group in groups] == [(5, 3)] * 4
    shuffled = groups_of_vectors(x[rng.permutation(23)], 5).members
    assert all(np.array_equal(a, b) for a, b in zip(groups, shuffled, strict=True))


def test_embeddings_are_grouped_in_the_order_of_their_samples(rng):
    contents = [str(i).encode() for i in range(20)]
    x = rng.normal(size=(20, 3))
    rounded = x + 1e-12 * rng.normal(size=x.shape)
    one, other = (groups_of_vectors(rows, 5, contents=contents).members for rows in (x, rounded))
    assert all(np.allclose(a, b) for a, b in zip(one, other, strict=True))
    assert not np.allclose(groups_of_vectors(x, 5).members[0], groups_of_vectors(rounded, 5).members[0])


@given(st.lists(st.integers(0, 30), max_size=6), st.integers(1, 12))
def test_windows_keep_the_text_but_for_short_ends(sizes, length):
    texts = [np.arange(100 * i, 100 * i + size) for i, size in enumerate(sizes)]
    cut = windows(texts, length)
    assert all(1 <= len(window) <= length for window in cut)
    for i, text in enumerate(texts):
        mine = [window for window in cut if window[0] // 100 == i]
        joined = np.concatenate(mine) if mine else np.zeros(0, int)
        assert np.array_equal(joined, text[: len(joined)])
        assert len(mine) > 0 or not len(text)
        assert len(text) - len(joined) < length / 2
        assert all(2 * len(window) >= length for window in mine[1:])


@pytest.mark.parametrize("call", [equal_groups, windows, lambda s, n: group_samples([b""], n)])
def test_a_size_below_one_is_refused(call):
    with pytest.raises(InputError, match="must be a whole number of at least 1, but got 0"):
        call([[1]], 0)
