"""The names of all indicators by family, without importing what computes them."""

from __future__ import annotations

FAMILIES = {
    "likelihood": (
        "perplexity",
        "bits_per_byte",
        "tail_loss",
        "tail_token_loss",
        "cvar_loss",
        "entropy",
        "own_perplexity",
        "founder_perplexity",
    ),
    "diversity": (
        "distinct_1",
        "distinct_2",
        "distinct_3",
        "distinct_4",
        "self_distinct_1",
        "self_distinct_2",
        "self_distinct_3",
        "self_distinct_4",
        "entropy_1",
        "entropy_2",
        "entropy_3",
        "entropy_4",
        "self_bleu",
        "repetition",
        "compression_ratio",
        "unique_samples",
    ),
    "tails": ("rare_coverage", "rare_mass", "missing_mass", "lost_ngrams", "hill_index"),
    "spread": ("total_variance", "effective_rank", "vendi", "vendi_2", "mean_distance"),
    "distance": ("jensen_shannon", "mmd", "frechet", "mauve", "precision", "recall", "density", "coverage"),
    "novelty": ("copied_ngrams", "near_duplicates"),
    "genetics": ("homozygosity", "fixation_index", "effective_size", "relative_fitness"),
}


def names() -> tuple[str, ...]:
    """Names of all readings that `measure` can give, in the order in which people read them.

    Example:
        >>> names()[0]
        'perplexity'
    """
    return tuple(name for family in FAMILIES.values() for name in family)
