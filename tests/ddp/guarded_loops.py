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
from torch import distributed, nn
from torch.distributed.fsdp import fully_shard

from collapse_guard import CausalLMProbe, CollapseGuardError, EmbeddingProbe, Evidence, Guard, Losses, WildType
from collapse_guard.errors import CollapseGuardWarning
from collapse_guard.fabric import FabricGuard
from collapse_guard.lineage import enrol as enrolment
from collapse_guard.probes import cost as costs
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


def weights_in_shards():
    """The same language model in shards and whole; with an odd number of batches no rank may wait for another."""
    reports = {}
    for name, is_sharded in (("whole", False), ("sharded", True)):
        probe = CausalLMProbe(TEXTS.tokenizer, n_samples=84, batch_size=4, max_new_tokens=8, n_documents=7)
        guard = Guard(TEXTS, name, probe, store=MemoryStore(), generation=0)
        model = Language()
        if is_sharded:
            for layer in (model.embedding, model.head, model):
                fully_shard(layer)
        with guard.generation(model) as generation:
            generation.step()
        evidence = guard.evidence
        found = None if evidence is None else {"samples": list(evidence.samples), "nll": evidence.losses.nll.tolist()}
        reports[name] = of(guard, evidence=found)
    return reports


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
        "fabric": a_loop_of_fabric(),
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
