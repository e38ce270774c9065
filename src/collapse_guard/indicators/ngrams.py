"""n-grams as integers: exact keys, 64-bit hashes where keys do not fit, and the counts that metrics add up."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchmetrics.utilities.distributed import gather_all_tensors

from collapse_guard.arrays import IntArray, mix
from collapse_guard.errors import InputError
from collapse_guard.indicators.base import Indicator
from collapse_guard.indicators.counts import ratio
from collapse_guard.indicators.exact_keys import (
    DENSE,
    KEYS,
    Sequences,
    check_order,
    growing_keys,
    is_first,
    joined,
    key_base,
    marks_of,
    within,
)

_STEP = np.uint64(0x9E3779B97F4A7C15)


def ngram_keys(sequences: Sequences, n: int, *, base: int | None = None) -> IntArray:
    """One int64 for each n-gram, equal for equal n-grams only; no n-gram crosses from one sequence into the next.

    Ids are digits of a number in `base`. Where that number could leave int64, the digits so far are replaced by their
    rank among those that occur: still exact, but keys of two calls are then not comparable. O(N), or O(N log N) where
    ranks are needed.

    Args:
        sequences: Documents as 1-D ids, each from 0 to 2**31.
        n: Length of the n-grams, 1 to 8.
        base: Larger than any id; with `base**n < 2**63` the keys of different calls are comparable. None: the largest
            id + 1.

    Raises:
        InputError: `n` or an id is out of range, or a sequence is not 1-D integers.

    Example:
        >>> ngram_keys([[1, 2, 3], [2, 3]], n=2, base=10).tolist()
        [12, 23, 23]
    """
    check_order(n)
    ids, lengths = joined(sequences)
    *_, (keys, _) = growing_keys(ids, key_base(ids, base), n)
    return keys[within(lengths, n)]


def ngram_hashes(sequences: Sequences, n: int) -> IntArray:
    """One 64-bit hash for each n-gram, comparable between calls for any ids and any n.

    Two different n-grams share a hash with probability 2**-64, so among K different ones some pair does with
    probability of about K**2 / 2**65: 3e-8 for a million, 3e-4 for a hundred million. Single ids never share one. The
    hash is fixed and not secret: it is no guard against ids chosen to collide.

    Args:
        sequences: Documents as 1-D ids, each from 0 to 2**31.
        n: Length of the n-grams, 1 to 8.

    Raises:
        InputError: `n` or an id is out of range, or a sequence is not 1-D integers.

    Example:
        >>> a, b = ngram_hashes([[1, 2, 3]], n=2), ngram_hashes([[2, 3, 1]], n=2)
        >>> bool(a[1] == b[0]), bool(a[0] == b[1])
        (True, False)
    """
    check_order(n)
    ids, lengths = joined(sequences)
    key_base(ids, None)
    units = ids.astype(np.uint64) + np.uint64(1)
    hashes = np.zeros(max(0, len(ids) - n + 1), np.uint64)
    for place in range(n):
        hashes = mix(hashes * _STEP + units[place : place + len(hashes)])
    return hashes.view(np.int64)[within(lengths, n)]


def different_ngrams(sequences: Sequences, highest: int, *, lowest: int = 1) -> list[tuple[int, int]]:
    """How many different n-grams there are, and how many n-grams, for each n from `lowest` to `highest`.

    Exact. The orders share the work: four orders of a million ids take about as long as two alone. O(N log N).

    Raises:
        InputError: An order or an id is out of range, or a sequence is not 1-D integers.

    Example:
        >>> different_ngrams([[0, 1, 0, 1, 2, 0]], highest=3)
        [(3, 6), (4, 5), (4, 4)]
    """
    check_order(lowest)
    check_order(highest)
    ids, lengths = joined(sequences)
    grown = enumerate(growing_keys(ids, key_base(ids, None), highest), start=1)
    return [_different(keys, bound, lengths, n) for n, (keys, bound) in grown if n >= lowest]


def unique(keys: IntArray) -> IntArray:
    """Different keys, sorted; NumPy's `unique` takes up to fifty times as long on keys that are mostly different."""
    keys = np.sort(keys)
    return keys[is_first(keys)]


def key_counts(keys: IntArray) -> tuple[IntArray, IntArray]:
    """Different keys, sorted, and how often each occurs.

    Example:
        >>> [part.tolist() for part in key_counts(np.array([7, 3, 7]))]
        [[3, 7], [1, 2]]
    """
    keys = np.sort(keys)
    starts = np.flatnonzero(is_first(keys))
    return keys[starts], np.diff(starts, append=len(keys))


class FlatStates(Indicator):
    """Base of metrics whose states are flat 1-D tensors that are put one behind the other over updates and ranks."""

    def __init__(self, **kwargs: Any) -> None:
        """Begin without states."""
        # The states of ranks differ in size, and torchmetrics stacks what it gathers of a tensor state.
        kwargs.setdefault("dist_sync_fn", gather_joined)
        super().__init__(**kwargs)
        self._flat: list[str] = []

    def _add_flat(self, name: str, dtype: torch.dtype = torch.int64) -> None:
        self._flat.append(name)
        self.add_state(name, torch.zeros(0, dtype=dtype), dist_reduce_fx="cat")

    def _sync_dist(self, *args: Any, **kwargs: Any) -> None:
        super()._sync_dist(*args, **kwargs)
        for name in self._flat:
            setattr(self, name, getattr(self, name).flatten())

    def _append(self, name: str, values: npt.NDArray[Any] | Tensor) -> None:
        state = getattr(self, name)
        setattr(self, name, torch.cat([state, torch.as_tensor(values).to(state.device)]))

    def _check_room(self, name: str, size: int, most: int, unit: str) -> None:
        if size > most:
            raise InputError(
                f"`{name}` must be at most {most:,} {unit} over all updates, but got {size:,}: measure groups of "
                "samples, or a random part of them"
            )


