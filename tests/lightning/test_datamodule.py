"""Oracles: what the training steps of a real trainer saw, counted; and an uninterrupted run."""

import multiprocessing
from functools import partial
from types import SimpleNamespace

import lightning.pytorch as lp
import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from collapse_guard.errors import InputError, WildTypeError
from collapse_guard.lightning import ReinjectionDataModule, datamodule
from collapse_guard.lineage.training_set import TrainingSet
from collapse_guard.records import Mixture
from collapse_guard.reinjection import MixtureSampler
from collapse_guard.reinjection import loader as room
from workers import STARTS, as_vector, started

FIRST_OF_TWO = partial(MixtureSampler, num_replicas=2, rank=0)
REAL, EARLIER, NEWEST = list(range(40)), list(range(100, 120)), list(range(200, 240))


def data_module(*args, **settings):
    return ReinjectionDataModule(*args, **{"batch_size": 4, "encode": as_vector, **settings})


def seeing(namespace):
    class Seeing(namespace.LightningModule):
        """Remembers the numbers of each epoch in order, and of validation."""

        def __init__(self):
            super().__init__()
            self.layer, self.seen, self.validated = torch.nn.Linear(4, 1), {}, []

        def training_step(self, batch, batch_index):
            self.seen.setdefault(self.current_epoch, []).extend(batch[:, 0].int().tolist())
            return self.layer(batch).mean() * 1e-9

        def validation_step(self, batch, batch_index):
            self.validated.extend(batch[:, 0].int().tolist())

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=1e-9)

    return Seeing()


@pytest.fixture
def fit(trainer_of):
    def run(data, *callbacks, namespace=pl, ckpt_path=None, **settings):
        module = seeing(namespace)
        trainer_of(*callbacks, namespace=namespace, **settings).fit(module, datamodule=data, ckpt_path=ckpt_path)
        return module

    return run


def test_both_lightnings_take_the_data_module(fit, namespace):
    data = data_module(REAL, NEWEST, mixture=0.25, validation=[7, 8, 9])
    module = fit(data, namespace=namespace, num_sanity_val_steps=0)
    assert data.applied == Mixture.with_real(0.25)
    assert [sum(number < 100 for number in module.seen[epoch]) for epoch in (0, 1)] == [10, 10]
    assert [len(module.seen[epoch]) for epoch in (0, 1)] == [40, 40]
    assert module.validated == [7, 8, 9] * 2


def test_three_sources_keep_their_shares_and_the_largest_parent_is_the_newest(fit):
    mixture = Mixture(real=0.5, earlier=0.25, newest=0.25)
    data = data_module(REAL, {5: NEWEST, 2: EARLIER, 3: [150]}, mixture=mixture, length=40)
    seen = fit(data, max_epochs=1).seen[0]
    assert sum(number < 100 for number in seen) == 20
    assert sum(100 <= number < 200 for number in seen) == 10
    assert sum(number >= 200 for number in seen) == 10
    assert data.training_set().parents == (2, 3, 5)


def test_parents_are_those_whose_samples_are_in_use(fit):
    data = data_module(REAL, {5: NEWEST, 2: EARLIER}, mixture=0.5)
    assert data.training_set() is None
    fit(data, max_epochs=1)
    assert data.training_set().parents == (5,)
    unnamed = data_module(REAL, NEWEST, mixture=0.5)
    fit(unnamed, max_epochs=1)
    assert unnamed.training_set().parents is None


@pytest.mark.parametrize(
    ("mixture", "length"),
    [(1.0, 40), (0.5, 12), (0.0, 12), (Mixture(real=0.5, earlier=0.5), 20)],
)
def test_without_a_length_an_epoch_is_as_long_as_the_newest_source_in_use(mixture, length):
    data = data_module(REAL, {0: EARLIER, 1: NEWEST[:12]}, mixture=mixture)
    data.train_dataloader()
    assert len(data.sampler) == length


