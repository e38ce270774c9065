"""Readings of slices: all evaluation documents are replicates, and each says which slice it is of."""

import math

import numpy as np
import pytest

from collapse_guard.assessment import assess, replay
from collapse_guard.decision.baselines import on_fold
from collapse_guard.decision.policy import Policy
from collapse_guard.errors import PolicyError
from collapse_guard.evidence import Evidence, Losses
from collapse_guard.indicators.likelihood import tail_gap
from collapse_guard.measurement.loss_readings import loss_readings
from collapse_guard.measurement.measure import measure
from collapse_guard.measurement.refits import pool_refits, pool_tokens, rarity_of_each
from collapse_guard.measurement.reverse import BUDGETS
from collapse_guard.measurement.slices import slice_coverage
from collapse_guard.records import Assessment
from collapse_guard.wildtype import WildType

NAME = "worst_slice_loss"


def losses_of(rng, documents, *, tokens=20):
    return Losses(
        documents=tuple(documents), nll=rng.gamma(60.0, size=len(documents)), n_tokens=np.full(len(documents), tokens)
    )


def read(losses, slices):
    return {one.indicator: one for one in loss_readings(losses, None, slices=slices)}


@pytest.fixture
def documents():
    return [f"d{i:03}" for i in range(120)]


@pytest.fixture
def slices(documents):
    names = ["sea"] * 50 + ["court"] * 41 + ["farm"] * 20 + [""] * 9
    return dict(zip(documents, names, strict=True))


def test_the_value_is_the_largest_difference_to_all_others_and_every_document_is_a_replicate(rng, documents, slices):
    losses = losses_of(rng, documents)
    reading = read(losses, slices)[NAME]
    rates = losses.nll / losses.n_tokens
    of = np.array(list(slices.values()))
    expected = max(rates[of == name].mean() - rates[of != name].mean() for name in ("sea", "court"))
    assert reading.value == pytest.approx(expected)
    assert reading.slices == tuple(name if name in ("sea", "court") else "" for name in slices.values())
    assert reading.keys == losses.documents
    assert reading.replicates == pytest.approx(rates)
    assert (reading.scale, reading.unit, reading.group) == ("log", "nats per token", "document")
    assert (reading.n, reading.n_minimum, reading.problem) == (120, 80, "")
    assert reading.abridged().slices == ()


def test_only_documents_of_the_wild_type_count(rng, documents, slices):
    losses = losses_of(rng, [*documents, "x1", "x2"])
    assert read(losses, slices)[NAME].keys == tuple(documents)


def test_losses_under_other_names_cannot_be_sliced_and_say_so(rng, slices):
    reading = read(losses_of(rng, list(map(str, range(200)))), slices)[NAME]
    assert not reading.is_usable
    assert math.isnan(reading.value)
    assert reading.problem.startswith("none of the 200 scored documents is known as an evaluation document")


def test_slices_of_which_too_few_documents_are_scored_tell_nothing(rng, documents, slices):
    reading = read(losses_of(rng, documents[15:85]), slices)[NAME]
    assert reading.problem == (
        "no slice has 40 scored documents beside those of another: score more evaluation documents"
    )
    alone = dict.fromkeys(documents, "sea")
    assert "no slice has 40" in read(losses_of(rng, documents), alone)[NAME].problem
    assert NAME not in read(losses_of(rng, documents), None)


def test_a_loss_that_is_not_finite_is_named(rng, documents, slices):
    losses = losses_of(rng, documents)
    losses.nll[3] = math.nan
    assert read(losses, slices)[NAME].problem == "1 of 120 losses are not finite (first: document 'd003')"


def test_a_fold_keeps_the_slice_of_each_document(rng, documents, slices):
    readings = read(losses_of(rng, documents), slices)
    fold = on_fold(readings, 1, Policy(rotate_folds=2))[NAME]
    assert 0 < len(fold.keys) < 120
    whole = dict(zip(readings[NAME].keys, readings[NAME].slices, strict=True))
    assert fold.slices == tuple(whole[key] for key in fold.keys)
    assert on_fold(readings, 1, Policy(rotate_folds=2))["perplexity"].slices == ()


def test_measure_takes_the_slices_of_the_wild_type(rng):
    words = np.array(["ship wave tide sailor", "judge jury plea oath", "barn mill meadow plough"])
    texts = [f"{text} {i}" for i, text in enumerate(rng.choice(words, 900))]
    wild_type = WildType.fit(texts, near_duplicate_threshold=1.0, evaluation_fraction=0.3, embedding_dim=4)
    reading = measure(wild_type, Evidence(losses=losses_of(rng, wild_type.evaluation.hashes)))[NAME]
    first = {text.split()[0]: name for text, name in zip(wild_type.evaluation, reading.slices, strict=True)}
    assert len(set(first.values())) == 3
    assert all(first[text.split()[0]] == name for text, name in zip(wild_type.evaluation, reading.slices, strict=True))


