"""Re-injection in the middle of a run: what the training steps of a real trainer saw, counted."""

import copy
from functools import partial

import pytest
import pytorch_lightning as pl
import torch

from collapse_guard.decision.policy import Policy
from collapse_guard.errors import CollapseGuardWarning, InputError
from collapse_guard.lightning import ReinjectionDataModule
from collapse_guard.records import Mixture, Severity
from collapse_guard.reinjection import MixtureLoader, MixtureSampler

REAL, NEWEST = list(range(400)), list(range(1000, 1400))


def as_vector(number):
    return torch.full((4,), float(number))


class Seeing(pl.LightningModule):
    """Remembers the numbers of each step in order."""

    def __init__(self):
        super().__init__()
        self.layer, self.seen = torch.nn.Linear(4, 1), []

    def training_step(self, batch, batch_index):
        self.seen.append(batch[:, 0].int().tolist())
        return self.layer(batch).mean() * 1e-9

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-9)


def data_module(**settings):
    return ReinjectionDataModule(
        REAL, NEWEST, **{"mixture": 0.1, "batch_size": 10, "length": 400, "encode": as_vector, **settings}
    )


def real_share(steps):
    numbers = [number for step in steps for number in step]
    return sum(number < 1000 for number in numbers) / len(numbers)


@pytest.fixture
def guard(guard):
    return partial(guard, actions=("reinject",))


@pytest.fixture
def fit(trainer_of, guard):
    """A founder, then what is asked for."""
    trainer_of(guard("healthy"), max_epochs=1).fit(Seeing(), datamodule=data_module(mixture=1.0, length=40))

    def run(own, data, *, ckpt_path=None, callbacks=(), **settings):
        module = Seeing()
        trainer = trainer_of(own, *callbacks, **{"max_epochs": 1, **settings})
        if isinstance(data, ReinjectionDataModule):
            trainer.fit(module, datamodule=data, ckpt_path=ckpt_path)
        else:
            trainer.fit(module, data, ckpt_path=ckpt_path)
        return module

    return run


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "ahead"), [(0, 0), (2, 4)])
def test_the_share_is_raised_after_a_collapse_beyond_what_workers_have_fetched(fit, guard, store, workers, ahead):
    own = guard("collapsed", assess_every_n_steps=10)
    data = data_module(num_workers=workers)
    seen = fit(own, data).seen
    [decision] = own.decisions
    assert decision.severity is Severity.COLLAPSED
    assert (decision.step, decision.from_index) == (10, 100 + 10 * ahead)
    assert decision.real_before == 0.1
    assert decision.real_after > 0.3
    assert real_share(seen[: 10 + ahead]) == pytest.approx(0.1, abs=0.01)
    assert real_share(seen[10 + ahead :]) == pytest.approx(decision.real_after, abs=0.01)
    assert len(seen) == 40
    recorded = store.history("newsbot")[-1]
    assert recorded.decisions == (decision,)
    assert recorded.generation.mixture.real == pytest.approx(real_share(seen))
    assert [change.reason for change in data.sampler.schedule.changes][1:] == [decision.rule]


@pytest.mark.slow
def test_every_real_document_still_comes_once_before_any_comes_again(fit, guard):
    seen = fit(guard("collapsed", assess_every_n_steps=5), data_module(), max_epochs=2).seen
    real = [number for step in seen for number in step if number < 1000]
    assert len(real) > 400
    assert sorted(real[:400]) == REAL


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verdicts", "acts"),
    [(("healthy",), []), (("undecided",), []), (("watch",), [5]), (("watch", "collapsed"), [5, 10])],
)
def test_it_acts_on_transitions_only(fit, guard, verdicts, acts):
    own = guard(*verdicts, assess_every_n_steps=5)
    fit(own, data_module())
    assert [decision.step for decision in own.decisions] == acts
    shares = [decision.real_after for decision in own.decisions]
    assert shares == sorted(shares)


@pytest.mark.slow
def test_at_the_end_of_an_epoch_the_whole_next_one_is_changed(fit, guard):
    own = guard("collapsed", assess_every_n_epochs=1)
    seen = fit(own, data_module(num_workers=2, length=100), max_epochs=3).seen
    [decision] = own.decisions
    assert (decision.step, decision.from_index) == (10, 100)
    assert real_share(seen[10:]) == pytest.approx(decision.real_after, abs=0.01)


@pytest.mark.slow
def test_a_dry_run_says_what_it_would_do_and_trains_as_before(fit, guard, caplog):
    own = guard("collapsed", assess_every_n_steps=10, dry_run=True)
    data = data_module()
    with caplog.at_level("INFO", logger="collapse_guard"):
        seen = fit(own, data).seen
    [decision] = own.decisions
    assert decision.dry_run
    assert decision.from_index is None
    assert decision.real_after > 0.3
    assert real_share(seen) == pytest.approx(0.1, abs=0.01)
    assert len(data.sampler.schedule.changes) == 1
    assert "dry run: COLLAPSED: the real share is raised from 10%" in caplog.text


