"""Weights that ranks hold parts of: what says so, and what still works."""

import warnings

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard

from collapse_guard.probes import CausalLMProbe, is_sharded
from collapse_guard.probes.decoding import Decoding, generate
from collapse_guard.probes.weights import weights_digest


@pytest.fixture
def alone():
    """A group of one process."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield dist.init_device_mesh("cpu", (1,))
    dist.destroy_process_group()


def sharded(module, kind, mesh):
    if kind == "fully_shard":
        return fully_shard(module, mesh=mesh)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of devices, and of a newer way
        return FullyShardedDataParallel(module, device_id=torch.device("cpu"), use_orig_params=kind == "original")


KINDS = ["fully_shard", "flat", "original"]


@pytest.mark.parametrize("kind", KINDS)
def test_sharded_modules_are_known_also_by_a_part(alone, language, kind):
    assert not is_sharded(language())
    module = sharded(language(), kind, alone)
    assert is_sharded(module)
    assert is_sharded(nn.Sequential(module))
    assert is_sharded(next(iter(module.children())))


def test_weights_of_zero_3_are_known_by_their_mark(language):
    module = language()
    module.head.weight.ds_id = 0
    assert is_sharded(module)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sharded_module_is_measured_as_a_whole_one(alone, language, wild_type, kind):
    probe = CausalLMProbe(wild_type.tokenizer, n_samples=6, max_new_tokens=4, n_documents=5, founder=language(width=6))
    expected = probe.collect(language(), wild_type, seed=0)
    module = sharded(language(), kind, alone)
    assert probe.rehearse(module, wild_type, decides=()) == []
    found = probe.collect(module, wild_type, seed=0)
    assert found.samples == expected.samples
    for name in ("losses", "own_losses", "founder_losses"):
        assert getattr(found, name).nll.tolist() == pytest.approx(getattr(expected, name).nll.tolist(), rel=1e-5)


def test_a_digest_of_sharded_weights_is_of_what_this_process_holds(alone, language):
    assert weights_digest(sharded(language(), "fully_shard", alone)) == weights_digest(language())
    other = sharded(language(), "fully_shard", alone)
    with torch.no_grad():
        other.head.bias.add_(1.0)
    assert weights_digest(other) != weights_digest(language())


class Counting(nn.Module):
    """Counts its forwards; every row ends at once."""

    def __init__(self):
        super().__init__()
        self.n_forwards = 0

    def forward(self, ids):
        self.n_forwards += 1
        return nn.functional.one_hot(torch.full_like(ids, 3), 10) * 100.0


@pytest.mark.parametrize(("to_the_end", "forwards"), [(False, 1), (True, 7)])
def test_sharded_modules_are_asked_equally_often_whatever_has_ended(to_the_end, forwards):
    module = Counting()
    settings = {"decoding": Decoding(), "generator": torch.Generator(), "max_length": 9, "stops": [3, 4]}
    drawn = generate(module, [[0], [1]], max_new_tokens=7, to_the_end=to_the_end, **settings)
    assert drawn == [[], []]
    assert module.n_forwards == forwards


@pytest.mark.parametrize("is_marked", [False, True])
def test_the_probe_asks_sharded_modules_equally_often(language, wild_type, is_marked):
    """Whatever they draw, and by their forward alone."""

    class Ending(language):
        n_forwards = 0

        def forward(self, ids):
            self.n_forwards += 1
            return self.logits(ids) + nn.functional.one_hot(torch.full_like(ids, 3), 300) * 1e3

        def generate_step(self, ids, state):
            return self(ids)[:, -1], state

    module = Ending()
    if is_marked:
        module.head.weight.ds_id = 0
    settings = {"n_samples": 6, "batch_size": 4, "max_new_tokens": 9, "eos_token_id": 3, "n_documents": 0}
    evidence = CausalLMProbe(wild_type.tokenizer, **settings).collect(module, wild_type, seed=0)
    assert evidence.samples == [""] * 6
    assert module.n_forwards == 2 + 2 * (9 if is_marked else 1)


def test_a_sharded_module_is_not_asked_again_where_memory_is_too_small(language, wild_type):
    class Small(language):
        n_forwards = 0

        def forward(self, ids):
            self.n_forwards += 1
            if len(ids) > 2:
                raise MemoryError
            return self.logits(ids)

    probe = CausalLMProbe(wild_type.tokenizer, n_samples=0, batch_size=4)
    module = Small()
    assert len(probe.collect(module, wild_type, seed=0).losses) == len(wild_type.evaluation)
    module.head.weight.ds_id = module.n_forwards = 0
    with pytest.raises(MemoryError):
        probe.collect(module, wild_type, seed=0)
    assert module.n_forwards == 3