def test_samples_without_one_kind_teach_nothing_of_it(rng):
    kinds = {"sea": ["ship", "wave", "tide", "sailor"], "court": ["judge", "jury", "plea", "oath"]}
    written = {
        kind: [" ".join(rng.choice([*words, "the", "of", "and"], 20)) for _ in range(700)]
        for kind, words in kinds.items()
    }
    texts, of = [*written["sea"], *written["court"]], ["sea"] * 700 + ["court"] * 700
    wild_type = WildType.fit(texts, slices=of, near_duplicate_threshold=1.0, vocabulary_size=300, embedding_dim=4)
    only = {"worst_slice_reverse"}
    founder = measure(wild_type, Evidence(samples=texts[::4]), only=only)["worst_slice_reverse"]
    lost = Evidence(samples=written["sea"][::2])
    after = measure(wild_type, lost, only=only, budget=founder.budget)["worst_slice_reverse"]
    assert founder.slices == after.slices
    assert founder.keys == after.keys == wild_type.evaluation.hashes
    assert set(after.slices) == {"sea", "court"}
    assert after.value > founder.value + 1.0
    by_slice = {
        name: np.mean([x for x, one in zip(after.replicates, after.slices, strict=True) if one == name])
        for name in kinds
    }
    assert by_slice["court"] > by_slice["sea"] + 1.0
    for kind, openings in after.examples.items():
        assert len(openings) == 2
        assert all(any(text.startswith(one.removesuffix(" ...")) for text in written[kind]) for one in openings)


def test_losses_know_what_another_training_sample_does_to_what_tells_documents_apart(rng):
    """By the largest draws of the pool that differ: the spread over them, as if they were of fresh text."""
    kinds = rng.choice(["sea", "court"], 2000)
    wild_type = WildType.fit(written(rng, kinds), slices=kinds, near_duplicate_threshold=1.0, embedding_dim=4)
    tokens = np.array([len(ids) for ids in wild_type.encode(wild_type.evaluation.texts)])
    losses = Losses(documents=wild_type.evaluation.hashes, nll=3.0 * tokens, n_tokens=tokens)
    readings = measure(wild_type, Evidence(losses=losses))
    budget = max(size for size in BUDGETS if 2 * size <= pool_tokens(wild_type))
    draws = pool_refits(wild_type, budget)
    is_sea = np.array(readings[NAME].slices) == "sea"
    of_sea, of_court = (draws.nll[:, side].sum(axis=1) / tokens[side].sum() for side in (is_sea, ~is_sea))
    by_hand = math.sqrt(draws.inflation) * np.std(of_sea - of_court, ddof=1)
    assert readings[NAME].refits.by_slice == {"court": pytest.approx(by_hand), "sea": pytest.approx(by_hand)}
    rarity = rarity_of_each(wild_type)
    rare = np.array([rarity[document] for document in wild_type.evaluation.hashes])
    gaps = [tail_gap(nll, tokens, rare) for nll in draws.nll]
    assert readings["tail_gap"].refits.sd == pytest.approx(math.sqrt(draws.inflation) * np.std(gaps, ddof=1))
    assert readings["perplexity"].refits is None


TOPICS = {"sea": ["ship", "wave", "tide", "crew"], "court": ["judge", "plea", "jury", "oath"]}


def written(rng, kinds):
    shared = ["the", "of", "and", "with"]
    return [" ".join([*rng.choice([*TOPICS[kind], *shared], 16), str(i)]) for i, kind in enumerate(kinds)]


@pytest.fixture(scope="module")
def sliced():
    rng = np.random.default_rng(3)
    kinds = rng.choice(["sea", "court"], 800, p=[0.7, 0.3])
    documents = written(rng, kinds)
    return WildType.fit(documents, slices=kinds, near_duplicate_threshold=1.0, embedding_dim=4)


def test_real_samples_are_as_real_text_and_what_is_lacking_is_counted(rng, sliced):
    for p, n in ((0.7, 900), (0.95, 900)):
        samples = [text[:40] for text in written(rng, rng.choice(["sea", "court"], n, p=[p, 1 - p]))]
        coverage = slice_coverage(sliced, [*samples, "", " "])
        shares = {one.name: one for one in coverage.shares}
        assert coverage.n == n
        assert coverage.agreement > 0.9
        assert [one.documents for one in coverage.shares] == list(sliced.slices.sizes)
        assert shares["sea"].real == pytest.approx(0.7, abs=0.05)
        assert shares["sea"].samples == pytest.approx(p, abs=0.05)
        assert sum(one.samples for one in coverage.shares) == pytest.approx(1.0)


def test_token_ids_are_as_their_texts_and_nothing_is_made_of_nothing(rng, sliced):
    samples = written(rng, ["sea"] * 30 + ["court"] * 10)
    assert slice_coverage(sliced, sliced.encode(samples)) == slice_coverage(sliced, samples)
    assert slice_coverage(sliced, ["", " "]) is None
    assert slice_coverage(sliced, None) is None
    vectors = WildType.fit_arrays(rng.normal(size=(100, 2)))
    assert slice_coverage(vectors, rng.normal(size=(50, 2))) is None


def test_an_assessment_keeps_it_and_later_generations_do_without(rng, sliced):
    samples = written(rng, ["sea"] * 90)
    founder = assess(sliced, Evidence(samples=samples))
    assert founder.slices == slice_coverage(sliced, samples)
    assert Assessment.from_dict(founder.to_dict()).slices == founder.slices
    assert founder.abridged().slices is None


def test_a_margin_for_a_slice_that_the_wild_type_does_not_have_is_refused(rng, sliced):
    evidence = Evidence(samples=written(rng, ["sea"] * 90))
    founder = assess(sliced, evidence, policy=Policy(slices={"court": {"margin": 0.3}}))
    wrong = Policy(slices={"curt": {"margin": 0.3}})
    for decide in (lambda: assess(sliced, evidence, policy=wrong), lambda: replay([founder], wrong)):
        with pytest.raises(PolicyError, match=r"`slices` names `curt`, which is no slice .* did you mean `court`"):
            decide()
