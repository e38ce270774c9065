"""Every probe keeps the contract, on a module that knows no trainer."""

import functools
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from collapse_guard.probes import CausalLMProbe, EmbeddingProbe
from collapse_guard.testing import ProbeContract
from collapse_guard.wildtype import WildType

WORDS = [f"{onset}{vowel}{coda}" for onset in "bdgkmn" for vowel in "aeiou" for coda in "nrs"]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Modules this small are many times faster on one thread."""
    torch.set_num_threads(1)


@functools.cache
def texts():
    rng = np.random.default_rng(0)
    shares = 1.0 / np.arange(1, len(WORDS) + 1)
    documents = [" ".join(rng.choice(WORDS, rng.integers(10, 30), p=shares / shares.sum())) for _ in range(300)]
    return WildType.fit(documents, seed=0, vocabulary_size=300, group_tokens=64, evaluation_fraction=0.3)


@functools.cache
def vectors():
    return WildType.fit_arrays(np.random.default_rng(0).normal(size=(500, 3)))


class LanguageModel(nn.Module):
    def __init__(self, size=300):
        super().__init__()
        self.embedding, self.gru = nn.Embedding(size, 8), nn.GRU(8, 16, batch_first=True)
        self.dropout, self.head = nn.Dropout(0.5), nn.Linear(16, size)

    def forward(self, ids):
        return self.head(self.dropout(self.gru(self.embedding(ids))[0]))


class TestCausalLMProbe(ProbeContract):
    settings: ClassVar = {"n_samples": 10, "max_new_tokens": 6, "batch_size": 4, "n_documents": 9}

    def make_probe(self):
        return CausalLMProbe(texts().tokenizer, **self.settings)

    def make_module(self):
        return LanguageModel()

    def make_wild_type(self):
        return texts()


class TestCausalLMProbeWithFounder(TestCausalLMProbe):
    def make_probe(self):
        founder = LanguageModel()
        return CausalLMProbe(texts().tokenizer, founder=founder, prompts=["ban ben", "nas"], **self.settings)


class TestEmbeddingProbe(ProbeContract):
    tolerance = 0.0  # whoever draws a batch, it is the same batch

    def make_probe(self):
        return EmbeddingProbe(lambda module, n, g: module(torch.randn(n, 2, generator=g)), n_samples=10, batch_size=4)

    def make_module(self):
        return nn.Sequential(nn.Linear(2, 3), nn.Dropout(), nn.Linear(3, 3))

    def make_wild_type(self):
        return vectors()
