"""The kinds of samples, and their conversion to texts, token ids and vectors that fit the wild type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from collapse_guard.arrays import FloatArray, IntArray, flat_rows
from collapse_guard.errors import InputError
from collapse_guard.evidence import Evidence, Samples
from collapse_guard.frames import checked_column, rows_of, samples_of, without_gradient
from collapse_guard.indicators.groups import content_order
from collapse_guard.indicators.whole import is_empty
from collapse_guard.table import Table
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.columns import Columns, NamedColumn
from collapse_guard.wildtype.contents import of_vectors

_SMALLEST_DEVIATION = 0.5
_SHOWN_COLUMNS = 8
_N_SPECIAL = 2
"""Ids below are the wild type's special tokens."""


@dataclass(frozen=True, eq=False)
class TextSamples(Sequence[str]):
    """Samples of text in both forms, without empty ones; a sequence of the texts, so that an `Evidence` can hold them.

    An empty sample is a sample of nothing: `empty_samples` counts it, and nothing else is read from it.
    """

    texts: list[str]
    """n texts."""
    tokens: list[IntArray]
    """n arrays of token ids of the wild type's tokenizer, without special tokens."""
    rows: IntArray | None = None
    """n: where the texts stood among the samples as they were given; None: no sample was empty."""
    n_empty: int = 0
    """How many more samples are empty."""

    @cached_property
    def contents(self) -> list[bytes]:
        """The contents that the order of samples depends on."""
        return [text.encode() for text in self.texts]

    @property
    def n_rows(self) -> int:
        """Samples as they were given, with the empty ones."""
        return len(self.texts) + self.n_empty

    def of_rows(self, values: Sequence[Any]) -> list[Any]:
        """What belongs to each text, of what was given for each sample, and behind that what belongs to empty ones."""
        written = range(self.n_rows) if self.rows is None else self.rows.tolist()
        empty = sorted(set(range(self.n_rows)) - set(written))
        return [values[row] for row in (*written, *empty)]

    def __len__(self) -> int:
        """n."""
        return len(self.texts)

    def __getitem__(self, i: Any) -> Any:
        """The text of a sample."""
        return self.texts[i]


def text_samples(wild_type: WildType, samples: Samples) -> TextSamples:
    """Read texts or token ids of the wild type's own tokenizer; its special tokens (begin, pad) are left out of ids.

    Samples without anything but white space are counted and left out.

    Raises:
        InputError: A sample is neither, has no UTF-8 form, or has an id that is not in the vocabulary.
    """
    if isinstance(samples, TextSamples):
        return samples
    if isinstance(samples, Table):
        checked_column("samples", list(samples.columns))
    if any(isinstance(sample, str) for sample in samples):
        texts = [_checked_text(i, sample) for i, sample in enumerate(samples)]
        rows = _written(texts)
        texts = [texts[i] for i in rows]
        return _with_rows(TextSamples(texts, list(wild_type.encode(texts))), rows, len(samples))
    tokens = [_checked_ids(i, sample, wild_type.vocabulary_size) for i, sample in enumerate(samples)]
    texts = wild_type.decode(tokens)
    rows = _written(texts)
    return _with_rows(TextSamples([texts[i] for i in rows], [tokens[i] for i in rows]), rows, len(samples))


def _written(texts: Sequence[str]) -> IntArray:
    return np.array([i for i, text in enumerate(texts) if not is_empty(text)], dtype=np.int64)


def _with_rows(samples: TextSamples, rows: IntArray, n: int) -> TextSamples:
    return samples if len(rows) == n else replace(samples, rows=rows, n_empty=n - len(rows))


def sample_texts(wild_type: WildType, samples: Samples) -> list[str]:
    """The texts of samples that are not empty: as `text_samples`, without the ids of texts, which take longest.

    Raises:
        InputError: As `text_samples`.
    """
    samples = samples_of("samples", samples)
    if not isinstance(samples, TextSamples | Table) and all(isinstance(sample, str) for sample in samples):
        return [text for text in (_checked_text(i, one) for i, one in enumerate(samples)) if not is_empty(text)]
    return text_samples(wild_type, samples).texts


