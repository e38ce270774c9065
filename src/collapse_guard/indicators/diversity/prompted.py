"""Diversity within prompts and between them: how alike the answers to one prompt are, and to different ones."""

from __future__ import annotations

import hashlib
import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from collapse_guard.arguments import several, utf8
from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.errors import InputError
from collapse_guard.indicators.diversity.family import DiversityIndicator
from collapse_guard.indicators.document_ngrams import KeptSequences, ngrams_by_document
from collapse_guard.indicators.exact_keys import Sequences, check_order, joined
from collapse_guard.indicators.rates import Rates
from collapse_guard.indicators.samples import PromptedSamples
from collapse_guard.records import EffectScale

_ORDER = 2
_FEWEST_PROMPTS = 20


def distinct_within_prompts(sequences: Sequences, prompts: npt.ArrayLike, n: int = _ORDER) -> float:
    r"""How much of one sample another sample of the same prompt does not have: the mean over prompts of

    `1 - sum_g c_g (c_g - 1) / ((m - 1) sum_g c_g)`, where m samples of the prompt have an n-gram, and c_g of them the
    n-gram g. So take a sample, one of its different n-grams, and another sample of the prompt: it is the chance that
    this one lacks the n-gram.

    Unit: share of n-grams. Range: [0, 1]. Collapse: down, where a prompt is always answered in the same way.
    Undefined (NaN) unless a prompt has two samples of n units; others are left out. The number of samples does not move
    it in expectation; it falls slowly with their length. O(N log N) for N units.

    Args:
        sequences: Samples as 1-D ids, each from 0 to 2**31.
        prompts: The number of each sample's prompt, from 0.
        n: Length of the n-grams, 1 to 8.

    Raises:
        InputError: `n` or an id is out of range, a sequence is not 1-D integers, or `prompts` does not fit.

    Source: Kirk et al. (2024), Understanding the effects of RLHF on LLM generalisation and diversity, ICLR (per-input
        diversity), with the overlap of pairs of samples in the place of distinct-n, which falls with their number.

    Example:
        >>> distinct_within_prompts([[1, 2, 3], [1, 2, 4], [5, 6, 7], [5, 6, 7]], prompts=[0, 0, 1, 1])
        0.25
    """
    return _mean(_within(_grams(sequences, prompts, n)))


def distinct_between_prompts(sequences: Sequences, prompts: npt.ArrayLike, n: int = _ORDER) -> float:
    r"""How much of a sample one of another prompt does not have: the mean over pairs of prompts p and q of

    `1 - sum_g c_pg c_qg / (m_q sum_g c_pg)`, where m_q samples of q have an n-gram, and c_qg of them the n-gram g. So
    take a sample of p, one of its different n-grams, and a sample of q: it is the chance that this one lacks it.

    Unit: share of n-grams. Range: [0, 1]. Collapse: down, where all prompts are answered alike. Undefined (NaN) unless
    two prompts have a sample of n units. Neither the number of prompts nor that of samples moves it in expectation; it
    falls slowly with their length. O(N log N) for N units.

    Args:
        sequences: Samples as 1-D ids, each from 0 to 2**31.
        prompts: The number of each sample's prompt, from 0.
        n: Length of the n-grams, 1 to 8.

    Raises:
        InputError: As `distinct_within_prompts`.

    Source: Kirk et al. (2024), Understanding the effects of RLHF on LLM generalisation and diversity, ICLR
        (across-input diversity), with the overlap of pairs of prompts in the place of distinct-n.

    Example:
        >>> distinct_between_prompts([[1, 2, 3], [1, 2, 3], [1, 2, 4]], prompts=[0, 0, 1])
        0.5
    """
    return _mean(_between(_grams(sequences, prompts, n)))


