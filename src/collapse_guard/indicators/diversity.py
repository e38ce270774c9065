"""Diversity: how much of what a model writes is said for the first time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchmetrics.utilities.distributed import gather_all_tensors

from collapse_guard.errors import InputError
from collapse_guard.evidence import IntArray
from collapse_guard.indicators.base import MINIMUM_GROUPS, EvidenceKind, Indicator
from collapse_guard.records import Direction

_MOST = 8
_KEYS = 2**63


def distinct_n(sequences: Sequence[npt.ArrayLike | Tensor], n: int) -> float:
    r"""Distinct-n: the share of n-grams that are new, `unique n-grams / n-grams`, pooled over all sequences.

    Range: (0, 1]. Collapse: down. Undefined (NaN) where no sequence has n units. It falls with the number of units
    for any source (one Zipf source: .54 at 1k, .02 at 1M), so compare it at equal numbers only.

    n-grams do not cross from one sequence into the next, so the order of sequences does not matter. Keys are exact,
    never hashed. Pooling sees mode collapse, which a mean over samples cannot: equal samples are each as diverse as
    ever. Other definitions in use divide by the number of units (Li et al.), or by the number expected of that many
    uniform draws (EAD, Liu et al. 2022). O(N log N) for N units.

    Args:
        sequences: Documents as 1-D ids, each from 0 to 2**31.
        n: Length of the n-grams, 1 to 8.

    Raises:
        InputError: `n` or an id is out of range, or a sequence is not 1-D integers.

    Source: Li et al. (2016), A diversity-promoting objective function for neural conversation models, section 5.3.

    Example:
        >>> distinct_n([[0, 1, 0, 1, 2, 0]], n=2)
        0.8
    """
    keys = ngram_keys(sequences, n)
    return _share(len(_unique(keys)), len(keys))


def ngram_keys(sequences: Sequence[npt.ArrayLike | Tensor], n: int, *, base: int | None = None) -> IntArray:
    """One int64 for each n-gram, equal for equal n-grams only.

    Ids are digits of a number in `base`. Where that number could leave int64, the digits so far are replaced by their
    rank among those that occur: still exact, but keys of two calls are then not comparable.

    Args:
        sequences: Documents as 1-D ids.
        n: Length of the n-grams.
        base: Larger than any id; with `base**n < 2**63` the keys of different calls are comparable. None: the largest
            id + 1.

    Raises:
        InputError: `n` or an id is out of range, or a sequence is not 1-D integers.
    """
    _check_order(n)
    arrays = [_ids(sequence) for sequence in sequences]
    ids = np.concatenate(arrays) if arrays else np.zeros(0, np.int64)
    base = _base(ids, base)
    keys, bound = ids, base
    for place in range(1, n):
        if bound * base >= _KEYS:
            occurring, keys = np.unique(keys, return_inverse=True)
            bound = len(occurring)
        keys, bound = keys[:-1] * base + ids[place:], bound * base
    return keys[_within([len(array) for array in arrays], n)]


class Distinct(Indicator):
    """Distinct-n over batches of sequences of token ids; see `distinct_n`.

    As input to `update`: `sequences`, a list of 1-D integer tensors (or a (B, T) tensor without pads). The state is
    one int64 for each different n-gram. Value: float64.

    Args:
        n: Length of the n-grams, 1 to 8.
        vocabulary_size: Larger than any id; `vocabulary_size**n` must be below 2**63, so that n-grams of different
            ranks have comparable keys.

    Raises:
        InputError: The n-grams do not fit into 63 bits.

    Example:
        >>> metric = Distinct(2, vocabulary_size=10)
        >>> metric.update([torch.tensor([0, 1, 0]), torch.tensor([0, 1])])
        >>> metric.compute()
        tensor(0.6667, dtype=torch.float64)
    """

    family = "diversity"
    unit = "share of n-grams"
    undefined = "no sample is as long as n"
    direction = Direction.DOWN
    value_range = (0.0, 1.0)
    minimum_n = MINIMUM_GROUPS
    evidence: ClassVar[EvidenceKind] = "tokens"

    def __init__(self, n: int, vocabulary_size: int, **kwargs: Any) -> None:
        """Begin without sequences."""
        # The keys of ranks differ in number, and torchmetrics stacks what it gathers of a tensor state.
        kwargs.setdefault("dist_sync_fn", _gather_joined)
        super().__init__(**kwargs)
        _check_order(n)
        if vocabulary_size**n >= _KEYS:
            largest = max(order for order in range(n) if vocabulary_size**order < _KEYS)
            raise InputError(
                f"`vocabulary_size**n` must be below 2**63, but got {vocabulary_size}**{n}: use n <= {largest}, "
                "or the function `distinct_n`, which has no such limit"
            )
        self.n, self.vocabulary_size = n, vocabulary_size
        # The settings are part of the names: see Indicator.
        self._keys, self._total = f"distinct_{n}_keys_of_{vocabulary_size}", f"distinct_{n}_total_of_{vocabulary_size}"
        self.add_state(self._keys, torch.zeros(0, dtype=torch.int64), dist_reduce_fx="cat")
        self._add_sum(self._total, dtype=torch.int64)

    def update(self, sequences: Sequence[Tensor] | Tensor) -> None:
        """Add sequences."""
        keys = ngram_keys(list(sequences), self.n, base=self.vocabulary_size)
        known = getattr(self, self._keys)
        seen = _unique(np.concatenate([known.cpu().numpy(), keys]))
        setattr(self, self._keys, torch.from_numpy(seen).to(known.device))
        setattr(self, self._total, getattr(self, self._total) + len(keys))

    def compute(self) -> Tensor:
        """Distinct-n of everything since the last reset; NaN without n-grams."""
        seen = _unique(getattr(self, self._keys).cpu().numpy().ravel())
        return self._scalar(_share(len(seen), int(getattr(self, self._total))))


class _OfOrder(Distinct):
    order: ClassVar[int]

    def __init__(self, vocabulary_size: int, **kwargs: Any) -> None:
        super().__init__(self.order, vocabulary_size, **kwargs)


class Distinct1(_OfOrder):
    """Distinct-1, the share of new tokens; see `Distinct`.

    Example:
        >>> metric = Distinct1(vocabulary_size=10)
        >>> metric.update([torch.tensor([7, 7, 8, 7])])
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name = "distinct_1"
    order = 1


