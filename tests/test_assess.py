"""assess() on real text: healthy, collapsed, missing, broken and too little evidence; real words, no model."""

import math
import re
from collections import Counter

import numpy as np
import pytest

from collapse_guard import Evidence, Generation, Losses, Policy, Severity, WildType, assess
from collapse_guard.assessment import reassess
from collapse_guard.demo.corpus import passages
from collapse_guard.errors import FingerprintMismatchError, InputError
from collapse_guard.records import Assessment, ReasonKind


@pytest.fixture(scope="module")
def wild_type():
    return WildType.fit(list(passages())[::3], seed=0, group_tokens=1024, group_samples=32)


@pytest.fixture(scope="module")
def founder(wild_type):
    return assess(wild_type, Evidence(samples=real(wild_type, 0), losses=losses(wild_type)), generation=zero())


def zero():
    return Generation(lineage="newsbot", index=0)


def real(wild_type, part, n=500):
    return list(wild_type.pool)[part * n : (part + 1) * n]


def losses(wild_type, shift=0.0, seed=0, spread=0.02):
    """Losses as a model might have them: documents differ a lot, retraining moves each a little."""
    rng = np.random.default_rng(99)
    tokens = rng.integers(40, 80, len(wild_type.evaluation))
    rate = rng.normal(4.5, 0.4, len(tokens)) + shift + np.random.default_rng(seed).normal(0, spread, len(tokens))
    return Losses(documents=wild_type.evaluation.hashes, nll=rate * tokens, n_tokens=tokens)


def kinds(assessment):
    return {(reason.kind, reason.indicator) for reason in assessment.verdict.reasons}


@pytest.mark.slow
def test_the_founder_is_the_baseline_of_its_losses_and_is_compared_with_the_wild_type(founder):
    assert founder.verdict.severity is Severity.HEALTHY
    assert (ReasonKind.BASELINE, "perplexity") in kinds(founder)
    assert {c.baseline for c in founder.comparisons if c.decides} == {"wild_type"}
    assert founder.stratum is not None
    assert founder.prescription is None


def test_fresh_real_text_is_healthy_and_the_report_of_it_survives_json(wild_type, founder):
    child = assess(wild_type, Evidence(samples=real(wild_type, 1), losses=losses(wild_type, seed=1)), history=[founder])
    assert child.generation.index == 1
    assert child.verdict.severity is Severity.HEALTHY
    assert {c.baseline for c in child.comparisons if c.decides} == {"founder"}
    assert Assessment.from_dict(child.to_dict()).to_dict() == child.to_dict()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("evidence", "guilty"),
    [
        (lambda w: Evidence(samples=real(w, 1), losses=losses(w, shift=math.log(1.3))), "perplexity"),
        (
            lambda w: Evidence(samples=[re.sub(r"\w{7,}", "thing", t) for t in real(w, 1)], losses=losses(w)),
            "rare_mass",
        ),
        (lambda w: Evidence(samples=real(w, 1, 5) * 100, losses=losses(w)), "distinct_2"),
    ],
    ids=["losses rise by 30%", "long words vanish", "five texts repeated"],
)
def test_a_planted_collapse_is_found_and_the_guilty_indicator_named(wild_type, founder, evidence, guilty):
    child = assess(wild_type, evidence(wild_type), history=[founder])
    assert child.verdict.severity is Severity.COLLAPSED
    assert (ReasonKind.BEYOND_MARGIN, guilty) in kinds(child)
    assert child.prescription is not None
    assert child.prescription.real > 0.5


def test_a_loss_that_rose_in_the_founders_hardest_documents_only_is_found_in_the_tail(wild_type, founder):
    usual = losses(wild_type)
    hard = np.isin(usual.documents, founder.stratum.documents)
    tail = Losses(documents=usual.documents, nll=usual.nll * np.where(hard, 1.04, 1.0), n_tokens=usual.n_tokens)
    child = assess(wild_type, Evidence(samples=real(wild_type, 1), losses=tail), history=[founder])
    assert (ReasonKind.BEYOND_MARGIN, "tail_loss") in kinds(child)
    assert (ReasonKind.WITHIN_MARGIN, "perplexity") in kinds(child)


def test_what_the_founder_had_and_this_generation_lacks_is_undecided(wild_type, founder):
    child = assess(wild_type, Evidence(samples=real(wild_type, 1)), history=[founder])
    assert child.verdict.severity is Severity.UNDECIDED
    assert (ReasonKind.MISSING, "perplexity") in kinds(child)


def test_a_loss_that_is_not_a_number_is_undecided_and_named(wild_type, founder):
    broken = losses(wild_type)
    broken.nll[3] = math.nan
    child = assess(wild_type, Evidence(samples=real(wild_type, 1), losses=broken), history=[founder])
    assert child.verdict.severity is Severity.UNDECIDED
    assert any(broken.documents[3] in reason.sentence for reason in child.verdict.reasons)


