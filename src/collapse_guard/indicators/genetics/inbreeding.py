"""Genetics: inbreeding of a lineage, read from how alike its tokens are and from how well it still fits real text.

Training each generation on n samples of the last one is Wright-Fisher drift: the expected homozygosity S of the types
obeys `S_t = 1 - (1 - 1/n)^t (1 - S_0)` exactly (Seddik et al. 2024, arXiv:2404.05090), which is Wright's law of
inbreeding with n for 2N. Fixation index and effective size are that law solved for F and for n.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor

from collapse_guard.errors import InputError
from collapse_guard.indicators.base import MINIMUM_GROUPS
from collapse_guard.indicators.counts import Values, occurrences, ratio
from collapse_guard.indicators.instruments import Instruments
from collapse_guard.indicators.ngrams import NgramTable
from collapse_guard.indicators.samples import TokenGroup, VectorGroup
from collapse_guard.records import Direction, EffectScale
from collapse_guard.records.readings import Reading, Relatives, are_usable


def homozygosity(counts: Values) -> float:
    r"""Homozygosity S: the chance that two different occurrences are of one type, `sum_i c_i (c_i - 1) / (N (N - 1))`.

    Range: [0, 1]. Collapse: up. Undefined (NaN) for fewer than two occurrences. Its expectation is `sum_i p_i^2` of the
    source for any number N of independent occurrences, so it does not depend on the size of the sample; the plug-in
    form `sum_i (c_i / N)^2` is too large by (1 - S) / N. O(V) for V types.

    Args:
        counts: Occurrences of each type (token, n-gram, word or cluster), of any shape.

    Raises:
        InputError: A count is negative or no integer.

    Source: Simpson (1949), Measurement of diversity, Nature 163:688; Nei and Roychoudhury (1974), Genetics 76:379.

    Example:
        >>> round(homozygosity([10, 5, 3, 2, 2, 1, 1, 1, 1]), 6)
        0.184615
    """
    c = occurrences(counts).astype(np.float64)
    n = float(c.sum())
    return ratio(float((c * (c - 1.0)).sum()), n * (n - 1.0))


def fixation_index(homozygosity: float, reference: float) -> float:
    r"""Fixation index F: the share of the wild type's diversity that is lost, `(S - S_ref) / (1 - S_ref)`.

    The inbreeding coefficient of the model. Range: (-inf, 1]. Collapse: up; 0 for real text, 1 where all tokens are
    equal, negative where a source is more diverse than the wild type. Undefined (NaN) where a homozygosity is, or where
    the reference has no diversity to lose. In expectation it does not depend on the size of either sample, as long as
    the reference is of a much larger one than the samples. O(1).

    Args:
        homozygosity: S: of the generation (`homozygosity`).
        reference: S_ref: of the wild type or the founder, of the same tokenizer and the same kind of text.

    Raises:
        InputError: A homozygosity is not from 0 to 1.

    Source: Wright (1951), The genetical structure of populations, Ann. Eugenics 15:323; for models Seddik et al.
    (2024), How bad is training on synthetic data?, arXiv:2404.05090.

    Example:
        >>> round(fixation_index(0.06, reference=0.05), 6)
        0.010526
    """
    own, reference = _checked(homozygosity, "homozygosity"), _checked(reference, "reference")
    return (own - reference) / (1.0 - reference) if reference < 1.0 else math.nan


def effective_size(homozygosity: float, parent: float) -> float:
    r"""Effective size n_e: the number of samples with which drift alone would lose as much in one generation.

    `1 / (1 - H_t / H_{t-1})` with the diversity H = 1 - S of generation and parent. Unit: tokens. Range: [1, inf).
    Collapse: down. Undefined (NaN) where diversity did not fall, as no finite sample loses none, or where a
    homozygosity is. Far below the number of training tokens it says that decoding or selection narrows the text, not
    chance. It holds for generations without real data. It does not depend on the size of the samples, but its error
    does: with standard error s of H_t it is known to a factor of about `1 + 2 s n_e / H_t`, so take it from all
    samples, not from small groups. O(1).

    Args:
        homozygosity: S_t: of the generation (`homozygosity`).
        parent: S_{t-1}: of the generation that it was trained on.

    Raises:
        InputError: A homozygosity is not from 0 to 1.

    Source: Wright (1931), Evolution in Mendelian populations, Genetics 16:97; Crow and Kimura (1970), chapter 7, for
    the inbreeding effective number.

    Example:
        >>> round(effective_size(0.06, parent=0.05), 6)
        95.0
    """
    own, parent = _checked(homozygosity, "homozygosity"), _checked(parent, "parent")
    return (1.0 - parent) / (own - parent) if own > parent else math.nan


class _TokenCounts(NgramTable):
    family = "genetics"
    direction = Direction.UP
    minimum_n = MINIMUM_GROUPS
    cost = "O(N log N) for N tokens"
    misses = "rare tokens: common ones decide how alike two tokens are"
    definitions = (4, 6)

    def _homozygosity(self) -> float:
        return homozygosity(self.table[1])


class Homozygosity(_TokenCounts):
    """Homozygosity over batches of sequences of token ids; see `homozygosity`.

    As input to `update`: `sequences`, a list of 1-D integer tensors (or a (B, T) tensor without pads). The state is
    two int64 for each different n-gram. Value: float64.

    Args:
        n: Length of the n-grams that are compared, 1 to 8.
        vocabulary_size: Larger than any id.

    Example:
        >>> import torch
        >>> metric = Homozygosity(vocabulary_size=10)
        >>> metric.update([torch.tensor([7, 7, 8]), torch.tensor([7])])
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name, place = "homozygosity", 10
    unit = "probability"
    value_range = (0.0, 1.0)
    evidence = "tokens"
    reads_rows = True
    of_draws = True
    undefined = "there are fewer than two tokens"

    @classmethod
    def read(cls, group: TokenGroup | VectorGroup) -> float:
        """Value of a group."""
        return homozygosity(group.counts)

    def __init__(self, n: int = 1, *, vocabulary_size: int, **kwargs: Any) -> None:
        """Begin without sequences."""
        super().__init__(n, vocabulary_size, **kwargs)

    def compute(self) -> Tensor:
        """Homozygosity of everything since the last reset."""
        return self._scalar(self._homozygosity())


