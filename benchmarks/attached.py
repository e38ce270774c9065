"""The guard's cost: the training of `examples/add_the_callback.py` with the guard and without it."""

from __future__ import annotations

import logging
import runpy
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

import workloads
from collapse_guard import CausalLMProbe, CollapseGuard, WildType
from collapse_guard.store import MemoryStore

EXAMPLE = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "add_the_callback.py"), run_name="example")
WORDS, TOKENS, BATCH, EPOCHS, SAMPLES = 20, 32, 32, 2, 400
"""As in the example."""


class Setting(NamedTuple):
    """A wild type, and the passages of its pool as windows: BOS and TOKENS tokens, or pads."""

    wild_type: WildType
    windows: list[torch.Tensor]


def setting(n: int) -> Setting:
    """Of n passages."""
    wild_type = WildType.fit(workloads.documents(n, WORDS).texts, seed=0, group_tokens=1024, group_samples=64)
    encoded = wild_type.encode(list(wild_type.pool))
    return Setting(wild_type, [torch.tensor(([0, *ids] + [1] * (TOKENS + 1))[: TOKENS + 1]) for ids in encoded])


def guarded(given: Setting) -> list[float]:
    """The loss of each step of a founder that is measured at its end; its verdict is kept in memory."""
    probe = CausalLMProbe(tokenizer=given.wild_type.tokenizer, n_samples=SAMPLES, max_new_tokens=TOKENS)
    kept = {"store": MemoryStore(), "lineage": "newsbot", "generation": 0}
    guard = CollapseGuard(wild_type=given.wild_type, probe=probe, actions=(), **kept)
    return _train(given, guard)


class _Watching(CollapseGuard):
    """Plans, and looks at each step, but neither rehearses nor measures."""

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        pass

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        pass


def watched(given: Setting) -> list[float]:
    """The loss of each step with a guard that watches the training and measures nothing."""
    probe = CausalLMProbe(tokenizer=given.wild_type.tokenizer)
    return _train(given, _Watching(given.wild_type, "newsbot", probe, generation=0, store=MemoryStore()))


def alone(given: Setting) -> list[float]:
    """The loss of each step without a guard."""
    return _train(given)


class _Losses(pl.Callback):
    def __init__(self) -> None:
        self.values: list[float] = []

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_index: int) -> None:  # noqa: ARG002
        self.values.append(float(outputs["loss"]))


def _train(given: Setting, *callbacks: pl.Callback) -> list[float]:
    torch.manual_seed(workloads.SEED)
    model, losses = EXAMPLE["YourModel"](given.wild_type.vocabulary_size), _Losses()
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    for name in ("pytorch_lightning", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(accelerator="cpu", max_epochs=EPOCHS, callbacks=[*callbacks, losses], **quiet)
        trainer.fit(model, DataLoader(given.windows, batch_size=BATCH, shuffle=True))
    return losses.values
