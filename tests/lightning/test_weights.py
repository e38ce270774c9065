"""Which weights are measured: the last, the best, those of a file, or averaged ones. The record says which."""

import warnings

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging, ModelCheckpoint, StochasticWeightAveraging
from safetensors.torch import save_file
from torch import nn

from collapse_guard.errors import CollapseGuardWarning, InputError
from collapse_guard.evidence import Evidence, Losses


class Counting(pl.LightningModule):
    """Its only weight is the number of steps trained; its `val_loss` is lowest after the first epoch."""

    def __init__(self):
        super().__init__()
        self.steps = nn.Parameter(torch.zeros(1))
        self.register_buffer("seen", torch.zeros(1))

    def training_step(self, batch, batch_index):
        self.seen += 1
        return -self.steps.sum()

    def validation_step(self, batch, batch_index):
        self.log("val_loss", float(self.current_epoch))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


class Reading:
    """A probe that keeps the weight that it was shown."""

    def __init__(self):
        self.shown = []

    def collect(self, module, wild_type, *, seed, rank, world_size):
        self.shown.append((module.steps.item(), module.seen.item()))
        documents = wild_type.evaluation.hashes
        tokens = np.full(len(documents), 30)
        return Evidence(losses=Losses(documents=documents, nll=5.0 * tokens, n_tokens=tokens))


@pytest.fixture
def trained(guard, trainer_of):
    """Train three epochs of two steps; the guard, the module."""

    def run(*before, after=(), **settings):
        own = guard("healthy", **settings)
        own.probe = Reading()
        module, batches = Counting(), torch.utils.data.DataLoader(torch.zeros(4, 1), batch_size=2)
        callbacks = [*before, own, *after]
        is_saving = any(isinstance(one, ModelCheckpoint) for one in callbacks)
        trainer_of(*callbacks, max_epochs=3, enable_checkpointing=is_saving).fit(module, batches, batches)
        return own, module

    return run


@pytest.fixture
def measured(trained, store):
    """Train, and return the weight and the buffer that were measured, what the record says of them, and the module."""

    def run(*before, **settings):
        own, module = trained(*before, **settings)
        return own.probe.shown[-1], store.latest("newsbot").origin.measured, module

    return run


@pytest.fixture
def keeps_best(tmp_path):
    return ModelCheckpoint(tmp_path, "{epoch}", monitor="val_loss")


class TestTheLast:
    def test_are_measured_unless_something_else_is_said(self, measured):
        assert measured()[:2] == ((6.0, 6.0), "last")

    def test_are_warned_of_where_the_best_are_kept(self, measured, keeps_best):
        with pytest.warns(
            CollapseGuardWarning, match=r"keeps the best weights by val_loss, and .* say `weights='best'`"
        ):
            assert measured(keeps_best)[0] == (6.0, 6.0)

    def test_are_not_warned_of_where_they_are_meant(self, measured, keeps_best):
        with warnings.catch_warnings():
            warnings.simplefilter("error", CollapseGuardWarning)
            assert measured(keeps_best, weights="last")[:2] == ((6.0, 6.0), "last")

    @pytest.mark.parametrize("place", ["before", "after"])
    @pytest.mark.parametrize(
        "averaging",
        [
            lambda: EMAWeightAveraging(decay=0.5),
            lambda: StochasticWeightAveraging(1.0, swa_epoch_start=1, annealing_epochs=1, device=None),
        ],
        ids=["EMA", "SWA"],
    )
    def test_are_those_that_an_averaging_callback_leaves_wherever_it_stands(self, measured, averaging, place):
        callback = averaging()
        shown, which, module = measured(callback) if place == "before" else measured(after=[callback])
        assert shown[0] == module.steps.item() < 6.0
        assert which == f"last, averaged by {type(callback).__name__}"


