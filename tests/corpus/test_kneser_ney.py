"""The small language model: against its definition, by hand, against what must hold of probabilities, and as NLTK's."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.corpus.kneser_ney import UNTOLD, KneserNey, Ngrams
from collapse_guard.errors import InputError
from slow_language_model import SlowKneserNey

V = 5
DOCUMENTS = st.lists(st.lists(st.integers(0, V - 1), max_size=9), max_size=6)


@st.composite
def settings(draw):
    order = draw(st.integers(1, 4))
    discounts = draw(st.lists(st.floats(0.05, 0.95), min_size=order, max_size=order))
    return {"vocabulary_size": V, "order": order, "discounts": tuple(discounts)}


@given(DOCUMENTS, DOCUMENTS, settings())
def test_it_is_the_definition(learnt, scored, setting):
    fast, slow = KneserNey.fit(learnt, **setting), SlowKneserNey(learnt, *setting.values())
    assert fast.nll(scored) == pytest.approx(slow.nll(scored), rel=1e-12)


@given(DOCUMENTS, st.lists(st.integers(0, V - 1), max_size=5), settings())
def test_the_probabilities_of_what_may_come_next_add_up_to_one(learnt, before, setting):
    model = KneserNey.fit(learnt, **setting)
    upto = float(model.nll([before])[0])
    after = model.nll([[*before, token] for token in range(V)])
    assert math.fsum(np.exp(upto - after)) == pytest.approx(1.0)


@given(DOCUMENTS, DOCUMENTS, settings(), st.randoms())
def test_the_order_of_documents_does_not_matter_to_a_single_bit(learnt, scored, setting, random):
    shuffled = random.sample(learnt, len(learnt))
    assert (
        KneserNey.fit(shuffled, **setting).nll(scored).tolist() == KneserNey.fit(learnt, **setting).nll(scored).tolist()
    )


def test_by_hand():
    """After "0 1 0 1": 0 stands behind two different things, 1 behind one; both discounts are a half."""
    model = KneserNey.fit([[0, 1, 0, 1]], vocabulary_size=3, order=2, discounts=(0.5, 0.5))
    zero, one = (1.5 + 0.5 * 2 / 3) / 3, (0.5 + 0.5 * 2 / 3) / 3
    first = (1 - 0.5 + 0.5 * zero) / 1
    then = (2 - 0.5 + 0.5 * one) / 2
    assert np.exp(-model.nll([[0], [0, 1]])) == pytest.approx([first, first * then])


def test_with_nothing_to_learn_from_all_tokens_are_alike():
    for nothing in ([], [[]]):
        model = KneserNey.fit(nothing, vocabulary_size=7)
        assert model.discounts == (UNTOLD,) * 3
        assert model.nll([[1, 2], [], [3]]) == pytest.approx([2 * math.log(7), 0.0, math.log(7)])


def test_discounts_are_those_of_what_is_counted_once_and_twice():
    """Tokens of one and two different ones before them, pairs of one occurrence and of two."""
    learnt = [[0, 1], [0, 1], [2, 1], [3, 4]]
    model = KneserNey.fit(learnt, vocabulary_size=5, order=2)
    # 0 1 twice, 2 1 and 3 4 once, "beginning 0" twice, "beginning 2" and "beginning 3" once: four once, two twice.
    # Before them: 0, 2, 3 and 4 follow one, 1 follows two.
    assert model.discounts == (4 / (4 + 2 * 1), 4 / (4 + 2 * 2))
    copies = KneserNey.fit(learnt * 3, vocabulary_size=5, order=2)
    assert copies.discounts[1] == UNTOLD  # nothing occurs once


def test_ngrams_that_are_numbered_once_serve_every_model():
    rng = np.random.default_rng(0)
    scored = [rng.integers(9, size=n) for n in (0, 1, 30)]
    ngrams = Ngrams.of(scored, vocabulary_size=9)
    for seed in range(3):
        model = KneserNey.fit([np.random.default_rng(seed).integers(9, size=200)], vocabulary_size=9)
        assert model.nll(ngrams).tolist() == model.nll(scored).tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sequences": [[0, 9]]}, "`sequences` must hold ids from 0 to 8, but got 9"),
        ({"sequences": [[0, -1]]}, "but got -1"),
        ({"discounts": (0.5, 0.5)}, "`discounts` must be 3 numbers from 0 to 1"),
        ({"discounts": (0.5, 0.5, 1.5)}, "`discounts` must be 3 numbers from 0 to 1"),
        ({"vocabulary_size": 0}, "`vocabulary_size` must be"),
        ({"order": 0}, "`order` must be"),
        ({"vocabulary_size": 2**21}, "`order` must be smaller for 2097152 tokens, but got 3"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        KneserNey.fit(**{"sequences": [[0]], "vocabulary_size": 9, **changes})
