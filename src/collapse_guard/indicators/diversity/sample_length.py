"""Sample length: how long what a model writes is, which moves nearly all that is read of samples."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from collapse_guard.arrays import FloatArray
from collapse_guard.indicators.counts import ratio
from collapse_guard.indicators.diversity.family import DiversityIndicator
from collapse_guard.indicators.exact_keys import Sequences, joined
from collapse_guard.indicators.whole import WholeSamples
from collapse_guard.records import Direction


def sample_length(sequences: Sequences) -> float:
    """Mean number of units of a sample: `units / samples`.

    Unit: tokens per sample. Range: [0, inf). Collapse: both ways, as loops never end and narrow answers are short; a
    limit of length moves it too. Undefined (NaN) without samples. Diversity of samples that got longer is not that of
    samples as long as before: where the length moved, a verdict says so. O(n).

    Args:
        sequences: n samples as 1-D ids.

    Raises:
        InputError: A sequence is not 1-D integers.

    Source: a mean; nothing to cite.

    Example:
        >>> sample_length([[5, 6, 5], [7]])
        2.0
    """
    return ratio(*_counts(sequences))


class SampleLength(DiversityIndicator):
    """Mean number of tokens over batches of samples; see `sample_length`.

    As input to `update`: `sequences`, a list of 1-D integer tensors (or a (B, T) tensor without pads). The state is two
    int64. Value: float64.

    Example:
        >>> import torch
        >>> metric = SampleLength()
        >>> metric.update([torch.tensor([5, 6, 5]), torch.tensor([7])])
        >>> metric.compute()
        tensor(2., dtype=torch.float64)
    """

    name, place = "sample_length", 210
    unit = "tokens per sample"
    direction = Direction.BOTH
    value_range = (0.0, math.inf)
    undefined = "there are no samples"
    evidence = "whole"
    minimum_n = 32
    cost = "O(n) for n samples"
    misses = "what the samples say"
    definitions = (8,)

    @classmethod
    def read(cls, whole: WholeSamples) -> FloatArray | None:
        """The tokens of each sample that is not empty."""
        return whole.lengths

    def __init__(self, **kwargs: Any) -> None:
        """Begin without samples."""
        super().__init__(**kwargs)
        self._add_count("units_of_all_samples")
        self._add_count("n_samples_with_a_length")

    def update(self, sequences: Sequences) -> None:
        """Add samples."""
        self._add_up(*_counts(sequences))

    def compute(self) -> Tensor:
        """The mean of everything since the last reset; NaN without samples."""
        return self._scalar(ratio(*map(int, self._totals)))


def _counts(sequences: Sequences) -> tuple[int, int]:
    """Units, and samples."""
    ids, lengths = joined(sequences)
    return len(ids), len(lengths)
