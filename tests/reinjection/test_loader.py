"""Oracles: the sampler asked for its places, and a loader that was not interrupted."""

import json
import multiprocessing
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from collapse_guard.errors import InputError
from collapse_guard.reinjection import MixtureLoader, MixtureSampler
from collapse_guard.reinjection import loader as room

SIZES, BOTH = {"real": 7, "newest": 12}, {"real": 1, "newest": 2}
LENGTH = 22
"""Five batches of four, and a tail of two."""


def mixing(**settings):
    return MixtureSampler(SIZES, BOTH, **{"length": LENGTH, "batch_size": 4, "seed": 5, **settings})


def loading(workers=0, **settings):
    return MixtureLoader(range(19), mixing(), num_workers=workers, **settings)


def read(batches):
    return [batch.tolist() for batch in batches]


def epochs_of(loader, first, stop):
    """The batches of some epochs, one after the other."""
    found = []
    for epoch in range(first, stop):
        loader.sampler.set_epoch(epoch)
        found += read(loader)
    return found


def expected(first, stop):
    """The batches from one place to another, as the sampler has them."""
    ends = [min(start + 4, start - start % LENGTH + LENGTH) for start in starts(first, stop)]
    return [mixing().items(*pair).tolist() for pair in zip(starts(first, stop), ends, strict=True)]


def starts(first, stop):
    return [place for place in range(first, stop) if place % LENGTH % 4 == 0]


@pytest.mark.parametrize("workers", [0, 2])
def test_it_loads_what_the_sampler_draws_epoch_after_epoch(workers):
    loader = loading(workers, persistent_workers=workers > 0)
    found = epochs_of(loader, 0, 2)
    assert found == expected(0, 2 * LENGTH)
    assert [len(batch) for batch in found] == [4, 4, 4, 4, 4, 2] * 2
    assert len(loader) == 6


@pytest.mark.slow
@pytest.mark.parametrize("workers_then", [0, 2])
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("consumed", [0, 1, 4, 5, 6])
def test_it_goes_on_after_what_was_consumed_and_not_after_what_was_fetched(workers, workers_then, consumed):
    loader = loading(workers)
    epochs_of(loader, 0, 1)
    loader.sampler.set_epoch(1)
    batches = iter(loader)
    before = [next(batches).tolist() for _ in range(consumed)]
    state = json.loads(json.dumps(loader.state_dict()))
    if workers and 1 <= consumed < 4:
        assert loader.sampler.handed_out > state["index"]
    again = loading(workers_then)
    again.load_state_dict(state)
    assert again.state_dict() == state
    rest = read(again)
    if consumed == 6:
        assert (state["index"], again.sampler.epoch) == (2 * LENGTH, 2)
        assert rest == expected(2 * LENGTH, 3 * LENGTH)
        return
    assert before + rest == expected(LENGTH, 2 * LENGTH)
    assert again.state_dict()["index"] == 2 * LENGTH
    assert epochs_of(again, 2, 3) == expected(2 * LENGTH, 3 * LENGTH)


def test_what_was_consumed_is_in_whole_global_batches_of_all_ranks():
    sampler = mixing(batch_size=2, num_replicas=2, rank=1)
    loader = MixtureLoader(range(19), sampler)
    places = [(len(batch), loader.state_dict()["index"]) for batch in loader]
    assert places == [(2, 4), (2, 8), (2, 12), (2, 16), (2, 20), (1, 22)]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_change_that_was_made_is_kept_with_the_state(workers):
    def changed():
        loader = loading(workers)
        batches = iter(loader)
        before = [next(batches).tolist()]
        loader.sampler.change(loader.sampler.handed_out, {"real": 1.0}, "drift")
        return loader, before, batches

    loader, before, batches = changed()
    state = loader.state_dict()
    whole = before + read(batches)
    again = loading(workers)
    again.load_state_dict(state)
    assert before + read(again) == whole
    assert all(item < 7 for item in whole[-1])
    assert again.sampler.schedule.changes[-1].reason == "drift"


def test_a_fresh_loader_and_one_between_epochs_say_where_they_are():
    loader = loading()
    assert loader.state_dict()["index"] == 0
    read(loader)
    assert loader.state_dict()["index"] == LENGTH


def test_no_number_is_drawn_from_a_global_generator():
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    epochs_of(loading(), 0, 2)
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])


@pytest.mark.parametrize("n", [18, 20])
def test_a_dataset_of_another_length_is_refused(n):
    with pytest.raises(InputError, match=f"`dataset` must have the 19 items of the sampler's sources, but got {n}"):
        MixtureLoader(range(n), mixing())


def test_the_state_of_another_run_is_refused_and_changes_nothing():
    other = MixtureLoader(range(19), mixing(seed=6))
    loader = loading()
    next(iter(loader))
    with pytest.raises(InputError, match="`seed` must be as in the interrupted run, 5, but got 6"):
        other.load_state_dict(loader.state_dict())
    assert other.state_dict()["index"] == 0


@pytest.fixture
def process_group(tmp_path):
    torch.distributed.init_process_group("gloo", f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.fixture
def rests(monkeypatch):
    """How many workers there were whenever a loader waited."""
    found = []
    clock = SimpleNamespace(sleep=lambda _: found.append(len(multiprocessing.active_children())))
    monkeypatch.setattr(room, "time", clock)
    return found


@pytest.mark.parametrize(("can_hang", "workers", "expected"), [(True, 2, [0]), (True, 0, []), (False, 2, [])])
def test_threads_of_a_process_group_come_to_rest_before_a_fork(
    process_group, rests, monkeypatch, can_hang, workers, expected
):
    monkeypatch.setattr(room, "FORKS_CAN_HANG", can_hang)
    assert len(read(loading(workers))) == 6
    assert rests == expected


def test_there_is_nothing_to_wait_for_without_a_process_group(rests, monkeypatch):
    monkeypatch.setattr(room, "FORKS_CAN_HANG", True)
    read(loading(2))
    assert rests == []


def test_a_loader_that_does_not_mix_comes_to_rest_too(process_group, rests, monkeypatch):
    monkeypatch.setattr(room, "FORKS_CAN_HANG", True)
    assert read(room.RestingLoader(range(6), batch_size=3, num_workers=1)) == [[0, 1, 2], [3, 4, 5]]
    assert rests == [0]
