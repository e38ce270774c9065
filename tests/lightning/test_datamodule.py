"""Oracles: what the training steps of a real trainer saw, counted; and an uninterrupted run."""

from functools import partial

import lightning.pytorch as lp
import pytest
import pytorch_lightning as pl
import torch

from collapse_guard.errors import InputError, WildTypeError
from collapse_guard.lightning import ReinjectionDataModule
from collapse_guard.records import Mixture

REAL, EARLIER, NEWEST = list(range(40)), list(range(100, 120)), list(range(200, 240))


def as_vector(number):
    return torch.full((4,), float(number))


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
    assert data.parents == (2, 3, 5)


def test_parents_are_those_whose_samples_are_in_use(fit):
    data = data_module(REAL, {5: NEWEST, 2: EARLIER}, mixture=0.5)
    assert data.parents is None
    fit(data, max_epochs=1)
    assert data.parents == (5,)
    unnamed = data_module(REAL, NEWEST, mixture=0.5)
    fit(unnamed, max_epochs=1)
    assert unnamed.parents is None


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


def test_a_collate_function_of_the_users_own_is_used():
    data = ReinjectionDataModule(["a", "bb"], mixture=1.0, collate_fn=lambda texts: sorted(map(len, texts)))
    assert list(data.train_dataloader()) == [[1, 2]]


def test_a_source_that_is_empty_but_has_a_share_is_refused(fit):
    with pytest.raises(InputError, match=r"ask for a share of 0.7 of newest data, but there is none"):
        fit(data_module(REAL, mixture=0.3))
    with pytest.raises(InputError, match=r"ask for a share of 0.3 of real data, but there is none"):
        fit(data_module([], NEWEST, mixture=0.3))


def test_auto_without_a_guard_is_refused(fit):
    with pytest.raises(InputError, match='"auto": put a CollapseGuard among'):
        fit(data_module(REAL, NEWEST))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mixture": "automatic"}, "`mixture` must be \"auto\", a real share or a Mixture, but got 'automatic'"),
        ({"mixture": 1.5}, "`real` must be a share between 0 and 1, but got 1.5"),
        ({"batch_size": 0}, "`batch_size` must be at least 1, but got 0"),
        ({"length": 0}, "`length` must be at least 1, but got 0"),
    ],
)
def test_arguments_that_will_not_do_are_refused(settings, message):
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

    def test_without_a_prescription_all_is_newest_or_all_real_where_there_is_nothing_else(self, fit, guard):
        fit(data_module(REAL), guard("healthy"))
        synthetic, real = data_module(REAL, NEWEST), data_module(REAL)
        child, cousin = guard("healthy"), guard("healthy")
        fit(synthetic, child)
        fit(real, cousin)
        assert synthetic.applied == child.assessment.generation.mixture == Mixture(real=0.0, newest=1.0)
        assert real.applied == Mixture(real=1.0)

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

    def test_a_guard_that_may_not_reinject_prescribes_nothing(self, fit, guard):
        fit(data_module(REAL), guard("healthy"))
        silent = guard("collapsed", actions=())
        fit(data_module(REAL, NEWEST), silent)
        assert silent.assessment.prescription is None
        data = data_module(REAL, NEWEST)
        fit(data, guard("healthy"))
        assert data.applied == Mixture.with_real(0.0)

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

    def test_what_another_data_module_calls_so_is_not_taken_for_a_mixture(self, fit, guard):
        data, own = pl.LightningDataModule(), guard("healthy", mixture=Mixture.with_real(0.4))
        data.train_dataloader = lambda: torch.utils.data.DataLoader([as_vector(1)] * 4)
        data.applied = "augmentations"
        fit(data, own)
        assert own.assessment.generation.mixture == Mixture.with_real(0.4)

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
