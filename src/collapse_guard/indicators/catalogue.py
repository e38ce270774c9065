"""The names of all indicators by family, without importing what computes them."""

from __future__ import annotations

FAMILIES = {
    "likelihood": ("perplexity", "bits_per_byte", "tail_loss", "tail_token_loss"),
    "diversity": ("distinct_1", "distinct_2", "distinct_3", "distinct_4"),
    "tails": ("rare_coverage", "rare_mass"),
    "spread": ("total_variance", "effective_rank", "vendi"),
}


def names() -> tuple[str, ...]:
    """Names of all readings that `measure` can give, in the order in which people read them.

    Example:
        >>> names()[0]
        'perplexity'
    """
    return tuple(name for family in FAMILIES.values() for name in family)
