"""Prompts of samples: which samples answer the same one, and how much less they say together than as many others."""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.errors import CollapseGuardWarning
from collapse_guard.evidence import Evidence

FEWEST_PROMPTS = 20
"""Prompts from which on they stand for others like them. Fewer are conditions under which samples were drawn, which
are the same in every generation, and samples are what is drawn."""


_WITHIN = 0.9
"""Share of the samples that begin with their prompts, from which on they are texts that hold both."""


@dataclass(frozen=True, eq=False)
class Prompts:
    """The prompts of samples, each with a number: in the order of hashes, which has nothing to do with what they say.

    Example:
        >>> prompts = Prompts.of(["Who won?", "Why?", "Who won?"])
        >>> len(prompts.keys), prompts.numbers.tolist() in ([0, 1, 0], [1, 0, 1])
        (2, True)
    """

    keys: tuple[str, ...]
    """A hash of each different prompt, rising: the same one in every generation."""
    numbers: IntArray
    """n: the place of each sample's prompt among them."""

    @classmethod
    def of(cls, prompts: Sequence[str]) -> Prompts:
        """The prompts of samples."""
        hashes = {text: _hash(text) for text in set(prompts)}
        keys = tuple(sorted(hashes.values()))
        places = {key: place for place, key in enumerate(keys)}
        return cls(keys, np.array([places[hashes[text]] for text in prompts], dtype=np.int64))

    @property
    def of_dependent(self) -> IntArray | None:
        """The numbers, where samples of one prompt are to be taken together; None where each may stand for itself.

        They may where no prompt has two samples, or where there are few prompts, which are conditions.
        """
        has_several = len(self.keys) < len(self.numbers)
        return self.numbers if has_several and len(self.keys) >= FEWEST_PROMPTS else None


def warn_of_prompts_within(evidence: Evidence) -> None:
    """Warn where samples are of texts that hold their prompts, which are then read as if the model had written them."""
    if evidence.prompts is None or evidence.samples is None:
        return
    pairs = [
        (prompt.strip(), sample.lstrip())
        for prompt, sample in zip(evidence.prompts, evidence.samples, strict=False)
        if isinstance(sample, str) and prompt.strip() and sample.strip()
    ]
    within = sum(sample.startswith(prompt) for prompt, sample in pairs)
    if pairs and within >= _WITHIN * len(pairs):
        message = (
            f"{within:,} of {len(pairs):,} samples begin with their prompts, which are read as if the model had "
            "written them: give what it wrote alone, as another column or as `messages.assistant` of a chat"
        )
        warnings.warn(message, CollapseGuardWarning, stacklevel=3)


def variance_by_prompts(kinds: Sequence[Hashable], prompts: IntArray) -> float:
    r"""How many times larger the variance of a share of different samples is than that of independent samples.

    The jackknife over prompts divided by that over samples, at least 1:

    .. math:: \frac{P - 1}{P} \sum_p (s_{-p} - \bar s_-)^2 \Big/ \frac{n - 1}{n} \sum_i (s_{-i} - \bar s_-)^2

    where s without the samples of prompt p, or without sample i, is the share of different ones among the others. O(n).

    Source: Efron and Stein (1981), Ann. Stat. 9:586; Wolter (2007), Introduction to Variance Estimation, chapter 4.

    Args:
        kinds: n: samples of one kind are the same; empty: not known, and all of a prompt count as one.
        prompts: n: number of the prompt of each sample.

    Example:
        >>> variance_by_prompts(list("abcd"), np.array([0, 0, 1, 1]))
        1.0
        >>> variance_by_prompts(list("aaaabcdefghi"), np.array([0] * 4 + [1] * 4 + [2] * 4)) > 2.0
        True
    """
    n, sizes = len(prompts), np.unique(prompts, return_counts=True)[1].astype(np.float64)
    if not len(kinds):
        return n / len(sizes)
    times = Counter(kinds)
    pairs = Counter(zip(prompts.tolist(), kinds, strict=True))
    alone = Counter(prompt for (prompt, kind), count in pairs.items() if count == times[kind])
    lost = np.array([alone[prompt] for prompt in np.unique(prompts).tolist()], dtype=np.float64)
    single = np.array([times[kind] == 1 for kind in kinds], dtype=np.float64)
    if len(sizes) < 2 or len(times) == n:
        return 1.0
    by_prompts = _jackknife((len(times) - lost) / (n - sizes))
    by_samples = _jackknife((len(times) - single) / (n - 1.0))
    # That of one copy more or less: no share is certain.
    return max(1.0, by_prompts / max(by_samples, 1.0 / n**2))


def _jackknife(left_out: FloatArray) -> float:
    """Variance, from the values without each one."""
    return float((len(left_out) - 1.0) / len(left_out) * np.sum((left_out - left_out.mean()) ** 2))


def _hash(prompt: str) -> str:
    return hashlib.blake2b(prompt.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