@pytest.mark.slow
def test_without_the_action_nothing_is_changed(fit, guard):
    own = guard("collapsed", assess_every_n_steps=10, actions=("alert",))
    with pytest.warns(CollapseGuardWarning, match="COLLAPSED"):
        seen = fit(own, data_module()).seen
    assert own.decisions == []
    assert real_share(seen) == pytest.approx(0.1, abs=0.01)


@pytest.mark.slow
def test_a_loader_of_the_users_own_is_steered_too(fit, guard):
    sampler = MixtureSampler(
        {"real": 400, "web": 200, "old": 200}, {"real": 1, "web": 6, "old": 3}, length=400, batch_size=10
    )
    items = [as_vector(number) for number in (*REAL, *NEWEST)]
    own = guard("collapsed", assess_every_n_steps=10)
    seen = fit(own, MixtureLoader(items, sampler)).seen
    [decision] = own.decisions
    assert real_share(seen[10:]) == pytest.approx(decision.real_after, abs=0.01)
    rest = [number for step in seen[10:] for number in step if number >= 1000]
    assert sum(number < 1200 for number in rest) / len(rest) == pytest.approx(2 / 3, abs=0.02)


@pytest.mark.slow
def test_where_no_sampler_mixes_nothing_is_done(fit, guard):
    own = guard("collapsed", assess_every_n_steps=2)
    items = [as_vector(number) for number in NEWEST[:40]]
    fit(own, torch.utils.data.DataLoader(items, batch_size=10))
    assert [severity for _, severity in own.looks] == ["COLLAPSED"]
    assert own.decisions == []


@pytest.mark.slow
def test_a_run_that_was_interrupted_goes_on_with_what_was_decided(fit, guard, store, tmp_path):
    class Kill(pl.Callback):
        def on_train_batch_start(self, trainer, *_):
            if trainer.global_step == 14:
                raise ProcessLookupError

    def keeping(name):
        return pl.callbacks.ModelCheckpoint(
            tmp_path / name, "{step}", every_n_train_steps=1, save_top_k=-1, save_last=False
        )

    whole = guard("collapsed", "undecided", assess_every_n_steps=10, store=copy.deepcopy(store))
    expected = fit(whole, data_module(num_workers=2)).seen
    before = len(store.history("newsbot"))
    interrupted = guard("collapsed", assess_every_n_steps=10)
    with pytest.raises(ProcessLookupError):
        fit(interrupted, data_module(num_workers=2), callbacks=[Kill(), keeping("a")], enable_checkpointing=True)
    assert len(store.history("newsbot")) == before
    own = guard("undecided", assess_every_n_steps=10)
    rest = fit(own, data_module(num_workers=2), ckpt_path=tmp_path / "a" / "step=12.ckpt").seen
    [decision] = own.decisions
    assert (decision.step, decision.from_index) == (10, 140)
    assert store.history("newsbot")[-1].decisions == (decision,)
    assert whole.decisions == [decision]
    assert rest == expected[12:]


class TestWhenTheRunShouldHalt:
    @pytest.mark.slow
    def test_it_is_said_with_the_ancestor_to_go_back_to(self, fit, guard):
        own = guard("collapsed", assess_every_n_steps=10)
        with pytest.warns(CollapseGuardWarning, match=r"stop this training: a real share of .*go back to generation 0"):
            fit(own, data_module(max_passes={"real": 0.05}, when_used_up="share"))
        [decision] = own.decisions
        assert (decision.halt, decision.roll_back_to, decision.budget_left) == (True, 0, 10)
        assert decision.real_after == 0.1

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore::collapse_guard.errors.CollapseGuardWarning")
    def test_with_the_action_stop_the_run_ends(self, fit, guard):
        own = guard("watch", assess_every_n_steps=10, actions=("reinject", "stop"))
        policy = Policy(reinjection={"budget": 12})
        seen = fit(own, data_module()).seen
        assert len(seen) == 40
        own = guard("watch", assess_every_n_steps=10, actions=("reinject", "stop"), policy=policy)
        module = fit(own, data_module())
        assert own.decisions[0].halt
        assert len(module.seen) == 10


@pytest.mark.slow
def test_an_in_run_look_by_steps_comes_every_n_steps_but_after_the_last(fit, guard):
    own = guard("healthy", assess_every_n_steps=10)
    fit(own, data_module(), max_epochs=2)
    assert [step for step, _ in own.looks] == [10, 20, 30, 40, 50, 60, 70]
    both = guard("healthy", assess_every_n_steps=25, assess_every_n_epochs=1)
    fit(both, data_module(), max_epochs=2, accumulate_grad_batches=2)
    assert [step for step, _ in both.looks] == [20, 25]


def test_steps_must_be_a_number_of_at_least_one(guard):
    with pytest.raises(InputError, match="`assess_every_n_steps` must be a whole number of at least 1, but got 0"):
        guard("healthy", assess_every_n_steps=0)


@pytest.mark.slow
def test_shares_that_were_changed_are_recorded_as_they_were_trained_on(fit, guard, store):
    own = guard("collapsed", assess_every_n_steps=10)
    fit(own, data_module(mixture=Mixture(real=0.0, newest=1.0)))
    recorded = store.history("newsbot")[-1].generation
    assert 0 < recorded.mixture.real < 1
    assert recorded.items == 400
