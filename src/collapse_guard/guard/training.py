"""A training at one moment, as its shell sees it: all that a guard needs to know of a trainer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from collapse_guard.guard.journal import Journal
from collapse_guard.guard.ranks import Ranks
from collapse_guard.reinjection import MixtureSampler


@dataclass(frozen=True, kw_only=True)
class Training:
    """A training at one moment. A shell makes it anew whenever its trainer calls."""

    step: int
    """Optimizer steps so far."""
    ranks: Ranks = field(default_factory=Ranks)
    """The processes that train together."""
    journal: Journal = field(default_factory=Journal)
    """Where the training logs."""
    data: object = None
    """Where the training data come from. A `TrainingData` says what they are; no other object is asked."""
    sampler: MixtureSampler | None = None
    """What mixes the training data, where their shares can be changed."""
    end: int | None = None
    """Items of the whole run; None: not known."""
    weights: str = ""
    """Which weights are measured, in words, such as "best by val_loss: epoch=3.ckpt"; empty: nothing is known."""
    context: Callable[[], AbstractContextManager[object]] = nullcontext
    """Is entered while the model is measured: the precision of the trainer, or other weights in place of the last."""
