"""The neural model of the scored detector: against one document and one token at a time, by the network itself."""

import importlib
import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))

gru, passages = (importlib.import_module(f"detecting.{name}") for name in ("gru", "passages"))
V = 30


@pytest.fixture(scope="module")
def documents():
    rng = np.random.default_rng(1)
    steps = [rng.geometric(0.15, size=rng.integers(1, 25)) for _ in range(300)]
    return passages.Passages.of([2 + np.cumsum(one) % (V - 2) for one in steps])


@pytest.fixture(scope="module")
def gru_model(documents):
    return gru.GruModel.fit(documents, vocabulary_size=V, tokens=10, presented=900, rng=np.random.default_rng(2))


def following(gru_model, tokens):
    """p(w | BOS, tokens), by the network, without special tokens."""
    with torch.no_grad():
        logits = gru_model.module(torch.tensor([[0, *tokens]]))[0, -1].double()
    return np.concatenate([[0.0, 0.0], torch.softmax(logits[2:], dim=0).numpy()])


def test_scores_are_those_of_one_document_and_token_at_a_time(gru_model, documents):
    some = documents[np.array([0, 7, 3])]
    texts = [some.tokens[a:b].tolist() for a, b in itertools.pairwise(some.starts)]
    expected = [-sum(math.log(following(gru_model, text[:i])[text[i]]) for i in range(len(text))) for text in texts]
    np.testing.assert_allclose(gru_model.nll(some), expected, rtol=1e-4)


@pytest.mark.parametrize(("temperature", "top_k"), [(1.0, None), (0.7, None), (1.0, 5)])
def test_what_is_written_has_the_frequencies_of_the_network(gru_model, temperature, top_k):
    n, rng = 20_000, np.random.default_rng(4)
    starts = np.tile([0, 4, 9], (n, 1))
    drawn = gru_model.write(starts, 1, temperature=temperature, top_k=top_k, rng=rng)[:, 0]
    expected = following(gru_model, [4, 9]) ** (1 / temperature)
    expected = np.where(expected >= np.sort(expected)[-(top_k or V - 2)], expected, 0.0)
    found, some = np.bincount(drawn, minlength=V), expected > 0
    assert found[~some].sum() == 0
    assert chisquare(found[some], n * expected[some] / expected.sum()).pvalue > 1e-5


def test_it_learns_and_another_seed_gives_another_model(gru_model, documents):
    assert gru_model.nll(documents).sum() / documents.lengths.sum() < 0.9 * math.log(V - 2)
    fit = {"vocabulary_size": V, "tokens": 10, "presented": 60}
    first, again, other = (
        gru.GruModel.fit(documents, **fit, rng=np.random.default_rng(seed)).nll(documents[np.arange(9)])
        for seed in (1, 1, 3)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_training_shows_a_number_of_documents_whatever_there_are(documents, monkeypatch):
    shown = []
    monkeypatch.setattr(gru, "_train", lambda module, batches: shown.extend(batches))
    fit = {"vocabulary_size": V, "tokens": 4, "rng": np.random.default_rng(5)}
    for n, presented in ((300, 450), (10, 450)):
        shown.clear()
        gru.GruModel.fit(documents[np.arange(n)], presented=presented, **fit)
        assert sum(map(len, shown)) == presented
        assert {rows.shape[1] for rows in shown} == {5}


def test_another_seed_begins_with_other_weights(documents, monkeypatch):
    monkeypatch.setattr(gru, "_train", lambda module, batches: None)
    fit = {"vocabulary_size": V, "tokens": 4, "presented": 32}
    first, other = (gru.GruModel.fit(documents, rng=np.random.default_rng(seed), **fit).module for seed in (1, 2))
    assert not torch.equal(first.embedding.weight, other.embedding.weight)