class _PromptIndicator(DiversityIndicator, KeptSequences):
    """Base of indicators that have a number for each prompt."""

    unit = "share of n-grams"
    scale = EffectScale.SHARE
    evidence = "prompts"
    minimum_n = _FEWEST_PROMPTS
    definitions: ClassVar[tuple[int, ...]] = (6,)
    prompt_hashes: Tensor

    @classmethod
    def read(cls, given: PromptedSamples) -> Rates:  # type: ignore[override]  # of all samples, not of a group
        """A number for each prompt that has one, and their mean."""
        values = cls._per_prompt(_grams(given.tokens, given.prompts, _ORDER))
        there = np.flatnonzero(np.isfinite(values))
        problem = "" if len(there) else f"{cls.name} is undefined: {cls.undefined}"
        chosen = there if len(there) else np.arange(len(values))
        return Rates(
            value=_mean(values),
            documents=tuple(given.keys[prompt] for prompt in chosen.tolist()),
            sums=values[chosen],
            units=np.ones(len(chosen)),
            problem=problem,
            n=len(there),
        )

    @classmethod
    @abstractmethod
    def _per_prompt(cls, grams: _Grams) -> FloatArray:
        """The numbers of the prompts, of which the value is the mean; NaN where a prompt has none."""

    def __init__(self, n: int = _ORDER, **kwargs: Any) -> None:
        """Begin without samples."""
        super().__init__(n, **kwargs)
        self._add_flat("prompt_hashes")

    def update(self, sequences: Sequences, prompts: Sequence[str]) -> None:  # type: ignore[override]
        """Add samples, each with the text of its prompt."""
        _check_number(len(several("prompts", prompts)), len(sequences))
        super().update(sequences)
        digests = b"".join(hashlib.blake2b(utf8("`prompts`", one), digest_size=8).digest() for one in prompts)
        self._append("prompt_hashes", np.frombuffer(digests, dtype="<i8").astype(np.int64))

    def compute(self) -> Tensor:
        """Value of everything since the last reset."""
        ends = np.cumsum(self.token_lengths.cpu().numpy())
        sequences = np.split(self.token_ids.cpu().numpy(), ends[:-1]) if len(ends) else []
        numbers = np.unique(self.prompt_hashes.cpu().numpy(), return_inverse=True)[1]
        return self._scalar(self.formula(sequences, numbers, self.n))


class DistinctWithinPrompts(_PromptIndicator):
    """What samples of one prompt do not share, over batches of samples; see `distinct_within_prompts`.

    As input to `update`: `sequences`, a list of 1-D integer tensors (or a (B, T) tensor without pads), and `prompts`, a
    list of as many str. The state is all ids, 8 bytes a token, and at most `most_tokens` (2**27, 1 GiB) of them; a
    prompt is a 64-bit hash. Value: float64.

    Args:
        n: Length of the n-grams, 1 to 8.

    Example:
        >>> import torch
        >>> metric = DistinctWithinPrompts()
        >>> metric.update([torch.tensor([1, 2, 3]), torch.tensor([1, 2, 4])], ["Who won?", "Who won?"])
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name, place = "distinct_within_prompts", 190
    undefined = "no prompt has two samples that are as long as n"
    misses = "answers that differ in words alone, and prompts that are all answered alike"
    formula = staticmethod(distinct_within_prompts)

    @classmethod
    def _per_prompt(cls, grams: _Grams) -> FloatArray:
        return _within(grams)


class DistinctBetweenPrompts(_PromptIndicator):
    """What samples of different prompts do not share, over batches of samples; see `distinct_between_prompts`.

    As input to `update`: `sequences`, a list of 1-D integer tensors (or a (B, T) tensor without pads), and `prompts`, a
    list of as many str. The state is all ids, 8 bytes a token, and at most `most_tokens` (2**27, 1 GiB) of them; a
    prompt is a 64-bit hash. Value: float64. A reading has for each prompt its pseudo-value of the jackknife, whose mean
    is the value and whose spread is that of prompts, though each is compared with all.

    Args:
        n: Length of the n-grams, 1 to 8.

    Example:
        >>> import torch
        >>> metric = DistinctBetweenPrompts()
        >>> metric.update([torch.tensor([1, 2, 3]), torch.tensor([1, 2, 4])], ["Who won?", "Who lost?"])
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    name, place = "distinct_between_prompts", 200
    undefined = "fewer than two prompts have a sample that is as long as n"
    misses = "a prompt that is always answered in the same way"
    formula = staticmethod(distinct_between_prompts)

    @classmethod
    def _per_prompt(cls, grams: _Grams) -> FloatArray:
        return _between(grams)


