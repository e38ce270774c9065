"""What probes are tried on: a small wild type of text, and a causal language model of its tokenizer."""

import numpy as np
import pytest
import torch
from torch import nn

from collapse_guard.wildtype import WildType

WORDS = [f"{onset}{vowel}{coda}" for onset in "bdgklmn" for vowel in "aeiou" for coda in "nrt"]


@pytest.fixture(scope="session")
def wild_type():
    rng = np.random.default_rng(0)
    documents = [" ".join(rng.choice(WORDS, rng.integers(5, 12))) for _ in range(250)]
    return WildType.fit(documents, vocabulary_size=300)


class Language(nn.Module):
    """A causal model, sure enough of itself that what comes before matters."""

    def __init__(self, vocabulary=300, width=8):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(vocabulary, width)
        self.gru, self.head = nn.GRU(width, width, batch_first=True), nn.Linear(width, vocabulary)

    def logits(self, ids):
        return self.head(self.gru(self.embedding(ids) * 4.0)[0]) * 4.0

    def forward(self, ids):
        return self.logits(ids)


@pytest.fixture
def language():
    """The class of the model, to be derived from."""
    return Language


@pytest.fixture
def model():
    return Language()
