"""How much of each kind of document the samples are, beside real texts of the same length."""

from __future__ import annotations

import numpy as np

from collapse_guard.evidence import Samples
from collapse_guard.measurement.lost import median_length
from collapse_guard.measurement.samples import sample_texts
from collapse_guard.records import SliceCoverage, SliceShare
from collapse_guard.wildtype import WildType


def slice_coverage(wild_type: WildType, samples: Samples | None) -> SliceCoverage | None:
    """Put samples into the slices of the wild type by their words, and count them against real texts.

    Real texts are the evaluation documents, cut to as many characters as samples have (median), because what words tell
    depends on how many there are. Cost: linear in the words of both.

    Args:
        wild_type: The frozen real data.
        samples: Texts, or token ids of its own tokenizer; None: there are none.

    Returns:
        None where there are no slices that words tell, or no samples that are not empty.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> words = {"sea": ["ship", "wave", "tide", "crew"], "court": ["judge", "plea", "jury", "oath"]}
        >>> kinds = ["sea", "court"] * 300
        >>> real = [" ".join([*rng.choice(words[kind], 9), str(i)]) for i, kind in enumerate(kinds)]
        >>> wild_type = WildType.fit(real, slices=kinds, near_duplicate_threshold=1.0, embedding_dim=2)
        >>> coverage = slice_coverage(wild_type, ["the ship and its crew", "a wave", "a judge", "the ship"])
        >>> {one.name: (one.real, one.samples) for one in coverage.shares}
        {'court': (0.5, 0.25), 'sea': (0.5, 0.75)}
    """
    slices = wild_type.slices if samples is not None else None
    texts = [] if slices is None or samples is None else [text for text in sample_texts(wild_type, samples) if text]
    if slices is None or not texts:
        return None
    length = median_length(texts)
    opened, written = slices.assign([text[:length] for text in wild_type.evaluation]), slices.assign(texts)
    if opened is None or written is None:
        return None
    real, here = (np.bincount(numbers, minlength=len(slices.names)) / len(numbers) for numbers in (opened, written))
    known = slices.of_evaluation >= 0
    return SliceCoverage(
        shares=tuple(
            SliceShare(name=name, documents=size, real=float(real[i]), samples=float(here[i]))
            for i, (name, size) in enumerate(zip(slices.names, slices.sizes, strict=True))
        ),
        n=len(texts),
        agreement=float((opened == slices.of_evaluation)[known].mean()),
    )