def tokenized(wild_type: WildType, evidence: Evidence) -> Evidence:
    """Tokenize samples of text, and leave empty ones out, with their embeddings where these are given.

    Samples that are rows of a table, or of more than one axis, become rows of numbers.

    Raises:
        InputError: As `text_samples` and `row_samples`.
    """
    if evidence.samples is None or isinstance(evidence.samples, TextSamples):
        return evidence
    if wild_type.kind == "vectors":
        is_plain = not isinstance(evidence.samples, Table) and np.ndim(evidence.samples) <= 2
        return evidence if is_plain else replace(evidence, samples=row_samples(wild_type, evidence.samples))
    samples = text_samples(wild_type, evidence.samples)
    return replace(evidence, samples=samples, embeddings=_of_rows(evidence.embeddings, samples))


def _of_rows(embeddings: Any, samples: TextSamples) -> Any:
    """Embeddings of the samples that are not empty, where one was given for each sample."""
    if embeddings is None or samples.rows is None or len(embeddings) != samples.n_rows:
        return embeddings
    return np.asarray(embeddings)[samples.rows]


def with_embeddings(wild_type: WildType, evidence: Evidence) -> Evidence:
    """Embed samples of text once for all uses; evidence that has embeddings, or cannot have any, stays as it is.

    They are embedded in content order, so an embedder that rounds by place in the batch gives the same for any order.
    """
    if evidence.samples is None or evidence.embeddings is not None or not wild_type.can_embed:
        return evidence
    texts = sample_texts(wild_type, evidence.samples)
    if not texts:
        return replace(evidence, embeddings=np.zeros((0, wild_type.geometry.dimension)))
    order = content_order([text.encode() for text in texts])
    ordered = wild_type.embed([texts[i] for i in order])
    embeddings = np.empty_like(ordered)
    embeddings[order] = ordered
    return replace(evidence, embeddings=embeddings)


def row_samples(wild_type: WildType, values: Any) -> FloatArray:
    """Samples of a wild type of vectors, as n d numbers in the order of its columns; NaN and infinity are kept.

    A table goes by the names and kinds of the real one, and items of any shape, such as images, are one row each.

    Raises:
        InputError: They are not numbers, lack a column, or are of another shape than the real rows or items.

    Example:
        >>> from pandas import DataFrame
        >>> real = DataFrame({"age": range(40), "city": ["Oslo", "Bern"] * 20})
        >>> row_samples(WildType.fit_arrays(real), DataFrame({"city": ["Bern"], "age": [29]})).tolist()
        [[29.0, 1.0, 0.0]]
    """
    contents, d = of_vectors(wild_type.contents), wild_type.geometry.dimension
    values = rows_of("samples", values)
    if isinstance(values, Table):
        return (contents.columns or _by_place(values, d)).encode(values)
    rows, shape = flat_rows(np.asarray(without_gradient(values)))
    if contents.columns is not None and (rows.dtype.kind not in "fiu" or rows.shape[1:] != (d,)) and len(rows):
        shown = [f"`{column.name:.40}`" for column in contents.columns.columns[:_SHOWN_COLUMNS]]
        more = ["…"] if len(contents.columns.columns) > _SHOWN_COLUMNS else []
        raise InputError(
            f"`samples` must be a table with the columns of the real one ({', '.join(shown + more)}), or an array with "
            f"a number for each of the {d} `wild_type.contents.columns.labels`, but got {rows.dtype} of shape "
            f"{rows.shape}"
        )
    real = getattr(wild_type.settings, "shape", ())
    if shape and shape != real and rows.shape[1] == d:
        raise InputError(
            f"`samples` must be items of the shape {real or (d,)} of the real ones, but got {shape}: put their axes in "
            "the same order, and flatten them where the real ones were"
        )
    return vector_samples(rows, dimension=d)


