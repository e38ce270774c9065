"""measure(): evidence to readings, with the frozen instruments of the wild type."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from collapse_guard.errors import InputError
from collapse_guard.evidence import Evidence
from collapse_guard.indicators.catalogue import names
from collapse_guard.indicators.groups import content_order, windows
from collapse_guard.indicators.loss_readings import loss_readings
from collapse_guard.indicators.sample_readings import (
    missing_vector_readings,
    token_readings,
    vector_readings,
    word_readings,
)
from collapse_guard.indicators.samples import TextSamples, text_samples, vector_samples
from collapse_guard.indicators.stratum import freeze_tail
from collapse_guard.indicators.tails import UNKNOWN
from collapse_guard.records import Reading, TailStratum
from collapse_guard.wildtype import WildType

__all__ = ["freeze_tail", "measure", "reference_readings", "sample_tokens"]

_CACHED_REFERENCES = 16
_EMBEDDED_REFERENCE_GROUPS = 50
_references: OrderedDict[tuple[str, int | None, bool], dict[str, Reading]] = OrderedDict()


def measure(wild_type: WildType, evidence: Evidence, *, stratum: TailStratum | None = None) -> dict[str, Reading]:
    """Read every indicator that the evidence allows.

    Losses give perplexity and, where known, bits_per_byte (bytes), tail_loss (a stratum) and tail_token_loss (losses of
    tokens). Samples of text give distinct_1 to distinct_4 in groups of `wild_type.group_tokens` tokens of the wild
    type's tokenizer, rare_coverage and rare_mass in groups of as many words, and the spread of their embeddings in
    groups of `wild_type.group_samples`. Vectors give the spread alone. Nothing is drawn at random, and the order of
    samples does not matter. O(n) for n samples.

    Args:
        wild_type: The frozen real data.
        evidence: With samples that are texts, token ids of the wild type's own tokenizer (special tokens are left
            out), or n d vectors where the wild type is of vectors. Embeddings take the place of those that the wild
            type would make.
        stratum: The tail, frozen at the founder (`freeze_tail`); None: no tail indicators.

    Returns:
        Indicator name -> reading, in the order of the catalogue. One that cannot be used has a `problem` that says
        why and, where more samples would help, how many; its value is NaN where there is none.

    Raises:
        InputError: The samples are of the wrong kind, an id is not in the vocabulary, or embeddings do not fit.

    Example:
        >>> wild_type = WildType.fit_arrays(np.random.default_rng(0).normal(size=(1000, 2)), group_samples=10)
        >>> readings = measure(wild_type, Evidence(samples=np.random.default_rng(1).normal(size=(60, 2))))
        >>> list(readings), len(readings["vendi"].replicates)
        (['total_variance', 'effective_rank', 'vendi'], 6)
    """
    readings = [] if evidence.losses is None else loss_readings(evidence.losses, stratum)
    readings += _of_vectors(wild_type, evidence) if wild_type.kind == "vectors" else _of_texts(wild_type, evidence)
    return _in_order(readings)


def reference_readings(wild_type: WildType, *, sample_tokens: int | None) -> dict[str, Reading]:
    """Read the wild type itself: its evaluation documents in the same groups, cut to windows as long as the samples.

    Cached by fingerprint and length. At most 50 groups are embedded, for the sake of slow embedders. The rare words
    were chosen for being rare in the wild type, so its own coverage and mass read low: the bias hides harm, it never
    invents any.

    Args:
        wild_type: The frozen real data.
        sample_tokens: Tokens in a window, as `sample_tokens(wild_type, evidence)` says; None: whole documents.

    Returns:
        Indicator name -> reading; likelihood is not among them.
    """
    # With and without its custom embedder a wild type has the same fingerprint.
    can_embed = wild_type.kind == "text" and _embedding_dimension(wild_type) is not None
    key = (wild_type.fingerprint, sample_tokens, can_embed)
    if key not in _references:
        _references[key] = _in_order(_of_wild_type(wild_type, sample_tokens))
        while len(_references) > _CACHED_REFERENCES:
            _references.popitem(last=False)
    _references.move_to_end(key)
    return dict(_references[key])


def sample_tokens(wild_type: WildType, evidence: Evidence) -> int | None:
    """Median number of tokens of the samples that have any; None where there are none or samples are vectors."""
    if wild_type.kind == "vectors" or evidence.samples is None:
        return None
    lengths = [len(tokens) for tokens in text_samples(wild_type, evidence.samples).tokens if len(tokens)]
    return int(np.median(lengths)) if lengths else None


def _of_vectors(wild_type: WildType, evidence: Evidence) -> list[Reading]:
    values = evidence.samples if evidence.embeddings is None else evidence.embeddings
    if values is None:
        return []
    vectors = vector_samples(values, dimension=wild_type.evaluation_vectors.shape[1])
    return vector_readings(vectors, wild_type.group_samples)


def _of_texts(wild_type: WildType, evidence: Evidence) -> list[Reading]:
    samples = None if evidence.samples is None else text_samples(wild_type, evidence.samples)
    readings = [] if samples is None else _of_units(wild_type, samples, "samples")
    if evidence.embeddings is not None:
        return readings + _of_embeddings(wild_type, evidence.embeddings, samples)
    return readings if samples is None else readings + _of_embedded(wild_type, samples, "samples")


def _of_units(wild_type: WildType, samples: TextSamples, source: str) -> list[Reading]:
    ids = {word: i for i, word in enumerate(wild_type.known_words)}
    types = [np.array([ids.get(word, UNKNOWN) for word in wild_type.words(text)], np.int64) for text in samples.texts]
    rare = [ids[word] for word in wild_type.rare_words]
    return [
        *token_readings(samples.tokens, wild_type.group_tokens, source=source),
        *word_readings(types, rare, len(ids), wild_type.group_tokens, source=source),
    ]


def _of_embedded(wild_type: WildType, samples: TextSamples, source: str, *, most: int | None = None) -> list[Reading]:
    """Spread of texts, embedded in content order: an embedder that rounds by batch gives the same for any order."""
    contents = samples.contents
    order = content_order(contents)[:most]
    try:
        vectors = wild_type.embed([samples.texts[i] for i in order])
    except InputError as error:
        return missing_vector_readings(len(samples.texts), wild_type.group_samples, str(error))
    ordered = [contents[i] for i in order]
    return vector_readings(vectors, wild_type.group_samples, contents=ordered, source=source)


def _of_embeddings(wild_type: WildType, embeddings: Any, samples: TextSamples | None) -> list[Reading]:
    n = None if samples is None else len(samples.texts)
    vectors = vector_samples(embeddings, n=n, dimension=_embedding_dimension(wild_type))
    contents = None if samples is None else samples.contents
    return vector_readings(vectors, wild_type.group_samples, contents=contents)


def _embedding_dimension(wild_type: WildType) -> int | None:
    """None where a custom embedder was not loaded: what it would give is then not known."""
    try:
        return int(wild_type.embed([wild_type.evaluation[0]]).shape[1])
    except InputError:
        return None


def _of_wild_type(wild_type: WildType, sample_tokens: int | None) -> list[Reading]:
    source = "windows of the wild type"
    if wild_type.kind == "vectors":
        return vector_readings(wild_type.evaluation_vectors, wild_type.group_samples, source=source)
    texts = list(wild_type.evaluation)
    tokens = list(wild_type.encode(texts))
    if sample_tokens is not None:
        tokens = windows(tokens, sample_tokens)
        texts = wild_type.decode(tokens)
    samples = TextSamples(texts, tokens)
    most = _EMBEDDED_REFERENCE_GROUPS * wild_type.group_samples
    return _of_units(wild_type, samples, source) + _of_embedded(wild_type, samples, source, most=most)


def _in_order(readings: Sequence[Reading]) -> dict[str, Reading]:
    found = {reading.indicator: reading for reading in readings}
    return {name: found[name] for name in names() if name in found}
