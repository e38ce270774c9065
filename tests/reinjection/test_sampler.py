"""Oracles: the definition (count what was drawn), and the same sampler asked in another order."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.records import Mixture
from collapse_guard.reinjection import MixtureSampler
from collapse_guard.reinjection.sampler import SOURCES, exact_counts

SIZES = {"real": 5, "earlier": 3, "newest": 11}
THREE_WAYS = Mixture(real=0.25, earlier=0.25, newest=0.5)

mixtures = (
    st.tuples(*[st.integers(0, 20)] * 3)
    .filter(any)
    .map(lambda parts: Mixture(**{source: part / sum(parts) for source, part in zip(SOURCES, parts, strict=True)}))
)


def source_of(index):
    return "real" if index < 5 else "earlier" if index < 8 else "newest"


def orders(sampler, epochs):
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        yield list(sampler)


@given(mixture=mixtures, length=st.integers(1, 500))
@settings(deadline=None)
def test_counts_sum_to_the_length_and_are_less_than_one_off_each_share(mixture, length):
    counts = exact_counts(mixture, length)
    assert sum(counts.values()) == length
    for source, count in counts.items():
        assert abs(count - getattr(mixture, source) * length) < 1 + 1e-6
        assert count >= 0
        assert count == 0 or getattr(mixture, source) > 0


def test_shares_that_sum_to_one_only_within_rounding_still_fill_a_long_epoch():
    mixture = Mixture(real=1 / 3, earlier=1 / 3, newest=1 / 3 - 9e-7)
    counts = exact_counts(mixture, 30_000_000)
    assert sum(counts.values()) == 30_000_000
    assert counts["real"] - counts["newest"] == pytest.approx(27, abs=2)


def test_every_epoch_has_the_exact_shares():
    sampler = MixtureSampler(SIZES, THREE_WAYS, length=8)
    for order in orders(sampler, 5):
        assert Counter(map(source_of, order)) == {"real": 2, "earlier": 2, "newest": 4}


def test_no_item_comes_again_before_all_items_of_its_source_have_come():
    drawn = {source: [] for source in SOURCES}
    for order in orders(MixtureSampler(SIZES, THREE_WAYS, length=8), 30):
        for index in sorted(order):
            drawn[source_of(index)].append(index)
        for source, items in drawn.items():
            times = Counter(items)
            assert max(times.values()) - (min(times.values()) if len(times) == SIZES[source] else 0) <= 1


def test_reuse_counts_the_draws_of_items_that_were_drawn_before():
    sampler = MixtureSampler(SIZES, THREE_WAYS, length=8)
    seen = Counter()
    for order in orders(sampler, 7):
        seen.update(order)
        again = dict.fromkeys(SOURCES, 0)
        for index, times in seen.items():
            again[source_of(index)] += times - 1
        assert sampler.reuse == again
    assert sampler.reuse["real"] == 14 - 5


@given(world=st.integers(1, 5), length=st.integers(5, 40), epoch=st.integers(0, 6), mixture=mixtures)
@settings(deadline=None)
def test_the_ranks_together_draw_the_one_global_order(world, length, epoch, mixture):
    samplers = [MixtureSampler(SIZES, mixture, length=length, num_replicas=world, rank=rank) for rank in range(world)]
    alone = MixtureSampler(SIZES, mixture, length=length, num_replicas=1, rank=0)
    for sampler in (alone, *samplers):
        sampler.set_epoch(epoch)
    together = [index for row in zip(*samplers, strict=True) for index in row]
    assert together == list(alone)[: length - length % world]
    assert {len(sampler) for sampler in samplers} == {len(list(samplers[0]))}


def test_an_epoch_is_the_same_whatever_was_drawn_before():
    fresh, used = (MixtureSampler(SIZES, THREE_WAYS, length=8, seed=3) for _ in range(2))
    for _ in orders(used, 4):
        pass
    fresh.set_epoch(2)
    used.set_epoch(2)
    assert list(fresh) == list(used) == list(used)


def test_epochs_and_seeds_differ():
    sampler, other = (MixtureSampler(SIZES, THREE_WAYS, length=16, seed=seed) for seed in (0, 1))
    first, second = orders(sampler, 2)
    assert first != second
    assert first != next(orders(other, 1))


def test_each_pass_through_a_source_has_an_order_of_its_own():
    passes = list(orders(MixtureSampler({"real": 20}, Mixture(real=1.0), length=20), 3))
    assert [sorted(order) for order in passes] == [list(range(20))] * 3
    assert len(set(map(tuple, passes))) == 3


def test_sources_are_shuffled_into_each_other():
    order = list(MixtureSampler({"real": 500, "newest": 500}, Mixture.with_real(0.5), length=1000))
    first_half = sum(index < 500 for index in order[:500])
    assert 200 < first_half < 300


def test_no_global_generator_is_used():
    np.random.seed(0)
    torch.manual_seed(0)
    before = np.random.get_state()[1].tolist(), torch.get_rng_state()
    list(MixtureSampler(SIZES, THREE_WAYS, length=8))
    assert np.random.get_state()[1].tolist() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])


def test_an_empty_source_without_a_share_is_fine_and_with_one_is_refused():
    sizes = {"real": 4, "newest": 0}
    assert sorted(MixtureSampler(sizes, Mixture(real=1.0), length=4)) == [0, 1, 2, 3]
    with pytest.raises(InputError, match=r"`mixture` asks for a share of 0.5 of newest data, but there is none"):
        MixtureSampler(sizes, Mixture.with_real(0.5), length=4)


def test_a_length_below_one_item_per_rank_is_refused():
    with pytest.raises(InputError, match=r"at least one item for each of the 3 rank\(s\), but got 2"):
        MixtureSampler(SIZES, THREE_WAYS, length=2, num_replicas=3, rank=0)


def test_a_negative_size_is_refused():
    with pytest.raises(InputError, match="must not be negative, but got -1 real items"):
        MixtureSampler({"real": -1}, Mixture(real=1.0), length=2)