class Distinct2(_OfOrder):
    """Distinct-2, the share of new pairs of tokens; see `Distinct`.

    Example:
        >>> metric = Distinct2(vocabulary_size=10)
        >>> metric.update([torch.tensor([7, 8, 7, 8, 7])])
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name = "distinct_2"
    order = 2


class Distinct3(_OfOrder):
    """Distinct-3, the share of new triples of tokens; see `Distinct`.

    Example:
        >>> metric = Distinct3(vocabulary_size=10)
        >>> metric.update([torch.tensor([7, 8, 9]), torch.tensor([7, 8, 9])])
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name = "distinct_3"
    order = 3


class Distinct4(_OfOrder):
    """Distinct-4, the share of new runs of four tokens; see `Distinct`.

    Example:
        >>> metric = Distinct4(vocabulary_size=10)
        >>> metric.update([torch.tensor([7, 7, 7, 7, 7, 7])])
        >>> metric.compute()
        tensor(0.3333, dtype=torch.float64)
    """

    name = "distinct_4"
    order = 4


def _check_order(n: int) -> None:
    if not 1 <= n <= _MOST:
        raise InputError(f"`n` must be from 1 to {_MOST}, but got {n!r}: longer n-grams are new in any text")


def _unique(keys: IntArray) -> IntArray:
    """Different keys, sorted; NumPy's `unique` takes up to fifty times as long on keys that are mostly different."""
    keys = np.sort(keys)
    is_first = np.ones(len(keys), dtype=np.bool_)
    is_first[1:] = keys[1:] != keys[:-1]
    return keys[is_first]


def _share(unique: int, total: int) -> float:
    return unique / total if total else math.nan


def _ids(sequence: npt.ArrayLike | Tensor) -> IntArray:
    ids = sequence.detach().cpu().numpy() if isinstance(sequence, Tensor) else np.asarray(sequence)
    if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
        raise InputError(
            f"each of `sequences` must be 1-D integer ids, but got {ids.ndim}-D {ids.dtype}: encode texts first"
        )
    return ids.astype(np.int64, copy=False)


def _base(ids: IntArray, base: int | None) -> int:
    """The base of the keys, after checking that every id is a digit of it."""
    low, high = (int(ids.min()), int(ids.max())) if ids.size else (0, 0)
    limit = 2**31 + 1 if base is None else base
    if low < 0 or high >= limit:
        raise InputError(
            f"ids must be from 0 to {limit - 1}, but got {low if low < 0 else high}: cut pads and check the vocabulary"
        )
    return high + 1 if base is None else base


def _within(lengths: list[int], n: int) -> npt.NDArray[np.bool_]:
    """Which of the n-grams of the joined sequences lie within one sequence."""
    ends = np.cumsum(lengths, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    within = np.ones(total, dtype=np.bool_)
    for back in range(1, n):
        within[np.maximum(ends - back, 0)[ends > 0]] = False
    return within[: max(0, total - n + 1)]


def _gather_joined(state: Tensor, group: Any = None) -> list[Tensor]:
    """Gather a state of all ranks; keys, whose numbers differ between ranks, in one tensor."""
    parts = gather_all_tensors(state, group)
    return parts if state.ndim == 0 else [torch.cat(parts)]