class _Grams(NamedTuple):
    """The different n-grams of the samples of each prompt. A row is an n-gram of a prompt."""

    gram: IntArray
    """Row -> number of the n-gram; rows of equal n-grams stand together."""
    prompt: IntArray
    """Row -> number of the prompt."""
    samples: FloatArray
    """Row -> how many samples of the prompt have the n-gram."""
    per_prompt: FloatArray
    """Prompt -> its samples that have an n-gram."""
    total: FloatArray
    """Prompt -> different n-grams of each of its samples, summed over them."""


def _grams(sequences: Sequences, prompts: npt.ArrayLike, n: int) -> _Grams:
    check_order(n)
    ids, lengths = joined(sequences)
    numbers = np.asarray(prompts, dtype=np.int64)
    _check_number(len(numbers), len(lengths))
    n_prompts = int(numbers.max(initial=-1)) + 1
    table = ngrams_by_document(ids, lengths, n)
    gram = np.repeat(np.arange(len(table.starts)), table.spread)
    keys, samples = np.unique(gram * max(1, n_prompts) + numbers[table.documents], return_counts=True)
    prompt = keys % max(1, n_prompts)
    return _Grams(
        gram=keys // max(1, n_prompts),
        prompt=prompt,
        samples=samples.astype(np.float64),
        per_prompt=np.bincount(numbers[lengths >= n], minlength=n_prompts).astype(np.float64),
        total=np.bincount(prompt, weights=samples, minlength=n_prompts).astype(np.float64),
    )


def _within(grams: _Grams) -> FloatArray:
    """Of each prompt, what its samples do not share; NaN where it has fewer than two."""
    shared = np.bincount(grams.prompt, weights=grams.samples * (grams.samples - 1.0), minlength=len(grams.total))
    with np.errstate(divide="ignore", invalid="ignore"):
        values = 1.0 - shared / ((grams.per_prompt - 1.0) * grams.total)
    return np.where(grams.per_prompt >= 2.0, values, math.nan)


def _between(grams: _Grams) -> FloatArray:
    """Of each prompt, the pseudo-value of the jackknife over prompts; NaN where it has no sample, or is the only one.

    The value U is a mean over pairs of prompts. With r the mean of the pairs of a prompt as the first of both, and k as
    the second, its pseudo-value P U - (P - 1) U_(-p) is U + (r + k - 2 U) (P - 1) / (P - 2).
    """
    has_any = grams.per_prompt > 0.0
    n = int(has_any.sum())
    if n < 2:
        return np.full(len(has_any), math.nan)
    share, chance = grams.samples / grams.total[grams.prompt], grams.samples / grams.per_prompt[grams.prompt]
    of_others = [np.bincount(grams.gram, weights=part)[grams.gram] - part for part in (chance, share)]
    first, second = (
        np.bincount(grams.prompt, weights=part * others, minlength=len(has_any)) / (n - 1.0)
        for part, others in zip((share, chance), of_others, strict=True)
    )
    mean = float(first[has_any].mean())
    spread = (n - 1.0) / (n - 2.0) if n > 2 else 0.0
    return np.where(has_any, 1.0 - mean - spread * (first + second - 2.0 * mean), math.nan)


def _mean(values: FloatArray) -> float:
    """Of those that are numbers; rounding must not lead out of the range."""
    there = values[np.isfinite(values)]
    return min(1.0, max(0.0, float(there.mean()))) if len(there) else math.nan


def _check_number(n_prompts: int, n: int) -> None:
    if n_prompts != n:
        raise InputError(f"`prompts` must be one for each of {n} sequences, but got {n_prompts}")
