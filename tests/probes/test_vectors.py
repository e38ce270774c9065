"""The probe of vectors: what it is given, and a function that does not draw anew."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from collapse_guard.errors import InputError
from collapse_guard.probes import CausalLMProbe, EmbeddingProbe, RehearsingProbe
from collapse_guard.wildtype import WildType


@pytest.fixture(scope="module")
def vectors():
    return WildType.fit_arrays(np.random.default_rng(0).normal(size=(500, 3)))


def decode(module, n, generator):
    return module(torch.randn(n, 2, generator=generator))


def by_global_state(module, n, generator):
    return torch.tensor(np.c_[torch.randn(n).numpy(), np.random.normal(size=n), [random.gauss(0, 1) for _ in range(n)]])


def by_a_seed_of_its_own(module, n, generator):
    return torch.randn(n, 3, generator=torch.Generator().manual_seed(0))


def collect(sample, wild_type, *, n_samples=10, seed=0, **place):
    probe = EmbeddingProbe(sample, n_samples=n_samples, batch_size=4)
    return probe.collect(nn.Identity(), wild_type, seed=seed, **place).samples


def test_samples_are_drawn_with_the_generator_alone(vectors):
    probe, module = EmbeddingProbe(decode, n_samples=10, batch_size=4), nn.Linear(2, 3)
    first, second = (probe.collect(module, vectors, seed=0).samples for _ in range(2))
    assert first.shape == (10, 3)
    assert first.dtype == np.float64
    assert (first == second).all()
    assert len(np.unique(first[:, 0])) == 10


def test_a_function_that_ignores_the_generator_draws_other_samples_for_each_batch_rank_and_seed(vectors):
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    alone = collect(by_global_state, vectors)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (np.random.get_state()[1].tolist(), random.getstate())
    assert [len(np.unique(column)) for column in alone.T] == [10, 10, 10]
    torch.manual_seed(99)
    np.random.seed(99)
    ranks = [collect(by_global_state, vectors, rank=rank, world_size=2) for rank in range(2)]
    assert (np.concatenate([ranks[0][:4], ranks[1], ranks[0][4:]]) == alone).all()
    assert not np.isin(collect(by_global_state, vectors, seed=1), alone).any()


def test_a_function_that_draws_the_same_again_is_refused(vectors):
    message = r"`sample` must draw new samples in each call, but got the same 16 twice.*draw with the generator"
    probe, module = EmbeddingProbe(by_a_seed_of_its_own, n_samples=40, batch_size=16), nn.Identity()
    with pytest.raises(InputError, match=message):
        probe.collect(module, vectors, seed=0)
    parts = [probe.collect(module, vectors, seed=0, rank=rank, world_size=3) for rank in range(3)]
    with pytest.raises(InputError, match=message):
        probe.merge(parts)


def test_samples_of_a_collapsed_model_may_be_equal(vectors):
    """Such as one row, or the same row but for a few: batches are equal by chance."""

    def mostly_one(module, n, generator):
        rows = torch.ones(n, 3)
        rows[0] = 0.0
        return rows

    assert len(collect(lambda module, n, generator: torch.zeros(n, 3), vectors)) == 10
    assert len(collect(mostly_one, vectors, n_samples=100)) == 100


def test_images_are_flattened(vectors):
    images = WildType.fit_arrays(np.random.default_rng(0).normal(size=(300, 12)))
    drawn = collect(lambda module, n, generator: torch.randn(n, 3, 2, 2, generator=generator), images)
    flat = collect(lambda module, n, generator: torch.randn(n, 12, generator=generator), images)
    assert drawn.shape == (10, 12)
    assert (drawn == flat).all()
    column = collect(lambda module, n, generator: torch.randn(n, generator=generator), _column())
    assert column.shape == (10, 1)


def _column():
    return WildType.fit_arrays(np.random.default_rng(0).normal(size=(300, 1)))


@pytest.mark.parametrize("shape", [(10, 4), (3, 10), (30,), (9, 3), ()])
def test_samples_of_another_shape_are_refused(vectors, shape):
    got = ", ".join(map(str, shape))
    with pytest.raises(InputError, match=rf"`sample` must return a \(10, 3\) tensor, but got \({got},?\): return 10"):
        EmbeddingProbe(lambda *_: torch.zeros(shape), n_samples=10).collect(nn.Identity(), vectors, seed=0)


def test_a_sample_that_cannot_be_called_is_refused():
    with pytest.raises(InputError, match=r"`sample` must be a function of \(module, n, generator\), but got 3"):
        EmbeddingProbe(3)


def test_each_probe_refuses_the_wild_type_of_the_other(vectors, wild_type, model):
    of_text = "`wild_type` must be of text, but got one of vectors"
    with pytest.raises(InputError, match=of_text):
        CausalLMProbe(wild_type.tokenizer).collect(model, vectors, seed=0)
    with pytest.raises(InputError, match="`wild_type` must be of vectors, but got one of text"):
        EmbeddingProbe(decode).collect(model, wild_type, seed=0)


class TestRehearsal:
    @pytest.mark.parametrize(
        ("sample", "says"),
        [
            (lambda module, n, generator: torch.zeros(n, 4), "`sample` must return a (16, 3) tensor, but got (16, 4)"),
            (lambda module, n, generator: 1 / 0, "`sample(module, n, generator)` fails, ZeroDivisionError"),
            (lambda module, n: module, "`sample(module, n, generator)` fails, TypeError"),
            (by_a_seed_of_its_own, "`sample` must draw new samples in each call"),
        ],
    )
    def test_a_function_that_does_not_sample_is_told(self, vectors, sample, says):
        [obstacle] = EmbeddingProbe(sample).rehearse(nn.Identity(), vectors)
        assert says in obstacle

    def test_all_is_told_at_once_and_nothing_where_nothing_is_in_the_way(self, vectors, wild_type):
        size, probe = vectors.group_samples, EmbeddingProbe(lambda *_: None, n_samples=20)
        assert isinstance(probe, RehearsingProbe)
        few, wrong = probe.rehearse(nn.Identity(), vectors)
        assert few.endswith(f"n_samples={5 * size}")
        assert wrong.startswith("`sample` must return a (16, 3) tensor, but got NoneType")
        assert EmbeddingProbe(decode, n_samples=5 * size).rehearse(nn.Linear(2, 3), vectors) == []
        assert EmbeddingProbe(decode, n_samples=1).rehearse(nn.Linear(2, 3), vectors, decides=()) == []
        [kind] = probe.rehearse(nn.Identity(), wild_type)
        assert kind.startswith("`wild_type` must be of vectors")

    def test_a_rehearsal_leaves_no_trace(self, vectors):
        module = nn.Sequential(nn.Linear(2, 3), nn.Dropout())
        module[1].eval()
        before = torch.get_rng_state()
        assert EmbeddingProbe(decode).rehearse(module, vectors) == []
        assert [part.training for part in module.modules()] == [True, True, False]
        assert torch.equal(torch.get_rng_state(), before)
