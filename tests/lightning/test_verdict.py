"""A guard on real trainers: which verdict comes of which evidence."""

import lightning.pytorch as lp
import pytest
import pytorch_lightning as pl
import torch

from collapse_guard.decision.policy import Policy
from collapse_guard.errors import CollapseGuardWarning, LineageError
from collapse_guard.evidence import Evidence
from collapse_guard.lightning import CollapseGuard
from collapse_guard.probes import CausalLMProbe
from collapse_guard.records import Mixture, Severity
from collapse_guard.wildtype import WildType


class TestTheVerdict:
    def test_is_that_of_the_founder_first(self, fit, guard, store):
        first = guard("healthy")
        assert first.verdict is first.assessment is None
        fit(first)
        assert first.verdict.severity is Severity.HEALTHY
        assert (first.verdict.lineage, first.verdict.generation) == ("newsbot", 0)
        assert store.history("newsbot") == [first.assessment]

    def test_of_a_lineage_that_nobody_founded_is_warned_of_once(self, fit, guard, founder, store):
        own = guard("healthy", lineage="newsbto", generation=None)
        with pytest.warns(CollapseGuardWarning, match="a new lineage begins here: .*did you mean `newsbot`") as warned:
            fit(own)
        assert [one.category for one in warned].count(CollapseGuardWarning) == 1
        fit(guard("healthy", lineage="newsbto", generation=None))
        assert [past.generation.index for past in store.history("newsbto")] == [0, 1]

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("rate", "severity"),
        [
            ("healthy", Severity.HEALTHY),
            ("watch", Severity.WATCH),
            ("collapsed", Severity.COLLAPSED),
            ("undecided", Severity.UNDECIDED),
        ],
    )
    def test_follows_the_evidence(self, fit, guard, founder, store, rate, severity):
        child = guard(rate)
        fit(child)
        assert child.verdict.severity is severity
        assert [past.verdict.severity for past in store.history("newsbot")] == [Severity.HEALTHY, severity]
        assert store.latest("newsbot").generation.parents == (0,)

    @pytest.mark.slow
    def test_is_made_with_the_policy_given(self, fit, guard, founder, tmp_path):
        path = tmp_path / "policy.toml"
        path.write_text("".join(f"[drift.{name}]\nmargin = 30.0\nwatch = 30.0\n" for name in Policy().drift))
        for policy in (path, str(path), Policy.load(path)):
            lenient = guard("collapsed", policy=policy)
            fit(lenient)
            assert lenient.verdict.severity is Severity.HEALTHY
            assert lenient.verdict.policy == Policy.load(path).fingerprint

    def test_comes_from_both_lightnings(self, namespace, model_of, trainer_of, loader, guard):
        own = guard("healthy")
        trainer_of(own, namespace=namespace).fit(model_of(namespace), loader)
        assert own.verdict.severity is Severity.HEALTHY

    def test_comes_from_a_callback_that_is_given_alone(self, namespace, guard, tmp_path):
        trainer = namespace.Trainer(
            callbacks=guard("healthy"), logger=False, accelerator="cpu", default_root_dir=tmp_path
        )
        assert any(isinstance(callback, CollapseGuard) for callback in trainer.callbacks)

    def test_of_a_saved_wild_type_is_the_same(self, fit, wild_type, scripted, store, tmp_path):
        loaded = CollapseGuard(
            wild_type.save(tmp_path / "wild-type"), "newsbot", scripted("healthy"), store=store, generation=0
        )
        fit(loaded)
        assert loaded.verdict.wild_type == wild_type.fingerprint

    @pytest.mark.slow
    def test_carries_mixture_and_parents_that_are_given(self, fit, guard, founder, store):
        fit(guard("healthy"))
        fit(guard("healthy", parents=[0], mixture=Mixture.with_real(0.4), generation=7))
        generation = store.latest("newsbot").generation
        assert (generation.index, generation.parents, generation.mixture) == (7, (0,), Mixture.with_real(0.4))

    @pytest.mark.slow
    def test_of_an_earlier_index_rests_on_the_generations_before_it(self, fit, guard, founder, store):
        fit(guard("collapsed", generation=5))
        between = guard("healthy", generation=3)
        fit(between)
        assert between.assessment.generation.parents == (0,)
        assert [past.generation.index for past in store.history("newsbot")] == [0, 3, 5]


