"""A small world to train in: a language with rare words, a wild type of it, a language model, and scripted evidence."""

import math

import lightning.pytorch as lp
import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from collapse_guard.evidence import Evidence, Losses
from collapse_guard.lightning import CollapseGuard
from collapse_guard.store import MemoryStore
from collapse_guard.wildtype import WildType

WORDS = [f"{onset}{vowel}{coda}" for onset in "bdfgklmnprst" for vowel in "aeiou" for coda in "nrst"]


def language(n, seed=0):
    """Documents of 20 to 40 words whose frequencies follow Zipf's law."""
    rng = np.random.default_rng(seed)
    shares = 1.0 / np.arange(1, len(WORDS) + 1)
    return [" ".join(rng.choice(WORDS, rng.integers(20, 41), p=shares / shares.sum())) for _ in range(n)]


@pytest.fixture(autouse=True)
def small(page, one_thread):
    """Trainings here are shorter than what is drawn or started beside them."""


@pytest.fixture(scope="session")
def wild_type():
    return WildType.fit(language(600), seed=0, vocabulary_size=400, group_tokens=256, evaluation_fraction=0.3)


@pytest.fixture
def store():
    return MemoryStore()


def tiny_model(namespace):
    class TinyLanguageModel(namespace.LightningModule):
        """A GRU with dropout and a frozen-in-eval part; `losses` are those of training."""

        def __init__(self, vocabulary_size=400):
            super().__init__()
            self.embedding = nn.Embedding(vocabulary_size, 16)
            self.gru = nn.GRU(16, 32, batch_first=True)
            self.dropout = nn.Dropout(0.2)
            self.head = nn.Linear(32, vocabulary_size)
            self.losses = []

        def forward(self, ids):
            return self.head(self.dropout(self.gru(self.embedding(ids))[0]))

        def training_step(self, batch, batch_index):
            loss = nn.functional.cross_entropy(self(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
            self.losses.append(loss.item())
            return loss

        def validation_step(self, batch, batch_index):
            pass

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=1e-2)

    return TinyLanguageModel


@pytest.fixture(params=[pl, lp], ids=["pytorch_lightning", "lightning.pytorch"])
def namespace(request):
    return request.param


@pytest.fixture
def model():
    torch.manual_seed(0)
    return tiny_model(pl)()


@pytest.fixture
def model_of():
    return lambda namespace: tiny_model(namespace)()


@pytest.fixture
def trainer_of(tmp_path):
    """A quiet trainer; two epochs unless told otherwise."""

    def make(*callbacks, namespace=pl, **settings):
        quiet = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu", "devices": 1}
        usual = {"max_epochs": 2, "logger": False, "enable_checkpointing": False, "default_root_dir": tmp_path}
        return namespace.Trainer(callbacks=list(callbacks), **{**quiet, **usual, **settings})

    return make


@pytest.fixture
def encode(wild_type):
    """A text to 17 ids, BOS first."""

    def to_tensor(text):
        ids = wild_type.tokenizer.encode(text).ids[:16]
        return torch.tensor([0, *ids, *[1] * (16 - len(ids))])

    return to_tensor


@pytest.fixture
def loader(wild_type, encode):
    """A shuffled loader that draws from the global generator."""
    items = [encode(text) for text in wild_type.pool[:64]]
    return torch.utils.data.DataLoader(items, batch_size=16, shuffle=True)


RATES = {"healthy": 5.0, "watch": 5.088, "collapsed": 8.0, "undecided": math.nan}
"""Nats per token that give these verdicts after a healthy founder: exp(0.088) is past watch and within the margin."""


class Scripted:
    """A probe that returns the losses of the verdicts named, call by call. Counts what it was asked."""

    def __init__(self, *verdicts):
        self.verdicts, self.calls = verdicts, []

    def collect(self, module, wild_type, *, seed, rank, world_size):
        rate = RATES[self.verdicts[min(len(self.calls), len(self.verdicts) - 1)]]
        self.calls.append({"seed": seed, "rank": rank, "world_size": world_size, "training": module.training})
        documents = wild_type.evaluation.hashes
        hardness = np.random.default_rng(5).normal(0.0, 0.3, len(documents))
        own = np.random.default_rng(seed).normal(0.0, 0.005, len(documents))
        tokens = np.full(len(documents), 30)
        return Evidence(losses=Losses(documents=documents, nll=(rate + hardness + own) * tokens, n_tokens=tokens))


@pytest.fixture
def scripted():
    return Scripted


@pytest.fixture
def guard(wild_type, store, scripted):
    """A guard without actions whose evidence gives the verdicts named; it founds its lineage where there is none."""

    def make(*verdicts, lineage="newsbot", **settings):
        index = None if store.has(lineage) else 0
        usual = {"wild_type": wild_type, "store": store, "actions": (), "generation": index}
        return CollapseGuard(lineage=lineage, probe=scripted(*verdicts), **{**usual, **settings})

    return make


@pytest.fixture
def fit(trainer_of, model, loader):
    """Train with the callbacks given; returns the trainer."""

    def run(*callbacks, data=loader, ckpt_path=None, validate=False, **settings):
        trainer = trainer_of(*callbacks, **settings)
        trainer.fit(model, data, data if validate else None, ckpt_path=ckpt_path)
        return trainer

    return run


@pytest.fixture
def founder(fit, guard, model):
    """A lineage with a healthy founder."""
    fit(guard("healthy"), max_epochs=1)
    model.losses.clear()
