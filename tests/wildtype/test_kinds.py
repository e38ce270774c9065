"""Kinds of documents by their words: shares as a library has them, steps that never make documents less likely."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from sklearn.naive_bayes import MultinomialNB

from collapse_guard.wildtype import kinds as module
from collapse_guard.wildtype.kinds import Kinds, known_words, presence_of, telling
from collapse_guard.wildtype.slices import Slices

WORDS = ("alpha", "beta", "gamma", "delta", "epsilon")
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join), min_size=4, max_size=30)


@settings(max_examples=20)
@given(TEXTS, st.integers(0, 5))
def test_shares_of_words_are_those_of_naive_bayes(texts, seed):
    labels = np.random.default_rng(seed).integers(2, size=len(texts))
    labels[:2] = (0, 1)
    presence = presence_of(texts, WORDS)
    kinds = Kinds.of(WORDS, presence, np.eye(2)[labels])
    library = MultinomialNB(alpha=0.1).fit(presence, labels)
    assert kinds.log_shares == pytest.approx(library.feature_log_prob_)
    assert np.exp(kinds.log_sizes) == pytest.approx((np.bincount(labels) + 1) / (len(labels) + 2))


@settings(max_examples=20)
@given(TEXTS)
def test_scores_are_the_definition_word_by_word(texts):
    kinds = Kinds.of(WORDS, presence_of(texts, WORDS), np.eye(2)[np.arange(len(texts)) % 2])
    scores = kinds.scores(presence_of(texts, WORDS))
    for text, row in zip(texts, scores, strict=True):
        for k in range(2):
            there = [kinds.log_shares[k, WORDS.index(word)] for word in set(text.split())]
            assert row[k] == pytest.approx(0.3 * math.fsum(there) + kinds.log_sizes[k])
    assert kinds.assign(texts).tolist() == [int(row.argmax()) for row in scores]


@settings(max_examples=20)
@given(TEXTS, st.integers(0, 3))
def test_a_step_of_the_search_makes_documents_hardly_less_likely(texts, seed):
    """Smoothing alone may take a little of what a step of expectation and maximisation gains."""
    presence = presence_of(texts, WORDS)
    kinds, before = Kinds.of(WORDS, presence, np.random.default_rng(seed).dirichlet([0.3, 0.3], len(texts))), -math.inf
    for _ in range(8):
        scores = kinds.scores(presence)
        each = logsumexp(scores, axis=1, keepdims=True)
        assert float(each.sum()) >= before - 0.5
        before = float(each.sum())
        kinds = Kinds.of(WORDS, presence, np.exp(scores - each))


def test_words_that_are_too_rare_or_too_common_are_left_out_and_the_commonest_kept(monkeypatch):
    texts = ["the old ship", "the old ship", "the ship", "the tide tide"] * 2 + ["the tide old"] * 3
    assert known_words(texts) == ("old", "ship", "the", "tide")
    assert known_words(texts, common=0.5) == ("tide",)
    monkeypatch.setattr(module, "MOST_WORDS", 2)
    assert known_words(texts) == ("old", "the")
    assert presence_of(["the tide, the tide!", "old"], ("old", "tide")).toarray().tolist() == [[0, 1], [1, 0]]


def test_a_kind_is_named_by_words_that_stand_in_many_of_its_documents_and_in_few_others():
    texts = ["ship wave the"] * 6 + ["ship the 1900"] * 4 + ["judge the"] * 9 + ["wave the"]
    words = known_words(texts)
    kind = np.array([0] * 10 + [1] * 10)
    assert telling(presence_of(texts, words), words, kind, 0, 3) == ["ship", "wave"]
    assert telling(presence_of(texts, words), words, kind, 1, 3) == ["judge"]


@pytest.mark.parametrize(
    "kinds",
    [
        ["天地玄黃宇宙洪荒", "日月盈昃辰宿列張", "寒來暑往秋收冬藏"],
        ["ราคาน้ำมัน", "ประเทศไทย", "ข้าวผัดกุ้ง"],
        ["def return import class", "select where group order", "margin padding border color"],
    ],
)
def test_kinds_are_found_in_scripts_without_spaces_and_in_code(kinds):
    rng = np.random.default_rng(0)
    of = rng.integers(3, size=600)
    parts = [kind.split() if " " in kind else list(kind) for kind in kinds]
    glue = " " if " " in kinds[0] else ""
    if "ราคา" in kinds[0]:
        texts = [kinds[k] * 2 + str(i) for i, k in enumerate(of)]
    else:
        texts = [glue.join(rng.choice(parts[k], 8)) + f" {i}" for i, k in enumerate(of)]
    slices = Slices.found(texts[:300], texts[300:], seed=0)
    assert len(slices.names) == 3
    assert len(set(zip(of[:300].tolist(), slices.of_evaluation.tolist(), strict=True))) == 3
    assert np.array_equal(slices.assign(texts[:300]), slices.of_evaluation)


def test_documents_that_are_all_alike_have_no_slices():
    texts = [f"the same words in each of them {i}" for i in range(600)]
    assert Slices.found(texts[:300], texts[300:], seed=0) is None
