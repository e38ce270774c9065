"""How large a run is, and from which seeds its lineages grow."""

from __future__ import annotations

from dataclasses import dataclass

SEEDS = {"published": range(20_000, 25_000), "tuning": range(10_000, 15_000), "former": range(5_000)}
"""Seeds of lineages, and of the wild types that they are measured by: what is tuned on is not what is published. The
former ones were published before indicators were chosen by what they had shown."""
WILD_TYPES = 4
"""Wild types of each corpus, so that a false alarm is not that of one evaluation set."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What one lineage is made of."""

    generations: int = 10
    """After the founder."""
    documents: int = 3_000
    """In a training set, and as many are written."""
    measured: int = 3_000
    """Samples that the detectors see."""
    tokens: int = 48
    """In a sample; a passage of 32 words has about 50. Where models are prompted, the prompt is a part of them."""
    samples_a_prompt: int = 5
    """Where models are prompted."""
    presented: int = 6_000
    """Documents that a neural model is shown in its training, each again where there are fewer."""
    evaluation: int = 1_000
    """Documents that are scored."""
    vocabulary: int = 2_000
    """Tokens of the wild type's tokenizer."""
    group_tokens: int = 4_096
    """Tokens in a group of the wild type."""
    group_samples: int = 128
    """Samples in a group of the wild type."""
    corpus: int | None = None
    """Documents of the corpus that are used; None: all."""
    rows: int = 2_000
    """Vectors that a world gives to the detectors."""


def wild_type_seed(seed: int) -> int:
    """Seed of the wild type that a lineage is measured by.

    Example:
        >>> wild_type_seed(6), wild_type_seed(10_006)
        (2, 10002)
    """
    first = next(seeds.start for seeds in SEEDS.values() if seed in seeds)
    return first + seed % WILD_TYPES


def knows_topics(seed: int) -> bool:
    """Whether the wild type of a seed was given the topics of its documents as slices; else it finds its own.

    Example:
        >>> [knows_topics(wild_type_seed(seed)) for seed in range(4)]
        [False, True, False, True]
    """
    return seed % 2 == 1
