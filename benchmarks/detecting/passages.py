"""Token ids of many documents in one array: what language models are trained on, and what they write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
BOS = 0
"""What stands before a document."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Passages:
    """n documents, none of them empty."""

    tokens: Ids
    """The ids of all documents in a row."""
    starts: Ids
    """n + 1: where each document begins, and the end of the last."""

    @classmethod
    def of(cls, documents: Sequence[npt.ArrayLike]) -> Passages:
        """Join documents.

        Example:
            >>> Passages.of([[5, 6, 7], [8]]).starts.tolist()
            [0, 3, 4]
        """
        arrays = [np.asarray(document, dtype=np.int64) for document in documents]
        lengths = [len(array) for array in arrays]
        return cls(tokens=np.concatenate(arrays), starts=np.concatenate([[0], np.cumsum(lengths)]))

    @classmethod
    def of_rows(cls, rows: Ids) -> Passages:
        """Documents of equal length, one a row."""
        n, length = rows.shape
        return cls(tokens=rows.ravel(), starts=np.arange(n + 1) * length)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Ids:
        """n: tokens of each document."""
        return np.diff(self.starts)

    def __getitem__(self, index: npt.ArrayLike) -> Passages:
        """The documents at some places, in that order, with repeats."""
        places = np.asarray(index)
        lengths = self.lengths[places]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        within = np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)
        return Passages(tokens=self.tokens[np.repeat(self.starts[:-1][places], lengths) + within], starts=starts)

    def contexts(self) -> tuple[Ids, Ids]:
        """The token two before and the token before each token; BOS where the document has none."""
        before = np.roll(self.tokens, 1)
        two_before = np.roll(self.tokens, 2)
        firsts = self.starts[:-1]
        seconds = (firsts + 1)[self.lengths > 1]
        before[firsts], two_before[firsts], two_before[seconds] = BOS, BOS, BOS
        return two_before, before

    def sums(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """n: the sum over each document of what each token has."""
        return np.add.reduceat(values, self.starts[:-1])


def joined(*parts: Passages) -> Passages:
    """All documents of all parts."""
    ends = np.cumsum([0, *(len(part.tokens) for part in parts)])
    starts = [part.starts[:-1] + end for part, end in zip(parts, ends, strict=False)]
    return Passages(tokens=np.concatenate([part.tokens for part in parts]), starts=np.concatenate([*starts, ends[-1:]]))
