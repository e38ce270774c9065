"""Run by test_failures_ddp.py: one fault after another, each in two gloo processes; rank r writes <fault>-<r>.json.

The processes are forked from this one, which has imported Lightning, and meet over a file. `argv[1]` is the folder.
"""

import contextlib
import faulthandler
import json
import os
import signal
import sys
import threading
import warnings
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from torch import distributed

from collapse_guard.errors import CollapseGuardWarning
from collapse_guard.evidence import Evidence, Losses
from collapse_guard.lightning import CollapseGuard
from collapse_guard.lineage import enrol as enrolment
from collapse_guard.store import MemoryStore
from collapse_guard.wildtype import WildType

WILD_TYPE = WildType.fit([f"document {i} of {i * 7 % 60} words" for i in range(200)], vocabulary_size=300)
SOON, PATIENCE = timedelta(seconds=5), timedelta(minutes=10)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer, self.steps = torch.nn.Linear(2, 1), 0

    def training_step(self, batch, batch_index):
        self.steps += 1
        return self.layer(batch).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fails():
    raise ZeroDivisionError("on one rank only")


def waits():
    threading.Event().wait()


def will_not_end():
    while True:
        with contextlib.suppress(BaseException):
            threading.Event().wait()


def dies():
    os.kill(os.getpid(), signal.SIGKILL)


def returns_what_cannot_be_sent():
    class Mine(list):
        """Of a class that another process does not know."""

    return Evidence(samples=Mine(["a text"]))


class Faulty:
    """A probe with a fault on some ranks, in its first calls."""

    def __init__(self, fault, *, on=(1,), calls=99):
        self.fault, self.on, self.calls = fault, on, calls

    def collect(self, module, wild_type, *, seed, rank, world_size):
        self.calls -= 1
        if self.calls >= 0 and rank in self.on:
            return self.fault()
        documents = wild_type.evaluation.hashes[rank::world_size]
        tokens = np.full(len(documents), 30)
        return Evidence(losses=Losses(documents=documents, nll=5.0 * tokens, n_tokens=tokens))


class NotMerging(Faulty):
    def merge(self, parts):
        return fails()


FAULTS = {
    "one fails": {"probe": Faulty(fails)},
    "both fail": {"probe": Faulty(fails, on=(0, 1))},
    "rank 0 fails": {"probe": NotMerging(fails, on=())},
    "not sent": {"probe": Faulty(returns_what_cannot_be_sent)},
    "one waits": {"probe": Faulty(waits), "probe_timeout": 0.3},
    "one waits for ever": {"probe": Faulty(will_not_end), "probe_timeout": 0.3, "waits": SOON},
    "one is waited for": {"probe": Faulty(waits), "probe_timeout": None, "waits": SOON},
    "one dies": {"probe": Faulty(dies)},
    "in the run": {"probe": Faulty(fails, calls=1), "assess_every_n_steps": 1},
}


def trainer_of(guard, folder, strategy):
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    place = {"accelerator": "cpu", "devices": 2, "strategy": strategy, "default_root_dir": folder}
    return pl.Trainer(max_epochs=1, callbacks=[guard], enable_model_summary=False, **quiet, **place)


def data():
    return torch.utils.data.DataLoader(torch.ones(12, 2), batch_size=2)


def train_in_processes_of_the_trainer(folder):
    """Nothing fails: the trainer starts its processes, and this one is told what they came to."""
    guard = CollapseGuard(WILD_TYPE, "newsbot", Faulty(fails, calls=0), store=MemoryStore(), generation=0)
    module = Model()
    trainer_of(guard, folder, "ddp_fork").fit(module, data())
    verdict = guard.verdict and guard.verdict.to_dict()
    (folder / "forked-0.json").write_text(json.dumps({"verdict": verdict, "steps": module.steps}))


def train(folder, name, rank):
    faulthandler.dump_traceback_later(200)
    torch.set_num_threads(1)
    os.environ |= {"LOCAL_RANK": str(rank), "NODE_RANK": "0", "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    settings = dict(FAULTS[name])
    limit = settings.pop("waits", PATIENCE)
    distributed.init_process_group("gloo", f"file://{folder}/{name}.met", rank=rank, world_size=2, timeout=limit)
    store = MemoryStore()
    guard = CollapseGuard(WILD_TYPE, "newsbot", store=store, actions=(), generation=0, **settings)
    module = Model()
    trainer = trainer_of(guard, folder, pl.strategies.DDPStrategy(timeout=limit))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.fit(module, data())
    report = {
        "verdict": guard.verdict.to_dict(),
        "told": [str(one.message) for one in caught if one.category is CollapseGuardWarning],
        "stored": len(store.history_so_far("newsbot")),
        "steps": module.steps,
        "looks": guard.looks,
    }
    unfinished = folder / f"{name}-{rank}.unfinished"
    unfinished.write_text(json.dumps(report))
    unfinished.rename(unfinished.with_suffix(".json"))
    os._exit(0)  # the process group may be broken: nobody is waited for


if __name__ == "__main__":
    enrolment.attachments = lambda lineage, history: {}  # to draw a page takes longer than a training
    warnings.filterwarnings("ignore")
    train_in_processes_of_the_trainer(Path(sys.argv[1]))
    processes = get_context("fork")
    for fault in FAULTS:
        ranks = [processes.Process(target=train, args=(Path(sys.argv[1]), fault, rank)) for rank in (0, 1)]
        for process in ranks:
            process.start()
        ranks[0].join()
        if fault.startswith("one waits for ever"):
            ranks[1].kill()
        ranks[1].join()