def test_reuse_of_a_small_source_is_counted(fit):
    data = data_module(REAL[:3], NEWEST, mixture=0.5, length=20)
    fit(data)
    assert data.sampler.reuse == {"real": 17, "earlier": 0, "newest": 0}


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("keep", "checkpoint"),
    [
        ({}, "step=20"),
        ({"save_on_train_epoch_end": False}, "step=20"),
        ({"every_n_train_steps": 10}, "step=20"),
    ],
    ids=["end of epoch", "validation", "last batch"],
)
def test_a_run_resumed_between_epochs_sees_what_an_uninterrupted_one_sees(fit, tmp_path, workers, keep, checkpoint):
    def data():
        return data_module(REAL, NEWEST, mixture=0.3, num_workers=workers, validation=[1])

    checkpoints = pl.callbacks.ModelCheckpoint(tmp_path / "kept", "{step}", save_top_k=-1, **keep)
    whole = fit(data(), checkpoints, max_epochs=4, enable_checkpointing=True).seen
    resumed = fit(data(), max_epochs=4, ckpt_path=tmp_path / "kept" / f"{checkpoint}.ckpt").seen
    assert sorted(resumed) == [2, 3]
    assert resumed == {epoch: whole[epoch] for epoch in (2, 3)}
    assert whole[0] != whole[1]


@pytest.mark.slow
@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_workers_are_started_as_asked_for(fit, start):
    data = data_module([0], mixture=1.0, length=4, num_workers=1, multiprocessing_context=start, encode=started)
    assert fit(data, max_epochs=1).seen == {0: [STARTS.index(start)] * 4}


@pytest.mark.slow
def test_workers_are_started_as_those_of_a_wrapped_data_module(fit):
    class Theirs(pl.LightningDataModule):
        def train_dataloader(self):
            return DataLoader([0], batch_size=4, num_workers=1, multiprocessing_context="spawn")

    here = STARTS.index(multiprocessing.get_start_method())
    wrapping = {"datamodule": Theirs(), "mixture": 1.0, "length": 4, "encode": started}
    assert fit(data_module(**wrapping), max_epochs=1).seen == {0: [STARTS.index("spawn")] * 4}
    assert fit(data_module(**wrapping, num_workers=0), max_epochs=1).seen == {0: [here] * 4}


@pytest.mark.parametrize("settings", [{}, {"overfit_batches": 1}])
def test_training_and_validation_come_to_rest_before_they_fork(fit, monkeypatch, settings):
    rests = []
    monkeypatch.setattr(room, "FORKS_CAN_HANG", True)
    monkeypatch.setattr(room, "in_process_group", lambda: True)
    monkeypatch.setattr(room, "time", SimpleNamespace(sleep=rests.append))
    data = data_module(REAL, mixture=1.0, num_workers=1, validation=[7, 8])
    fit(data, max_epochs=1, num_sanity_val_steps=0, **settings)
    assert len(rests) == 2