@pytest.mark.slow
def test_too_few_samples_are_undecided_with_the_number_that_would_do_and_that_number_does(wild_type, founder):
    few = assess(wild_type, Evidence(samples=real(wild_type, 1, 20), losses=losses(wild_type)), history=[founder])
    assert few.verdict.severity is Severity.UNDECIDED
    sentences = [reason.sentence for reason in few.verdict.reasons if reason.kind is ReasonKind.TOO_FEW]
    needed = max(int(re.search(r"(\d[\d,]*) samples would do", s)[1].replace(",", "")) for s in sentences)
    enough = list(wild_type.pool)[500 : 500 + needed + needed // 10]
    more = assess(wild_type, Evidence(samples=enough, losses=losses(wild_type)), history=[founder])
    assert not [reason for reason in more.verdict.reasons if reason.kind is ReasonKind.TOO_FEW]


@pytest.mark.slow
def test_without_its_founder_a_generation_is_undecided_whatever_the_wild_type_says(wild_type):
    third = Generation(lineage="newsbot", index=3)
    for texts in (real(wild_type, 1), ["the the the"] * 3000):
        lost = assess(wild_type, Evidence(samples=texts), generation=third, missing={0: "its run was deleted"})
        assert [(reason.kind, reason.severity) for reason in lost.verdict.reasons] == [
            (ReasonKind.NO_FOUNDER, Severity.UNDECIDED),
            (ReasonKind.GAP, Severity.HEALTHY),
        ]
        assert "generation 0, the founder of this lineage, is missing" in lost.verdict.reasons[0].sentence
        assert lost.verdict.reasons[0].sentence.endswith(": its run was deleted")
        assert "distinct_2" in {comparison.indicator for comparison in lost.comparisons}
        assert not any(comparison.decides for comparison in lost.comparisons)


def test_losses_alone_need_a_founder(wild_type):
    third = assess(wild_type, Evidence(losses=losses(wild_type)), generation=Generation(lineage="newsbot", index=3))
    assert third.verdict.severity is Severity.UNDECIDED
    assert "founder" in third.verdict.reasons[0].sentence


def test_a_required_indicator_that_nobody_measured_is_undecided(wild_type):
    policy = Policy(required=("perplexity",))
    founder = assess(wild_type, Evidence(samples=real(wild_type, 0)), policy=policy, generation=zero())
    assert founder.verdict.severity is Severity.UNDECIDED


def test_the_order_of_samples_and_documents_changes_nothing(wild_type, founder):
    samples, scored = real(wild_type, 1), losses(wild_type, seed=2)
    turned = Losses(
        documents=scored.documents[::-1], nll=scored.nll[::-1].copy(), n_tokens=scored.n_tokens[::-1].copy()
    )
    here = assess(wild_type, Evidence(samples=samples, losses=scored), history=[founder])
    there = assess(wild_type, Evidence(samples=samples[::-1], losses=turned), history=[founder])
    assert [c.effect for c in here.comparisons] == pytest.approx([c.effect for c in there.comparisons])
    assert here.verdict.severity is there.verdict.severity


def test_another_wild_type_than_the_lineages_is_refused_with_both_fingerprints(founder):
    other = WildType.fit(list(passages())[1::30], seed=1)
    with pytest.raises(FingerprintMismatchError, match=f"{founder.generation.wild_type}.*{other.fingerprint}"):
        assess(other, Evidence(samples=list(other.pool)), history=[founder])


def test_history_must_come_before(wild_type, founder):
    with pytest.raises(InputError, match="generations before 0 only, but got 0"):
        assess(wild_type, Evidence(samples=real(wild_type, 1)), history=[founder], generation=zero())


@pytest.mark.slow
def test_what_was_lost_is_named_and_survives_another_policy(wild_type, founder):
    shortened = [re.sub(r"\w{7,}", "thing", text) for text in real(wild_type, 1)]
    child = assess(wild_type, Evidence(samples=shortened), history=[founder])
    words = [item.what for item in child.lost if item.kind == "word"]
    assert len(words) > 5
    assert all(len(word) >= 7 for word in words)
    assert all(item.kind in ("cluster", "document") for item in founder.lost), "real text lost no words"
    assert reassess(child, history=[founder], policy=Policy(alpha=0.01)).lost == child.lost


def test_descriptions_of_the_lineage_are_read_and_never_compared(wild_type, founder):
    child = assess(wild_type, Evidence(samples=real(wild_type, 1), losses=losses(wild_type, 0.1)), history=[founder])
    assert child.readings["relative_fitness"].value == pytest.approx(math.exp(-0.1), rel=0.01)
    assert "effective_size" in child.readings
    assert "effective_size" not in founder.readings
    assert not {"relative_fitness", "effective_size"} & {comparison.indicator for comparison in child.comparisons}


def test_a_wild_type_and_samples_of_texts_are_embedded_once(wild_type, founder, monkeypatch):
    asked = []
    embed = WildType.embed
    monkeypatch.setattr(WildType, "embed", lambda self, texts: asked.append(len(texts)) or embed(self, texts))
    assess(wild_type, Evidence(samples=real(wild_type, 2, 487)), history=[founder])
    assert asked.count(487) == 1


@pytest.mark.slow
@pytest.mark.parametrize("form", ["texts", "ids"])
def test_samples_are_tokenized_decoded_and_embedded_once(wild_type, founder, monkeypatch, form):
    samples = real(wild_type, 2)
    given = samples if form == "texts" else wild_type.encode(samples)
    once, calls = set(samples), Counter()
    for name in ("encode", "embed"):
        method = getattr(WildType, name)

        def counted(self, texts, name=name, method=method):
            calls.update((name, text) for text in texts if text in once)
            return method(self, texts)

        monkeypatch.setattr(WildType, name, counted)
    decode = WildType.decode
    monkeypatch.setattr(
        WildType, "decode", lambda self, ids: calls.update({("decode", ""): len(ids) == 500}) or decode(self, ids)
    )
    assess(wild_type, Evidence(samples=given, losses=losses(wild_type)), history=[founder])
    assert {text for name, text in calls if name == "embed"} == once
    assert {name: count for name, count in calls.items() if count > 1} == {}
    assert calls["decode", ""] == (form == "ids")
    assert ("encode" in {name for name, _ in calls}) is (form == "texts")