class TestTheBest:
    def test_are_measured_where_that_is_said_and_training_keeps_its_own(self, measured, keeps_best):
        shown, which, module = measured(keeps_best, weights="best")
        assert (shown, which) == ((2.0, 2.0), "best by val_loss: epoch=0.ckpt")
        assert module.steps.item() == module.seen.item() == 6.0

    def test_are_refused_before_training_where_nothing_keeps_them(self, measured):
        with pytest.raises(InputError, match=r"`weights` must be 'last' or a path where no ModelCheckpoint has"):
            measured(weights="best")

    def test_that_were_never_saved_leave_the_generation_unmeasured(self, trained, tmp_path, store):
        never = ModelCheckpoint(tmp_path, monitor="val_loss", every_n_epochs=50)
        with pytest.warns(CollapseGuardWarning, match="but no ModelCheckpoint saved a best one by val_loss"):
            own, _ = trained(never, weights="best")
        assert own.verdict.is_unmeasured
        assert store.lineages() == []


class TestAFile:
    def test_of_lightning_is_measured(self, measured, tmp_path):
        every = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
        path = tmp_path / "epoch=1.ckpt"
        assert measured(every, weights=path)[:2] == ((4.0, 4.0), "epoch=1.ckpt")

    def test_of_safetensors_is_measured(self, measured, tmp_path):
        save_file({"steps": torch.full((1,), 9.0), "seen": torch.full((1,), 7.0)}, tmp_path / "kept.safetensors")
        assert measured(weights=tmp_path / "kept.safetensors")[:2] == ((9.0, 7.0), "kept.safetensors")

    def test_that_does_not_fit_leaves_the_weights_as_they_were(self, trained, tmp_path):
        save_file({"steps": torch.zeros(1), "others": torch.zeros(1)}, tmp_path / "others.safetensors")
        with pytest.warns(CollapseGuardWarning, match="was not measured"):
            _, module = trained(weights=tmp_path / "others.safetensors")
        assert module.steps.item() == 6.0


def test_of_a_file_are_not_put_into_shards(guard, trainer_of, loader, model):
    own = guard("healthy", weights="kept.ckpt")
    model.head.weight.ds_id = 1  # as ZeRO-3 marks what it keeps in parts
    with pytest.raises(InputError, match="`weights` must be 'last' for a model whose weights are in shards"):
        trainer_of(own).fit(model, loader)


@pytest.mark.parametrize(("precision", "dtype"), [("bf16-true", torch.bfloat16), ("64-true", torch.float64)])
def test_the_precision_of_the_trainer_is_entered_while_measuring(guard, trainer_of, precision, dtype):
    own, seen = guard("healthy", assess_every_n_steps=1), []
    collect = own.probe.collect
    own.probe.collect = lambda *given, **place: (seen.append(torch.get_default_dtype()), collect(*given, **place))[1]
    batches = torch.utils.data.DataLoader(torch.zeros(4, 1), batch_size=2)
    trainer_of(own, max_epochs=1, precision=precision).fit(Counting(), batches)
    assert seen == [dtype] * 2  # of a look, and of the end
    assert torch.get_default_dtype() is torch.float32


class Adversaries(pl.LightningModule):
    """Two optimizers, stepped by hand."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Linear(1, 1), nn.Linear(1, 1)
        self.automatic_optimization = False

    def training_step(self, batch, batch_index):
        for part, optimizer in zip((self.one, self.other), self.optimizers(), strict=True):
            optimizer.zero_grad()
            self.manual_backward(part(batch).sum())
            optimizer.step()

    def configure_optimizers(self):
        return [torch.optim.SGD(part.parameters(), lr=0.1) for part in (self.one, self.other)]


def test_a_look_comes_every_n_training_steps_whatever_steps_in_them(guard, trainer_of):
    own = guard("healthy", assess_every_n_steps=5)
    batches = torch.utils.data.DataLoader(torch.zeros(20, 1), batch_size=1)
    trainer_of(own, max_epochs=1).fit(Adversaries(), batches)
    assert [step for step, _ in own.looks] == [10, 20, 30]


def test_a_look_comes_every_n_training_steps_where_gradients_accumulate(guard, trainer_of, model, loader):
    own = guard("healthy", assess_every_n_steps=1)
    trainer_of(own, max_epochs=2, accumulate_grad_batches=2).fit(model, loader)
    assert [step for step, _ in own.looks] == [1, 2, 3]