def _by_place(table: Table, d: int) -> Columns:
    """The columns of a table as they stand, where the real rows were an array without names."""
    columns = Columns(columns=tuple(NamedColumn(name=name) for name in table.columns))
    texts = next((name for name, column in table.columns.items() if isinstance(column, tuple)), None)
    if texts is not None or len(table.columns) != d:
        what = f"{len(table.columns)} columns" if texts is None else f"texts in `{texts:.80}`"
        raise InputError(
            f"`samples` must be rows of {d} numbers, as in the array that the wild type was fitted on, but got a table "
            f"with {what}: fit the wild type on a table with the same columns"
        )
    return columns


def vector_samples(values: Any, *, n: int | None = None, dimension: int | None = None) -> FloatArray:
    """Read n d vectors; NaN and infinity are kept.

    Args:
        values: Numbers in rows.
        n: Required number of rows; None: any number.
        dimension: Required number of columns, as in the wild type; None: any number.

    Raises:
        InputError: They are not numbers, or not of that shape.
    """
    vectors = np.asarray(values)
    if vectors.shape == (0,):
        vectors = np.zeros((0, dimension or 0))
    if vectors.dtype.kind not in "fiu" or vectors.ndim != 2 or not _fits(vectors.shape, (n, dimension)):
        shape = f"({'n' if n is None else n}, {'d' if dimension is None else dimension})"
        raise InputError(
            f"vectors must be numbers of shape {shape}, a row for each sample in the space of the wild type, "
            f"but got {vectors.dtype} of shape {vectors.shape}"
        )
    return vectors.astype(np.float64)


def varied_columns(wild_type: WildType, vectors: FloatArray) -> dict[int, int]:
    """Columns that are constant in real data, but not in samples, and in how many samples they have another value.

    A value is another one if it differs by more than half of the median deviation of the columns that vary in real
    data: what is nearer is rounding, or what a decoder leaves where there is nothing.

    Example:
        >>> wild_type = WildType.fit_arrays([[float(i), 1.0] for i in range(25)])
        >>> varied_columns(wild_type, np.array([[3.0, 1.0], [4.0, 9.0], [5.0, 1.0 + 1e-7]]))
        {1: 1}
    """
    constant = list(wild_type.constant_columns)
    if not constant:
        return {}
    pool = wild_type.measured(wild_type.pool_vectors)
    varying = np.delete(pool, constant, axis=1).std(axis=0)
    nearest = _SMALLEST_DEVIATION * np.median(varying) if varying.size else 0.0
    away = np.abs(wild_type.measured(vectors)[:, constant] - pool[0, constant]) > nearest
    return {column: n for column, n in zip(constant, away.sum(axis=0).tolist(), strict=True) if n}


def _fits(shape: tuple[int, ...], required: tuple[int | None, ...]) -> bool:
    return all(size in (None, got) for got, size in zip(shape, required, strict=True))


def _checked_text(i: int, sample: Any) -> str:
    if not isinstance(sample, str):
        raise InputError(f"`samples` must be all texts or all token ids, but sample {i} is a {type(sample).__name__}")
    try:
        sample.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"`samples` must have a UTF-8 form, but sample {i} has a lone surrogate at {error.start}: "
            "decode it with errors='replace'"
        ) from error
    return str(sample)


def _checked_ids(i: int, sample: Any, vocabulary_size: int) -> IntArray:
    ids = np.asarray(sample)
    if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
        raise InputError(
            f"`samples` must be texts or 1-D token ids of the wild type's tokenizer, but sample {i} is {ids.ndim}-D "
            f"{ids.dtype}: vectors of texts are `embeddings`"
        )
    if ids.size and not 0 <= int(ids.min()) <= int(ids.max()) < vocabulary_size:
        wrong = int(ids.min()) if ids.min() < 0 else int(ids.max())
        raise InputError(
            f"`samples` must hold token ids of the wild type's tokenizer, 0 to {vocabulary_size - 1}, "
            f"but sample {i} has {wrong}: decode ids of another tokenizer to texts"
        )
    return ids[ids >= _N_SPECIAL].astype(np.int64)
