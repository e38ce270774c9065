"""Shortage: documents and samples that are too few for the indicators that are read of them, known before any is."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from collapse_guard.indicators.base import MINIMUM_GROUPS, all_indicators
from collapse_guard.indicators.groups import group_samples
from collapse_guard.wildtype import WildType

_MORE_TOKENS = 2.0
"""How many times as many of the wild type's tokens samples may have as real texts of as many ids."""


_SPARE = 2
"""How many times as many samples as are needed at least, because they may be shorter than real texts."""


def fewest_samples(
    wild_type: WildType, decides: Collection[str], *, tokens: float | None = None, words: float | None = None
) -> int:
    """Samples with which deciding indicators are read whose number is planned, with as many again to spare.

    Args:
        wild_type: What the samples will be measured against.
        decides: Names of the indicators that decide.
        tokens: Tokens of the wild type in a sample, on average; None: samples are no texts.
        words: Words in a sample, in the same way.

    Example:
        >>> wild_type = WildType.fit_arrays(np.random.default_rng(0).normal(size=(1000, 2)), group_samples=10)
        >>> fewest_samples(wild_type, ["vendi"]), fewest_samples(wild_type, ["perplexity"])
        (100, 2)
    """
    fewest = [2]
    if _are_read(decides, ("samples", "vectors")):
        fewest.append(_SPARE * MINIMUM_GROUPS * wild_type.group_samples)
    for kind, each in {"tokens": tokens, "words": words}.items():
        if each is not None and _are_read(decides, (kind,)):
            fewest.append(math.ceil(_SPARE * MINIMUM_GROUPS * wild_type.group_tokens / each))
    return max(fewest)


def too_few_samples(wild_type: WildType, n_samples: int, decides: Collection[str]) -> list[str]:
    """Say that samples do not fill the groups of samples that deciding indicators are read from, and how many would.

    Args:
        wild_type: What the samples will be measured against.
        n_samples: How many there will be.
        decides: Names of the indicators that decide.

    Example:
        >>> wild_type = WildType.fit_arrays(np.random.default_rng(0).normal(size=(1000, 2)), group_samples=10)
        >>> too_few_samples(wild_type, 42, ["vendi"])
        ['`n_samples=42` fills 4 of the 5 groups of 10 samples that are needed: n_samples=50']
        >>> too_few_samples(wild_type, 50, ["vendi"])
        []
    """
    size, needed = wild_type.group_samples, MINIMUM_GROUPS
    n_real = len(wild_type.evaluation if wild_type.kind == "text" else wild_type.evaluation_vectors)
    if not _are_read(decides, ("samples", "vectors")) or n_real < needed * size or n_samples >= needed * size:
        return []
    return [
        f"`n_samples={n_samples}` fills {n_samples // size} of the {needed} groups of {size} samples that are needed: "
        f"n_samples={needed * size}"
    ]


def too_few_documents(wild_type: WildType, n_documents: int | None, decides: Collection[str]) -> list[str]:
    """Say that documents are too few for their perplexity, which decides.

    Args:
        wild_type: Whose evaluation documents are scored.
        n_documents: How many of them; None: all; 0: none, and nothing is said.
        decides: Names of the indicators that decide.

    Example:
        >>> wild_type = WildType.fit([f"the year {year} was long" for year in range(200)], near_duplicate_threshold=1.0)
        >>> too_few_documents(wild_type, 20, ["perplexity"])
        ['`n_documents=20` is below the 30 documents that perplexity needs: n_documents=30']
        >>> too_few_documents(wild_type, None, ["perplexity"])
        []
    """
    needed = all_indicators()["perplexity"].minimum_n
    n_there = len(wild_type.evaluation)
    if n_documents == 0 or "perplexity" not in decides or min(n_there, n_documents or n_there) >= needed:
        return []
    if n_there >= needed:
        return [
            f"`n_documents={n_documents}` is below the {needed} documents that perplexity needs: n_documents={needed}"
        ]
    return [
        f"the wild type has {n_there} evaluation documents, and perplexity needs {needed}: fit it with more, or give "
        "the probe n_documents=0, which measures no losses"
    ]


def too_few_prompts(wild_type: WildType, n_samples: int, n_prompts: int, decides: Collection[str]) -> list[str]:
    """Say that prompts are too few for groups that share none.

    Example:
        >>> wild_type = WildType.fit_arrays(np.random.default_rng(0).normal(size=(1000, 2)), group_samples=10)
        >>> too_few_prompts(wild_type, 100, 4, ["vendi"])
        ['4 `prompts` fill 4 of the 5 groups of 10 samples without a common prompt that are needed: give 5 prompts']
    """
    size, needed = wild_type.group_samples, MINIMUM_GROUPS
    if not _are_read(decides, ("samples", "vectors")) or n_samples < needed * size:
        return []
    numbers = np.arange(n_samples) % n_prompts
    filled = len(group_samples([str(number).encode() for number in range(n_samples)], size, apart=numbers))
    if filled >= needed:
        return []
    enough = math.ceil(n_prompts * needed / max(1, filled))
    return [
        f"{n_prompts} `prompts` fill {filled} of the {needed} groups of {size} samples without a common prompt that "
        f"are needed: give {enough} prompts"
    ]


def too_few_tokens(
    wild_type: WildType, n_samples: int, longest: int, tokens_per_id: float, decides: Collection[str]
) -> list[str]:
    """Say that samples are too short to fill the groups of tokens, whatever is in them, and how many would do.

    Args:
        wild_type: What the samples will be measured against.
        n_samples: How many there will be.
        longest: Most ids of a sample.
        tokens_per_id: Tokens of the wild type in real texts, for each id of the model's tokenizer.
        decides: Names of the indicators that decide.
    """
    size, needed, most = wild_type.group_tokens, MINIMUM_GROUPS, n_samples * longest * tokens_per_id
    if not _are_read(decides, ("tokens", "words")) or _MORE_TOKENS * most >= needed * size:
        return []
    enough = math.ceil(needed * size / (longest * tokens_per_id))
    return [
        f"`n_samples={n_samples}` samples of at most {longest} tokens do not fill {needed} groups of {size} tokens: "
        f"n_samples={enough}"
    ]


def _are_read(decides: Collection[str], kinds: Collection[str]) -> bool:
    """Whether any that decides is read from groups of these kinds."""
    metrics = all_indicators()
    return any(name in metrics and metrics[name].groups_of in kinds for name in decides)
