"""What a guard does about a verdict, and that it does nothing else."""

import warnings

import pytest
import pytorch_lightning as pl

from collapse_guard.decision.policy import Policy
from collapse_guard.errors import CollapsedError, CollapseGuardWarning
from collapse_guard.records import Severity


class TestActions:
    def warnings_of(self, run):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run()
        return [str(warning.message) for warning in caught if warning.category is CollapseGuardWarning]

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("rates", "alerts"),
        [
            (["healthy"] * 4, []),
            (["healthy", "collapsed", "collapsed", "collapsed"], ["COLLAPSED"]),
            (["collapsed", "healthy", "undecided", "collapsed"], ["COLLAPSED", "UNDECIDED", "COLLAPSED"]),
            (["healthy", "healthy", "healthy", "watch"], ["WATCH"]),
        ],
    )
    def test_alert_warns_when_the_verdict_turns(self, fit, guard, founder, rates, alerts):
        own = guard(*rates, actions=("alert",), assess_every_n_epochs=1)
        told = self.warnings_of(lambda: fit(own, max_epochs=4))
        assert [message.split()[0] for message in told] == alerts
        assert all("(generation 1 of newsbot)" in message for message in told)

    @pytest.mark.slow
    def test_without_alert_nothing_is_said(self, fit, guard, founder):
        assert self.warnings_of(lambda: fit(guard("collapsed"))) == []

    @pytest.mark.slow
    @pytest.mark.parametrize("action", ["stop", "raise"])
    def test_an_in_run_collapse_stops_training_and_the_generation_is_recorded(self, fit, guard, founder, store, action):
        own = guard("healthy", "collapsed", "healthy", actions=(action,), assess_every_n_epochs=1)
        trainer = fit(own, max_epochs=9)
        assert trainer.current_epoch == 2
        assert [severity for _, severity in own.looks] == ["HEALTHY", "COLLAPSED"]
        assert store.latest("newsbot").verdict.severity is Severity.HEALTHY

    @pytest.mark.slow
    @pytest.mark.parametrize("rate", ["healthy", "undecided", "watch"])
    def test_nothing_but_a_collapse_stops_or_raises(self, fit, guard, founder, rate):
        own = guard(rate, actions=("stop", "raise"), assess_every_n_epochs=1)
        assert fit(own, max_epochs=3).current_epoch == 3

    @pytest.mark.slow
    def test_alerting_alone_does_not_stop(self, fit, guard, founder):
        own = guard("collapsed", actions=("alert",), assess_every_n_epochs=1)
        with pytest.warns(CollapseGuardWarning, match="COLLAPSED"):
            assert fit(own, max_epochs=3).current_epoch == 3

    @pytest.mark.slow
    def test_raise_raises_once_the_generation_is_recorded(self, fit, guard, founder, store):
        own = guard("collapsed", actions=("raise",))
        with pytest.raises(CollapsedError, match=r"COLLAPSED \(generation 1 of newsbot\): ") as raised:
            fit(own)
        assert raised.value.verdict == own.verdict == store.latest("newsbot").verdict

    @pytest.mark.slow
    @pytest.mark.parametrize("action", ["alert", "reinject"])
    def test_what_the_lineage_needs_is_recorded_whatever_the_guard_may_do(self, fit, guard, founder, store, action):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CollapseGuardWarning)
            fit(guard("collapsed", actions=(action,)))
        assert store.latest("newsbot").prescription.real > 0
        successor = guard("healthy")
        fit(successor)
        assert successor.prescription == store.history("newsbot")[1].prescription


class TestNothingIsRecorded:
    def test_of_a_fast_dev_run(self, fit, guard, store, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        own = guard("collapsed", actions=("raise",), store=None)
        fit(own, fast_dev_run=True)
        assert own.verdict is None
        assert own.probe.calls == []
        assert list(tmp_path.iterdir()) == []

    def test_of_training_that_raised(self, fit, guard, store, model):
        def explode(batch, batch_idx):
            raise ZeroDivisionError("loss")

        model.training_step = explode
        own = guard("healthy")
        with pytest.raises(ZeroDivisionError, match="loss"):
            fit(own)
        assert own.verdict is None
        assert own.probe.calls == []
        assert store.lineages() == []


class TestResuming:
    @pytest.mark.slow
    def test_goes_on_with_the_looks_and_not_with_the_policy(self, fit, guard, founder, store, tmp_path):
        checkpoints = pl.callbacks.ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
        interrupted = guard("healthy", "collapsed", assess_every_n_epochs=1)

        class Interrupt(pl.Callback):
            def on_train_epoch_start(self, trainer, module):
                if trainer.current_epoch == 2:
                    raise InterruptedError("the machine went away")

        with pytest.raises(InterruptedError, match="went away"):
            fit(interrupted, checkpoints, Interrupt(), max_epochs=4, enable_checkpointing=True)
        assert len(store.history("newsbot")) == 1
        resumed = guard("collapsed", actions=("alert",), assess_every_n_epochs=1, policy=Policy(alpha=0.01))
        with warnings.catch_warnings():
            warnings.simplefilter("error", CollapseGuardWarning)
            fit(resumed, ckpt_path=tmp_path / "epoch=1.ckpt", max_epochs=4)
        assert resumed.looks == [(4, "HEALTHY"), (8, "COLLAPSED"), (12, "COLLAPSED")]
        assert resumed.verdict.policy == Policy(alpha=0.01).fingerprint
        assert [past.generation.index for past in store.history("newsbot")] == [0, 1]

    @pytest.mark.slow
    def test_a_recorded_generation_says_that_it_will_be_another_one(self, fit, guard, founder, tmp_path):
        checkpoints = pl.callbacks.ModelCheckpoint(tmp_path, "{epoch}")
        fit(guard("healthy"), checkpoints, enable_checkpointing=True)
        with pytest.warns(
            CollapseGuardWarning, match="is of generation 1 of 'newsbot', but .* recorded as generation 2"
        ):
            fit(guard("healthy"), ckpt_path=tmp_path / "epoch=1.ckpt", max_epochs=3)

    @pytest.mark.slow
    def test_a_second_fit_is_another_generation(self, trainer_of, guard, founder, model, loader, store):
        own = guard("healthy")
        trainer_of(own).fit(model, loader)
        trainer_of(own).fit(model, loader)
        assert [past.generation.index for past in store.history("newsbot")] == [0, 1, 2]
