"""The text world: the model against plain counting, the lineages against the laws, the texts against the numbers."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from collapse_guard.corpus.lexicon import words
from collapse_guard.errors import InputError
from collapse_guard.worlds import Workflow, zipf_text
from collapse_guard.worlds.word_model import FLOOR, WordModel
from collapse_guard.worlds.wright_fisher import expected_types, zipf
from collapse_guard.worlds.zipf_text import as_texts, word

ALL = [
    Workflow(),
    Workflow(name="accumulate"),
    Workflow(name="accumulate_subsample"),
    Workflow(name="mix", real_share=0.2),
    Workflow(name="fresh"),
]
SMALL = {"vocabulary": 20, "documents": 6, "length": 5, "scored": 5}


@pytest.mark.slow
@pytest.mark.parametrize("workflow", ALL, ids=str)
@pytest.mark.parametrize("context", [0.0, 0.6])
def test_the_simulation_obeys_every_exact_law(agrees, workflow, context):
    """Documents of few words, so that their common origin under `mix` shows; ten cases, 1e-5 false failures in all."""
    lineages = 300 if context else 2000  # context is slow, and little of it has a law
    found = zipf_text.simulate(**SMALL, context=context, workflow=workflow, generations=4, lineages=lineages, seed=2)
    kept, loss, fixation = found.observables
    assert loss.expected is None
    name = workflow.name
    assert (fixation.expected is None) == (name == "accumulate_subsample" or (context > 0 and name != "fresh"))
    assert (kept.expected is None) == (
        name in ("mix", "accumulate_subsample") or (context > 0 and name not in ("fresh", "accumulate"))
    )
    for seen in (kept, fixation):
        if seen.expected is not None and not seen.is_limit:
            assert agrees(seen.values, seen.expected), seen.name


def test_words_of_a_document_have_one_origin(agrees):
    """Two documents of ten words: half of all pairs are of one document."""
    shape = {"vocabulary": 20, "documents": 2, "length": 10, "scored": 1}
    found = zipf_text.simulate(**shape, workflow=ALL[3], generations=5, lineages=2000, seed=5)
    assert agrees(found.fixation_index, found.observables[2].expected)


def test_the_founder_keeps_the_words_that_rarefaction_expects(agrees):
    found = zipf_text.simulate(vocabulary=500, documents=20, length=30, generations=1, lineages=1000, seed=4)
    assert agrees(found.words_known[:, :1], np.array([expected_types(zipf(500), samples=600)]))


def test_words_follow_zipf_and_a_document_is_as_long_as_was_asked():
    """Chi-squared at 1e-6 over 20 words of 200,000."""
    found = zipf_text.simulate(vocabulary=20, documents=10, length=5, scored=40_000, lineages=1, generations=0, seed=1)
    assert found.held_out.shape == (40_000, 5)
    counts = np.bincount(found.held_out.ravel(), minlength=20)
    assert stats.chisquare(counts, 200_000 * zipf(20)).pvalue > 1e-6


def scored_by_counting(training, document, vocabulary, context):
    """Nats of each word by dictionaries."""
    once, pairs, heads = Counter(), Counter(), Counter()
    for row in training:
        once.update(row)
        pairs.update(pairwise(row))
        heads.update(row[:-1])
    nats = []
    for place, now in enumerate(document):
        share = once[now] / once.total()
        before = document[place - 1] if place else None
        if place and heads[before]:
            share = context * pairs[before, now] / heads[before] + (1 - context) * share
        nats.append(-np.log((1 - FLOOR) * share + FLOOR / vocabulary))
    return nats


@settings(max_examples=60)
@given(data=st.data(), context=st.sampled_from([0.0, 0.3, 1.0]))
def test_a_score_is_what_counting_says(data, context):
    row = st.lists(st.integers(0, 5), min_size=4, max_size=4)
    training = np.array(data.draw(st.lists(row, min_size=1, max_size=5)))
    document = data.draw(row)
    model = WordModel.fit(training, vocabulary=6, context=context)
    expected = scored_by_counting(training.tolist(), document, 6, context)
    np.testing.assert_allclose(model.nats(np.array([document]))[0], expected)


@pytest.mark.parametrize("context", [0.0, 0.5, 1.0])
def test_the_scores_of_all_words_sum_to_one(context):
    model = WordModel.fit(np.array([[0, 1, 2, 0], [2, 2, 3, 4]]), vocabulary=6, context=context)
    for before in range(6):
        row = np.exp(-model.nats(np.array([[before, after] for after in range(6)])))
        assert row[:, 1].sum() == pytest.approx(1.0)


@pytest.mark.parametrize("context", [0.0, 0.5, 1.0])
def test_what_is_written_has_the_frequencies_that_are_scored(context):
    """The first two words of 60,000 documents, by chi-squared at 1e-6; the score less its floor is the model."""
    training = np.array([[0, 1, 2, 0], [2, 2, 3, 4]])
    model = WordModel.fit(training, vocabulary=6, context=context)
    written = model.write(np.random.default_rng(0), documents=60_000, length=2)
    every = np.array([[a, b] for a in range(6) for b in range(6)])
    shares = ((np.exp(-model.nats(every)) - FLOOR / 6) / (1 - FLOOR)).clip(min=0.0).prod(axis=1)
    counts = np.bincount(written @ np.array([6, 1]), minlength=36)
    possible = shares > 1e-12
    assert counts[~possible].sum() == 0
    assert stats.chisquare(counts[possible], 60_000 * shares[possible]).pvalue > 1e-6


def test_with_context_only_pairs_of_the_training_text_are_written():
    training = np.array([[0, 1, 2, 3], [3, 1, 0, 2]])  # every word has a successor
    model = WordModel.fit(training, vocabulary=4, context=1.0)
    written = model.write(np.random.default_rng(1), documents=50, length=6)
    seen = {(a, b) for row in training.tolist() for a, b in pairwise(row)}
    assert {(a, b) for row in written.tolist() for a, b in pairwise(row)} <= seen


def test_each_word_has_a_name_of_its_own_which_is_one_word():
    names = [word(number) for number in range(10_000)]
    assert len(set(names)) == 10_000
    assert words(" ".join(names)) == names


def test_texts_and_losses_are_those_of_the_numbers():
    found = zipf_text.simulate(**SMALL, generations=2, lineages=3, kept=2, seed=0)
    texts = found.texts(1, 2)
    assert [words(text) for text in texts] == [[word(n) for n in row] for row in found.written[1, 2].tolist()]
    assert found.losses(1, 2).tolist() == found.nats[1, 2].sum(axis=1).tolist()
    assert found.losses(1, 2).sum() / 25 == pytest.approx(found.loss[1, 2])
    known = {name for text in texts for name in words(text)}
    assert len(known) <= found.words_known[1, 2]
    assert as_texts(np.array([[0, 70]])) == ["baba beba"]


def test_a_lineage_is_the_same_whatever_else_is_simulated_or_kept():
    few = zipf_text.simulate(**SMALL, generations=2, lineages=2, kept=0, seed=7)
    many = zipf_text.simulate(**SMALL, generations=2, lineages=5, kept=5, seed=7)
    np.testing.assert_array_equal(few.loss, many.loss[:2])
    assert len(np.unique(many.homozygosity[:, 2])) > 1


def test_losses_grow_where_real_data_are_replaced_and_stay_where_they_are_fresh():
    loss = {w.name: zipf_text.simulate(workflow=w, generations=8, lineages=4, seed=3).loss.mean(axis=0) for w in ALL}
    assert (np.diff(loss["replace"]) > 0).all()
    assert abs(loss["fresh"][8] - loss["fresh"][0]) < 0.02
    assert loss["fresh"][8] < loss["accumulate"][8] < loss["accumulate_subsample"][8] < loss["replace"][8]
    assert loss["fresh"][8] < loss["mix"][8] < loss["replace"][8]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocabulary": 1}, "`vocabulary` must be a whole number of at least 2"),
        ({"documents": 0}, "`documents` must be a whole number of at least 1"),
        ({"length": 1}, "`length` must be a whole number of at least 2"),
        ({"scored": 0}, "`scored` must be a whole number of at least 1"),
        ({"context": 1.5}, "`context` must be a share"),
        ({"exponent": 0.0}, "`exponent` must be a finite number above 0"),
        ({"kept": 3, "lineages": 2}, "`kept` must be at most `lineages` = 2"),
    ],
)
def test_arguments_that_are_none_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        zipf_text.simulate(**arguments)


def test_texts_that_were_not_kept_are_asked_for_by_name():
    found = zipf_text.simulate(**SMALL, generations=0, lineages=2, kept=1)
    with pytest.raises(InputError, match="`lineage` must be one of the 1 whose texts were kept, but got 1"):
        found.texts(1, 0)
