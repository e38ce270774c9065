"""Run by test_loops_ddp.py: loops without a trainer in two gloo processes; each writes rank<r>.json in argv[1].

Plain loops, of Fabric, and with the weights in shards. The processes are forked from this one, which has imported it
all, and are told their places as torchrun tells them.
"""

import faulthandler
import json
import os
import sys
import warnings
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import FSDPStrategy
from torch import distributed, nn
from torch.distributed.algorithms.join import Join
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard

from collapse_guard import CausalLMProbe, CollapseGuardError, EmbeddingProbe, Evidence, Guard, Losses, WildType
from collapse_guard.errors import CollapseGuardWarning
from collapse_guard.fabric import FabricGuard
from collapse_guard.lineage import enrol as enrolment
from collapse_guard.probes import cost as costs
from collapse_guard.probes.sharding import mixed_seed
from collapse_guard.store import MemoryStore

warnings.filterwarnings("ignore", "(WATCH|UNDECIDED|COLLAPSED) ", CollapseGuardWarning)  # alerts
torch.set_num_threads(1)

ROWS = WildType.fit_arrays(np.random.default_rng(0).normal(size=(900, 4)))
RNG = np.random.default_rng(0)
WORDS = [f"{a}{b}{c}" for a in "bdfgklmn" for b in "aeiou" for c in "nrst"]
TEXTS = WildType.fit(
    [" ".join(RNG.choice(WORDS, 25)) for _ in range(301)],
    vocabulary_size=300,
    group_tokens=256,
    evaluation_fraction=0.5,
)


class Gaussian(nn.Module):
    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = nn.Parameter(torch.full((4,), scale))


class Scaling(Gaussian):
    def forward(self, rows):
        return (rows * self.scale).square().mean()


