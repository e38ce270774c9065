"""What a probe says that a measurement takes is what it takes."""

import pytest
import torch
from torch import nn

from collapse_guard import CausalLMProbe, WildType
from collapse_guard.probes import cost as costs
from collapse_guard.probes.cost import Cost

N_WORDS = 20
"""In each document, so that all of them take as long."""


class Timed(nn.Module):
    """Logits that are the same for all ids; each id of a forward takes a second."""

    def __init__(self, vocabulary, clock):
        super().__init__()
        self.logits, self.clock = nn.Parameter(torch.zeros(vocabulary)), clock

    def forward(self, ids):
        self.clock[0] += ids.numel()
        return self.logits.expand(*ids.shape, -1)


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(costs, "clock", lambda: now[0])
    return now


@pytest.fixture(scope="module")
def wild_type():
    rng = torch.Generator().manual_seed(0)
    letters = "abcdefghij"
    words = [f"{a}{b}" for a in letters for b in letters]
    texts = [" ".join(words[i] for i in torch.randint(100, (N_WORDS,), generator=rng)) for _ in range(200)]
    return WildType.fit(texts, evaluation_fraction=0.4, group_tokens=64, group_samples=8)


def by_words(text):
    return [hash_of(word) for word in text.split()]


def hash_of(word):
    return 1 + ord(word[0]) % 32 * 32 + ord(word[1]) % 32


def probe_of(**settings):
    usual = {
        "n_samples": 64,
        "max_new_tokens": 8,
        "batch_size": 16,
        "bos_token_id": 0,
        "decode": lambda ids: "ab " * len(ids),
    }
    return CausalLMProbe(by_words, **{**usual, **settings})


@pytest.mark.parametrize("settings", [{}, {"score_samples": False}, {"n_documents": 32}, {"n_documents": 0}])
def test_of_documents_and_samples_is_what_collecting_them_takes(wild_type, clock, settings):
    probe, module, cost = probe_of(**settings), Timed(1100, clock), Cost()
    price = probe.price(module, wild_type)
    with cost.of("collecting"):
        probe.collect(module, wild_type, seed=1)
    assert price.once + probe.n_samples * price.sample == pytest.approx(cost.total.seconds, rel=1e-9)
    assert price.affordable(cost.total.seconds + 1e-3) == probe.n_samples


def test_leaves_the_probe_as_it_was(wild_type, clock):
    probe = probe_of(n_documents=40)
    probe.price(Timed(1100, clock), wild_type)
    assert (probe.n_samples, probe.n_documents) == (64, 40)
    fewer = probe.with_samples(5)
    assert (fewer.n_samples, fewer.n_documents, probe.n_samples) == (5, 40, 64)
    assert len(fewer.collect(Timed(1100, clock), wild_type, seed=1).samples) == 5


def test_the_fewest_samples_fill_twice_the_groups_that_decide(wild_type):
    needed = 2 * 5 * 64
    tokens = sum(map(len, wild_type.encode(wild_type.evaluation.texts))) / (len(wild_type.evaluation) * N_WORDS)
    assert probe_of().fewest(wild_type, decides=["distinct_2"]) == pytest.approx(needed / (8 * tokens), abs=1)
    assert probe_of(max_new_tokens=99).fewest(wild_type, decides=["distinct_2"]) == pytest.approx(
        max(needed / (N_WORDS * tokens), 2), abs=1
    )
    assert probe_of().fewest(wild_type, decides=["rare_coverage"]) == needed / 8  # an id is a word
    assert probe_of().fewest(wild_type, decides=["vendi"]) == 2 * 5 * 8
    assert probe_of().fewest(wild_type, decides=["perplexity"]) == 2
