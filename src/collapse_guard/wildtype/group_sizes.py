"""Sizes of groups that follow what is there: the evaluation data must fill the groups that a comparison needs."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer

from collapse_guard.corpus.lexicon import words
from collapse_guard.wildtype.tokenization import encode

TOKENS = (4096, 3072, 2048, 1536, 1024, 768, 512, 384, 256, 192, 128)
"""Tokens in a group, the usual number first."""
SAMPLES = (128, 96, 64, 48, 32, 24, 16, 12, 8)
"""Samples in a group, the usual number first."""
FILLED = 8
"""Groups that evaluation data should fill where the usual size is too large."""
ENOUGH = 6
"""Groups of the usual size that are enough: five are needed, and windows of samples lose some."""


def fitting_size(available: int, sizes: tuple[int, ...]) -> int:
    """The usual size where `available` units fill 6 such groups, else the largest of which they fill 8.

    The smallest size where even that is too large.

    Example:
        >>> [fitting_size(n, SAMPLES) for n in (2000, 768, 240, 60, 10)]
        [128, 128, 24, 8, 8]
    """
    if available >= ENOUGH * sizes[0]:
        return sizes[0]
    return next((size for size in sizes if available >= FILLED * size), sizes[-1])


def sizes_for_texts(evaluation: Sequence[str], tokenizer: Tokenizer) -> dict[str, int]:
    """Tokens and samples in a group, by the names of the settings; groups of words have as many words as tokens."""
    n_words = sum(len(words(text)) for text in evaluation)
    n_tokens = sum(map(len, encode(tokenizer, evaluation)))
    # Text without words has no groups of words, whatever their size.
    units = min(n_words, n_tokens) or n_tokens
    return {"group_tokens": fitting_size(units, TOKENS), "group_samples": fitting_size(len(evaluation), SAMPLES)}