class Language(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.gru = nn.Embedding(300, 8), nn.GRU(8, 8, batch_first=True)
        self.head = nn.Linear(8, 300)

    def forward(self, ids):
        return self.head(self.gru(self.embedding(ids))[0])


def drawn(module, n, generator):
    return torch.randn(n, 4, generator=generator) * module.scale


class DrawsGlobally:
    """A probe of somebody who knows of no generator."""

    def collect(self, module, wild_type, *, seed, rank, world_size):
        return Evidence(samples=(torch.randn(128, 4) * module.scale).detach().numpy())


def of(guard, error=None, **parts):
    assessment = guard.assessment
    return {"assessment": assessment and assessment.to_dict(), "error": error, "looks": guard.looks, **parts}


def a_plain_loop():
    """A founder, and a generation that collapses in the run."""
    store, reports = MemoryStore(), []
    probe = EmbeddingProbe(drawn, n_samples=1000, batch_size=128)
    for scale, settings in ((1.0, {"generation": 0}), (0.2, {"assess_every_n_steps": 2, "actions": ("stop", "raise")})):
        guard, steps, error = Guard(ROWS, "plain", probe, store=store, **settings), 0, None
        try:
            with guard.generation(Gaussian(scale)) as generation:
                while steps < 6 and not generation.should_stop:
                    generation.step(steps)
                    steps += 1
        except CollapseGuardError as raised:
            error = f"{type(raised).__name__}: {raised}"
        reports.append(of(guard, error, steps=steps))
    return {"generations": reports, "recorded": len(store.history("plain")) if store.has("plain") else 0}


def a_probe_that_ignores_its_seed():
    torch.manual_seed(7)  # as training scripts do, on all ranks
    guard = Guard(ROWS, "global", DrawsGlobally(), store=MemoryStore(), generation=0)
    guard.assess(Gaussian())
    rows = guard.evidence.samples if guard.evidence else []
    return {"different": len({tuple(row) for row in rows}), "n": len(rows)}


def a_time_budget():
    """A sample takes twice as long on rank 1, where the training takes half as long."""
    rank = distributed.get_rank()

    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    def takes_time(module, n, generator):
        clock.now += n * (1 + rank)
        return drawn(module, n, generator)

    before, costs.clock = costs.clock, (clock := Clock())
    guard = Guard(
        ROWS,
        "budget",
        EmbeddingProbe(takes_time, n_samples=2000, batch_size=32),
        store=MemoryStore(),
        generation=0,
        time_budget=0.1,
    )
    with guard.generation(Gaussian()):
        clock.now += 8000.0 / (1 + rank)
    costs.clock = before
    rows = guard.evidence.samples if guard.evidence else []
    return of(guard, n=len(rows), spent=guard.cost.total.seconds)


def a_loop_of_fabric():
    store = MemoryStore()
    guard = FabricGuard(ROWS, "fabric", EmbeddingProbe(drawn, n_samples=500, batch_size=64), store=store, generation=0)
    fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp", callbacks=[guard])
    fabric.launch()
    model = fabric.setup(Gaussian())
    fabric.call("on_train_start", fabric=fabric, model=model)
    fabric.call("on_train_end", fabric=fabric, model=model)
    return of(guard, world_size=fabric.world_size, recorded=len(store.history("fabric")) if store.has("fabric") else 0)


class ShardedOnCPU(FSDPStrategy):
    """FSDP of Fabric without the accelerator that it asks for."""

    def setup_module(self, module):
        return wrapped(module)


def a_loop_of_fabric_in_shards():
    probe = CausalLMProbe(TEXTS.tokenizer, n_samples=84, batch_size=4, max_new_tokens=8, n_documents=33)
    guard, model = FabricGuard(TEXTS, "sharded", probe, store=MemoryStore(), generation=0), Language()
    alone = parts_of(probe.collect(model, TEXTS, seed=mixed_seed(0, 0)))
    fabric = Fabric(accelerator="cpu", devices=2, strategy=ShardedOnCPU(), callbacks=[guard])
    fabric.launch()
    model = fabric.setup_module(model)
    fabric.call("on_train_start", fabric=fabric, model=model)
    fabric.call("on_train_end", fabric=fabric, model=model)
    return of(guard, both=guard.evidence and parts_of(guard.evidence), alone=alone)


class Scripted:
    """Fails on one rank where it is told to."""

    def __init__(self, fails_on):
        self.fails_on = fails_on

    def collect(self, module, wild_type, *, seed, rank, world_size):
        if rank == self.fails_on:
            raise ZeroDivisionError("on one rank only")
        documents = wild_type.evaluation.hashes[rank::world_size]
        tokens = np.full(len(documents), 30)
        return Evidence(losses=Losses(documents=documents, nll=5.0 * tokens, n_tokens=tokens))


def a_rank_that_fails():
    guard = Guard(TEXTS, "failing", Scripted(fails_on=1), store=MemoryStore(), generation=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        verdict = guard.assess(Gaussian())
    return {"verdict": str(verdict), "warnings": [str(one.message) for one in caught]}


def evidence_of(guard):
    found = guard.evidence
    losses = {} if found is None else {"documents": found.losses.documents, "nll": found.losses.nll.tolist()}
    return found and {"samples": list(found.samples), **losses}


def steps(model, n):
    """Training steps on the same batch on all ranks, by an optimizer that is made for them; returns the losses."""
    optimizer, losses = torch.optim.SGD(model.parameters(), lr=1.0), []
    for _ in range(n):
        optimizer.zero_grad()
        loss = model(torch.arange(24).reshape(2, 12)).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def in_shards(model):
    for layer in (model.embedding, model.head, model):
        fully_shard(layer)
    return model


def wrapped(model):
    return FullyShardedDataParallel(model, device_id=torch.device("cpu"))


class Partition:
    """A half of each weight of a layer, which has the whole during its forward, as ZeRO-3 of DeepSpeed does."""

    def __init__(self, layer):
        self.own = list(layer.parameters())
        for number, weight in enumerate(self.own):
            weight.ds_id, weight.ds_shape = number, weight.shape
            whole = nn.functional.pad(weight.detach().flatten(), (0, weight.numel() % 2))
            weight.ds_tensor = whole.chunk(2)[distributed.get_rank()].clone()
        self.release()
        layer.register_forward_pre_hook(self.gather)
        layer.register_forward_hook(self.release)

    def gather(self, *_):
        for weight in self.own:
            halves = [torch.empty_like(weight.ds_tensor) for _ in range(2)]
            distributed.all_gather(halves, weight.ds_tensor)
            weight.data = torch.cat(halves)[: weight.ds_shape.numel()].reshape(weight.ds_shape)

    def release(self, *_):
        for weight in self.own:
            weight.data = torch.empty(0)


def weights_in_shards():
    """The same language model in shards and whole; with an odd number of batches no rank may wait for another.

    What trains it is made after the measurement was rehearsed: it must be given the weights as they are kept.
    """
    reports = {}
    for name, keep in {"whole": lambda model: model, "FSDP2": in_shards, "FSDP1": wrapped}.items():
        probe = CausalLMProbe(TEXTS.tokenizer, n_samples=84, batch_size=4, max_new_tokens=8, n_documents=33)
        guard, model = Guard(TEXTS, name, probe, store=MemoryStore(), generation=0), keep(Language())
        with guard.generation(model):
            losses = steps(model, 3)
        alone = steps(keep(Language()), 3)
        reports[name] = of(guard, evidence=evidence_of(guard), losses=losses, alone=alone)
    guard, model = Guard(TEXTS, "ZeRO-3", probe, store=MemoryStore(), generation=0), Language()
    steps(model, 3)
    for layer in (model.embedding, model.gru, model.head):
        Partition(layer)
    with guard.generation(model):
        pass
    reports["ZeRO-3"] = of(guard, evidence=evidence_of(guard))
    return reports


UNEVEN = {
    "a document more": {"n_documents": 3, "n_samples": 0},
    "a single document": {"n_documents": 1, "n_samples": 3, "batch_size": 4},
    "a single sample": {"n_documents": 0, "n_samples": 1, "prompts": ["ban"]},
    "a sample more": {"n_documents": 2, "n_samples": 5, "batch_size": 4, "founder": Language(), "eos_token_id": 5},
}


def uneven_parts():
    """A rank has less to measure than the other, or nothing; what one process alone collects is beside it."""
    reports = {}
    for name, settings in UNEVEN.items():
        probe = CausalLMProbe(TEXTS.tokenizer, max_new_tokens=8, **settings)
        guard, model = Guard(TEXTS, name, probe, store=MemoryStore(), generation=0), Language()
        reports[name] = {"verdict": str(guard.assess(model))}
        if guard.evidence is not None:
            alone = probe.collect(model, TEXTS, seed=mixed_seed(0, 0))
            reports[name] |= {"both": parts_of(guard.evidence), "alone": parts_of(alone)}
    return reports


def parts_of(evidence):
    sums = {
        name: None if losses is None else [losses.documents, losses.nll.tolist(), losses.n_tokens.tolist()]
        for name, losses in (
            ("losses", evidence.losses),
            ("own", evidence.own_losses),
            ("founder", evidence.founder_losses),
        )
    }
    samples = None if evidence.samples is None else list(evidence.samples)
    return {**sums, "samples": samples, "prompts": evidence.prompts, "truncated": evidence.truncated}


def uneven_loaders():
    """The second rank has a batch less to train on; each has its own, and they are joined as PyTorch joins them."""
    probe = EmbeddingProbe(drawn, n_samples=500, batch_size=64)
    guard = Guard(ROWS, "joined", probe, store=MemoryStore(), generation=0)
    model = nn.parallel.DistributedDataParallel(Scaling())
    with guard.generation(model.module) as generation:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        with Join([model]):
            for _ in range(3 - distributed.get_rank()):
                optimizer.zero_grad()
                model(torch.ones(2, 4)).backward()
                optimizer.step()
                generation.step()
    return of(guard, step=guard.assessment.origin.step)


def run(rank, folder):
    faulthandler.dump_traceback_later(200, exit=True)  # where a rank waits for ever, its test shows where
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0"}
    distributed.init_process_group("gloo")
    report = {
        "plain": a_plain_loop(),
        "global": a_probe_that_ignores_its_seed(),
        "failing": a_rank_that_fails(),
        "sharded": weights_in_shards(),
        "budget": a_time_budget(),
        "uneven": uneven_parts(),
        "joined": uneven_loaders(),
        "fabric": a_loop_of_fabric(),
        "sharded fabric": a_loop_of_fabric_in_shards(),
    }
    (folder / f"rank{rank}.json").write_text(json.dumps(report))
    distributed.barrier()  # whoever ends first ends the other


if __name__ == "__main__":
    enrolment.attachments = lambda lineage, history: {}  # to draw a page takes longer than a training
    ranks = [get_context("fork").Process(target=run, args=(rank, Path(sys.argv[1]))) for rank in (0, 1)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join()
    sys.exit(max(abs(process.exitcode) for process in ranks))
