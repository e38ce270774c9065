"""Modules that run out of memory beyond a number of rows."""

import pytest
import torch
from torch import nn

from collapse_guard.probes import CausalLMProbe, EmbeddingProbe
from collapse_guard.probes.decoding import Decoding, generate
from collapse_guard.probes.memory import Fitting
from collapse_guard.probes.scoring import Document, score
from collapse_guard.wildtype import WildType

KINDS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:114] data. DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
    RuntimeError("MPS backend out of memory (MPS allocated: 17 GB)"),
]


@pytest.fixture(autouse=True)
def one_thread():
    """Models this small are many times faster on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Small(nn.Module):
    """A causal model with room for so many rows; remembers how many it was given."""

    def __init__(self, room, error=KINDS[0]):
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.gru, self.head = nn.Embedding(12, 8), nn.GRU(8, 8, batch_first=True), nn.Linear(8, 12)
        self.room, self.error, self.rows = room, error, []

    def forward(self, ids):
        self.rows.append(len(ids))
        if len(ids) > self.room:
            raise self.error
        return self.head(self.gru(self.embedding(ids))[0])


class Stepping(Small):
    def generate_step(self, ids, state):
        self.rows.append(len(ids))
        if len(ids) > self.room:
            raise self.error
        hidden, state = self.gru(self.embedding(ids), state)
        return self.head(hidden[:, -1]), state


def documents(n):
    return [Document(id=str(i), tokens=[(i * k) % 12 for k in range(1, 4 + i % 5)], n_bytes=9) for i in range(n)]


@torch.no_grad()
def losses(module, batch_size):
    return score(module, documents(21), bos=0, max_length=5, batch_size=batch_size)


@torch.no_grad()
@pytest.mark.parametrize(("room", "size"), [(6, 5), (2, 2), (1, 1)])
def test_losses_are_to_the_bit_those_of_the_smaller_batch(room, size):
    module = Small(room)
    found, expected = losses(module, 10), losses(Small(99), size)
    assert found.nll.tobytes() == expected.nll.tobytes()
    assert found.entropy.tobytes() == expected.entropy.tobytes()
    assert module.rows[0] == 10
    assert max(module.rows[-3:]) <= size


@torch.no_grad()
@pytest.mark.parametrize("kind", [Small, Stepping])
@pytest.mark.parametrize("room", [5, 3, 1])
def test_samples_do_not_depend_on_how_many_fit(kind, room):
    prompts = [[0] * (1 + i % 3) for i in range(10)]

    def drawn(module, at_once):
        generator = torch.Generator().manual_seed(3)
        settings = {"max_new_tokens": 9, "decoding": Decoding(), "max_length": 6, "stops": [11]}
        return generate(module, prompts, generator=generator, at_once=at_once, **settings)

    whole = drawn(kind(99), None)
    assert len({tuple(row) for row in whole}) > 5
    assert Fitting(10).run(lambda size: drawn(kind(room), size)) == whole


@torch.no_grad()
def test_a_size_that_does_not_fit_is_not_tried_again():
    module = Small(2)
    batch = Fitting(8)
    for _ in range(3):
        batch.run(lambda size: module(torch.zeros(size, 1, dtype=torch.int64)))
    assert module.rows == [8, 4, 2, 2, 2]


@pytest.mark.parametrize("error", [*KINDS, ZeroDivisionError(), RuntimeError("shapes")], ids=repr)
def test_what_does_not_fit_alone_and_other_errors_are_raised(error):
    module = Small(0, error)
    with pytest.raises(type(error)):
        losses(module, 2)
    assert module.rows == ([2, 1] if error in KINDS else [2])


@pytest.fixture(scope="module")
def wild_type():
    return WildType.fit([f"document {i} of {i * 7 % 60} words and more" for i in range(90)], vocabulary_size=300)


class Wide(Small):
    def __init__(self, room):
        super().__init__(room)
        self.embedding, self.head = nn.Embedding(300, 8), nn.Linear(8, 300)


def test_the_probe_of_language_models_collects_the_same_in_less_memory(wild_type):
    probe = CausalLMProbe(wild_type.tokenizer, n_samples=20, batch_size=16, max_new_tokens=6, founder=Wide(5))
    found = probe.collect(Wide(3), wild_type, seed=1)
    whole = CausalLMProbe(wild_type.tokenizer, n_samples=20, batch_size=16, max_new_tokens=6, founder=Wide(99))
    expected = whole.collect(Wide(99), wild_type, seed=1)
    assert found.samples == expected.samples
    for name in ("losses", "own_losses", "founder_losses"):
        assert getattr(found, name).nll.tolist() == pytest.approx(getattr(expected, name).nll.tolist(), rel=1e-5)


def test_the_probe_of_vectors_asks_for_fewer_at_a_time():
    wild_type = WildType.fit_arrays(torch.randn(400, 3, generator=torch.Generator().manual_seed(0)).numpy())
    asked = []

    def sample(module, n, generator):
        asked.append(n)
        if n > 5:
            raise MemoryError
        return torch.randn(n, 3, generator=generator)

    drawn = EmbeddingProbe(sample, n_samples=30, batch_size=16).collect(nn.Identity(), wild_type, seed=0).samples
    assert drawn.shape == (30, 3)
    assert len({row.tobytes() for row in drawn}) == 30
    assert asked == [16, 8, 4, 4, 4, 4, 4, 4, 4, 2]


@pytest.mark.parametrize("returned", [None, [[0.0] * 3], torch.zeros(4, 2)])
def test_a_sampler_of_vectors_that_returns_something_else_is_named(returned):
    wild_type = WildType.fit_arrays(torch.randn(400, 3, generator=torch.Generator().manual_seed(0)).numpy())
    probe = EmbeddingProbe(lambda *_: returned, n_samples=4)
    with pytest.raises(ValueError, match=r"`sample` must return a \(4, 3\) tensor, but got"):
        probe.collect(nn.Identity(), wild_type, seed=0)
