"""Split a measurement over ranks and join it again; the result does not depend on the number of ranks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch

from collapse_guard.evidence import Evidence, Losses, Scores


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
    """The generator of one batch; it depends only on seed and number, not on the rank that makes the batch."""
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
    """Join the evidence of all ranks, in the order of the ranks.

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
        losses=_merge_losses([part.losses for part in parts], documents),
        embeddings=_column(parts, "embeddings", samples),
        prompts=_column(parts, "prompts", samples),
        truncated=_column(parts, "truncated", samples),
        own_losses=_merge_numbered([part.own_losses for part in parts]),
        founder_losses=_merge_numbered([part.founder_losses for part in parts]),
        training_losses=_merge_losses([part.training_losses for part in parts], None),
        scores=_merge_scores([part.scores for part in parts if part.scores is not None]) or None,
    )


def _merge_scores(parts: Sequence[Mapping[str, Scores]]) -> dict[str, Scores]:
    """Scores of the items of all ranks, by task."""
    merged: dict[str, Scores] = {}
    for name, scores in (pair for part in parts for pair in part.items()):
        before = merged.get(name)
        merged[name] = scores if before is None else _joined(before, scores)
    return merged


def _joined(first: Scores, second: Scores) -> Scores:
    items = None if first.items is None or second.items is None else first.items + second.items
    return replace(first, values=np.concatenate([first.values, second.values]), items=items)


def _merge_losses(parts: Sequence[Losses | None], documents: int | None) -> Losses | None:
    known = [part for part in parts if part is not None]
    if not known:
        return None
    columns: dict[str, Any] = {}
    for field in fields(Losses):
        column = _column(known, field.name, documents)
        columns[field.name] = tuple(column) if isinstance(column, list) else column
    return Losses(**columns)


def _merge_numbered(parts: Sequence[Losses | None]) -> Losses | None:
    """Losses on samples, in the order of their numbers: how many a rank scored depends on what it drew."""
    merged = _merge_losses(parts, None)
    return None if merged is None else merged.by_number()


def _column(parts: Sequence[Any], name: str, size: int | None) -> Any:
    """One field of all parts; None where a part that has anything to say lacks it."""
    columns = [getattr(part, name) for part in parts]
    if any(column is None for column in columns):
        return None
    merged = interleave(columns, size)
    if not all(isinstance(column, np.ndarray) for column in columns):
        return merged
    return np.array(merged) if merged else columns[0]
