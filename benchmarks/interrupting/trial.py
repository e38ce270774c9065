"""What is drawn for a trial: data, shares and their changes, batches, ranks, and the steps at which it is killed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from collapse_guard.records import Mixture

Step = tuple[int, int]
"""Epoch, and batch within it."""

CELLS = tuple(product(((1, 1), (2, 2), (1, 2), (2, 1)), (0, 2)))
"""Ranks before the first kill and after it, and workers."""
KEEPS = ("step", "epoch", "validation")
_SOURCES = ("real", "earlier", "newest")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One run, and how it is interrupted."""

    seed: int
    """Of the order."""
    ranks: tuple[int, int]
    """Before the first kill, and after it."""
    workers: int
    sizes: dict[str, int]
    """Documents of each source."""
    mixture: Mixture
    """At the beginning."""
    length: int
    """Documents per epoch."""
    global_batch: int
    """Documents of a step, over all ranks."""
    epochs: int
    accumulate: int
    """Batches for a step of the optimizer."""
    is_persistent: bool
    """Whether workers live on from epoch to epoch."""
    is_reloaded: bool
    """Whether the trainer asks for a new loader in every epoch."""
    validate_every: int
    """Batches between two validations."""
    keeps: str
    """When a checkpoint is taken: one of `KEEPS`."""
    changes: dict[Step, Mixture]
    """After which step which shares are asked for."""
    kills: tuple[Step, ...]
    """Steps that are waited for before each kill."""
    delays: tuple[float, ...]
    """Seconds from there to the kill."""
    cut: tuple[int, ...]
    """How many of the newest checkpoints each kill leaves cut off in the middle."""


def draw(number: int, seed: int) -> Trial:
    """The trial of a number; trials take turns at ranks and workers."""
    rng = np.random.default_rng([seed, number])
    ranks, workers = CELLS[number % len(CELLS)]
    named = _SOURCES if rng.random() < 0.5 else tuple(np.delete(_SOURCES, rng.integers(1, 3)).tolist())
    each, n_batches, epochs = int(rng.integers(1, 5)), int(rng.integers(6, 15)), int(rng.integers(2, 4))
    global_batch = 2 * each
    length = int(n_batches * global_batch - rng.integers(global_batch))
    # Of a last batch of one document two ranks would get none, and their epochs would be a batch shorter.
    length += length % global_batch == 1 and len(set(ranks)) > 1
    steps = [(epoch, batch) for epoch in range(epochs) for batch in range(n_steps(length, global_batch, max(ranks)))]
    return Trial(
        seed=int(rng.integers(1 << 30)),
        ranks=ranks,
        workers=workers,
        sizes={source: _size(rng) for source in named},
        mixture=_shares(rng, named),
        length=length,
        global_batch=global_batch,
        epochs=epochs,
        accumulate=int(rng.integers(1, 3)),
        is_persistent=bool(workers and rng.random() < 0.5),
        is_reloaded=bool(rng.random() < 0.3),
        validate_every=int(rng.integers(3, n_batches)),
        keeps=str(rng.choice(KEEPS, p=[0.7, 0.15, 0.15])),
        changes={step: _shares(rng, named) for step in _some(rng, steps, 3)},
        kills=tuple(_some(rng, steps, 2)),
        delays=tuple(rng.uniform(0.0, 0.02, 2).tolist()),
        cut=tuple(rng.choice([0, 0, 0, 1, 3], 2).tolist()),
    )


def n_steps(length: int, global_batch: int, ranks: int) -> int:
    """Batches of an epoch; each rank gets as many documents."""
    return -(-(length // ranks) // (global_batch // ranks))


def _size(rng: np.random.Generator) -> int:
    """Small ones are gone through many times; above 256 documents another shuffle is used."""
    return int(rng.integers(3, 60) if rng.random() < 0.6 else rng.integers(257, 2000))


def _shares(rng: np.random.Generator, sources: tuple[str, ...]) -> Mixture:
    parts = rng.dirichlet(np.ones(len(sources))) * (rng.random(len(sources)) < 0.8)
    if not parts.any():
        parts[0] = 1.0
    return Mixture(**dict(zip(sources, (parts / parts.sum()).tolist(), strict=True)))


def _some(rng: np.random.Generator, steps: list[Step], most: int) -> list[Step]:
    chosen = rng.choice(len(steps), int(rng.integers(1, most + 1)), replace=False)
    return sorted(steps[place] for place in chosen)