class TestInterrupted:
    """Ten batches of four an epoch; every step, of every epoch, is resumed from."""

    STEPS = range(1, 21)

    @pytest.fixture
    def kept(self, fit, tmp_path):
        """Train from a checkpoint on, and keep those of every step: what was seen, and where checkpoints are."""

        def run(name, data, ckpt_path=None, callbacks=(), **settings):
            checkpoints = pl.callbacks.ModelCheckpoint(tmp_path / name, "{step}", save_top_k=-1, every_n_train_steps=1)
            more = {"enable_checkpointing": True, "val_check_interval": 4, **settings}
            module = fit(data, *callbacks, checkpoints, ckpt_path=ckpt_path, **more)
            return module.seen, lambda step: tmp_path / name / f"step={step}.ckpt"

        return run

    def data(self, **settings):
        return data_module(REAL, NEWEST, **{"mixture": 0.3, "validation": [1], **settings})

    def left(self, seen, step):
        """What is seen after a step."""
        flat = [(epoch, number) for epoch, numbers in seen.items() for number in numbers]
        rest = {}
        for epoch, number in flat[step * 4 :]:
            rest.setdefault(epoch, []).append(number)
        return rest

    @pytest.mark.slow
    @pytest.mark.parametrize("workers", [0, 2])
    def test_from_every_step_it_sees_what_is_left(self, fit, kept, workers):
        whole, checkpoint = kept("whole", self.data(num_workers=workers))
        steps = self.STEPS if not workers else (1, 5, 9, 10, 11, 19)
        for step in steps:
            resumed = fit(self.data(num_workers=workers), ckpt_path=checkpoint(step)).seen
            assert resumed == self.left(whole, step), step

    @pytest.mark.slow
    def test_so_it_does_in_both_lightnings_with_gradient_checkpointing(self, trainer_of, namespace, tmp_path):
        def train(name, ckpt_path=None):
            module = seeing(namespace)
            forward = module.layer.forward
            module.layer.forward = partial(torch.utils.checkpoint.checkpoint, forward, use_reentrant=False)
            keep = namespace.callbacks.ModelCheckpoint(tmp_path / name, "{step}", save_top_k=-1, every_n_train_steps=1)
            trainer = trainer_of(keep, namespace=namespace, enable_checkpointing=True, accumulate_grad_batches=2)
            trainer.fit(module, datamodule=self.data(num_workers=2, persistent_workers=True), ckpt_path=ckpt_path)
            return module.seen

        whole = train("whole")
        for step in (3, 5, 8):
            assert train("rest", tmp_path / "whole" / f"step={step}.ckpt") == self.left(whole, 2 * step), step

    @pytest.mark.slow
    @pytest.mark.parametrize("reload", [0, 1])
    @pytest.mark.parametrize("first", [9, 10, 11])
    def test_a_run_that_was_resumed_can_be_resumed_again(self, fit, kept, first, reload):
        settings = {"max_epochs": 3, "reload_dataloaders_every_n_epochs": reload}
        whole, checkpoint = kept("whole", self.data(), **settings)
        _, again = kept("again", self.data(), checkpoint(first), **settings)
        for step in range(first + 1, 30, 2):
            assert fit(self.data(), ckpt_path=again(step), **settings).seen == self.left(whole, step), step

    @pytest.mark.parametrize("reads_first", [False, True])
    def test_a_batch_that_is_read_before_training_counts_no_epoch(self, fit, kept, reads_first):
        class Reading(pl.Callback):
            def on_train_start(self, trainer, module):
                if reads_first:
                    next(iter(trainer.train_dataloader))

        whole, checkpoint = kept("whole", self.data(), callbacks=[Reading()])
        for step in (7, 10, 13):
            assert fit(self.data(), Reading(), ckpt_path=checkpoint(step)).seen == self.left(whole, step)

    def test_changes_of_the_shares_are_kept(self, fit, kept):
        class Changing(pl.Callback):
            def on_train_batch_end(self, trainer, module, outputs, batch, batch_index):
                if (trainer.current_epoch, batch_index) in ((0, 4), (1, 2)):
                    place = trainer.datamodule.sampler.handed_out
                    mixture = Mixture.with_real(1.0 - trainer.current_epoch)
                    trainer.datamodule.reinject(mixture, from_index=place, reason="drift")

        whole, checkpoint = kept("whole", self.data(), callbacks=[Changing()])
        assert all(number < 100 for number in whole[0][20:] + whole[1][:12])
        assert all(number >= 200 for number in whole[1][12:])
        for step in (4, 5, 6, 10, 12, 13, 14):
            data = self.data()
            assert fit(data, Changing(), ckpt_path=checkpoint(step)).seen == self.left(whole, step)
            assert [change.from_index for change in data.sampler.schedule.changes] == [0, 20, 52]

    @pytest.mark.parametrize("limit", [7, 0.7])
    def test_a_limit_of_batches_ends_epochs_early(self, fit, kept, limit):
        whole, checkpoint = kept("whole", self.data(), limit_train_batches=limit)
        assert [len(numbers) for numbers in whole.values()] == [28, 28]
        for step in range(1, 14):
            resumed = fit(self.data(), ckpt_path=checkpoint(step), limit_train_batches=limit).seen
            assert resumed == self.left(whole, step), step

    def test_a_module_may_ask_for_the_number_of_steps_before_training(self, kept, trainer_of):
        class Scheduled(type(seeing(pl))):
            def configure_optimizers(self):
                assert self.trainer.estimated_stepping_batches == 20
                return super().configure_optimizers()

        whole, checkpoint = kept("whole", self.data())
        for step in (4, 10, 13):
            module = Scheduled()
            trainer_of(max_epochs=2).fit(module, datamodule=self.data(), ckpt_path=checkpoint(step))
            assert module.seen == self.left(whole, step)

    def test_other_shares_that_are_asked_for_on_resuming_hold_from_there_on(self, fit, kept):
        whole, checkpoint = kept("whole", self.data())
        data = self.data(mixture=1.0)
        resumed = fit(data, ckpt_path=checkpoint(6)).seen
        assert all(number < 100 for number in resumed[0] + resumed[1])
        assert [len(numbers) for numbers in resumed.values()] == [16, 40]
        changes = data.sampler.schedule.changes
        assert [(change.from_index, change.reason) for change in changes[1:]] == [(24, "asked for on resuming")]
        real = [number for number in whole[0][:24] + resumed[0] + resumed[1] if number < 100]
        assert sorted(real[:40]) == REAL, "no item comes again before all have come"

    def test_another_batch_size_is_refused_in_the_middle_of_an_epoch_only(self, fit, kept):
        _, checkpoint = kept("whole", self.data())
        message = r"`batch_size` times ranks must be 4 to resume in the middle of an epoch, but got 2"
        with pytest.raises(InputError, match=message):
            fit(self.data(batch_size=2), ckpt_path=checkpoint(6))

    @pytest.mark.parametrize("at_epoch_end", [True, False], ids=["end of epoch", "validation"])
    @pytest.mark.parametrize("batch_size", [2, 3, 8, 40])
    def test_another_batch_size_is_fine_between_epochs(self, fit, tmp_path, batch_size, at_epoch_end):
        checkpoints = pl.callbacks.ModelCheckpoint(
            tmp_path / "ends", "{epoch}", save_top_k=-1, save_on_train_epoch_end=at_epoch_end
        )
        whole = fit(self.data(), checkpoints, max_epochs=3, enable_checkpointing=True).seen
        resumed = fit(self.data(batch_size=batch_size), ckpt_path=tmp_path / "ends" / "epoch=0.ckpt", max_epochs=3)
        assert resumed.seen == {epoch: whole[epoch] for epoch in (1, 2)}

    @pytest.mark.parametrize("batch_size", [2, 3, 8, 40])
    def test_another_batch_size_after_the_last_batch_of_an_epoch(self, fit, kept, batch_size):
        whole, checkpoint = kept("whole", self.data(), max_epochs=3)
        resumed = fit(self.data(batch_size=batch_size), ckpt_path=checkpoint(10), max_epochs=3).seen
        assert resumed == {epoch: whole[epoch] for epoch in (1, 2)}

    def test_another_limit_of_batches_after_the_last_batch_of_an_epoch(self, fit, kept):
        whole, checkpoint = kept("whole", self.data())
        _, limited = kept("limited", self.data(), limit_train_batches=7)
        assert fit(self.data(), ckpt_path=limited(7)).seen == {1: whole[1]}
        resumed = fit(self.data(), ckpt_path=checkpoint(10), limit_train_batches=7).seen
        assert resumed == {1: whole[1][:28]}

    @pytest.mark.parametrize("step", [9, 10])
    def test_ranks_that_get_nothing_of_a_last_batch_go_on_with_the_next_epoch(self, fit, kept, monkeypatch, step):
        whole, checkpoint = kept("whole", self.data(length=41))
        assert [len(numbers) for numbers in whole.values()] == [41, 41]
        monkeypatch.setattr(datamodule, "MixtureSampler", FIRST_OF_TWO)
        own = [number for start in range(0, 40, 4) for number in whole[1][start : start + 2]]
        resumed = fit(self.data(length=41, batch_size=2), ckpt_path=checkpoint(step)).seen
        assert resumed == ({0: whole[0][36:38], 1: own} if step == 9 else {1: own})

    def test_one_rank_after_several_that_got_nothing_of_a_last_batch(self, fit, kept, monkeypatch):
        whole, _ = kept("whole", self.data(length=41))
        with monkeypatch.context() as patched:
            patched.setattr(datamodule, "MixtureSampler", FIRST_OF_TWO)
            half, checkpoint = kept("half", self.data(length=41, batch_size=2))
        assert [len(numbers) for numbers in half.values()] == [20, 20]
        assert fit(self.data(length=41), ckpt_path=checkpoint(10)).seen == {1: whole[1]}


