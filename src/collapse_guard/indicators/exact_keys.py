"""Exact int64 keys of n-grams: ids as digits of a number, ranked where the number would grow too large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from collapse_guard.arrays import IntArray
from collapse_guard.errors import InputError

Sequences = Sequence[npt.ArrayLike | Tensor] | npt.NDArray[Any] | Tensor
"""Documents as 1-D ids, or the rows of a 2-D array or tensor."""

LONGEST = 8
"""Longest n-grams."""
LARGEST_ID = 2**31
"""Largest id of a token."""
KEYS = 2**63
"""All keys are below."""
DENSE = 4
"""Up to so many possible keys per n-gram, marking them takes less time than sorting."""


def joined(sequences: Sequences) -> tuple[IntArray, IntArray]:
    """All ids in one array, and the length of each sequence.

    Raises:
        InputError: A sequence is not 1-D integers.

    Example:
        >>> [part.tolist() for part in joined([[5, 6], [], [7]])]
        [[5, 6, 7], [2, 0, 1]]
    """
    if isinstance(sequences, np.ndarray | Tensor) and sequences.ndim == 2:
        flat = _checked(_array(sequences.reshape(-1))).astype(np.int64, copy=False)
        return flat, np.full(len(sequences), sequences.shape[1], dtype=np.int64)
    arrays = [_checked(_array(sequence)) for sequence in sequences]
    lengths = np.fromiter(map(len, arrays), dtype=np.int64, count=len(arrays))
    return np.concatenate([np.zeros(0, np.int64), *arrays], dtype=np.int64, casting="unsafe"), lengths


def within(lengths: IntArray, n: int) -> npt.NDArray[np.bool_]:
    """Which of the n-grams of the joined sequences lie within one sequence.

    Example:
        >>> within(np.array([2, 3]), n=2).tolist()
        [True, False, True, True]
    """
    ends = np.cumsum(lengths, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    inside = np.ones(total, dtype=np.bool_)
    for back in range(1, n):
        inside[np.maximum(ends - back, 0)[ends > 0]] = False
    return inside[: max(0, total - n + 1)]


def check_order(n: int) -> None:
    """Raise InputError where n-grams of this length are not counted."""
    if not 1 <= n <= LONGEST:
        raise InputError(f"`n` must be from 1 to {LONGEST}, but got {n!r}: longer n-grams are new in any text")


def growing_keys(ids: IntArray, base: int, highest: int, *, room: int = 0) -> Iterator[tuple[IntArray, int]]:
    """Exact keys of the 1-grams, 2-grams, … of the joined ids, borders ignored, and a bound that they stay below.

    Where keys with `room` bits behind them could leave int64, they are replaced by ranks: before they grow, and early
    enough for ranks to be found by sorting numbers instead of indices; and once more where that does not suffice.
    """
    limit = KEYS >> room
    ranked_below = KEYS >> max(room, len(ids).bit_length())
    if base**highest >= limit:
        ids, base = ranks_of(ids, base)
    keys, bound = ids, base
    yield keys, bound
    for place in range(1, highest):
        if bound * base ** (highest - place) >= limit and bound * base >= ranked_below:
            keys, bound = ranks_of(keys, bound)
        keys = keys[:-1] * base
        keys += ids[place:]
        bound *= base
        if bound << room >= KEYS:
            keys, bound = ranks_of(keys, bound)
        yield keys, bound


def ranks_of(keys: IntArray, bound: int) -> tuple[IntArray, int]:
    """Each key's rank among the different keys, and how many are different; keys are from 0 to `bound` - 1."""
    if bound <= DENSE * len(keys):
        ranks = np.cumsum(marks_of(keys, bound)) - 1
        return ranks[keys], int(ranks[-1]) + 1
    bits = len(keys).bit_length()
    if bound << bits >= KEYS:
        occurring, inverse = np.unique(keys, return_inverse=True)
        return inverse, len(occurring)
    ordered = np.sort(keys << bits | np.arange(len(keys)))
    ranks = np.cumsum(is_first(ordered >> bits)) - 1
    result = np.empty_like(keys)
    result[ordered & (1 << bits) - 1] = ranks
    return result, int(ranks[-1]) + 1 if len(ranks) else 0


def marks_of(keys: IntArray, bound: int) -> npt.NDArray[np.bool_]:
    """Which of the keys below `bound` occur."""
    marks = np.zeros(bound, dtype=np.bool_)
    marks[keys] = True
    return marks


def is_first(ordered: IntArray) -> npt.NDArray[np.bool_]:
    """Which of the ordered values differ from the one before."""
    first = np.ones(len(ordered), dtype=np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    return first


def _array(sequence: npt.ArrayLike | Tensor) -> npt.NDArray[Any]:
    # The type is asked first because `isinstance(array, Tensor)` takes as long as everything else here.
    if type(sequence) is np.ndarray:
        return sequence
    return sequence.detach().cpu().numpy() if isinstance(sequence, Tensor) else np.asarray(sequence)


def _checked(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise InputError(
            f"each of `sequences` must be 1-D integer ids, but got {array.ndim}-D {array.dtype}: encode texts first"
        )
    return array


def key_base(ids: IntArray, base: int | None) -> int:
    """The base of the keys, after checking that every id is a digit of it."""
    low, high = (int(ids.min()), int(ids.max())) if ids.size else (0, 0)
    limit = LARGEST_ID + 1 if base is None else base
    if low < 0 or high >= limit:
        raise InputError(
            f"ids must be from 0 to {limit - 1}, but got {low if low < 0 else high}: cut pads and check the vocabulary"
        )
    return high + 1 if base is None else base
