"""The unseen: missing mass of word counts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from collapse_guard.errors import InputError
from collapse_guard.indicators.counts import Values, occurrences, ratio
from collapse_guard.indicators.ngrams import KeyTable
from collapse_guard.indicators.samples import WordGroup
from collapse_guard.indicators.tails.rare import TailIndicator


def missing_mass(counts: Values) -> float:
    r"""Good-Turing missing mass: the estimated probability that the next word was never seen, `f1 / N`.

    f1 is the number of words that occur exactly once, N the number of occurrences. Range: [0, 1]. Collapse: down: a
    source that has lost its rare words repeats those it has. Undefined (NaN) without occurrences. It falls with the
    number of occurrences for any source (its expectation is that of the unseen mass after N - 1), so compare it at
    equal numbers only. O(V) for V words.

    Args:
        counts: Occurrences of each different word, of any shape. Each unknown word counts on its own, so the counts of
            `tails.count_types`, which puts all of them in one place, are not what is wanted.

    Raises:
        InputError: A count is negative or no integer.

    Source: Good (1953), The population frequencies of species, Biometrika 40:237.

    Example:
        >>> missing_mass([5, 3, 1, 1])
        0.2
    """
    seen = occurrences(counts)
    return ratio(int((seen == 1).sum()), int(seen.sum()))


class WordTable(TailIndicator, KeyTable):
    """Counts of word ids. Indicators that read the same may share the state in a MetricCollection."""

    cost = "O(N log N) for N words"

    @classmethod
    def read(cls, group: WordGroup) -> float:
        """Value of a group."""
        return cls.formula(group.counts)

    def __init__(self, **kwargs: Any) -> None:
        """Begin without words."""
        super().__init__(**kwargs)
        self._add_table("table_of_words")

    def update(self, words: Tensor) -> None:
        """Add words."""
        if words.is_floating_point():
            raise InputError(f"`words` must be integer ids, one for each different word, but got {words.dtype}")
        self._count(words.reshape(-1).to(torch.int64).cpu().numpy())


class MissingMass(WordTable):
    """Good-Turing missing mass over batches of words; see `missing_mass`.

    As input to `update`: `words`, of any shape: an int64 id for each word, any int64, the same id for the same word
    only. A word that the wild type does not know needs an id of its own as well: with `UNKNOWN` for all of them the
    words that matter most here would count as one. The state is two int64 for each different word. Value: float64.

    Example:
        >>> metric = MissingMass()
        >>> metric.update(torch.tensor([7, 7, 8, -9]))
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name, place = "missing_mass", 30
    unit = "probability"
    undefined = "there are no words"
    formula = staticmethod(missing_mass)
    misses = "which words are rare: misspellings and noise are as new as real rare words"

    def compute(self) -> Tensor:
        """Missing mass of everything since the last reset."""
        return self._scalar(missing_mass(self.table[1]))
