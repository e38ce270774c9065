"""A small world to train in with Hugging Face's `Trainer`, and scripted evidence."""

import numpy as np
import pytest
import torch
from transformers import DataCollatorForLanguageModeling, Trainer, TrainingArguments

from collapse_guard.evidence import Evidence, Losses
from collapse_guard.probes import CausalLMProbe
from collapse_guard.store import MemoryStore
from collapse_guard.transformers import CollapseGuardCallback
from small_world import short_collections as short_collections
from small_world import small as small
from small_world import store as store
from small_world import tokenizer as tokenizer
from small_world import wild_type as wild_type
from tiny_models import gpt2, gpt2_items


@pytest.fixture(scope="session")
def founded(wild_type):
    """A healthy founder, as a training records it."""
    store = MemoryStore()
    guard = CollapseGuardCallback(wild_type, "newsbot", Scripted("healthy"), generation=0, store=store, actions=())
    guard.assess(torch.nn.Linear(2, 2))
    return store.latest("newsbot")


@pytest.fixture
def model(tokenizer):
    return gpt2(tokenizer)


@pytest.fixture(scope="session")
def items(wild_type, tokenizer):
    return gpt2_items(wild_type.pool, tokenizer)


@pytest.fixture
def trainer_of(tmp_path, tokenizer, items):
    """A quiet trainer of `items`; 8 steps unless told otherwise."""

    def make(model, *callbacks, data=items, kind=Trainer, evaluation=None, **settings):
        quiet = {"disable_tqdm": True, "report_to": "none", "use_cpu": True, "logging_steps": 4}
        usual = {"max_steps": 8, "per_device_train_batch_size": 8, "save_strategy": "no", "learning_rate": 1e-2}
        return kind(
            model=model,
            args=TrainingArguments(output_dir=str(tmp_path / "out"), **{**quiet, **usual, **settings}),
            train_dataset=data,
            eval_dataset=evaluation,
            data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False),
            processing_class=tokenizer,
            callbacks=list(callbacks),
        )

    return make


@pytest.fixture
def guard(wild_type, tokenizer, store):
    """A guard whose measurement is small; it founds its lineage where there is none."""

    def make(lineage="newsbot", **settings):
        index = None if store.has(lineage) else 0
        probe = CausalLMProbe(tokenizer, n_samples=80, max_new_tokens=12, max_length=64, batch_size=80)
        usual = {"probe": probe, "store": store, "actions": (), "generation": index}
        return CollapseGuardCallback(wild_type, lineage, **{**usual, **settings})

    return make


RATES = {"healthy": 5.0, "watch": 5.088, "collapsed": 8.0}
"""Nats per token that give these verdicts after a healthy founder: exp(0.088) is past watch and within the margin."""


class Scripted:
    """A probe that returns the losses of the verdicts named, call by call; keeps what it was asked."""

    def __init__(self, *verdicts):
        self.verdicts, self.modules = verdicts, []

    def collect(self, module, wild_type, *, seed, rank, world_size):
        rate = RATES[self.verdicts[min(len(self.modules), len(self.verdicts) - 1)]]
        self.modules.append({name: weight.clone() for name, weight in module.state_dict().items()})
        documents = wild_type.evaluation.hashes
        hardness = np.random.default_rng(5).normal(0.0, 0.3, len(documents))
        own = np.random.default_rng(seed).normal(0.0, 0.005, len(documents))
        tokens = np.full(len(documents), 30)
        return Evidence(losses=Losses(documents=documents, nll=(rate + hardness + own) * tokens, n_tokens=tokens))


@pytest.fixture
def scripted(guard):
    """A guard whose evidence gives the verdicts named."""
    return lambda *verdicts, **settings: guard(**{"probe": Scripted(*verdicts), **settings})


@pytest.fixture
def founder(store, founded):
    """A lineage with a healthy founder."""
    store.append(founded)
