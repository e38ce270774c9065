"""The contents of a wild type, and its fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field
from tokenizers import Tokenizer

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.corpus.documents import Documents
from collapse_guard.corpus.embedding import Embedder, TfidfEmbedder
from collapse_guard.corpus.labels import Labels
from collapse_guard.errors import InputError
from collapse_guard.records import Record
from collapse_guard.wildtype.columns import Columns
from collapse_guard.wildtype.geometry import Geometry
from collapse_guard.wildtype.scaling import Scaling
from collapse_guard.wildtype.tokenization import SMALLEST_VOCABULARY

Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Count = Annotated[int, Field(ge=1)]
Clusters = Annotated[int, Field(ge=2)]

SCHEMA = 2
"""Version of the files and of the fingerprint."""


class TextSettings(Record):
    """How a wild type of texts was fitted."""

    kind: Literal["text"] = "text"
    """Texts."""
    seed: Seed
    """Seed of the split, the search for near duplicates, the embedder and the clusters."""
    evaluation_fraction: Fraction
    """Share of the documents for evaluation, …"""
    max_evaluation_documents: Count
    """… and the most that it may be."""
    n_folds: Count
    """Number of folds of the evaluation documents."""
    vocabulary_size: Annotated[int, Field(ge=SMALLEST_VOCABULARY)]
    """Requested size of the tokenizer's vocabulary."""
    embedding_dim: Count
    """Requested dimensions of the default embedder."""
    group_tokens: Count
    """Token budget of a group of samples."""
    group_samples: Annotated[int, Field(ge=2)]
    """Samples in a group of vectors."""
    rare_share: Fraction
    """Largest part of all word occurrences that the rare words have."""
    near_duplicate_threshold: Annotated[float, Field(ge=0.1, le=1.0)]
    """Smallest Jaccard similarity of word 5-grams that keeps documents on one side of the split."""
    n_clusters: Clusters
    """Largest number of clusters of the pool's embeddings."""


class VectorSettings(Record):
    """How a wild type of vectors was fitted."""

    kind: Literal["vectors"] = "vectors"
    """Vectors."""
    seed: Seed
    """Seed of the split and the clusters."""
    evaluation_fraction: Fraction
    """Share of the rows for evaluation."""
    group_samples: Annotated[int, Field(ge=2)]
    """Rows in a group."""
    n_clusters: Clusters
    """Largest number of clusters of the pool."""
    standardized: bool = False
    """Whether columns are measured in standard deviations of the pool."""
    shape: tuple[Count, ...] = ()
    """Of one item that a row was made of, as of an image; empty: rows came as rows."""


