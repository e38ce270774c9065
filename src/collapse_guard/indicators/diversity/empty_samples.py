"""Empty samples: how much of what a model writes is nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from collapse_guard.arguments import several
from collapse_guard.arrays import FloatArray
from collapse_guard.indicators.counts import ratio
from collapse_guard.indicators.diversity.family import FaultShare
from collapse_guard.indicators.whole import WholeSamples, is_empty


def empty_samples(texts: Sequence[str]) -> float:
    """Share of samples that are empty or white space only: `empty samples / samples`.

    Unit: share of samples. Range: [0, 1]. Collapse: up. Undefined (NaN) without samples. It does not depend on the
    number of samples in expectation. All other indicators of samples leave empty ones out. O(n).

    Args:
        texts: n samples.

    Raises:
        InputError: A single text is given where several are meant.

    Source: a count; nothing to cite.

    Example:
        >>> empty_samples(["war", "", "peace", " \\n"])
        0.5
    """
    return ratio(sum(map(is_empty, several("texts", texts))), len(texts))


class EmptySamples(FaultShare):
    """Share of empty samples over batches of samples; see `empty_samples`.

    As input to `update`: `texts`, a list of str. The state is two int64. Value: float64.

    Example:
        >>> metric = EmptySamples()
        >>> metric.update(["war", ""])
        >>> metric.update(["peace", "taxes"])
        >>> metric.compute()
        tensor(0.2500, dtype=torch.float64)
    """

    name, place = "empty_samples", 180
    misses = "samples that say nothing in a few words"
    _states = (("n_empty_samples", torch.int64), ("n_samples", torch.int64))

    @classmethod
    def read(cls, whole: WholeSamples) -> FloatArray:
        """1 for each empty sample, 0 for each other."""
        return np.repeat([0.0, 1.0], [len(whole.contents), whole.n_empty])

    def update(self, texts: Sequence[str]) -> None:
        """Add samples."""
        self._add_up(sum(map(is_empty, several("texts", texts))), len(texts))
