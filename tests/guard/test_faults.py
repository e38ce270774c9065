"""What fails in a training, in every shell: the training stands, nothing half is stored, and it is told what to do."""

import gc
import signal
import warnings
from types import SimpleNamespace

import lightning_fabric
import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments

from collapse_guard import CollapseGuard, Evidence, Guard, WildType
from collapse_guard.errors import CollapseGuardWarning
from collapse_guard.fabric import FabricGuard
from collapse_guard.lineage.outbox import PENDING, list_pending, load_pending
from collapse_guard.records import ReasonKind, Severity
from collapse_guard.store import MemoryStore
from collapse_guard.transformers import CollapseGuardCallback
from faulty_stores import FaultyStore

STEPS = 3


class Learner(nn.Module):
    """Learns the scale of rows, and may be made to fail in one of its steps."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))
        self.faults = {}
        self.steps = 0

    def forward(self, rows):
        if self.training:
            self.steps += 1
            if self.steps in self.faults:
                raise self.faults[self.steps]
        return {"loss": ((rows.abs().mean(0) - self.scale.abs()) ** 2).sum()}


class Module(pl.LightningModule):
    def __init__(self, learner):
        super().__init__()
        self.learner = learner

    def training_step(self, rows, _):
        return self.learner(rows)["loss"]

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


BATCHES = torch.randn(2 * STEPS, 4, generator=torch.Generator().manual_seed(0))


def by_guard(guard, learner, folder):
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.01)
    with guard.generation(learner) as generation:
        for batch in BATCHES.split(2):
            optimizer.zero_grad()
            learner(batch)["loss"].backward()
            optimizer.step()
            generation.step()


def by_fabric(guard, learner, folder):
    fabric = lightning_fabric.Fabric(accelerator="cpu", devices=1, callbacks=[guard])
    model, optimizer = fabric.setup(learner, torch.optim.SGD(learner.parameters(), lr=0.01))
    fabric.call("on_train_start", fabric=fabric, model=model)
    for batch in BATCHES.split(2):
        optimizer.zero_grad()
        fabric.backward(model(batch)["loss"])
        optimizer.step()
        fabric.call("on_train_batch_end")
    fabric.call("on_train_end", fabric=fabric, model=model)


def by_lightning(guard, learner, folder):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    place = {"accelerator": "cpu", "devices": 1, "default_root_dir": folder, "enable_checkpointing": False}
    trainer = pl.Trainer(max_epochs=1, callbacks=[guard], **quiet, **place)
    trainer.fit(Module(learner), DataLoader(BATCHES, batch_size=2))


def by_hugging_face(guard, learner, folder):
    quiet = {"disable_tqdm": True, "report_to": "none", "use_cpu": True, "save_strategy": "no"}
    args = TrainingArguments(output_dir=str(folder), max_steps=STEPS, per_device_train_batch_size=2, **quiet)
    rows = [{"rows": row} for row in BATCHES]
    Trainer(model=learner, args=args, train_dataset=rows, callbacks=[guard]).train()


SHELLS = {
    "Guard": (Guard, by_guard),
    "FabricGuard": (FabricGuard, by_fabric),
    "CollapseGuard": (CollapseGuard, by_lightning),
    "CollapseGuardCallback": (CollapseGuardCallback, by_hugging_face),
}


class Rows:
    """A probe of rows as wide as real ones, which fails where it is told to."""

    def __init__(self, *faults):
        self.faults = list(faults)

    def collect(self, module, wild_type, *, seed, rank, world_size):
        if fault := self.faults and self.faults.pop(0):
            raise fault
        return Evidence(samples=np.random.default_rng(seed).normal(size=(600, 4)))


pytestmark = pytest.mark.usefixtures("page", "one_thread")


@pytest.fixture(autouse=True, scope="module")
def _short_collections():
    """A `Trainer` collects garbage when it begins, which is quick where what was imported is left out."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def wild_type():
    return WildType.fit_arrays(np.random.default_rng(0).normal(size=(900, 4)))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Where kept evidence goes; and Lightning has Ctrl-C ignored for good."""
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=SHELLS)
def train(request, wild_type, tmp_path):
    """Train in a shell: the guard, what it told, and what was raised; the training may fail in a step."""
    kind, by = SHELLS[request.param]

    def run(probe, store, faults=(), **settings):
        guard = kind(wild_type, "tables", probe, store=store, generation=0, **{"actions": ("alert",), **settings})
        learner, raised = Learner(), None
        learner.faults = dict(faults)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", CollapseGuardWarning)
            try:
                by(guard, learner, tmp_path)
            except BaseException as error:
                raised = error
        told = [str(one.message) for one in caught if issubclass(one.category, CollapseGuardWarning)]
        return SimpleNamespace(guard=guard, learner=learner, told=told, raised=raised)

    return run


def test_a_probe_that_raises_costs_one_warning_and_no_training(train):
    store = MemoryStore()
    done = train(Rows(ZeroDivisionError("no rows")), store, actions=("alert", "raise"))
    assert done.raised is None
    assert done.learner.steps == STEPS
    [told] = done.told
    assert told.startswith("generation 0 of 'tables' is trained, but was not measured: ZeroDivisionError: no rows")
    [reason] = done.guard.verdict.reasons
    assert (done.guard.verdict.severity, reason.kind) == (Severity.UNDECIDED, ReasonKind.NOT_MEASURED)
    assert store.lineages() == []
    assert done.guard.assess(done.learner).severity is Severity.HEALTHY
    assert store.latest("tables").origin.step == STEPS


def test_a_probe_that_fails_in_the_run_costs_a_look_and_one_warning(train):
    store = MemoryStore()
    done = train(Rows(OSError("gone")), store, assess_every_n_steps=1)
    assert done.raised is None
    [told] = done.told
    assert told.startswith("the model could not be measured after step 1: OSError: gone")
    assert done.guard.looks[0][0] == 2
    assert store.latest("tables").verdict == done.guard.verdict


def test_a_store_that_refuses_costs_a_warning_and_the_evidence_is_kept(train):
    done = train(Rows(), FaultyStore(appending=OSError(28, "No space left on device")))
    assert done.raised is None
    [told] = done.told
    assert told.startswith("generation 0 of 'tables' is not in the store: ")
    assert "collapse-guard assess --resume" in told
    [kept] = list_pending(PENDING)
    assert load_pending(kept).evidence.digest() == done.guard.evidence.digest()
    assert done.guard.verdict.severity is Severity.HEALTHY


@pytest.mark.parametrize("error", [ZeroDivisionError("no loss"), KeyboardInterrupt()], ids=repr)
def test_a_training_that_ends_before_its_end_is_no_generation(train, error):
    store = MemoryStore()
    done = train(Rows(), store, faults={2: error})
    assert isinstance(done.raised, type(error) | SystemExit)
    assert done.learner.steps == 2
    assert (done.told, done.guard.verdict, done.guard.evidence, store.lineages()) == ([], None, None, [])
    assert list_pending(PENDING) == []
    again = train(Rows(), store)
    assert (again.raised, again.told) == (None, [])
    assert again.guard.verdict.generation == 0


def test_what_the_user_interrupts_while_it_measures_ends(train):
    store = MemoryStore()
    done = train(Rows(KeyboardInterrupt()), store)
    assert isinstance(done.raised, KeyboardInterrupt | SystemExit)
    assert store.lineages() == []
    assert list_pending(PENDING) == []
