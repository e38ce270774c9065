"""Truncated samples: how much of what a model writes was cut before its end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from collapse_guard.arrays import FloatArray
from collapse_guard.errors import InputError
from collapse_guard.indicators.counts import as_array, ratio
from collapse_guard.indicators.diversity.family import FaultShare
from collapse_guard.indicators.whole import WholeSamples


def truncated_samples(truncated: npt.ArrayLike | Tensor) -> float:
    """Share of samples that were cut at a limit of length, without an end of text: `cut samples / samples`.

    Unit: share of samples. Range: [0, 1]. Collapse: up, where a model no longer finds an end; a lower limit raises it
    too, and whether the limit is the same is not known. Undefined (NaN) without samples. O(n).

    Args:
        truncated: n: whether each sample was cut.

    Raises:
        InputError: An entry is neither true nor false, nor 0 or 1.

    Source: a count; nothing to cite.

    Example:
        >>> truncated_samples([True, False, False, True])
        0.5
    """
    return ratio(*_counts(truncated))


class TruncatedSamples(FaultShare):
    """Share of samples that were cut over batches of samples; see `truncated_samples`.

    As input to `update`: `truncated`, a list or a tensor of true or false. The state is two int64. Value: float64.

    Example:
        >>> metric = TruncatedSamples()
        >>> metric.update([True, False])
        >>> metric.update([False, False])
        >>> metric.compute()
        tensor(0.2500, dtype=torch.float64)
    """

    name, place = "truncated_samples", 185
    misses = "samples that end in the middle of a sentence by themselves"
    _states = (("n_truncated_samples", torch.int64), ("n_samples_that_end_or_not", torch.int64))

    @classmethod
    def read(cls, whole: WholeSamples) -> FloatArray | None:
        """1 for each sample that was cut, 0 for each other; None where nobody said."""
        return whole.truncated

    def update(self, truncated: npt.ArrayLike | Tensor) -> None:
        """Add samples."""
        self._add_up(*_counts(truncated))


def _counts(truncated: npt.ArrayLike | Tensor) -> tuple[int, int]:
    """How many were cut, and of how many."""
    cut = as_array(truncated)
    if not np.isin(cut, (0, 1)).all():
        raise InputError(f"`truncated` must be true or false, but got {cut[~np.isin(cut, (0, 1))][0]!r}")
    return int(cut.sum()), cut.size
