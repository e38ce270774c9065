"""Diversity: how much of what a model writes is said for the first time.

Here is distinct-n; the other members of the family stand in the modules that are imported here, one for each subject.
"""

from __future__ import annotations

from torch import Tensor

from collapse_guard.indicators.counts import ratio
from collapse_guard.indicators.diversity.family import DiversityIndicator, FixedOrder
from collapse_guard.indicators.exact_keys import Sequences
from collapse_guard.indicators.ngrams import NgramTable, different_ngrams


def distinct_n(sequences: Sequences, n: int) -> float:
    r"""Distinct-n: the share of n-grams that are new, `unique n-grams / n-grams`, pooled over all sequences.

    Unit: share of n-grams. Range: (0, 1]. Collapse: down. Undefined (NaN) where no sequence has n units. It falls with
    the number of units for any source (one Zipf source: .54 at 1k, .02 at 1M), so compare it at equal numbers only.

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
    return ratio(*different_ngrams(sequences, n, lowest=n)[0])


class Distinct(DiversityIndicator, NgramTable):
    """Distinct-n over batches of sequences of token ids; see `distinct_n`.

    As input to `update`: `sequences`, a list of 1-D integer tensors (or a (B, T) tensor without pads). The state is
    two int64 for each different n-gram. Value: float64.

    Args:
        n: Length of the n-grams, 1 to 8.
        vocabulary_size: Larger than any id. Counts are exact where `vocabulary_size**n` is below 2**63; beyond, see
            `ngrams.ngram_hashes`.

    Example:
        >>> import torch
        >>> metric = Distinct(2, vocabulary_size=10)
        >>> metric.update([torch.tensor([0, 1, 0]), torch.tensor([0, 1])])
        >>> metric.compute()
        tensor(0.6667, dtype=torch.float64)
    """

    unit = "share of n-grams"
    undefined = "no sample is as long as n"
    misses = "rare words that are lost one by one; noise, which counts as new"
    formula = staticmethod(distinct_n)

    def compute(self) -> Tensor:
        """Distinct-n of everything since the last reset; NaN without n-grams."""
        return self._scalar(self.share_of_different)


class Distinct1(FixedOrder, Distinct):
    """Distinct-1, the share of new tokens; see `Distinct`.

    Example:
        >>> import torch
        >>> metric = Distinct1(vocabulary_size=10)
        >>> metric.update([torch.tensor([7, 7, 8, 7])])
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name, place, order = "distinct_1", 10, 1


class Distinct2(FixedOrder, Distinct):
    """Distinct-2, the share of new pairs of tokens; see `Distinct`.

    Example:
        >>> import torch
        >>> metric = Distinct2(vocabulary_size=10)
        >>> metric.update([torch.tensor([7, 8, 7, 8, 7])])
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name, place, order = "distinct_2", 20, 2


class Distinct3(FixedOrder, Distinct):
    """Distinct-3, the share of new triples of tokens; see `Distinct`.

    Example:
        >>> import torch
        >>> metric = Distinct3(vocabulary_size=10)
        >>> metric.update([torch.tensor([7, 8, 9]), torch.tensor([7, 8, 9])])
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name, place, order = "distinct_3", 30, 3


class Distinct4(FixedOrder, Distinct):
    """Distinct-4, the share of new runs of four tokens; see `Distinct`.

    Example:
        >>> import torch
        >>> metric = Distinct4(vocabulary_size=10)
        >>> metric.update([torch.tensor([7, 7, 7, 7, 7, 7])])
        >>> metric.compute()
        tensor(0.3333, dtype=torch.float64)
    """

    name, place, order = "distinct_4", 40, 4
