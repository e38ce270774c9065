"""Run by test_callback_ddp.py: guards in two gloo processes; each writes what it saw to rank<r>.json in argv[1]."""

import faulthandler
import json
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule, FullyShardedDataParallel, fully_shard

from collapse_guard.errors import CollapseGuardError, CollapseGuardWarning
from collapse_guard.evidence import Evidence, Losses
from collapse_guard.lightning import CollapseGuard, ReinjectionDataModule
from collapse_guard.lineage import enrol as enrolment
from collapse_guard.probes import CausalLMProbe
from collapse_guard.probes.sharding import mixed_seed
from collapse_guard.records import Mixture
from collapse_guard.store import MemoryStore
from collapse_guard.wildtype import WildType

warnings.simplefilter("error")
for usual in (
    "You passed in a `val_dataloader` but have no `validation_step`",
    "You defined a `validation_step` but have no `val_dataloader`",
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    "The number of training batches .* is smaller than the logging interval",
    r"The '\w+' does not have many workers",
):
    warnings.filterwarnings("ignore", usual)  # as in pyproject.toml
warnings.filterwarnings("ignore", "(WATCH|UNDECIDED|COLLAPSED) ", CollapseGuardWarning)  # alerts
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
torch.set_num_threads(1)

RNG = np.random.default_rng(0)
WORDS = [f"{a}{b}{c}" for a in "bdfgklmn" for b in "aeiou" for c in "nrst"]
WILD_TYPE = WildType.fit(
    [" ".join(RNG.choice(WORDS, 25)) for _ in range(301)],
    vocabulary_size=300,
    group_tokens=256,
    evaluation_fraction=0.5,
)
DATA = {"batch_size": 4, "encode": lambda number: torch.tensor([number] * 8)}


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.gru = nn.Embedding(300, 8), nn.GRU(8, 8, batch_first=True)
        self.head, self.seen = nn.Linear(8, 300), []

    def forward(self, ids):
        return self.head(self.gru(self.embedding(ids))[0])

    def training_step(self, batch, batch_index):
        self.seen.extend(batch[:, 0].tolist())
        return nn.functional.cross_entropy(self(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Scripted:
    """Losses at a rate for each call, an odd number of documents over the ranks."""

    def __init__(self, *rates):
        self.rates = list(rates)

    def collect(self, module, wild_type, *, seed, rank, world_size):
        documents = wild_type.evaluation.hashes[:-1][rank::world_size]
        tokens = np.full(len(documents), 30)
        noise = np.random.default_rng([seed, rank]).normal(0.0, 0.02, len(documents))
        rate = self.rates.pop(0)
        return Evidence(losses=Losses(documents=documents, nll=(rate + noise) * tokens, n_tokens=tokens))


class Recorded(CausalLMProbe):
    """Remembers how much each rank collected, and what it came to."""

    def merge(self, parts):
        self.sizes = [(len(part.samples), len(part.losses)) for part in parts]
        self.evidence = super().merge(parts)
        return self.evidence


class InShards(Model):
    """FSDP2 puts its weights into shards. It does not learn."""

    def configure_model(self):
        if self.device_mesh and not isinstance(self, FSDPModule):
            for layer in (self.embedding, self.head, self):
                fully_shard(layer, mesh=self.device_mesh["data_parallel"])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


class ShardedOnCPU(pl.strategies.FSDPStrategy):
    """FSDP without the accelerator that it asks for."""

    def _setup_model(self, model):
        return FullyShardedDataParallel(model, device_id=self.root_device)

    def _determine_device_ids(self):
        return None


def train(guard, *, epochs=1, data=None, module=None, strategy="ddp"):
    """Fit; returns the module, the trainer, and the error that ended training."""
    module = module or Model()
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    callbacks = [guard] if guard else []
    trainer = pl.Trainer(
        accelerator="cpu", devices=2, strategy=strategy, max_epochs=epochs, callbacks=callbacks, **quiet
    )
    try:
        trainer.fit(module, datamodule=data or ReinjectionDataModule(list(range(16)), mixture=1.0, **DATA))
    except CollapseGuardError as error:
        return module, trainer, f"{type(error).__name__}: {error}"
    return module, trainer, None


def a_language_model():
    probe = Recorded(WILD_TYPE.tokenizer, n_samples=82, batch_size=4, max_new_tokens=8, n_documents=33)
    store = MemoryStore()
    train(CollapseGuard(WILD_TYPE, "measured", Scripted(5.0), store=store, generation=0))
    guard = CollapseGuard(WILD_TYPE, "measured", probe, store=store)
    module, trainer, error = train(guard)
    alone, _, _ = train(None)
    same = all(map(torch.equal, module.parameters(), alone.parameters()))
    report = {"world_size": trainer.world_size, "assessment": guard.assessment.to_dict(), "error": error, "same": same}
    if trainer.is_global_zero:
        report["merged"] = {"sizes": probe.sizes, **of(probe.evidence)}
        # Its weights are those of the founder, whose seed it is measured with.
        report["alone"] = of(probe.collect(module, WILD_TYPE, seed=mixed_seed(0, 0)))
    return report


def weights_in_shards():
    """By both strategies of Lightning, looked at in the run too."""
    probe = CausalLMProbe(WILD_TYPE.tokenizer, n_samples=82, batch_size=4, max_new_tokens=8, n_documents=31)
    strategies = {"FSDP2": pl.strategies.ModelParallelStrategy(), "FSDP1": ShardedOnCPU()}
    reports = {"whole": of(probe.collect(InShards(), WILD_TYPE, seed=mixed_seed(0, 0)))}
    for name, strategy in strategies.items():
        settings = {"store": MemoryStore(), "generation": 0, "assess_every_n_steps": 1}
        guard = CollapseGuard(WILD_TYPE, name, probe, **settings)
        _, _, error = train(guard, module=InShards(), strategy=strategy)
        evidence = guard.evidence and of(guard.evidence)
        reports[name] = {"error": error, "verdict": str(guard.verdict), "evidence": evidence, "looks": guard.looks}
    return reports


def of(evidence):
    return {"samples": evidence.samples, "documents": evidence.losses.documents, "nll": evidence.losses.nll.tolist()}


def a_lineage():
    """Founder, a collapse in the run, a collapse that raises, and what cannot be trained."""
    store, reports = MemoryStore(), []
    for settings in (
        {"probe": Scripted(5.0), "generation": 0},
        {"probe": Scripted(5.0, 8.0, 8.0), "assess_every_n_epochs": 1, "actions": ("stop",)},
        {"probe": Scripted(8.5), "actions": ("raise",)},
        {"probe": Scripted(5.0), "generation": 1},
    ):
        guard = CollapseGuard(WILD_TYPE, "newsbot", store=store, **{"actions": (), **settings})
        _, trainer, error = train(guard, epochs=5)
        verdict = guard.verdict and guard.verdict.to_dict()
        reports.append({"verdict": verdict, "epochs": trainer.current_epoch, "error": error, "looks": guard.looks})
    return {"steps": reports, "recorded": len(store.history("newsbot")) if store.has("newsbot") else 0}


def a_mixture():
    guard = CollapseGuard(WILD_TYPE, "mixed", Scripted(5.0), store=MemoryStore(), generation=0)
    mixture = Mixture(real=0.25, newest=0.75)
    data = ReinjectionDataModule(list(range(50)), list(range(100, 150)), mixture=mixture, length=33, **DATA)
    module, _, _ = train(guard, epochs=2, data=data)
    return {"seen": module.seen, "mixture": guard.assessment.generation.mixture.to_dict()}


def a_steered_run():
    """A founder, then a run that is found to collapse after its third step; workers have fetched ahead by then."""
    store = MemoryStore()
    train(CollapseGuard(WILD_TYPE, "steered", Scripted(5.0), store=store, generation=0))
    settings = {"actions": ("reinject",), "assess_every_n_steps": 3, "store": store}
    guard = CollapseGuard(WILD_TYPE, "steered", Scripted(*[8.0] * 20), **settings)
    data = ReinjectionDataModule(
        list(range(50)), list(range(100, 150)), mixture=0.1, length=120, num_workers=1 + is_second(), **DATA
    )
    module, _, error = train(guard, data=data)
    decisions = [decision.to_dict() for decision in guard.decisions]
    changes = [change.to_dict() for change in data.sampler.schedule.changes]
    return {"seen": module.seen, "decisions": decisions, "changes": changes, "error": error}


def is_second():
    """Whether this is the second process; it has more workers, which fetch further ahead."""
    return torch.distributed.get_rank()


if __name__ == "__main__":
    enrolment.attachments = lambda lineage, history: {}  # to draw a page takes longer than a training
    faulthandler.dump_traceback_later(200)  # where a rank waits for ever, its test shows where
    report = {
        "model": a_language_model(),
        "lineage": a_lineage(),
        "mixture": a_mixture(),
        "steered": a_steered_run(),
        "sharded": weights_in_shards(),
    }
    rank = torch.distributed.get_rank()
    Path(sys.argv[1], f"rank{rank}.json").write_text(json.dumps(report))
    torch.distributed.barrier()  # whoever ends first ends the other
