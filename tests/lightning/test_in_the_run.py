"""A guard that looks while the model is in training."""

import math

import pytest
import pytorch_lightning as pl
import torch

from collapse_guard.records import Severity


class Ledger(pl.loggers.Logger):
    """A logger that keeps what it is told."""

    name, version = "ledger", 0

    def __init__(self):
        super().__init__()
        self.lines = []

    def log_metrics(self, metrics, step=None):
        self.lines.append((step, metrics))

    def log_hyperparams(self, params, *args):
        pass


class TestInTheRun:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("every", "epochs", "settings", "steps"),
        [
            (None, 4, {}, []),
            (1, 4, {}, [4, 8, 12]),
            (2, 4, {}, [8]),
            (2, 5, {}, [8, 16]),
            (1, 3, {"validate": True}, [4, 8]),
            (1, 3, {"validate": True, "val_check_interval": 0.5}, [4, 8]),
            (1, 3, {"validate": True, "check_val_every_n_epoch": 2}, [4, 8]),
            (5, 4, {}, []),
        ],
    )
    def test_every_nth_epoch_but_the_last_is_assessed_once(self, fit, guard, store, every, epochs, settings, steps):
        own = guard("healthy", assess_every_n_epochs=every)
        fit(own, max_epochs=epochs, **settings)
        assert [step for step, _ in own.looks] == steps
        assert len(own.probe.calls) == len(steps) + 1
        assert len(store.history("newsbot")) == 1

    def test_nothing_is_assessed_in_the_sanity_check_or_when_only_validating(self, trainer_of, guard, model, loader):
        own = guard("healthy", assess_every_n_epochs=1)
        seen = []
        own.on_sanity_check_end = lambda *_: seen.append(len(own.probe.calls))
        trainer = trainer_of(own, num_sanity_val_steps=2, max_epochs=1)
        trainer.fit(model, loader, loader)
        trainer.validate(model, loader, verbose=False)
        assert seen == [0]
        assert len(own.probe.calls) == 1
        assert own.verdict is not None

    @pytest.mark.slow
    def test_nor_in_the_sanity_check_of_a_second_fit(self, trainer_of, guard, founder, model, loader):
        own = guard("healthy", assess_every_n_epochs=1)
        trainer = trainer_of(own, num_sanity_val_steps=2, max_epochs=1)
        trainer.fit(model, loader, loader)
        seen = []
        own.on_sanity_check_end = lambda *_: seen.append(len(own.probe.calls))
        trainer.fit_loop.max_epochs = 3
        trainer.fit(model, loader, loader)
        assert seen == [1]

    @pytest.mark.slow
    def test_readings_go_to_every_logger_at_the_global_step_without_what_is_no_number(self, fit, guard, founder):
        ledgers = [Ledger(), Ledger()]
        fit(guard("healthy", "undecided", "healthy", assess_every_n_epochs=1), logger=ledgers, max_epochs=3)
        for ledger in ledgers:
            ours = [(step, line) for step, line in ledger.lines if "collapse_guard/severity" in line]
            assert [step for step, _ in ours] == [4, 8, 12]
            assert ["likelihood/perplexity" in line for _, line in ours] == [True, False, True]
            assert ours[0][1]["likelihood/perplexity"] == pytest.approx(math.exp(5), rel=0.1)
            assert all(math.isfinite(value) for _, line in ours for value in line.values())

    @pytest.mark.slow
    def test_in_run_assessments_are_not_added_to_the_lineage(self, fit, guard, founder, store):
        own = guard("collapsed", "collapsed", "healthy", assess_every_n_epochs=1)
        fit(own, max_epochs=3)
        assert [severity for _, severity in own.looks] == ["COLLAPSED", "COLLAPSED"]
        assert [past.verdict.severity for past in store.history("newsbot")] == [Severity.HEALTHY] * 2

    @pytest.mark.slow
    @pytest.mark.parametrize("at_epoch_end", [True, False], ids=["end of epoch", "validation"])
    def test_are_made_before_the_checkpoint_of_the_epoch(self, fit, guard, founder, tmp_path, at_epoch_end):
        checkpoints = pl.callbacks.ModelCheckpoint(
            tmp_path, "{epoch}", save_top_k=-1, save_on_train_epoch_end=at_epoch_end
        )
        fit(guard("healthy", assess_every_n_epochs=1), checkpoints, enable_checkpointing=True, validate=True)
        saved = torch.load(tmp_path / "epoch=0.ckpt", weights_only=True)
        state = saved["callbacks"]["CollapseGuard{'lineage': 'newsbot'}"]
        assert len(state.pop("training")) == 32
        assert state.pop("trained") > 0.0
        assert state == {"generation": 1, "looks": [(4, "HEALTHY")], "decisions": []}


class TestSeveralGuards:
    def test_have_lineages_of_their_own_and_do_not_share_names_in_the_loggers(self, fit, guard, store):
        ledger = Ledger()
        first, second = guard("healthy"), guard("healthy", lineage="other")
        fit(first, second, logger=ledger)
        assert store.lineages() == ["newsbot", "other"]
        logged = {name for _, line in ledger.lines for name in line if name.endswith("perplexity")}
        assert logged == {"likelihood/perplexity", "other/likelihood/perplexity"}

    def test_of_one_lineage_are_refused_by_the_trainer(self, guard, trainer_of):
        with pytest.raises(RuntimeError, match="more than one stateful callback"):
            trainer_of(guard("healthy"), guard("healthy"))
