"""Unique samples: how many of the samples are not copies of another."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from collapse_guard.arguments import utf8
from collapse_guard.errors import InputError
from collapse_guard.indicators.counts import ratio
from collapse_guard.indicators.diversity.family import DiversityIndicator
from collapse_guard.indicators.ngrams import KeyTable
from collapse_guard.indicators.whole import WholeSamples
from collapse_guard.records.census import Census, census_of

Contents = Sequence[str | bytes | npt.ArrayLike | Tensor] | npt.NDArray[Any] | Tensor
"""Samples of one kind: texts, bytes, or 1-D arrays of ids or numbers (the rows of a matrix)."""


def unique_samples(contents: Contents) -> float:
    r"""Share of samples that are new: `different samples / samples`.

    Unit: share of samples. Range: (0, 1]. Collapse: down. Undefined (NaN) without samples. It falls with the number
    of samples for any source that can repeat itself, so compare it at equal numbers only. Exact copies only: a
    changed comma makes a new sample. O(bytes).

    Args:
        contents: n samples of one kind: texts, bytes, or 1-D arrays. Integers are compared as int64 and floats as
            float64, whatever their type; -0.0 equals 0.0, and NaN equals NaN.

    Raises:
        InputError: A sample is neither, or has no UTF-8 form.

    Source: Lee et al. (2022), Deduplicating training data makes language models better, ACL.

    Example:
        >>> unique_samples(["war", "peace", "war", "war"])
        0.5
    """
    return ratio(len({_content(sample) for sample in contents}), len(contents))


class UniqueSamples(DiversityIndicator, KeyTable):
    """Share of samples that are new, over batches of samples; see `unique_samples`.

    As input to `update`: `contents`, a list of texts, bytes or 1-D tensors, or the rows of a tensor. The state is two
    int64 for each different sample: a 64-bit hash (BLAKE2b) and a count. Two different samples are taken for one with
    probability 2**-64, so among K different ones some pair is with probability of about K**2 / 2**65: 3e-8 for a
    million. Value: float64.

    Example:
        >>> metric = UniqueSamples()
        >>> metric.update(["war", "peace"])
        >>> metric.update(["war", "war"])
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name, place = "unique_samples", 160
    unit = "share of samples"
    undefined = "there are no samples"
    evidence = "whole"
    reads_rows = True
    minimum_n = 32
    cost = "O(bytes)"
    misses = "copies with a small change, and everything short of copies"
    definitions = (6,)

    @classmethod
    def read(cls, whole: WholeSamples) -> Census:
        """How many samples there are once, twice, and so on."""
        return census_of(whole.contents)

    def __init__(self, **kwargs: Any) -> None:
        """Begin without samples."""
        super().__init__(**kwargs)
        self._add_table("table_of_contents")

    def update(self, contents: Contents) -> None:
        """Add samples."""
        digests = b"".join(hashlib.blake2b(_content(sample), digest_size=8).digest() for sample in contents)
        self._count(np.frombuffer(digests, dtype="<i8").astype(np.int64))

    def compute(self) -> Tensor:
        """Share of everything since the last reset; NaN without samples."""
        return self._scalar(self.share_of_different)


def _content(sample: str | bytes | npt.ArrayLike | Tensor) -> bytes:
    if isinstance(sample, bytes):
        return sample
    if isinstance(sample, str):
        return utf8("each of `contents`", sample)
    if isinstance(sample, Tensor):
        # NumPy has no bfloat16.
        sample = sample.detach().cpu().double() if sample.is_floating_point() else sample.detach().cpu()
    array = np.asarray(sample)
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        raise InputError(
            f"each of `contents` must be a text, bytes or a 1-D array, but got {array.ndim}-D {array.dtype}: flatten it"
        )
    # Adding zero makes -0.0 the same bytes as 0.0.
    return (array.astype(np.float64) + 0.0 if array.dtype.kind == "f" else array.astype(np.int64)).tobytes()
