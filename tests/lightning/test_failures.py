"""What fails once training is paid for: it is told once, nothing is raised, and nothing is lost or counted."""

import logging
import re
import resource
import threading
import warnings

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from collapse_guard.errors import CollapseGuardWarning, InputError
from collapse_guard.evidence import Evidence, Losses
from collapse_guard.lightning import ReinjectionDataModule
from collapse_guard.lineage import candidate
from collapse_guard.lineage.enrol import submit
from collapse_guard.lineage.outbox import PENDING, list_pending, load_pending
from collapse_guard.records import ReasonKind, Severity
from collapse_guard.reinjection import MixtureSampler
from collapse_guard.store import MemoryStore


def losses(**parts):
    return Losses(**{"documents": (), "nll": [], "n_tokens": [], **parts})


def raises(error):
    def fault(wild_type):
        raise error

    return fault


def waits(wild_type):
    threading.Event().wait()


def spins(wild_type):
    while True:
        pass


def tries_again(wild_type):
    while True:
        try:
            threading.Event().wait()
        except Exception:  # noqa: S112 - it is what such a probe does
            continue


FAULTS = {
    "raises": (raises(ZeroDivisionError("no batch")), r"ZeroDivisionError: no batch \(test_failures.py, line \d+\)"),
    "raises without a word": (raises(StopIteration()), r"StopIteration \("),
    "no memory": (raises(MemoryError("8 GiB")), "MemoryError: 8 GiB"),
    "no memory of the device": (raises(torch.OutOfMemoryError("CUDA out of memory")), "CUDA out of memory"),
    "a secret": (raises(OSError("postgresql://ann:s3cret@db/x")), r"OSError: postgresql://ann:\*+@db/x"),
    "None": (lambda _: None, "`probe.collect` must return an Evidence, but got NoneType"),
    "a dict": (lambda _: {"samples": []}, "`probe.collect` must return an Evidence, but got dict"),
    "no samples": (lambda _: Evidence(samples=[]), "must return at least one sample, loss or score, but got none"),
    "no losses": (lambda _: Evidence(losses=losses()), "must return at least one sample, loss or score, but got none"),
    "no numbers": (lambda w: Evidence(losses=of(w, np.nan)), "a founder must have a usable reading of its losses"),
    "vectors": (lambda _: Evidence(samples=np.zeros((9, 2))), "samples"),
    "wide embeddings": (
        lambda w: Evidence(samples=w.pool[:9], embeddings=np.zeros((9, 5))),
        r"must be .* of shape \(9, 64\)",
    ),
    "few embeddings": (
        lambda w: Evidence(samples=w.pool[:9], embeddings=np.zeros((4, 64))),
        r"must be .* of shape \(9, 64\)",
    ),
    "losses too few": (lambda w: Evidence(losses=losses(documents=("a", "b"), nll=[1.0], n_tokens=[3])), "`nll` must"),
    "waits": (waits, r"`probe.collect` did not end within 0\.2 s: give `probe_timeout` more seconds"),
    "spins": (spins, "did not end within"),
    "tries again": (tries_again, "did not end within"),
}


def of(wild_type, rate):
    documents = wild_type.evaluation.hashes
    tokens = np.full(len(documents), 30)
    return Losses(documents=documents, nll=rate * tokens, n_tokens=tokens)


class Failing:
    """A probe that fails while it has a fault, and is a good one without."""

    def __init__(self, good, *faults):
        self.good, self.faults = good, list(faults)

    def collect(self, module, wild_type, **place):
        fault = self.faults.pop(0) if self.faults else None
        if fault is None:
            return self.good.collect(module, wild_type, **place)
        torch.rand(3)
        np.random.normal()
        module.dropout.train()
        return fault(wild_type)