class Own(pl.LightningDataModule):
    """A data module of a user's: three loaders, and the hooks that were called."""

    def __init__(self, loader=None):
        super().__init__()
        self.called = []
        self.loader = (
            loader if loader is not None else torch.utils.data.DataLoader(REAL, batch_size=5, collate_fn=self.collate)
        )

    @staticmethod
    def collate(numbers):
        return torch.stack([as_vector(number) for number in numbers])

    def prepare_data(self):
        self.called.append("prepare_data")

    def setup(self, stage):
        assert self.trainer is not None
        self.called.append(("setup", stage))

    def teardown(self, stage):
        self.called.append(("teardown", stage))

    def train_dataloader(self):
        self.called.append("train")
        return self.loader

    def val_dataloader(self):
        return torch.utils.data.DataLoader([1, 2], collate_fn=self.collate)

    def test_dataloader(self):
        return torch.utils.data.DataLoader([3], collate_fn=self.collate)


class TestWrapped:
    """A data module around one of the user's."""

    def test_its_training_data_batches_and_collation_are_used(self, fit):
        own = Own()
        data = ReinjectionDataModule(synthetic=NEWEST, mixture=0.5, datamodule=own, length=20)
        seen = fit(data).seen
        assert data.sampler.sizes == {"real": 40, "earlier": 0, "newest": 40}
        assert data.train_dataloader().batch_size == 5
        assert [sum(number < 100 for number in numbers) for numbers in seen.values()] == [10, 10]

    def test_what_is_given_goes_before_what_it_has(self, fit):
        data = ReinjectionDataModule(
            EARLIER, NEWEST, mixture=1.0, datamodule=Own(), batch_size=2, validation=[8], collate_fn=Own.collate
        )
        module = fit(data, num_sanity_val_steps=0)
        assert set(module.seen[0]) <= set(EARLIER)
        assert data.train_dataloader().batch_size == 2
        assert module.validated == [8, 8]

    def test_its_hooks_and_its_other_loaders_stay_in_use(self, fit, trainer_of):
        own = Own()
        data = ReinjectionDataModule(synthetic=NEWEST, mixture=0.5, datamodule=own)
        module = fit(data, num_sanity_val_steps=0)
        assert own.called == ["prepare_data", ("setup", "fit"), "train", ("teardown", "fit")]
        assert module.validated == [1, 2] * 2
        module.test_step = lambda batch, batch_idx: module.seen.setdefault("test", batch[:, 0].tolist())
        trainer_of().test(module, datamodule=data)
        assert module.seen["test"] == [3]
        assert own.called[4:] == ["prepare_data", ("setup", "test"), ("teardown", "test")]
        assert data.predict_dataloader() == []

    def test_it_goes_on_in_the_middle_of_an_epoch(self, fit, tmp_path):
        def data():
            return ReinjectionDataModule(synthetic=NEWEST, mixture=0.5, datamodule=Own())

        checkpoints = pl.callbacks.ModelCheckpoint(tmp_path / "kept", "{step}", save_top_k=-1, every_n_train_steps=1)
        whole = fit(data(), checkpoints, enable_checkpointing=True).seen
        resumed = fit(data(), ckpt_path=tmp_path / "kept" / "step=3.ckpt").seen
        assert resumed == {0: whole[0][15:], 1: whole[1]}

    def test_data_that_cannot_be_asked_for_by_number_are_refused(self, fit):
        class Stream(torch.utils.data.IterableDataset):
            def __iter__(self):
                return iter(REAL)

        several = [torch.utils.data.DataLoader(REAL)] * 2
        for loader in (torch.utils.data.DataLoader(Stream()), several):
            data = ReinjectionDataModule(synthetic=NEWEST, mixture=0.5, datamodule=Own(loader))
            with pytest.raises(InputError, match="must have one training DataLoader over a map-style dataset"):
                fit(data)

    def test_what_is_no_data_module_is_refused_and_so_is_none_without_real_data(self):
        with pytest.raises(InputError, match="`datamodule` must be a LightningDataModule, but got <torch"):
            data_module(datamodule=torch.utils.data.DataLoader(REAL))
        with pytest.raises(InputError, match="`real` must be given if there is no `datamodule`"):
            data_module(synthetic=NEWEST)