Settings = TextSettings | VectorSettings


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbedderCheck:
    """The record of an embedder that cannot be saved: its name and some of its output."""

    name: str
    """Name of the function or class."""
    embeddings: FloatArray
    """k d: embeddings of the first k evaluation documents."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TextContents:
    """Documents and the instruments fitted on them."""

    evaluation: Documents
    """Documents that are never trained on."""
    pool: Documents
    """Documents that may be trained on."""
    tokenizer: Tokenizer
    """Byte-level BPE trained on the pool."""
    embedder: Embedder | None
    """None if a custom embedder was not given on loading."""
    embedder_check: EmbedderCheck | None
    """Record of a custom embedder; None for the default one."""
    known_words: dict[str, int]
    """word -> occurrences in evaluation and pool."""
    rare_words: dict[str, int]
    """The rare words among them."""
    geometry: Geometry
    """The pool as points: embeddings of its first documents, and what is fitted on them."""
    labels: tuple[Labels, Labels] | None = None
    """Which kind each evaluation document is of, and each of the pool, as the user said; None: nobody did."""
    n_alike: int | None = None
    """Documents that resemble another one; the first of each cluster does not count. None: it was read from files."""
    n_left_out: int = 0
    """Documents that are on no side, because they are, or resemble, evaluation documents that were given. 0 where it
    was read from files."""


@dataclass(frozen=True, kw_only=True, eq=False)
class VectorContents:
    """Vectors and the geometry fitted on them."""

    evaluation: FloatArray
    """n d: rows that are never trained on, in their own units."""
    pool: FloatArray
    """m d: rows that may be trained on, in their own units."""
    scaling: Scaling
    """How columns are measured."""
    geometry: Geometry
    """The first vectors of the pool as they are measured, and what is fitted on them."""
    columns: Columns | None = None
    """The columns of the table that the rows came from; None: they came as an array."""
    n_left_out: int = 0
    """Rows that were not given for evaluation and are on no side."""

    @property
    def labels(self) -> tuple[str, ...] | None:
        """d: what the columns are called; None: they have no names."""
        return None if self.columns is None else self.columns.labels


Contents = TextContents | VectorContents


def of_texts(contents: Contents) -> TextContents:
    """Contents of texts; raises InputError where they are vectors."""
    if isinstance(contents, TextContents):
        return contents
    raise InputError(
        "a wild type of texts is required, but this one holds vectors: "
        "use `evaluation_vectors` and `pool_vectors`, or fit one on texts with `WildType.fit`"
    )


def of_vectors(contents: Contents) -> VectorContents:
    """Contents of vectors; raises InputError where they are texts."""
    if isinstance(contents, VectorContents):
        return contents
    raise InputError(
        "a wild type of vectors is required, but this one holds texts: "
        "use `evaluation` and `pool`, or fit one on vectors with `WildType.fit_arrays`"
    )


def fingerprint(settings: Settings, contents: Contents) -> str:
    """Identify a wild type: 32 hex digits of BLAKE2b over settings, documents with their roles, and frozen instruments.

    The same documents in any order, with the same settings, have the same fingerprint on one machine. The embedder's
    last bits may differ between processors, and then a wild type that is fitted again there has another fingerprint. A
    saved wild type keeps its fingerprint.
    """
    digest = hashlib.blake2b(digest_size=16)
    parts = _text_parts(contents) if isinstance(contents, TextContents) else _vector_parts(contents)
    geometry = _array_parts(contents.geometry.arrays())
    for part in chain([_json({"schema": SCHEMA, **_described(settings)})], parts, geometry):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def _described(settings: Settings) -> dict[str, Any]:
    """The settings; one that came later is left out where it says what was so before, so that fingerprints stay."""
    described = settings.model_dump(mode="json")
    return {name: value for name, value in described.items() if value or name not in _LATER}


_LATER = ("standardized", "shape")


def _vector_parts(contents: VectorContents) -> Iterable[bytes]:
    yield from _array_parts({"evaluation": contents.evaluation, "pool": contents.pool})
    # The names of columns that hold numbers alone change no measurement.
    if contents.columns is not None and contents.columns.have_texts:
        yield _json(contents.columns.model_dump(mode="json"))


def _text_parts(contents: TextContents) -> Iterable[bytes]:
    for role, documents in (("evaluation", contents.evaluation), ("pool", contents.pool)):
        yield _json({"role": role, "documents": len(documents)})
        for content_hash, text in zip(documents.stream_hashes(), documents, strict=True):
            yield content_hash.encode()
            yield text.encode()
    yield contents.tokenizer.to_str().encode()
    yield from _embedder_parts(contents)
    yield _json(contents.known_words)
    yield _json(contents.rare_words)
    if contents.labels is not None:
        names = contents.labels[0].names
        yield _json({"slices": names})
        yield from _array_parts({str(place): labels.codes for place, labels in enumerate(contents.labels)})


def _embedder_parts(contents: TextContents) -> Iterable[bytes]:
    if contents.embedder_check is not None:
        yield _json({"embedder": contents.embedder_check.name})
        yield from _array_parts({"check": contents.embedder_check.embeddings})
    elif isinstance(contents.embedder, TfidfEmbedder):
        yield _json({"embedder": contents.embedder.name, "terms": contents.embedder.terms})
        yield from _array_parts(contents.embedder.arrays())


def _array_parts(arrays: Mapping[str, FloatArray | IntArray]) -> Iterable[bytes]:
    for name, array in sorted(arrays.items()):
        yield _json({"array": name, "shape": array.shape})
        yield np.ascontiguousarray(array, dtype="<f8").tobytes()


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode()
