"""Oracles: the definition (count what was drawn), and the same sampler asked in another order or on other ranks."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.records import Mixture
from collapse_guard.reinjection import MixtureSampler

SIZES = {"real": 5, "earlier": 3, "newest": 11}
THREE_WAYS = Mixture(real=0.25, earlier=0.25, newest=0.5)

mixtures = (
    st.tuples(*[st.integers(0, 20)] * 3)
    .filter(any)
    .map(lambda parts: Mixture(**{source: part / sum(parts) for source, part in zip(SIZES, parts, strict=True)}))
)


def source_of(index):
    return "real" if index < 5 else "earlier" if index < 8 else "newest"


def orders(sampler, epochs):
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        yield list(sampler)


def test_every_epoch_has_the_exact_shares():
    sampler = MixtureSampler(SIZES, THREE_WAYS, length=8)
    for order in orders(sampler, 5):
        assert Counter(map(source_of, order)) == {"real": 2, "earlier": 2, "newest": 4}


@given(mixture=mixtures, changed=mixtures, at=st.integers(0, 100))
def test_no_item_comes_again_before_all_items_of_its_source_have_come_also_across_a_change(mixture, changed, at):
    sampler = MixtureSampler(SIZES, mixture, length=8, batch_size=2)
    sampler.change(at, changed)
    drawn = {source: [] for source in SIZES}
    for index in sampler.items(0, 240).tolist():
        drawn[source_of(index)].append(index)
    for source, items in drawn.items():
        size = SIZES[source]
        passes = [items[start : start + size] for start in range(0, len(items), size)]
        assert all(len(set(one)) == len(one) for one in passes)


def test_reuse_counts_the_draws_of_items_that_were_drawn_before():
    sampler = MixtureSampler(SIZES, THREE_WAYS, length=8)
    seen = Counter()
    for order in orders(sampler, 7):
        seen.update(order)
        again = dict.fromkeys(SIZES, 0)
        for index, times in seen.items():
            again[source_of(index)] += times - 1
        assert sampler.reuse == again
    assert sampler.reuse["real"] == 14 - 5


@given(
    world=st.sampled_from([1, 2, 3, 4, 6]),
    length=st.integers(12, 60),
    epoch=st.integers(0, 6),
    mixture=mixtures,
    changed=mixtures,
)
def test_global_batches_are_the_same_for_any_number_of_ranks(world, length, epoch, mixture, changed):
    def batches(ranks):
        each = 12 // ranks
        samplers = [
            MixtureSampler(SIZES, mixture, length=length, batch_size=each, num_replicas=ranks, rank=rank)
            for rank in range(ranks)
        ]
        own = []
        for sampler in samplers:
            sampler.change(length * epoch + 12, changed)
            sampler.set_epoch(epoch)
            items = list(sampler)
            assert len(items) == len(sampler) == length // ranks
            own.append([items[start : start + each] for start in range(0, len(items), each)])
        return [[index for part in parts for index in part] for parts in zip(*own, strict=True)]

    alone, together = batches(1), batches(world)
    left_out = length % world
    alone[-1] = alone[-1][: len(alone[-1]) - left_out]
    assert together == [batch for batch in alone if batch]


def test_each_part_of_a_global_batch_has_the_shares():
    for rank in (0, 1):
        sampler = MixtureSampler(SIZES, THREE_WAYS, length=64, batch_size=8, num_replicas=2, rank=rank)
        items = list(sampler)
        for start in range(0, 32, 8):
            assert abs(sum(index < 5 for index in items[start : start + 8]) - 2) <= 1


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


def test_the_order_of_a_source_does_not_depend_on_the_others():
    alone = MixtureSampler({"real": 40}, {"real": 1}, length=40)
    beside = MixtureSampler({"real": 40, "web": 100}, {"real": 1, "web": 3}, length=160)
    assert [index for index in beside if index < 40] == list(alone)


def test_any_sources_can_be_mixed_by_name():
    sampler = MixtureSampler({"web": 50, "books": 20, "code": 30}, {"web": 5, "books": 2, "code": 3}, length=100)
    assert Counter("web" if i < 50 else "books" if i < 70 else "code" for i in sampler) == {
        "web": 50,
        "books": 20,
        "code": 30,
    }
    assert sorted(sampler) == list(range(100))


def test_sources_in_order_are_not_shuffled():
    sampler = MixtureSampler({"real": 4, "newest": 3}, Mixture.with_real(0.5), length=20, in_order=("newest",))
    newest = [index - 4 for index in sampler if index >= 4]
    assert newest == [0, 1, 2] * 3 + [0]
    assert [index for index in sampler if index < 4][:4] != [0, 1, 2, 3]


def test_no_global_generator_is_used():
    np.random.seed(0)
    torch.manual_seed(0)
    before = np.random.get_state()[1].tolist(), torch.get_rng_state()
    list(MixtureSampler(SIZES, THREE_WAYS, length=8))
    assert np.random.get_state()[1].tolist() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])


class TestChanges:
    def test_hold_from_their_place_on_while_the_epoch_is_running(self):
        sampler = MixtureSampler({"real": 1000, "newest": 1000}, Mixture.with_real(0.0), length=1000, batch_size=10)
        items = iter(sampler)
        first = [next(items) for _ in range(200)]
        assert sampler.handed_out == 200
        sampler.change(300, Mixture.with_real(1.0), "now")
        rest = list(items)
        assert all(index >= 1000 for index in first + rest[:100])
        assert all(index < 1000 for index in rest[100:])
        assert len(rest) == 800

    def test_are_refused_where_a_loader_has_asked_for_the_items_already(self):
        sampler = MixtureSampler(SIZES, THREE_WAYS, length=100, batch_size=10)
        items = iter(sampler)
        for _ in range(11):
            next(items)
        assert sampler.handed_out == 20
        with pytest.raises(InputError, match=r"at least 20, but got 19: loaders fetch ahead"):
            sampler.change(19, Mixture(real=1.0))
        sampler.change(20, Mixture(real=1.0))
        assert all(index < 5 for index in list(items)[9:])

    @pytest.mark.parametrize("batch_size", [4, 7])
    def test_at_the_end_of_an_epoch_the_next_one_can_be_changed_whole(self, batch_size):
        sampler = MixtureSampler(SIZES, THREE_WAYS, length=22, batch_size=batch_size, num_replicas=3, rank=0)
        list(sampler)
        assert sampler.handed_out == 22
        sampler.change(22, Mixture(real=1.0))
        sampler.set_epoch(1)
        assert all(index < 5 for index in sampler)

    def test_an_empty_source_cannot_be_given_a_weight(self):
        sampler = MixtureSampler({"real": 4, "newest": 0}, Mixture(real=1.0), length=4)
        with pytest.raises(InputError, match=r"`weights` ask for a share of 0.5 of newest data, but there is none"):
            sampler.change(4, Mixture.with_real(0.5))
        assert len(sampler.schedule.changes) == 1


class TestState:
    @given(stop=st.integers(0, 59), at=st.integers(0, 120), workers_ahead=st.integers(0, 3))
    def test_a_run_goes_on_where_it_was_interrupted(self, stop, at, workers_ahead):
        def sampler():
            return MixtureSampler(SIZES, THREE_WAYS, length=60, batch_size=4, seed=2)

        whole = sampler()
        whole.change(at, Mixture(real=1.0), "later")
        expected = [index for order in orders(whole, 3) for index in order]
        stop = stop // 4 * 4
        interrupted = sampler()
        interrupted.change(at, Mixture(real=1.0), "later")
        items = iter(interrupted)
        for _ in range(min(60, stop + 4 * workers_ahead)):
            next(items)
        state = interrupted.state_dict(stop)
        resumed = sampler()
        resumed.load_state_dict(state)
        rest = list(resumed)
        for epoch in (1, 2):
            resumed.set_epoch(epoch)
            rest += list(resumed)
        assert rest == expected[stop:]

    def test_it_is_plain_json_and_as_small_at_any_place(self):
        sampler = MixtureSampler(SIZES, THREE_WAYS, length=60, batch_size=4)
        assert len(str(sampler.state_dict(10**9))) < 400
        sampler.load_state_dict(sampler.state_dict(10**9 + 4))
        assert (sampler.epoch, sampler.coming) == (16_666_666, 10**9 + 4)
        assert list(sampler) == sampler.items(10**9 + 4, 16_666_667 * 60).tolist()

    def test_where_nothing_of_an_epoch_is_left_for_each_rank_the_next_one_begins(self):
        alone = MixtureSampler(SIZES, THREE_WAYS, length=21, batch_size=4)
        halves = MixtureSampler(SIZES, THREE_WAYS, length=21, batch_size=2, num_replicas=2, rank=0)
        halves.load_state_dict(alone.state_dict(20))
        assert (halves.epoch, halves.coming, halves.handed_out) == (1, 21, 21)
        assert list(halves)[:2] == alone.items(21, 23).tolist()

    def test_without_a_place_it_is_that_of_what_was_handed_out(self):
        sampler = MixtureSampler(SIZES, THREE_WAYS, length=60, batch_size=4)
        items = iter(sampler)
        for _ in range(5):
            next(items)
        assert sampler.state_dict()["index"] == 8

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"sizes": {**SIZES, "real": 6}}, "`sizes` must be as in the interrupted run"),
            ({"seed": 1}, "`seed` must be as in the interrupted run, 0, but got 1"),
            ({"length": 30}, "`length` must be as in the interrupted run, 60, but got 30"),
        ],
    )
    def test_of_another_run_is_refused(self, settings, message):
        def sampler(sizes=SIZES, **settings):
            return MixtureSampler(sizes, THREE_WAYS, **{"length": 60, "seed": 0, **settings})

        other = sampler(**settings)
        with pytest.raises(InputError, match=message):
            other.load_state_dict(sampler().state_dict(12))
        assert other.coming == 0

    def test_that_is_none_is_refused(self):
        with pytest.raises(InputError, match="SamplerState"):
            MixtureSampler(SIZES, THREE_WAYS, length=60).load_state_dict({"schema": 1, "epoch": 3})


class TestLimits:
    def test_passes_are_counted_over_the_whole_run(self):
        sampler = MixtureSampler(
            SIZES, Mixture.with_real(0.5), length=20, max_passes={"real": 1.6}, when_used_up="share"
        )
        items = [index for order in orders(sampler, 3) for index in order]
        times = Counter(index for index in items if index < 5)
        assert sum(times.values()) == 8
        assert sorted(times.values()) == [1, 1, 2, 2, 2]

    def test_without_a_fallback_iterating_ends_in_an_error(self):
        sampler = MixtureSampler(SIZES, Mixture.with_real(0.5), length=20, max_passes={"real": 1})
        with pytest.raises(InputError, match="real has been drawn 5 times: add documents"):
            list(sampler)


def test_an_empty_source_without_a_share_is_fine_and_with_one_is_refused():
    sizes = {"real": 4, "newest": 0}
    assert sorted(MixtureSampler(sizes, Mixture(real=1.0), length=4)) == [0, 1, 2, 3]
    with pytest.raises(InputError, match=r"`weights` ask for a share of 0.5 of newest data, but there is none"):
        MixtureSampler(sizes, Mixture.with_real(0.5), length=4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"length": 2, "num_replicas": 3, "rank": 0}, r"at least one item for each of the 3 rank\(s\), but got 2"),
        ({"length": 8, "batch_size": 0}, "`batch_size` must be a whole number of at least 1, but got 0"),
        ({"length": 8, "max_passes": {"rael": 1}}, "got 'rael': did you mean `real`"),
        ({"length": 8, "in_order": ("web",)}, "`in_order` must name sources, but got 'web'"),
    ],
)
def test_invalid_arguments_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        MixtureSampler(SIZES, THREE_WAYS, **settings)


def test_a_negative_size_is_refused():
    with pytest.raises(InputError, match="must not be negative, but got -1 real items"):
        MixtureSampler({"real": -1}, Mixture(real=1.0), length=2)