def test_no_number_is_drawn_from_the_global_generator(fit):
    data = data_module(REAL, NEWEST, mixture=0.3, validation=[1])
    data.train_dataloader()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    for loader in (data.train_dataloader(), data.val_dataloader()):
        list(loader)
    assert torch.equal(torch.get_rng_state(), before)


def test_items_are_encoded_only_when_they_are_read():
    read = []
    data = data_module(REAL, mixture=1.0, encode=lambda number: read.append(number) or as_vector(number))
    batches = iter(data.train_dataloader())
    assert read == []
    next(batches)
    assert len(read) == 4


def test_a_few_batches_can_be_overfitted(fit):
    seen = fit(data_module(REAL, NEWEST, mixture=0.5), overfit_batches=2).seen
    assert len(seen[0]) == 8
    assert seen[0] == seen[1]


def test_a_collate_function_of_the_users_own_is_used():
    data = ReinjectionDataModule(["a", "bb"], mixture=1.0, collate_fn=lambda texts: sorted(map(len, texts)))
    assert list(data.train_dataloader()) == [[1, 2]]


def test_a_source_that_is_empty_but_has_a_share_is_refused(fit):
    with pytest.raises(InputError, match=r"ask for a share of 0.7 of newest data, but there is none"):
        fit(data_module(REAL, mixture=0.3))
    with pytest.raises(InputError, match=r"ask for a share of 0.3 of real data, but there is none"):
        fit(data_module([], NEWEST, mixture=0.3))