class TestFoundedAnew:
    def test_is_a_founder_once_and_a_script_that_still_says_so_is_refused(self, fit, guard, founder, store):
        """The wild type is another one too: what was before keeps its own."""
        texts = [f"another language altogether {i}" for i in range(120)]
        other = WildType.fit(texts, vocabulary_size=300, evaluation_fraction=0.5)
        anew = {"wild_type": other, "founding": "new tokenizer"}
        fit(guard("collapsed", **anew), max_epochs=1)
        with pytest.raises(LineageError, match=r"for this reason already .*leave out"):
            fit(guard("healthy", **anew))
        fit(guard("healthy", wild_type=other), max_epochs=1)
        generations = [past.generation for past in store.history("newsbot")]
        assert [(one.index, one.founder, one.founding) for one in generations] == [
            (0, 0, ""),
            (1, 1, "new tokenizer"),
            (2, 1, ""),
        ]
        assert (generations[1].parents, generations[1].mixture) == ((), Mixture(real=1.0))
        assert [one.wild_type == other.fingerprint for one in generations] == [False, True, True]


class TestALanguageModel:
    """Nothing is scripted here."""

    @pytest.fixture
    def probe(self, wild_type):
        return CausalLMProbe(wild_type.tokenizer, n_samples=256, max_new_tokens=24, max_length=64)

    @pytest.mark.slow
    def test_trained_on_one_document_has_collapsed(self, fit, wild_type, store, probe, loader, encode, model):
        with pytest.warns(CollapseGuardWarning, match="^WATCH .*the founder is far from the wild type"):
            fit(CollapseGuard(wild_type, "newsbot", probe, store=store, generation=0), max_epochs=8)
        one = torch.utils.data.DataLoader([encode(wild_type.pool[0])] * 64, batch_size=16)
        child = CollapseGuard(wild_type, "newsbot", probe, store=store, actions=())
        fit(child, data=one, max_epochs=8)
        assert child.verdict.severity is Severity.COLLAPSED
        beyond = {reason.indicator for reason in child.verdict.reasons if reason.severity is Severity.COLLAPSED}
        assert {"perplexity", "distinct_2"} <= beyond

    @pytest.mark.slow
    def test_is_trained_bit_for_bit_as_without_a_guard(self, model_of, trainer_of, loader, wild_type, store, probe):
        def train(*guards):
            pl.seed_everything(3, verbose=False)
            module = model_of(pl)
            trainer_of(*guards, max_epochs=3, num_sanity_val_steps=1).fit(module, loader, loader)
            return module

        settings = {"store": store, "actions": (), "generation": 0, "assess_every_n_epochs": 1}
        guard = CollapseGuard(wild_type, "newsbot", probe, **settings)
        without, guarded = train(), train(guard)
        assert len(guard.looks) == 2
        assert guarded.losses == without.losses
        for name, weight in without.state_dict().items():
            assert torch.equal(guarded.state_dict()[name], weight), name


class TestTheProbe:
    @pytest.mark.slow
    def test_is_asked_in_eval_mode_with_a_seed_for_each_generation(self, fit, guard, model):
        first, second = guard("healthy"), guard("healthy", generation=1)
        fit(first)
        fit(second)
        calls = [*first.probe.calls, *second.probe.calls]
        assert [(call["rank"], call["world_size"], call["training"]) for call in calls] == [(0, 1, False)] * 2
        assert calls[0]["seed"] != calls[1]["seed"]
        assert model.training

    @pytest.mark.slow
    def test_of_the_users_own_gives_losses_and_samples(self, fit, wild_type, store):
        class Mine:
            def collect(self, module, wild_type, *, seed, rank, world_size):
                probe = CausalLMProbe(wild_type.tokenizer, n_samples=0, n_documents=40)
                losses = probe.collect(module, wild_type, seed=seed, rank=rank, world_size=world_size).losses
                return Evidence(losses=losses, samples=list(wild_type.pool[:200]))

        own = CollapseGuard(wild_type, "newsbot", Mine(), store=store, generation=0)
        fit(own)
        told = [reason.sentence for reason in own.verdict.reasons if reason.is_about("tail_loss")]
        assert own.verdict.severity is Severity.HEALTHY
        assert told[0].startswith("tail_loss is not judged: the founder's tail has 4 documents, 10 are needed")
        assert {"perplexity", "distinct_2"} <= own.assessment.readings.keys()
        assert own.evidence.samples == list(wild_type.pool[:200])


def test_the_callback_is_one_of_both_lightnings():
    assert issubclass(CollapseGuard, pl.Callback)
    assert issubclass(CollapseGuard, lp.Callback)
