"""What is read from what a Trainer hands its callbacks: its tokenizer, its sampler, and which weights it keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
from torch import Tensor
from transformers import TrainerState, TrainingArguments

from collapse_guard.errors import InputError
from collapse_guard.guard.training_texts import N_BATCHES
from collapse_guard.lineage.training_set import TrainingSet
from collapse_guard.records import Mixture
from collapse_guard.reinjection import MixtureSampler

_N_ROWS = 16


def tokenizer_of(processing_class: Any) -> Any:
    """The tokenizer of a training: its `processing_class`, or the tokenizer that this holds, as processors do.

    Raises:
        InputError: There is none.
    """
    tokenizer = getattr(processing_class, "tokenizer", processing_class)
    if callable(getattr(tokenizer, "encode", None)) and callable(getattr(tokenizer, "decode", None)):
        return tokenizer
    got = "None" if processing_class is None else f"{type(processing_class).__name__}, which is no tokenizer"
    raise InputError(
        f"`processing_class` must be the model's tokenizer, but got {got}: say `Trainer(..., processing_class="
        "tokenizer)`, or give the guard a probe of your own, as `probe=CausalLMProbe(tokenizer)`"
    )


def rows_of(loader: Any) -> Iterator[dict[str, list[Any]]]:
    """Rows of what a training loader reads, a few at a time, from all over it; none where it cannot be asked for a row.

    A trainer does not show its callbacks what it trains on.
    """
    dataset: Any = getattr(loader, "dataset", None)
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        return
    places = (
        np.unique(np.linspace(0, len(dataset) - 1, N_BATCHES * _N_ROWS).astype(int)).tolist() if len(dataset) else []
    )
    for first in range(0, len(places), _N_ROWS):
        rows = [dataset[place] for place in places[first : first + _N_ROWS]]
        if not all(isinstance(row, Mapping) for row in rows):
            return
        yield {name: [_listed(row[name]) for row in rows] for name in rows[0]}


def _listed(value: Any) -> Any:
    return value.tolist() if isinstance(value, Tensor | np.ndarray) else value


def sampler_of(loader: Any) -> MixtureSampler | None:
    """The sampler of the training loader where it mixes items, under what `accelerate` puts around it."""
    while (loader := getattr(loader, "batch_sampler", None)) is not None:
        if isinstance(sampler := getattr(loader, "sampler", None), MixtureSampler):
            return sampler
    return None


@dataclass(frozen=True)
class Drawn:
    """What a sampler drew for a training so far: who asks gets the shares of the sources (`TrainingData`)."""

    sampler: MixtureSampler
    place: int
    """The first place of the run that was not trained on."""

    def training_set(self) -> TrainingSet | None:
        """The shares, where the sources have the names of a `Mixture`."""
        sampler, schedule = self.sampler, self.sampler.schedule
        if not set(sampler.sizes) <= set(Mixture.model_fields):
            return None
        drawn = schedule.counts(self.place) if self.place else schedule.weights_at(0)
        total = sum(drawn.values())
        return TrainingSet(
            mixture=Mixture(**{source: count / total for source, count in drawn.items()}), items=sampler.length
        )


def data_of(loader: Any, state: TrainerState, sampler: MixtureSampler | None) -> object:
    """What says what a training is trained on: its mixing sampler, or its dataset, if that says anything."""
    if sampler is None:
        return getattr(loader, "dataset", None)
    epoch = int(state.epoch or 0)
    batches = round((float(state.epoch or 0) - epoch) * len(loader))
    return Drawn(sampler, epoch * sampler.length + min(batches * sampler.global_batch, sampler.length))


def end_of(args: TrainingArguments, state: TrainerState, sampler: MixtureSampler | None) -> int | None:
    """Items of the whole run; None where no sampler counts them."""
    if sampler is None:
        return None
    by_steps = state.max_steps * args.gradient_accumulation_steps * sampler.global_batch
    return min(by_steps, state.num_train_epochs * sampler.length)


def weights_of(args: TrainingArguments, state: TrainerState) -> str:
    """Which weights are in the model when training ends, in words."""
    if not args.load_best_model_at_end or state.best_model_checkpoint is None:
        return "last"
    metric = f"eval_{str(args.metric_for_best_model).removeprefix('eval_')}"
    return f"best by {metric}: {PurePath(state.best_model_checkpoint).name}"