def test_auto_without_a_guard_is_refused(fit):
    with pytest.raises(InputError, match='"auto": add a CollapseGuard to'):
        fit(data_module(REAL, NEWEST))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mixture": "automatic"}, "`mixture` must be \"auto\", a real share or a Mixture, but got 'automatic'"),
        ({"mixture": 1.5}, "`real` must be a share between 0 and 1, but got 1.5"),
        ({"batch_size": 0}, "`batch_size` must be a whole number of at least 1, but got 0"),
        ({"length": 0}, "`length` must be a whole number of at least 1, but got 0"),
    ],
)
def test_invalid_arguments_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        data_module(REAL, NEWEST, **settings)


class TestWithAGuard:
    @pytest.fixture
    def guard(self, guard):
        return partial(guard, actions=("reinject",))

    def test_the_founder_is_trained_on_real_data_only(self, fit, guard):
        data, founder = data_module(REAL, NEWEST), guard("healthy")
        fit(data, founder)
        assert data.applied == Mixture(real=1.0)
        assert founder.assessment.generation.mixture == Mixture(real=1.0)

    @pytest.mark.slow
    def test_without_a_prescription_all_is_newest_or_all_real_where_there_is_nothing_else(self, fit, guard):
        fit(data_module(REAL), guard("healthy"))
        synthetic, real = data_module(REAL, NEWEST), data_module(REAL)
        child, cousin = guard("healthy"), guard("healthy")
        fit(synthetic, child)
        fit(real, cousin)
        assert synthetic.applied == child.assessment.generation.mixture == Mixture(real=0.0, newest=1.0)
        assert real.applied == Mixture(real=1.0)

    @pytest.mark.slow
    def test_after_a_collapse_the_next_generation_gets_what_was_prescribed(self, fit, guard):
        fit(data_module(REAL), guard("healthy"))
        collapsed = guard("collapsed")
        fit(data_module(REAL, {0: NEWEST}), collapsed)
        prescribed = collapsed.assessment.prescription
        assert prescribed.real > 0
        data, healed = data_module(REAL, {1: NEWEST}, length=100), guard("healthy")
        module = fit(data, healed)
        assert data.applied == healed.assessment.generation.mixture == prescribed
        assert sum(number < 100 for number in module.seen[0]) == round(100 * prescribed.real)
        assert healed.assessment.generation.items == 100

    @pytest.mark.slow
    def test_what_was_prescribed_is_applied_where_this_runs_guard_may_reinject(self, fit, guard):
        fit(data_module(REAL), guard("healthy"))
        collapsed = guard("collapsed", actions=())
        fit(data_module(REAL, NEWEST), collapsed)
        prescribed = collapsed.assessment.prescription
        assert prescribed.real > 0
        watched, healed = data_module(REAL, NEWEST), data_module(REAL, NEWEST)
        fit(watched, guard("healthy", generation=2, actions=("alert",)))
        assert watched.applied == Mixture.with_real(0.0)
        fit(healed, guard("healthy", generation=3, parents=[1]))
        assert healed.applied == prescribed

    @pytest.mark.slow
    def test_the_parents_are_those_whose_samples_were_used(self, fit, guard, store):
        for _ in range(2):
            fit(data_module(REAL), guard("healthy"))
        both = Mixture(real=0.5, earlier=0.25, newest=0.25)
        fit(data_module(REAL, {0: EARLIER, 1: NEWEST}, mixture=both), guard("healthy"))
        fit(data_module(REAL, {0: EARLIER, 1: NEWEST}, mixture=0.5), guard("healthy"))
        fit(data_module(REAL, NEWEST, mixture=0.5), guard("healthy"))
        fit(data_module(REAL, {0: NEWEST}, mixture=0.5), guard("healthy", parents=[2, 3]))
        fit(data_module(REAL, {0: NEWEST}, mixture=1.0), guard("healthy"))
        parents = [past.generation.parents for past in store.history("newsbot")]
        assert parents == [(), (0,), (0, 1), (1,), (3,), (2, 3), ()]

    def test_a_data_module_that_tells_nothing_leaves_what_the_guard_was_told(self, fit, guard):
        data, own = pl.LightningDataModule(), guard("healthy", mixture=Mixture.with_real(0.4))
        data.train_dataloader = lambda: torch.utils.data.DataLoader([as_vector(1)] * 4)
        data.applied = "augmentations"
        fit(data, own)
        assert own.assessment.generation.mixture == Mixture.with_real(0.4)

    def test_any_data_module_can_tell_what_is_trained_on(self, fit, guard):
        data, own = pl.LightningDataModule(), guard("healthy", mixture=Mixture.with_real(0.4))
        data.train_dataloader = lambda: torch.utils.data.DataLoader([as_vector(1)] * 4)
        data.training_set = lambda: TrainingSet(mixture=Mixture.with_real(0.7), items=4)
        fit(data, own)
        assert (own.assessment.generation.mixture, own.assessment.generation.items) == (Mixture.with_real(0.7), 4)

    @pytest.mark.slow
    def test_a_founder_of_which_nothing_else_is_known_was_trained_on_real_data_only(self, fit, guard):
        data = pl.LightningDataModule()
        data.train_dataloader = lambda: torch.utils.data.DataLoader([as_vector(1)] * 4)
        founder = guard("healthy")
        fit(data, founder)
        child = guard("healthy")
        fit(data, child)
        assert founder.assessment.generation.mixture == Mixture(real=1.0)
        assert child.assessment.generation.mixture is None

    def test_samples_of_a_generation_that_is_not_before_this_one_are_refused(self, fit, guard, store):
        fit(data_module(REAL), guard("healthy"))
        with pytest.raises(InputError, match=r"`synthetic` must be of generations before 1.* but got \[1\]"):
            fit(data_module(REAL, {0: EARLIER, 1: NEWEST}), guard("healthy"))
        assert len(store.history("newsbot")) == 1

    def test_evaluation_documents_of_the_guard_may_not_be_trained_on(self, fit, guard, wild_type, encode):
        leaked = [*wild_type.pool[:10], wild_type.evaluation[3]]
        with pytest.raises(WildTypeError, match=wild_type.evaluation[3][:20]):
            fit(data_module(leaked, encode=encode), guard("healthy"))

    def test_near_duplicates_of_evaluation_documents_may_not_be_trained_on(self, fit, guard, wild_type, encode):
        leaked = [*wild_type.pool[:10], f"Well, {wild_type.evaluation[3]}"]
        with pytest.raises(WildTypeError, match=r"but 0 have the same content and 1 are near duplicates .*'Well, "):
            fit(data_module(leaked, encode=encode), guard("healthy"))

    @pytest.mark.slow
    def test_nor_as_what_a_model_wrote_where_near_ones_may(self, fit, guard, wild_type, encode):
        own, others = wild_type.evaluation[3], list(wild_type.pool[:10])
        near = " ".join([*own.split()[:-1], "altogether"])
        with pytest.raises(WildTypeError, match=own[:20]):
            fit(data_module(others, [*others, own], encode=encode), guard("healthy"))
        with pytest.raises(WildTypeError, match="near duplicate"):
            fit(data_module([*others, near], encode=encode), guard("healthy"))

        def shape(text):
            return as_vector(len(text))

        fit(data_module([*others, near], encode=shape, near=None), guard("healthy"))
        fit(data_module(others, [*others, near], encode=shape), guard("healthy", generation=1))

    def test_the_pool_may_be_trained_on(self, fit, guard, wild_type):
        def shape(text):
            return as_vector(len(text))

        data, founder = data_module(wild_type.pool, encode=shape), guard("healthy")
        fit(data, founder)
        assert founder.verdict is not None


def test_other_namespaces_trainers_are_fed_too():
    assert issubclass(ReinjectionDataModule, pl.LightningDataModule)
    assert issubclass(ReinjectionDataModule, lp.LightningDataModule)