class KeyTable(FlatStates):
    """Base of metrics whose state is the number of occurrences of each different int64 key: O(different keys).

    The state is one flat int64 tensor `key, count, key, count, …`; a key may stand in it more than once, until it has
    doubled and is summed. Tables add up exactly over updates, merges and ranks of any size. Metrics of the same keys
    may share it in a MetricCollection, so its name says what the keys are.
    """

    def _add_table(self, name: str) -> None:
        self._table, self._settled = name, 2**16
        self._add_flat(name)

    def _count(self, keys: IntArray) -> None:
        """Add occurrences of keys."""
        self._append(self._table, np.stack(key_counts(keys), axis=1).ravel())
        self._settle()

    def _reduce_states(self, incoming_state: dict[str, Any]) -> None:
        super()._reduce_states(incoming_state)
        self._settle()

    def _settle(self) -> None:
        """Sum equal keys when the table has doubled: not each time, as a sum costs as much as the whole table."""
        state = getattr(self, self._table)
        if len(state) > 2 * self._settled:
            state = torch.from_numpy(_summed(_rows(state)).ravel()).to(state.device)
            setattr(self, self._table, state)
            self._settled = max(len(state), 2**16)

    @property
    def table(self) -> tuple[IntArray, IntArray]:
        """Different keys, sorted, and how often each occurred since the last reset."""
        keys, counts = _summed(_rows(getattr(self, self._table))).T
        return keys, counts

    @property
    def share_of_different(self) -> float:
        """Different keys / occurrences since the last reset; NaN without any."""
        keys, counts = self.table
        return ratio(len(keys), int(counts.sum()))


class NgramTable(KeyTable):
    """Base of metrics of n-gram counts over batches of sequences of token ids.

    As input to `update`: `sequences`, a list of 1-D integer tensors (or a (B, T) tensor without pads). The keys are
    exact where `vocabulary_size**n` is below 2**63, and otherwise 64-bit hashes (`ngram_hashes`).

    Args:
        n: Length of the n-grams, 1 to 8.
        vocabulary_size: Larger than any id.
    """

    def __init__(self, n: int, vocabulary_size: int, **kwargs: Any) -> None:
        """Begin without sequences."""
        super().__init__(**kwargs)
        check_order(n)
        self.n, self.vocabulary_size = n, vocabulary_size
        self._add_table(f"table_of_{n}_grams_of_{vocabulary_size}")

    def update(self, sequences: Sequences) -> None:
        """Add sequences."""
        self._count(comparable_keys(sequences, self.n, self.vocabulary_size))


def comparable_keys(sequences: Sequences, n: int, vocabulary_size: int) -> IntArray:
    """Keys that are comparable between calls: exact where they fit into 63 bits, 64-bit hashes where they do not."""
    if vocabulary_size**n < KEYS:
        return ngram_keys(sequences, n, base=vocabulary_size)
    key_base(joined(sequences)[0], vocabulary_size)
    return ngram_hashes(sequences, n)


def _different(keys: IntArray, bound: int, lengths: IntArray, n: int) -> tuple[int, int]:
    """Different n-grams and n-grams, given keys that may cross borders."""
    total = int(np.maximum(lengths - n + 1, 0).sum())
    if not total:
        return 0, 0
    ends = np.cumsum(lengths)
    # A key that crosses a border is replaced by one that does not: cheaper than leaving it out, and nothing is new.
    whole = keys[(ends - lengths)[lengths >= n][0]]
    keys = keys.astype(np.uint32 if bound <= 2**32 else np.int64)
    for back in range(1, n):
        crossing = ends - back
        keys[crossing[(crossing >= 0) & (crossing < len(keys))]] = whole
    if bound <= DENSE * len(keys):
        return int(np.count_nonzero(marks_of(keys, bound))), total
    keys.sort()
    return 1 + int(np.count_nonzero(keys[1:] != keys[:-1])), total


def _rows(state: Tensor) -> IntArray:
    rows: IntArray = state.cpu().numpy().reshape(-1, 2)
    return rows


def _summed(rows: IntArray) -> IntArray:
    """One row for each key, with the sum of its counts."""
    if not len(rows):
        return rows
    rows = rows[np.argsort(rows[:, 0])]
    starts = np.flatnonzero(is_first(rows[:, 0]))
    return np.stack([rows[starts, 0], np.add.reduceat(rows[:, 1], starts)], axis=1)


def gather_joined(state: Tensor, group: Any = None) -> list[Tensor]:
    """Gather a state of all ranks; tables, whose sizes differ between ranks, in one tensor."""
    parts = gather_all_tensors(state, group)
    return parts if state.ndim == 0 else [torch.cat(parts)]
