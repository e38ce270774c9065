"""Genetics: inbreeding of a lineage, read from how alike its tokens are and from how well it still fits real text.

Training each generation on n samples of the last one is Wright-Fisher drift: the expected homozygosity S of the types
obeys `S_t = 1 - (1 - 1/n)^t (1 - S_0)` exactly (Seddik et al. 2024, arXiv:2404.05090), which is Wright's law of
inbreeding with n for 2N. Fixation index and effective size are that law solved for F and for n.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy.typing as npt
import torch
from torch import Tensor

from collapse_guard.errors import InputError
from collapse_guard.genetics import divergence
from collapse_guard.indicators.base import MINIMUM_GROUPS, EvidenceKind, Indicator
from collapse_guard.indicators.ngrams import NgramTable
from collapse_guard.indicators.richness import occurrences
from collapse_guard.records import Direction


def homozygosity(counts: npt.ArrayLike | Tensor) -> float:
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
    return float(divergence.homozygosity(occurrences(counts)))


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
    r"""Effective size n_e: of how many samples drift alone would lose as much in one generation.

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


def relative_fitness(
    nats: npt.ArrayLike | Tensor,
    n_tokens: npt.ArrayLike | Tensor,
    founder_nats: npt.ArrayLike | Tensor,
    founder_tokens: npt.ArrayLike | Tensor,
) -> float:
    r"""Relative fitness: the founder's perplexity over that of the generation, `exp(founder rate - rate)`.

    How well a generation still predicts real text: W / W_0 of inbreeding depression; rates are nats per token.
    Range: [0, inf). Collapse: down; 1 is as good as the founder, more is better. Undefined (NaN) without tokens, or
    where both losses are infinite. It does not depend on batches nor, but for noise, on the number of documents, as
    long as both models scored the same ones. O(d) for d documents.

    Args:
        nats: Sums of nats of wild-type documents under the generation.
        n_tokens: Scored tokens of each.
        founder_nats: Sums of nats of the same documents under the founder.
        founder_tokens: Tokens of each that the founder scored.

    Source: Charlesworth and Willis (2009), The genetics of inbreeding depression, Nat. Rev. Genet. 10:783, for W / W_0;
    Jelinek et al. (1977), J. Acoust. Soc. Am. 62:S63, for perplexity.

    Example:
        >>> round(relative_fitness([math.log(32)], [1], founder_nats=[math.log(16)], founder_tokens=[1]), 6)
        0.5
    """
    gain = _rate(founder_nats, founder_tokens) - _rate(nats, n_tokens)
    return math.exp(gain) if not gain > 709.0 else math.inf


class _OfTokens(NgramTable):
    family = "genetics"
    direction = Direction.UP
    minimum_n = MINIMUM_GROUPS
    cost = "O(N log N) for N tokens"
    misses = "rare tokens: common ones decide how alike two tokens are"
    definitions = (4, 6)

    def _homozygosity(self) -> float:
        return homozygosity(self.table[1])


