"""Oracles: the slow definition, one token at a time, and closed forms."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from collapse_guard.probes.scoring import Document, score

BOS = 0


class Causal(nn.Module):
    """Every logit depends on the whole prefix, in double precision: two ways to the same number agree to rounding."""

    def __init__(self, wrap=lambda logits: logits):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(20, 6, dtype=torch.float64)
        self.gru = nn.GRU(6, 10, batch_first=True, dtype=torch.float64)
        self.head = nn.Linear(10, 20, dtype=torch.float64)
        self.wrap, self.shapes = wrap, []

    def forward(self, ids):
        self.shapes.append(tuple(ids.shape))
        return self.wrap(self.head(self.gru(self.embedding(ids))[0]))


def documents(*lengths):
    rng = np.random.default_rng(1)
    tokens = [rng.integers(1, 20, length).tolist() for length in lengths]
    return [Document(id=str(number), tokens=ids, n_bytes=3 * len(ids)) for number, ids in enumerate(tokens)]


def slowly(module, tokens, max_length):
    """Nats of each token: the definition, with a forward of its own for each."""
    nats = []
    for place, token in enumerate(tokens):
        start = place // max_length * max_length
        before = [BOS] if start == 0 else [tokens[start - 1]]
        prefix = torch.tensor([[*before, *tokens[start:place]]])
        nats.append(-module(prefix)[0, -1].log_softmax(-1)[token].item())
    return nats


@torch.no_grad()
@pytest.mark.parametrize("max_length", [1, 3, 8, 100])
def test_each_token_is_scored_once_under_what_comes_before_it_in_its_window(max_length):
    module, texts = Causal(), documents(7, 1, 16, 8)
    losses = score(module, texts, bos=BOS, max_length=max_length, batch_size=3)
    for text, token_nll, nll in zip(texts, losses.token_nll, losses.nll, strict=True):
        expected = slowly(module, text.tokens, max_length)
        assert token_nll.tolist() == pytest.approx(expected, abs=1e-9)
        assert nll == pytest.approx(math.fsum(expected), abs=1e-9)
    assert losses.documents == ("0", "1", "2", "3")
    assert losses.n_tokens.tolist() == [7, 1, 16, 8]
    assert losses.n_bytes.tolist() == [21, 3, 48, 24]


@torch.no_grad()
@pytest.mark.parametrize("max_length", [1, 3, 8, 100])
def test_entropies_are_of_the_distributions_that_the_tokens_are_scored_by(max_length):
    module, texts = Causal(), documents(7, 1, 16, 8)
    found = score(module, texts, bos=BOS, max_length=max_length, batch_size=3).entropy
    for text, entropy in zip(texts, found, strict=True):
        expected = 0.0
        for start in range(0, len(text.tokens), max_length):
            window = [text.tokens[start - 1] if start else BOS, *text.tokens[start : start + max_length]]
            expected += torch.distributions.Categorical(logits=module(torch.tensor([window[:-1]]))).entropy().sum()
        assert entropy == pytest.approx(expected.item(), abs=1e-9)


@torch.no_grad()
def test_losses_and_entropies_take_one_forward():
    module = Causal()
    score(module, documents(9, 1), bos=BOS, max_length=10, batch_size=2)
    assert len(module.shapes) == 1


@torch.no_grad()
@pytest.mark.parametrize("max_length", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("given", [0, 1, 4, 6])
def test_a_prompt_is_read_and_not_scored(given, max_length):
    """The same as the end of a document that begins with the prompt, also where windows cut through either."""
    module, texts = Causal(), documents(7, 12, 8)
    whole = score(module, texts, bos=BOS, max_length=max_length, batch_size=2)
    ends = [Document(id=t.id, prompt=t.tokens[:given], tokens=t.tokens[given:], n_bytes=t.n_bytes) for t in texts]
    found = score(module, ends, bos=BOS, max_length=max_length, batch_size=2)
    for nats, of_all in zip(found.token_nll, whole.token_nll, strict=True):
        assert nats.tolist() == pytest.approx(of_all[given:].tolist(), abs=1e-9)
    assert found.n_tokens.tolist() == [7 - given, 12 - given, 8 - given]


@torch.no_grad()
def test_windows_of_prompt_alone_cost_no_forward():
    module = Causal()
    score(module, [Document(id="0", prompt=[1] * 9, tokens=[2], n_bytes=1)], bos=BOS, max_length=3, batch_size=1)
    assert module.shapes == [(1, 1)]


@torch.no_grad()
def test_neither_batch_size_nor_neighbours_matter():
    texts = documents(5, 40, 1, 13, 13, 2, 29)
    alone = score(Causal(), texts, bos=BOS, max_length=16, batch_size=1)
    for batch_size in (2, 3, 64):
        together = score(Causal(), texts, bos=BOS, max_length=16, batch_size=batch_size)
        np.testing.assert_allclose(together.nll, alone.nll, rtol=1e-12)
        np.testing.assert_allclose(together.entropy, alone.entropy, rtol=1e-12)


@torch.no_grad()
def test_windows_of_like_length_share_a_batch_and_the_longest_come_first():
    module = Causal()
    score(module, documents(9, 1, 9, 1, 20), bos=BOS, max_length=10, batch_size=2)
    assert module.shapes == [(2, 10), (2, 9), (2, 1)]


@torch.no_grad()
def test_a_uniform_model_costs_ln_v_nats_per_token():
    class Uniform(nn.Module):
        def forward(self, ids):
            return torch.zeros(*ids.shape, 50)

    losses = score(Uniform(), documents(4, 7), bos=BOS, max_length=5, batch_size=2)
    assert losses.nll.tolist() == pytest.approx([4 * math.log(50), 7 * math.log(50)])


@torch.no_grad()
def test_a_model_of_nan_has_losses_of_nan():
    class Broken(nn.Module):
        def forward(self, ids):
            return torch.full((*ids.shape, 20), math.nan)

    assert np.isnan(score(Broken(), documents(4, 7), bos=BOS, max_length=5, batch_size=2).nll).all()


@torch.no_grad()
def test_half_precision_logits_are_summed_in_double():
    module, texts = Causal(wrap=lambda logits: logits.half()), documents(4000)
    nll = score(module, texts, bos=BOS, max_length=4000, batch_size=1).nll[0]
    exact = score(Causal(), texts, bos=BOS, max_length=4000, batch_size=1).nll[0]
    assert nll == pytest.approx(exact, rel=1e-5)


def test_no_documents_have_no_losses():
    assert len(score(Causal(), [], bos=BOS, max_length=5, batch_size=2)) == 0
