"""How a measurement is split over ranks and put together again: what is measured does not depend on how many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from collapse_guard.evidence import Evidence, Losses


def batches(total: int, batch_size: int, *, rank: int, world_size: int) -> Iterator[tuple[int, int]]:
    """Yield number and size of this rank's batches: rank r of w makes the batches r, r + w, r + 2w, ...

    Example:
        >>> list(batches(10, 4, rank=0, world_size=2)), list(batches(10, 4, rank=1, world_size=2))
        ([(0, 4), (2, 2)], [(1, 4)])
    """
    for number in range(rank, -(-total // batch_size), world_size):
        yield number, min(batch_size, total - number * batch_size)


def mixed_seed(*numbers: int) -> int:
    """One seed from several numbers; near numbers give unrelated seeds."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def batch_generator(seed: int, number: int, device: torch.device) -> torch.Generator:
    """The generator of one batch: it depends on seed and number alone, not on the rank that makes the batch."""
    return torch.Generator(device).manual_seed(mixed_seed(seed, number))


def interleave(parts: Sequence[Sequence[Any]], size: int | None) -> list[Any]:
    """Undo `batches`: take `size` items of each part in turn; None: all items of one part after the other.

    Example:
        >>> interleave(["aabb", "cc"], 2), interleave(["aabb", "cc"], None)
        (['a', 'a', 'c', 'c', 'b', 'b'], ['a', 'a', 'b', 'b', 'c', 'c'])
    """
    longest = max((len(part) for part in parts), default=0)
    step = size or max(longest, 1)
    return [item for start in range(0, longest, step) for part in parts for item in part[start : start + step]]


def merge(parts: Sequence[Evidence], *, samples: int | None = None, documents: int | None = None) -> Evidence:
    """Put the evidence of all ranks together, in the order of the ranks.

    Args:
        parts: Evidence of rank 0, 1, 2, ...
        samples: Samples to take from each rank in turn; None: all of one rank after the other.
        documents: The same for the documents of the losses.

    Raises:
        InputError: Two ranks measured the same document.

    Example:
        >>> merge([Evidence(samples=["a", "c"]), Evidence(samples=["b"])], samples=1).samples
        ['a', 'b', 'c']
    """
    return Evidence(
        samples=_column(parts, "samples", samples),
        losses=_merge_losses([part.losses for part in parts if part.losses is not None], documents),
        embeddings=_column(parts, "embeddings", samples),
    )


def _merge_losses(parts: Sequence[Losses], documents: int | None) -> Losses | None:
    if not parts:
        return None
    token_nll = _column(parts, "token_nll", documents)
    return Losses(
        documents=tuple(_column(parts, "documents", documents)),
        nll=_column(parts, "nll", documents),
        n_tokens=_column(parts, "n_tokens", documents),
        n_bytes=_column(parts, "n_bytes", documents),
        token_nll=None if token_nll is None else tuple(token_nll),
    )


def _column(parts: Sequence[Any], name: str, size: int | None) -> Any:
    """One field of all parts; None where a part that has anything to say lacks it."""
    columns = [getattr(part, name) for part in parts]
    if any(column is None for column in columns):
        return None
    merged = interleave(columns, size)
    if not all(isinstance(column, np.ndarray) for column in columns):
        return merged
    return np.array(merged) if merged else columns[0]