def told(run):
    """The warnings of the guard."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CollapseGuardWarning)
        run()
    return [str(one.message) for one in caught if issubclass(one.category, CollapseGuardWarning)]


@pytest.fixture
def failing(guard):
    """A guard whose probe fails."""

    def make(*faults, **settings):
        own = guard("healthy", **settings)
        own.probe = Failing(own.probe, *faults)
        return own

    return make


class TestAProbe:
    @pytest.mark.parametrize("name", FAULTS)
    def test_that_fails_leaves_the_generation_undecided_and_its_number_free(self, fit, failing, store, model, name):
        fault, said = FAULTS[name]
        own = failing(fault, actions=("alert", "raise"), probe_timeout=0.2 if "within" in said else 60.0)
        [message] = told(lambda: fit(own, max_epochs=1))
        assert message.startswith("generation 0 of 'newsbot' is trained, but was not measured: ")
        [reason] = own.verdict.reasons
        assert (own.verdict.severity, reason.kind) == (Severity.UNDECIDED, ReasonKind.NOT_MEASURED)
        assert re.search(said, reason.sentence), reason.sentence
        assert reason.sentence.removeprefix("it was not measured: ") in message
        assert store.lineages() == []
        assert all(part.training for part in model.modules())

    def test_that_fails_leaves_no_trace_in_the_process(self, fit, failing, model):
        own = failing(raises(ZeroDivisionError()))
        seen = []

        class Around(pl.Callback):
            def on_train_epoch_end(self, trainer, module):
                seen.append((torch.get_rng_state(), np.random.get_state()[1].tolist()))

            def on_train_end(self, trainer, module):
                seen.append((torch.get_rng_state(), np.random.get_state()[1].tolist()))

        told(lambda: fit(own, Around(), max_epochs=1))
        (before, numbers), (after, same) = seen
        assert torch.equal(before, after)
        assert numbers == same

    def test_that_the_user_interrupts_ends_the_run(self, fit, failing, trainer_of, model, store):
        own = failing(raises(ZeroDivisionError()), raises(KeyboardInterrupt()))
        trainer = []
        told(lambda: trainer.append(fit(own, max_epochs=1)))
        with pytest.raises(KeyboardInterrupt):
            own.on_train_end(trainer[0], model)
        assert store.lineages() == []

    @pytest.mark.slow
    def test_that_is_mended_measures_what_is_trained_without_training_again(
        self, trainer_of, founder, failing, store, model, loader
    ):
        own = failing(raises(ZeroDivisionError()))
        trainer = trainer_of(own, max_epochs=1)
        told(lambda: trainer.fit(model, loader))
        assert len(store.history("newsbot")) == 1
        assert told(lambda: trainer.fit(model, loader)) == []
        assert store.latest("newsbot") == own.assessment
        assert own.verdict.severity is Severity.HEALTHY
        [message] = told(lambda: trainer.fit(model, loader))
        assert message.startswith("This evidence is already stored as generation 1 of newsbot: nothing was added.")
        assert store.latest("newsbot") == own.assessment
        assert len(store.history("newsbot")) == 2
        assert len(model.losses) == 4

    @pytest.mark.slow
    def test_that_fails_in_the_run_costs_one_look_and_one_warning(self, fit, founder, failing, store, model):
        own = failing(raises(OSError("gone")), raises(OSError("gone")), None, actions=("stop",), assess_every_n_steps=1)
        [message] = told(lambda: fit(own, max_epochs=1))
        assert message.startswith("the model could not be measured after step 1: OSError: gone (test_failures.py, line")
        assert own.looks == [(3, "HEALTHY")]
        assert len(model.losses) == 4
        assert store.latest("newsbot") == own.assessment
        assert own.assessment.look == 1

    @pytest.mark.slow
    def test_that_fails_in_the_run_and_at_its_end_is_told_of_twice(self, fit, founder, failing, store):
        own = failing(*[raises(OSError("gone"))] * 9, assess_every_n_steps=1)
        first, last = told(lambda: fit(own, max_epochs=1))
        assert "could not be measured after step 1" in first
        assert "generation 1 of 'newsbot' is trained, but was not measured" in last
        assert len(store.history("newsbot")) == 1

    def test_may_have_no_limit_of_time(self, fit, guard):
        own = guard("healthy", probe_timeout=None)
        fit(own, max_epochs=1)
        assert own.verdict.severity is Severity.HEALTHY

    @pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), "soon"])
    def test_is_given_a_limit_that_is_a_time(self, guard, seconds):
        with pytest.raises(InputError, match="`probe_timeout` must be a finite number above 0, but got"):
            guard("healthy", probe_timeout=seconds)


class TestWhatSurroundsIt:
    def test_a_data_module_that_cannot_tell_what_it_trained_on(self, fit, guard, store, loader, monkeypatch):
        class Silent(pl.LightningDataModule):
            def train_dataloader(self):
                return loader

            def training_set(self):
                raise KeyError("mixture")

        own = guard("healthy")
        [message] = told(lambda: fit(own, data=Silent(), max_epochs=1))
        assert "was not measured: KeyError: 'mixture' (test_failures.py, line" in message
        assert own.evidence is not None
        assert store.lineages() == []

    @pytest.mark.slow
    def test_a_change_of_shares_that_fails_changes_nothing(self, trainer_of, founder, guard, store, monkeypatch, model):
        def change(self, *arguments):
            return 1 / 0

        monkeypatch.setattr(MixtureSampler, "change", change)
        data = ReinjectionDataModule([torch.arange(17)] * 40, [torch.arange(17)] * 40, mixture=0.25, batch_size=8)
        own = guard("collapsed", actions=("reinject",), assess_every_n_steps=2)
        trainer = trainer_of(own, max_epochs=1)
        [message] = told(lambda: trainer.fit(model, datamodule=data))
        assert message.startswith("the real share stays as it is after step 2: ZeroDivisionError: division by zero")
        assert own.decisions == []
        assert len(model.losses) == 5
        assert store.latest("newsbot").generation.mixture.real == 0.25


class Refusing(MemoryStore):
    """A store that fails when it is to take a generation."""

    def __init__(self, error, before=lambda: None):
        super().__init__()
        self.error, self.before = error, before

    def append(self, assessment, **files):
        self.before()
        raise self.error


class TestAStore:
    @pytest.fixture(autouse=True)
    def elsewhere(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

    @pytest.mark.parametrize(
        "error",
        [OSError(28, "No space left on device"), RuntimeError("a bug"), KeyError("run"), MemoryError()],
        ids=repr,
    )
    def test_that_raises_anything_costs_a_warning_and_the_evidence_is_kept(self, fit, guard, error):
        own = guard("healthy", store=Refusing(error))
        [message] = told(lambda: fit(own, max_epochs=1))
        assert message.startswith("generation 0 of 'newsbot' is not in the store: ")
        assert "collapse-guard assess --resume" in message
        assert own.verdict.severity is Severity.HEALTHY
        [kept] = list_pending(PENDING)
        assert load_pending(kept).evidence.digest() == own.evidence.digest()

    def test_and_a_directory_that_refuse_are_both_told(self, fit, guard, tmp_path):
        (tmp_path / PENDING.parts[0]).write_text("a file in the way")
        own = guard("healthy", store=Refusing(OSError("the store is gone")))
        [message] = told(lambda: fit(own, max_epochs=1))
        assert "the store is gone" in message
        assert "The evidence could not be kept in" in message

    def test_and_a_full_disk_are_both_told_and_leave_nothing_half_written(self, fit, guard):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

        class Emptied(pl.Callback):
            def on_train_end(self, trainer, module):
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

        full = Refusing(OSError(28, "No space left"), lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard)))
        try:
            [message] = told(lambda: fit(guard("healthy", store=full), Emptied(), max_epochs=1))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert "No space left" in message
        assert "The evidence could not be kept in" in message
        assert "File too large" in message
        assert list_pending(PENDING) == []


def test_the_whole_traceback_is_logged(fit, failing, caplog):
    caplog.set_level(logging.INFO, logger="collapse_guard")
    told(lambda: fit(failing(raises(ZeroDivisionError("deep inside"))), max_epochs=1))
    assert "in fault" in caplog.text
    assert "ZeroDivisionError: deep inside" in caplog.text


def test_a_fit_that_is_interrupted_shows_nothing_of_the_one_before(fit, founder, guard, model):
    own = guard("healthy")
    fit(own, max_epochs=1)
    assert own.verdict is not None
    model.training_step = raises(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        fit(own, max_epochs=2)
    assert own.verdict is None
    assert own.evidence is None


def test_warnings_of_a_probe_come_after_the_record_and_once(fit, founder, guard, store):
    own = guard("healthy")
    collect = own.probe.collect

    def warns(module, wild_type, **place):
        for _ in range(3):
            warnings.warn("two ids are not known", UserWarning, stacklevel=1)
        return collect(module, wild_type, **place)

    own.probe.collect = warns
    with pytest.raises(UserWarning, match="two ids"):  # warnings are errors here
        fit(own, max_epochs=1)
    assert store.latest("newsbot").generation.index == 1
    with pytest.warns(UserWarning, match="two ids") as caught:
        fit(own, max_epochs=2)
    assert len([one for one in caught if "two ids" in str(one.message)]) == 1


def test_an_assessment_that_fails_costs_a_warning_and_the_evidence_is_kept(
    fit, founder, guard, store, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    own = guard("healthy")
    with monkeypatch.context() as broken:
        broken.setattr(candidate, "assess", lambda *_, **__: raises(MemoryError("8 GiB"))(None))
        [message] = told(lambda: fit(own, max_epochs=1))
    assert "the evidence could not be assessed: MemoryError: 8 GiB" in message
    assert "Send it from this directory once that is mended: collapse-guard assess --resume" in message
    assert own.verdict.is_unmeasured
    [kept] = list_pending(PENDING)
    pending = load_pending(kept)
    assert pending.evidence.digest() == own.evidence.digest()
    assert pending.request.origin.step == 4
    enrolled = submit(store, own.wild_type, pending.request, pending.evidence)
    assert enrolled.assessment.generation.index == 1
    assert store.latest("newsbot").verdict.severity is Severity.HEALTHY


class TestATrainingThatIsRunAgain:
    """As after a kill: the second one knows nothing of the first but what is stored and in its checkpoints."""

    @pytest.fixture
    def train(self, wild_type, guard, trainer_of, model_of, tmp_path):
        def run(*faults, ckpt_path=None, epochs=2, seed=3, **settings):
            pl.seed_everything(seed, verbose=False)
            own, module = guard("healthy", **settings), model_of(pl)
            own.probe = Failing(own.probe, *faults)
            items = torch.randint(0, 400, (32, 17), generator=torch.Generator().manual_seed(0))
            kept = pl.callbacks.ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
            trainer = trainer_of(own, kept, max_epochs=epochs, enable_checkpointing=True)
            data = torch.utils.data.DataLoader(items, batch_size=16, shuffle=True)
            said = told(lambda: trainer.fit(module, data, ckpt_path=ckpt_path))
            return own, said, len(module.losses)

        return run

    @pytest.mark.slow
    def test_from_the_beginning_is_the_stored_generation(self, founder, train, store):
        first, said, _ = train()
        assert said == []
        again, [message], steps = train()
        assert steps == 4
        assert "already stored as generation 1" in message
        assert again.assessment == first.assessment
        assert len(store.history("newsbot")) == 2
        other, said, _ = train(seed=4)
        assert said == []
        assert other.assessment.generation.index == 2

    @pytest.mark.slow
    def test_under_a_number_that_is_given_is_another_generation(self, founder, train, store):
        train()
        assert train(generation=5)[1] == []
        assert [past.generation.index for past in store.history("newsbot")] == [0, 1, 5]

    @pytest.mark.slow
    def test_from_its_last_checkpoint_is_measured_and_not_trained(self, founder, train, store, tmp_path):
        train(raises(OSError("the power went")))
        assert len(store.history("newsbot")) == 1
        again, said, steps = train(ckpt_path=tmp_path / "epoch=1.ckpt")
        assert (said, steps) == ([], 0)
        assert store.latest("newsbot") == again.assessment
        assert again.verdict.severity is Severity.HEALTHY

    @pytest.mark.slow
    @pytest.mark.parametrize(("epoch", "expected"), [(0, 2), (1, 0)])
    def test_from_a_checkpoint_after_it_was_recorded_adds_nothing(
        self, founder, train, store, tmp_path, epoch, expected
    ):
        first, _, _ = train()
        again, (warned, message), steps = train(ckpt_path=tmp_path / f"epoch={epoch}.ckpt", seed=4)
        assert steps == expected
        assert "the checkpoint is of generation 1 of 'newsbot', but that is stored" in warned
        assert message == "this training is recorded as generation 1 of 'newsbot': nothing was added"
        assert again.assessment == first.assessment
        assert len(store.history("newsbot")) == 2

    @pytest.mark.slow
    def test_from_a_checkpoint_beyond_what_was_recorded_is_the_next_generation(self, founder, train, store, tmp_path):
        train()
        longer, [warned], steps = train(ckpt_path=tmp_path / "epoch=1.ckpt", epochs=3)
        assert steps == 2
        assert "Unless it is what this training came to, this fit will be recorded as generation 2" in warned
        assert store.latest("newsbot") == longer.assessment
