"""The sampler that mixes the training data of a trainer."""

from __future__ import annotations

from torch.utils.data import DataLoader

from collapse_guard.lightning.bases import Trainer
from collapse_guard.reinjection import MixtureSampler


def sampler_of(trainer: Trainer) -> MixtureSampler | None:
    """The sampler of the trainer's training loader, where it mixes real items with others."""
    loaders = trainer.fit_loop._combined_loader
    samplers = (loader.sampler for loader in (loaders.flattened if loaders else ()) if isinstance(loader, DataLoader))
    mixing = (sampler for sampler in samplers if isinstance(sampler, MixtureSampler) and "real" in sampler.sizes)
    return next(mixing, None)


def n_items(trainer: Trainer, sampler: MixtureSampler) -> int | None:
    """Items of the whole run; None where it has no end."""
    ends = []
    if trainer.max_epochs is not None and trainer.max_epochs > 0:
        ends.append(trainer.max_epochs * sampler.length)
    if trainer.max_steps > 0:
        ends.append(trainer.max_steps * trainer.accumulate_grad_batches * sampler.global_batch)
    return min(ends, default=None)