class Homozygosity(_OfTokens):
    """Homozygosity over batches of sequences of token ids; see `homozygosity`.

    As input to `update`: `sequences`, a list of 1-D integer tensors (or a (B, T) tensor without pads). The state is
    two int64 for each different n-gram. Value: float64.

    Args:
        n: Length of the n-grams that are compared, 1 to 8.
        vocabulary_size: Larger than any id.

    Example:
        >>> metric = Homozygosity(vocabulary_size=10)
        >>> metric.update([torch.tensor([7, 7, 8]), torch.tensor([7])])
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name = "homozygosity"
    unit = "probability"
    value_range = (0.0, 1.0)
    evidence: ClassVar[EvidenceKind] = "tokens"
    undefined = "there are fewer than two tokens"

    def __init__(self, n: int = 1, *, vocabulary_size: int, **kwargs: Any) -> None:
        """Begin without sequences."""
        super().__init__(n, vocabulary_size, **kwargs)

    def compute(self) -> Tensor:
        """Homozygosity of everything since the last reset."""
        return self._scalar(self._homozygosity())


class FixationIndex(_OfTokens):
    """Fixation index over batches of sequences of token ids; see `fixation_index`.

    As input to `update`: `sequences`, as for `Homozygosity`. Value: float64.

    Args:
        reference: Homozygosity of the wild type or the founder, of the same n-grams.
        n: Length of the n-grams that are compared, 1 to 8.
        vocabulary_size: Larger than any id.

    Example:
        >>> metric = FixationIndex(reference=0.2, vocabulary_size=10)
        >>> metric.update([torch.tensor([7, 7, 8]), torch.tensor([7])])
        >>> metric.compute()
        tensor(0.3750, dtype=torch.float64)
    """

    name = "fixation_index"
    unit = "share of diversity"
    value_range = (-math.inf, 1.0)
    evidence: ClassVar[EvidenceKind] = "tokens"
    scale = "absolute"
    undefined = "there are fewer than two tokens, or the reference has no diversity"

    def __init__(self, reference: float, n: int = 1, *, vocabulary_size: int, **kwargs: Any) -> None:
        """Begin without sequences."""
        super().__init__(n, vocabulary_size, **kwargs)
        self.reference = _checked(reference, "reference")

    def compute(self) -> Tensor:
        """Fixation index of everything since the last reset."""
        return self._scalar(fixation_index(self._homozygosity(), self.reference))


class EffectiveSize(_OfTokens):
    """Effective size over batches of sequences of token ids; see `effective_size`.

    As input to `update`: `sequences`, as for `Homozygosity`, of the generation. Value: float64.

    Args:
        parent: Homozygosity of the generation that this one was trained on, of the same n-grams.
        n: Length of the n-grams that are compared, 1 to 8.
        vocabulary_size: Larger than any id.

    Example:
        >>> metric = EffectiveSize(parent=0.4, vocabulary_size=10)
        >>> metric.update([torch.tensor([7, 7, 8]), torch.tensor([7])])
        >>> metric.compute()
        tensor(6.0000, dtype=torch.float64)
    """

    name = "effective_size"
    unit = "tokens"
    direction = Direction.DOWN
    value_range = (1.0, math.inf)
    evidence: ClassVar[EvidenceKind] = "lineage"
    undefined = "diversity did not fall since the parent, or there are fewer than two tokens"
    misses = "what was lost in earlier generations; and whether chance or decoding has narrowed the text"

    def __init__(self, parent: float, n: int = 1, *, vocabulary_size: int, **kwargs: Any) -> None:
        """Begin without sequences."""
        super().__init__(n, vocabulary_size, **kwargs)
        self.parent = _checked(parent, "parent")

    def compute(self) -> Tensor:
        """Effective size of the step from the parent to everything since the last reset."""
        return self._scalar(effective_size(self._homozygosity(), self.parent))


class RelativeFitness(Indicator):
    """Relative fitness over documents; see `relative_fitness`.

    As input to `update`: `nats`, `n_tokens` and `founder_nats`, each (d,) for d documents that generation and founder
    have scored token for token alike. Sums are float64. Value: float64.

    Example:
        >>> metric = RelativeFitness()
        >>> metric.update(torch.tensor([30.0, 50.0]), torch.tensor([10, 10]), torch.tensor([30.0, 30.0]))
        >>> metric.compute()
        tensor(0.3679, dtype=torch.float64)
    """

    name = "relative_fitness"
    family = "genetics"
    unit = "share of the founder's fitness"
    direction = Direction.DOWN
    value_range = (0.0, math.inf)
    minimum_n = 30
    evidence: ClassVar[EvidenceKind] = "lineage"
    undefined = "no token is scored, or both losses are infinite"
    cost = "O(d) for d documents"
    misses = "what a model writes: a model may score well and sample poorly"
    definitions = (1, 2, 3)

    fitness_nats: Tensor
    fitness_tokens: Tensor
    fitness_founder_nats: Tensor

    def __init__(self, **kwargs: Any) -> None:
        """Begin without documents."""
        super().__init__(**kwargs)
        self._add_sum("fitness_nats")
        self._add_sum("fitness_tokens", dtype=torch.int64)
        self._add_sum("fitness_founder_nats")

    def update(self, nats: Tensor, n_tokens: Tensor, founder_nats: Tensor) -> None:
        """Add documents."""
        self.fitness_nats = self.fitness_nats + nats.sum(dtype=torch.float64)
        self.fitness_tokens = self.fitness_tokens + n_tokens.sum()
        self.fitness_founder_nats = self.fitness_founder_nats + founder_nats.sum(dtype=torch.float64)

    def compute(self) -> Tensor:
        """Relative fitness of everything since the last reset."""
        tokens = self.fitness_tokens
        return self._scalar(relative_fitness(self.fitness_nats, tokens, self.fitness_founder_nats, tokens))


def _checked(homozygosity: float, name: str) -> float:
    """A homozygosity; NaN where it was undefined."""
    value = float(homozygosity)
    if not (0.0 <= value <= 1.0 or math.isnan(value)):
        raise InputError(f"`{name}` must be a homozygosity, from 0 to 1, but got {value}: take that of `homozygosity`")
    return value


def _rate(nats: npt.ArrayLike | Tensor, units: npt.ArrayLike | Tensor) -> float:
    total = float(torch.as_tensor(units, dtype=torch.float64).sum())
    return float(torch.as_tensor(nats, dtype=torch.float64).sum()) / total if total else math.nan
