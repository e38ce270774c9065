"""The contract of probes fails where a probe is broken, and its message says what is required."""

import functools
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from collapse_guard import Evidence, Losses, WildType
from collapse_guard.probes import EmbeddingProbe, untouched
from collapse_guard.testing import ProbeContract
from contract_failures import failures


@functools.cache
def wild_type():
    return WildType.fit_arrays(np.random.default_rng(0).normal(size=(500, 3)))


def draw(module, n, generator):
    return module(torch.randn(n, 2, generator=generator))


def contract_of(probe):
    class Contract(ProbeContract):
        def make_probe(self):
            return probe()

        def make_module(self):
            return nn.Sequential(nn.Linear(2, 3), nn.Dropout(), nn.BatchNorm1d(3))

        def make_wild_type(self):
            return wild_type()

    return Contract


class Sound(EmbeddingProbe):
    def __init__(self):
        super().__init__(draw, n_samples=10, batch_size=4)


class ChangesWithRanks(Sound):
    """Seeds by the rank."""

    def collect(self, module, wild_type, *, seed, rank=0, world_size=1):
        return super().collect(module, wild_type, seed=seed + rank, rank=rank, world_size=world_size)


class IgnoresRanks(Sound):
    """Every rank collects everything."""

    def collect(self, module, wild_type, *, seed, rank=0, world_size=1):
        return super().collect(module, wild_type, seed=seed)


class ScoresTwice(Sound):
    def collect(self, module, wild_type, *, seed, rank=0, world_size=1):
        super().collect(module, wild_type, seed=seed, rank=rank, world_size=world_size)
        return Evidence(losses=Losses(documents=("a",), nll=[1.0], n_tokens=[3]))


class Plain:
    """Draws without `untouched`."""

    def collect(self, module, wild_type, *, seed, rank, world_size):
        self.prepare(module)
        noise = torch.randn(20, 2, generator=self.generator(seed))
        with torch.no_grad():
            return Evidence(samples=module(noise).double().numpy()[rank::world_size])

    def merge(self, parts):
        size = max(len(part.samples) for part in parts)
        rows = [part.samples[place] for place in range(size) for part in parts if place < len(part.samples)]
        return Evidence(samples=np.array(rows))

    def generator(self, seed):
        return torch.Generator().manual_seed(seed)

    def prepare(self, module):
        module.eval()


class LeavesTrainMode(Plain):
    def prepare(self, module):
        pass


class DrawsGlobally(Sound):
    def collect(self, module, wild_type, *, seed, rank=0, world_size=1):
        with untouched(module):
            return Evidence(samples=module(torch.randn(10, 2)).double().numpy()[rank::world_size])


class SeedsGlobally(Plain):
    def prepare(self, module):
        module.eval()
        torch.manual_seed(0)


class TouchesNumpy(Plain):
    def prepare(self, module):
        np.random.normal()


class TouchesPython(Plain):
    def prepare(self, module):
        random.seed(1)


class Freezes(Plain):
    def prepare(self, module):
        module.requires_grad_(False)


class Trains(Plain):
    """Measures in train mode, which moves the running statistics."""

    def prepare(self, module):
        module[2].train()


class ScoresByRank(Sound):
    """Its scores of a task depend on the rank that asks."""

    def collect(self, module, wild_type, *, seed, rank=0, world_size=1):
        part = super().collect(module, wild_type, seed=seed, rank=rank, world_size=world_size)
        return replace(part, scores={"facts": {f"item {rank}": 1.0}})


class ReturnsSamples(Sound):
    def collect(self, module, wild_type, *, seed, rank=0, world_size=1):
        return super().collect(module, wild_type, seed=seed).samples


class OfAnotherWidth(Sound):
    def collect(self, module, wild_type, *, seed, rank=0, world_size=1):
        part = super().collect(module, wild_type, seed=seed, rank=rank, world_size=world_size)
        return Evidence(samples=part.samples[:, :2])


class OfText(Sound):
    kind = "text"


class NoProbe:
    pass


TRACE, RANKS = "measuring_leaves_no_trace", "the_evidence_does_not_depend_on_the_number_of_processes"
BROKEN = {
    ChangesWithRanks: (RANKS, "the parts of 2 ranks must merge to the evidence of one rank: `samples` must be"),
    IgnoresRanks: (RANKS, "the parts of 2 ranks must merge to the evidence of one rank: `samples` must be"),
    ScoresTwice: (RANKS, "the parts of 2 ranks must merge, but got InputError: `documents` must be unique"),
    ScoresByRank: (RANKS, "the parts of 2 ranks must merge to the evidence of one rank: `scores`: `facts`: `values`"),
    LeavesTrainMode: ("dropout_is_off_while_measuring", "must be measured in eval mode"),
    DrawsGlobally: ("the_seed_alone_decides_what_is_drawn", "the same seed must give the same evidence"),
    SeedsGlobally: (TRACE, "'random state of torch'"),
    TouchesNumpy: (TRACE, "'random state of numpy'"),
    TouchesPython: (TRACE, "'random state of Python'"),
    Freezes: (TRACE, "'requires_grad of 0.weight'"),
    Trains: (TRACE, "2.running_mean"),
    Plain: (
        TRACE,
        "measuring must leave the process as it was: collect inside `with untouched(module):`, but got ['mode",
    ),
    ReturnsSamples: ("the_evidence_can_be_measured", "`collect` must return an Evidence, but got array"),
    OfAnotherWidth: ("the_evidence_can_be_measured", "the evidence must fit the wild type, but got InputError"),
    OfText: ("it_is_a_probe_for_the_wild_type", "must be for a wild type of vectors, but got one for text"),
    NoProbe: ("it_is_a_probe_for_the_wild_type", "`probe` must have a method `collect`"),
}


def test_a_probe_that_keeps_the_contract_passes_every_check():
    assert failures(contract_of(Sound)) == {}


@pytest.mark.parametrize("probe", [SeedsGlobally, TouchesPython], ids=lambda probe: probe.__name__)
def test_a_probe_that_seeds_is_caught_where_the_process_has_just_used_its_seed(probe):
    with untouched(nn.Identity()):
        torch.manual_seed(0)
        random.seed(1)
        assert BROKEN[probe][1] in failures(contract_of(probe))[TRACE]


@pytest.mark.parametrize("probe", BROKEN, ids=lambda probe: probe.__name__)
def test_a_broken_probe_is_caught_and_the_error_says_what_is_required(probe):
    check, rule = BROKEN[probe]
    assert rule in failures(contract_of(probe))[check]


def test_the_checks_leave_no_trace_themselves():
    states = torch.get_rng_state(), repr(np.random.get_state()), random.getstate()
    failures(contract_of(Sound))
    now = torch.get_rng_state(), repr(np.random.get_state()), random.getstate()
    assert torch.equal(now[0], states[0])
    assert now[1:] == states[1:]
