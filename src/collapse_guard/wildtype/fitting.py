"""Fit the contents of a wild type to documents or vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import is_number
from collapse_guard.arrays import LARGEST, FloatArray, flat_rows, freeze, is_usable
from collapse_guard.corpus.documents import Documents, check_texts, content_hash
from collapse_guard.corpus.duplicates import duplicate_labels
from collapse_guard.corpus.embedding import CustomEmbedder, TextEmbedder, TfidfEmbedder
from collapse_guard.corpus.labels import Labels
from collapse_guard.corpus.lexicon import count_words, rare_words
from collapse_guard.corpus.unique import UniqueTexts
from collapse_guard.errors import InputError, WildTypeError
from collapse_guard.frames import rows_of, without_gradient
from collapse_guard.table import Table
from collapse_guard.wildtype.columns import Columns, joined, owners_of
from collapse_guard.wildtype.contents import (
    Contents,
    EmbedderCheck,
    TextContents,
    TextSettings,
    VectorContents,
    VectorSettings,
)
from collapse_guard.wildtype.geometry import LARGEST_REFERENCE, NEIGHBOURS, Geometry
from collapse_guard.wildtype.group_sizes import SAMPLES, fitting_size
from collapse_guard.wildtype.scaling import Scaling, differ_in_scale
from collapse_guard.wildtype.splitting import Split, row_keys, split_clusters, split_given
from collapse_guard.wildtype.tokenization import train_tokenizer

MOST_FITTED = 1 << 26
"""Bytes of text that tokenizer and embedder are fitted on, …"""
MOST_EMBEDDED = 50_000
"""… and documents that the embedder is: its decomposition takes some 2.5 kB for each."""
FEWEST = 20
"""Distinct documents or rows that a wild type needs."""
REPEATED = 5
"""Rows for each different one from which on equal rows are kinds of people and no copies, …"""
FEW_COLUMNS = 64
"""… in a table of so many columns: held on one side, they would leave the other without whole kinds."""
N_CHECKED = 4
"""Evaluation documents whose embeddings identify a custom embedder."""
_EMBEDDER_TOLERANCE = 1e-3
_FRACTION = "`evaluation_fraction`"


class Watch(Protocol):
    """Watches a pass over documents, for a person who waits."""

    def __call__(self, doing: str, texts: Iterable[str], n: int) -> Iterable[str]:
        """The n texts, of which each is told to whoever waits."""


def unwatched(doing: str, texts: Iterable[str], n: int) -> Iterable[str]:  # noqa: ARG001 - as `Watch`
    """The texts as they are."""
    return texts


def fit_texts(
    documents: Iterable[str],
    settings: TextSettings,
    embedder: TextEmbedder | None,
    watch: Watch = unwatched,
    *,
    slices: Iterable[str] | None = None,
    given: Iterable[str] | None = None,
) -> TextContents:
    """Drop blank and duplicate documents, split the rest, and fit the instruments.

    Tokenizer, embedder and geometry are fitted on the pool alone, of which they see at most 64 MB, chosen at random
    (the embedder, 50,000 documents of these); words are counted in evaluation and pool. Where the slice of each
    document is given, "" for none, those of the documents that are given for evaluation last, each slice has its share
    of the evaluation documents.
    """
    divided = _divided(documents, given, slices, settings, watch)
    evaluation, pool = divided.evaluation, divided.pool
    counts = count_words(watch("counting words", chain(evaluation, pool), len(evaluation) + len(pool)))
    custom = None if embedder is None else CustomEmbedder(embedder)
    # The split left the clusters of the pool in a random order, so its head is a sample of it.
    sample = pool[: pool.reach(MOST_FITTED)]
    embed = custom or TfidfEmbedder.fit(sample[:MOST_EMBEDDED], dim=settings.embedding_dim, seed=settings.seed)
    head = embed(pool[:LARGEST_REFERENCE])
    return TextContents(
        evaluation=evaluation,
        pool=pool,
        labels=divided.labels,
        n_alike=divided.n_alike,
        n_left_out=divided.n_left_out,
        tokenizer=train_tokenizer(
            watch("training the tokenizer", sample, len(sample)), vocabulary_size=settings.vocabulary_size
        ),
        embedder=embed,
        embedder_check=None if custom is None else check_of(custom, evaluation),
        known_words=counts,
        rare_words=rare_words(counts, share=settings.rare_share),
        geometry=Geometry.fit(head, n_clusters=settings.n_clusters, seed=settings.seed),
    )


def fit_vectors(
    x: Any, *, standardize: bool | None, group_samples: int | None, evaluation: Any = None, **options: Any
) -> tuple[VectorSettings, VectorContents]:
    """Split rows by the hash of their bytes, and fit the geometry on the pool. Equal rows stay on one side, unless most
    rows of a table are equal to others (`REPEATED`).

    Args:
        x: As `WildType.fit_arrays` takes it.
        standardize: As there.
        group_samples: As there.
        evaluation: As there.
        options: The other fields of `VectorSettings`.
    """
    real = _real_rows(x, evaluation)
    if standardize is None:
        standardize = real.columns is not None or differ_in_scale(real.rows)
    size = 2 if group_samples is None else group_samples
    settings = VectorSettings.checked(standardized=standardize, group_samples=size, shape=real.shape, **options)
    contents = _split_rows(real, settings)
    n = len(contents.evaluation)
    fitting = {"group_samples": fitting_size(n, SAMPLES)} if group_samples is None else {}
    given = {} if real.is_given is None else {"evaluation_fraction": n / (n + len(contents.pool))}
    return settings.model_copy(update={**fitting, **given}), contents


class _RealRows(NamedTuple):
    """Rows as they come in."""

    rows: FloatArray
    shape: tuple[int, ...]
    """Of what each was made of."""
    columns: Columns | None
    """Of the table that they came in."""
    is_given: npt.NDArray[np.bool_] | None
    """n: whether each is given for evaluation; None: none are."""


def _real_rows(x: Any, evaluation: Any) -> _RealRows:
    given, held = rows_of("x", x), None if evaluation is None else rows_of("evaluation", evaluation)
    if held is not None and isinstance(given, Table) != isinstance(held, Table):
        need, got = ("a table with named columns", "an array")[:: 1 if isinstance(given, Table) else -1]
        raise InputError(f"`evaluation` must be {need}, as `x` is, but got {got}: give both alike")
    if isinstance(given, Table):
        table = joined(given, held) if isinstance(held, Table) else given
        columns = Columns.of(table)
        (rows, shape), n = finite_rows(columns.encode(table)), len(given)
    else:
        columns = None
        rows, shape = finite_rows(given)
        n = len(rows)
        if held is not None:
            others, other_shape = finite_rows(held, "evaluation")
            if (others.shape[1], other_shape) != (rows.shape[1], shape):
                sizes = [other or (one.shape[1],) for one, other in ((rows, shape), (others, other_shape))]
                raise InputError(
                    f"`evaluation` must have items of the shape {sizes[0]}, as those of `x`, but got {sizes[1]}: give "
                    "both alike"
                )
            rows = np.concatenate([rows, others])
    return _RealRows(rows, shape, columns, None if held is None else np.arange(len(rows)) >= n)


def _split_rows(real: _RealRows, settings: VectorSettings) -> VectorContents:
    rows, keys = real.rows, row_keys(real.rows)
    n_distinct, n_left_out = len(set(keys)), 0
    n_columns = len(real.columns.columns) if real.columns else rows.shape[1]
    if n_distinct * REPEATED <= len(rows) and n_columns <= FEW_COLUMNS:
        keys = _numbered(keys)
    labels = np.unique(keys, return_inverse=True)[1].astype(np.int64)
    _require(n_distinct, "distinct finite rows", "`x`")
    got = f"{n_distinct} distinct rows of {len(rows)}"
    if real.is_given is None:
        n_evaluation = _n_evaluation(len(rows), settings.evaluation_fraction, len(rows))
        split, another = split_clusters(labels, keys, n_evaluation=n_evaluation, seed=settings.seed), _FRACTION
    else:
        split = split_given(labels, keys, real.is_given, most=len(rows), seed=settings.seed)
        n_left_out = int((~real.is_given).sum()) - len(split.pool)
        got, another = f"{got}, of which {int(real.is_given.sum())} are in `evaluation`,", "`evaluation`"
    _require_both_sides(split, 1, got, another)
    pool = freeze(rows[split.pool])
    scaling = Scaling.of(pool, standardized=settings.standardized, owners=owners_of(real.columns))
    return VectorContents(
        evaluation=freeze(rows[split.evaluation]),
        pool=pool,
        scaling=scaling,
        geometry=Geometry.fit(scaling(pool), n_clusters=settings.n_clusters, seed=settings.seed),
        columns=real.columns,
        n_left_out=n_left_out,
    )


def _numbered(keys: Iterable[str]) -> list[str]:
    """Keys that tell the first, second, … of equal ones apart."""
    met = Counter[str]()
    numbered = []
    for key in keys:
        numbered.append(f"{key} {met[key]}")
        met[key] += 1
    return numbered


def finite_rows(x: Any, argument: str = "x") -> tuple[FloatArray, tuple[int, ...]]:
    """Vectors as they come in, one in each row, and the shape of what each was made of; raises InputError."""
    rows, shape = flat_rows(_numbers(x, argument))
    if rows.ndim != 2 or not rows.shape[1]:
        raise InputError(
            f"`{argument}` must be an n d array of vectors, or of items of any shape, but got shape {rows.shape}: "
            f"give each sample a row, as `{argument}.reshape(-1, 1)` does where each is one number"
        )
    bad = np.flatnonzero(~is_usable(rows).all(axis=1))
    if len(bad):
        raise InputError(
            f"`{argument}` must be finite, but {len(bad)} rows are not, or exceed {LARGEST:g}; the first is row "
            f"{bad[0]}: drop or repair them"
        )
    ranges = np.ptp(rows, axis=0) if len(rows) else np.zeros(rows.shape[1])
    narrow = np.flatnonzero((ranges > 0.0) & (ranges < 1.0 / LARGEST))
    if len(narrow):
        raise InputError(
            f"`{argument}` must have columns that are constant or vary by {1.0 / LARGEST:g} or more, but column "
            f"{narrow[0]} varies by {ranges[narrow[0]]:g}: give them in a smaller unit"
        )
    return rows, shape


def _numbers(x: Any, argument: str) -> FloatArray:
    """An array of numbers; raises InputError where it holds anything else."""
    try:
        array = np.asarray(without_gradient(x))
    except ValueError as error:
        raise InputError(
            f"`{argument}` must have rows of one length, but {error}: give each sample as many numbers"
        ) from error
    if array.dtype.kind == "O":
        array = np.array(x, dtype=np.float64) if all(map(is_number, array.flat)) else array
    if array.dtype.kind not in "biuf":
        wrong = next((value for value in array.flat if not is_number(value)), x)
        raise InputError(
            f"`{argument}` must hold numbers, but got {wrong!r:.80}: give a table with named columns, such as a "
            "pandas.DataFrame, whose texts are taken for kinds"
        )
    return array.astype(np.float64)


def check_of(embedder: CustomEmbedder, evaluation: Documents) -> EmbedderCheck:
    """Embed the first evaluation documents; their embeddings identify the embedder."""
    return EmbedderCheck(name=embedder.name, embeddings=embedder(evaluation[:N_CHECKED]))


def with_embedder(contents: Contents, embedder: TextEmbedder) -> TextContents:
    """Put a custom embedder back; raises WildTypeError if the wild type was fitted with another one."""
    check = contents.embedder_check if isinstance(contents, TextContents) else None
    if not isinstance(contents, TextContents) or check is None:
        raise WildTypeError("`embedder` must be left out: the wild type was not fitted with a custom embedder")
    custom = CustomEmbedder(embedder)
    again = check_of(custom, contents.evaluation).embeddings
    if not _agree(again, check.embeddings):
        raise WildTypeError(
            f"`embedder` must be the one that the wild type was fitted with ({check.name}), but {custom.name} gives "
            f"other vectors for the first evaluation documents (by more than {_EMBEDDER_TOLERANCE:g} of their norm)"
        )
    return replace(contents, embedder=custom)


def _agree(again: FloatArray, before: FloatArray) -> bool:
    if again.shape != before.shape:
        return False
    return bool(np.linalg.norm(again - before) <= _EMBEDDER_TOLERANCE * np.linalg.norm(before))


class _Divided(NamedTuple):
    """Documents on their sides."""

    evaluation: Documents
    pool: Documents
    labels: tuple[Labels, Labels] | None
    """Of both."""
    n_alike: int
    """Documents that resemble another one."""
    n_left_out: int
    """Documents that were not given for evaluation and are on no side."""


def _divided(
    documents: Iterable[str],
    given: Iterable[str] | None,
    slices: Iterable[str] | None,
    settings: TextSettings,
    watch: Watch,
) -> _Divided:
    held = None if given is None else Documents.from_texts(check_texts(given, "evaluation"))
    hashes = frozenset(() if held is None else held.hashes) - {content_hash("")}
    copies = set[str]()

    def read() -> Iterator[str]:
        for text in check_texts(documents):
            if hashes and (key := content_hash(text)) in hashes:
                copies.add(key)
            yield text
        yield from held or ()

    with UniqueTexts(read(), slices) as unique:
        is_given = (
            None if held is None else np.fromiter((key in hashes for key in unique.hashes), np.bool_, len(unique))
        )
        split, n_alike = _split(unique, is_given, settings, watch)
        here, there = unique.labels(split.evaluation), unique.labels(split.pool)
        n_left_out = 0 if is_given is None else len(copies) + int((~is_given).sum()) - len(split.pool)
        return _Divided(
            evaluation=unique.select(split.evaluation),
            pool=unique.select(split.pool),
            labels=None if here is None or there is None else (here, there),
            n_alike=n_alike,
            n_left_out=n_left_out,
        )


def _split(
    unique: UniqueTexts, is_given: npt.NDArray[np.bool_] | None, settings: TextSettings, watch: Watch
) -> tuple[Split, int]:
    """The split, and how many documents resemble another one."""
    _require(len(unique), "distinct documents that are not blank", "`documents`")
    labels = duplicate_labels(
        unique,
        threshold=settings.near_duplicate_threshold,
        seed=settings.seed,
        reading=watch("looking for near duplicates", unique, len(unique)),
    )
    n_clusters, kinds = int(labels.max()) + 1, unique.labels(np.arange(len(unique)))
    strata, most = None if kinds is None else kinds.codes, settings.max_evaluation_documents
    got = f"{len(unique)} documents in {n_clusters} clusters of near duplicates"
    if is_given is None:
        n_evaluation = _n_evaluation(len(unique), settings.evaluation_fraction, most)
        split = split_clusters(labels, unique.hashes, n_evaluation=n_evaluation, seed=settings.seed, strata=strata)
        got, another = f"{got} and `evaluation_fraction={settings.evaluation_fraction:g}`", _FRACTION
    else:
        split = split_given(labels, unique.hashes, is_given, most=most, seed=settings.seed, strata=strata)
        got, another = f"{got}, of which {int(is_given.sum())} are in `evaluation`,", "`evaluation`"
    _require_both_sides(split, settings.n_folds, got, another)
    return split, len(unique) - n_clusters


def _n_evaluation(n: int, fraction: float, most: int) -> int:
    return min(n - 1, most, max(1, round(fraction * n)))


def _require(n: int, what: str, argument: str) -> None:
    if n < FEWEST:
        raise InputError(
            f"{argument} must hold at least {FEWEST} {what}, but got {n}: "
            "give more real data, or cut long texts into documents (a paragraph each)"
        )


def _require_both_sides(split: Split, n_folds: int, got: str, another: str) -> None:
    if len(split.evaluation) < n_folds or len(split.pool) <= NEIGHBOURS:
        raise InputError(
            f"a wild type must have at least {n_folds} for evaluation (one per fold) and "
            f"{NEIGHBOURS + 1} in the pool, but {got} give "
            f"{len(split.evaluation)} and {len(split.pool)}: "
            f"give more distinct data, fewer `n_folds` or another {another}"
        )