class FixationIndex(_TokenCounts):
    """Fixation index over batches of sequences of token ids; see `fixation_index`.

    As input to `update`: `sequences`, as for `Homozygosity`. Value: float64.

    Args:
        reference: Homozygosity of the wild type or the founder, of the same n-grams.
        n: Length of the n-grams that are compared, 1 to 8.
        vocabulary_size: Larger than any id.

    Example:
        >>> import torch
        >>> metric = FixationIndex(reference=0.2, vocabulary_size=10)
        >>> metric.update([torch.tensor([7, 7, 8]), torch.tensor([7])])
        >>> metric.compute()
        tensor(0.3750, dtype=torch.float64)
    """

    name, place = "fixation_index", 20
    unit = "share of diversity"
    value_range = (-math.inf, 1.0)
    evidence = "tokens"
    reads_rows = True
    of_draws = True
    scale = EffectScale.SHARE
    undefined = "there are fewer than two tokens, or the reference has no diversity"

    @classmethod
    def read(cls, group: TokenGroup | VectorGroup) -> float:
        """Value of a group, against the pool."""
        return fixation_index(homozygosity(group.counts), group.instruments.of(_reference))

    def __init__(self, reference: float, n: int = 1, *, vocabulary_size: int, **kwargs: Any) -> None:
        """Begin without sequences."""
        super().__init__(n, vocabulary_size, **kwargs)
        self.reference = _checked(reference, "reference")

    def compute(self) -> Tensor:
        """Fixation index of everything since the last reset."""
        return self._scalar(fixation_index(self._homozygosity(), self.reference))


class EffectiveSize(_TokenCounts):
    """Effective size over batches of sequences of token ids; see `effective_size`.

    As input to `update`: `sequences`, as for `Homozygosity`, of the generation. Value: float64.

    Args:
        parent: Homozygosity of the generation that this one was trained on, of the same n-grams.
        n: Length of the n-grams that are compared, 1 to 8.
        vocabulary_size: Larger than any id.

    Example:
        >>> import torch
        >>> metric = EffectiveSize(parent=0.4, vocabulary_size=10)
        >>> metric.update([torch.tensor([7, 7, 8]), torch.tensor([7])])
        >>> metric.compute()
        tensor(6.0000, dtype=torch.float64)
    """

    name, place = "effective_size", 30
    unit = "tokens"
    direction = Direction.DOWN
    value_range = (1.0, math.inf)
    evidence = "lineage"
    undefined = "diversity did not fall since the parent, or there are fewer than two tokens"
    misses = "losses of earlier generations; and whether chance or decoding narrowed the text"

    @classmethod
    def read(cls, relatives: Relatives) -> Reading | None:
        """Value of the step from the parent; None where either has no homozygosity."""
        if not are_usable("homozygosity", relatives.here, relatives.parent):
            return None
        own, before = relatives.here["homozygosity"], relatives.parent["homozygosity"]
        value = effective_size(own.value, before.value)
        problem = f"{cls.name} is undefined: {cls.undefined}" if math.isnan(value) else ""
        return cls.reading(value=value, n=own.n, n_minimum=own.n_minimum, group=own.group, problem=problem)

    def __init__(self, parent: float, n: int = 1, *, vocabulary_size: int, **kwargs: Any) -> None:
        """Begin without sequences."""
        super().__init__(n, vocabulary_size, **kwargs)
        self.parent = _checked(parent, "parent")

    def compute(self) -> Tensor:
        """Effective size of the step from the parent to everything since the last reset."""
        return self._scalar(effective_size(self._homozygosity(), self.parent))


def _reference(instruments: Instruments) -> float:
    """The chance that two tokens of the pool, or two of its vectors by their clusters, are the same."""
    return homozygosity(instruments.type_counts)


def _checked(homozygosity: float, name: str) -> float:
    """A homozygosity; NaN where it was undefined."""
    value = float(homozygosity)
    if not (0.0 <= value <= 1.0 or math.isnan(value)):
        raise InputError(f"`{name}` must be a homozygosity, from 0 to 1, but got {value}: take that of `homozygosity`")
    return value
