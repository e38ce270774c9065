"""WildType: the real data and the instruments fitted on them, as one object."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from collapse_guard.arrays import FloatArray
from collapse_guard.corpus.documents import Documents
from collapse_guard.corpus.embedding import TextEmbedder
from collapse_guard.corpus.labels import labels_of
from collapse_guard.errors import CollapseGuardWarning, InputError
from collapse_guard.frames import column_of, texts_of
from collapse_guard.records import TrainingCheck
from collapse_guard.wildtype import files
from collapse_guard.wildtype import kept as keeping
from collapse_guard.wildtype.contents import (
    Contents,
    Settings,
    TextSettings,
    VectorContents,
    fingerprint,
    of_vectors,
)
from collapse_guard.wildtype.fitting import Watch, fit_texts, fit_vectors, unwatched, with_embedder
from collapse_guard.wildtype.group_sizes import sizes_for_texts
from collapse_guard.wildtype.instruments import Instruments
from collapse_guard.wildtype.leak_index import LeakIndex
from collapse_guard.wildtype.leaks import refuse_leaks
from collapse_guard.wildtype.slices import Slices, slices_of


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class WildType(Instruments):
    """Real reference data, frozen and fingerprinted, with the instruments that measure every generation.

    Never train on its evaluation documents; its pool may be trained on. Exact duplicates are dropped, and near
    duplicates stay on one side of the split. Measuring never changes it. Make one with `fit`, `fit_arrays` or `load`.

    Example:
        >>> documents = [f"In {year} the Congress met for the {year - 1788}th time." for year in range(1790, 1830)]
        >>> wild_type = WildType.fit(documents, seed=0, near_duplicate_threshold=1.0)
        >>> len(wild_type.evaluation), len(wild_type.pool), len(wild_type.folds)
        (8, 32, 4)
        >>> wild_type.words("The Congress met.")
        ['the', 'congress', 'met']
    """

    fingerprint: str
    """32 hex digits that identify all of it."""
    home: Path | None = None
    """Directory that it was loaded from: what takes long to make of it is kept there. None: nothing is kept."""

    @classmethod
    def fit(
        cls,
        documents: Iterable[str],
        *,
        seed: int = 0,
        evaluation_fraction: float = 0.2,
        max_evaluation_documents: int = 2000,
        n_folds: int = 4,
        vocabulary_size: int = 2000,
        embedder: TextEmbedder | None = None,
        embedding_dim: int = 64,
        group_tokens: int | None = None,
        group_samples: int | None = None,
        rare_share: float = 0.05,
        near_duplicate_threshold: float = 0.8,
        n_clusters: int = 64,
        slices: Iterable[Any] | str | None = None,
        evaluation: Iterable[str] | None = None,
        watch: Watch = unwatched,
    ) -> WildType:
        """Fit a wild type of texts; the order of the documents does not matter.

        Fit it once, `save` it, and `load` it from then on: another processor rounds differently, and a wild type that
        is fitted again there may have another fingerprint.

        Args:
            documents: At least 20 distinct texts of any length; paragraphs work best. A table of pandas, pyarrow or
                `datasets` gives its column `text`. Blank and missing texts are dropped.
            seed: Seed of the split, the search for near duplicates, the embedder and the clusters; it is recorded.
            evaluation_fraction: Share of the documents for evaluation, in (0, 1).
            max_evaluation_documents: Largest number of documents for evaluation.
            n_folds: Number of disjoint parts of the evaluation documents, of nearly equal size.
            vocabulary_size: Requested vocabulary of the tokenizer, at least 258.
            embedder: Function or nn.Module from a list of texts to an n d array; None: TF-IDF and SVD fitted on the
                pool.
            embedding_dim: Requested d of the default embedder.
            group_tokens: Token budget of a group of text samples. None: 4096, or fewer where the evaluation documents
                fill less than six such groups, so that small data can be a baseline.
            group_samples: Samples in a group. None: 128, or fewer by the same rule.
            rare_share: Largest part of all word occurrences that the rare words have; see `lexicon.rare_words`.
            near_duplicate_threshold: Smallest Jaccard similarity of word 5-grams that keeps documents on one side of
                the split, in [0.1, 1].
            n_clusters: Largest number of clusters of the pool's embeddings, at least 2; see `geometry.Geometry.fit`.
            slices: What kind each document is of, such as its language, domain or customer: a value for each, None for
                none; or the name of a column where `documents` is a table. Each kind has its share of the evaluation
                documents, and those with 40 or more are watched one by one (`slices`). None: clusters are.
            evaluation: Documents that are never trained on, where you have split them already, as into train and test;
                `documents` are then the pool. At most `max_evaluation_documents` of them are measured on. Documents
                that are in `evaluation` too, or resemble one there, are left out of the pool, and a warning counts
                them. In a list of `slices`, those of `evaluation` come last. None: `evaluation_fraction` of the
                documents.
            watch: Watches each pass over all documents, for a person who waits (`fitting.Watch`).

        Raises:
            InputError: There are too few documents, or an argument is outside of its range.
            CorpusError: A document is not a str or has no UTF-8 form.

        Cost: linear in the words; 3 million (16 MB) take about 15 s on one core. The texts are in memory once, beside
        all different words and some ten numbers for each document.
        """
        options = {name: value for name, value in locals().items() if name in TextSettings.model_fields}
        sizes = {name: options.pop(name) for name in ("group_tokens", "group_samples") if options[name] is None}
        settings = TextSettings.checked(**dict.fromkeys(sizes, 2) | options)
        given = None if evaluation is None else texts_of("evaluation", evaluation)
        contents = fit_texts(
            texts_of("documents", documents),
            settings,
            embedder,
            watch,
            slices=None if slices is None else _kinds(slices, documents, evaluation),
            given=given,
        )
        if given is not None:
            n, n_pool = len(contents.evaluation), len(contents.pool)
            settings = settings.model_copy(update={"evaluation_fraction": n / (n + n_pool)})
        if contents.n_left_out:
            message = _left_out(contents.n_left_out, "documents", ", or resemble a document there,", "pool")
            warnings.warn(message, CollapseGuardWarning, stacklevel=2)
        fitting = sizes_for_texts(contents.evaluation, contents.tokenizer) if sizes else {}
        return cls._of(settings.model_copy(update={name: fitting[name] for name in sizes}), contents)

    @classmethod
    def fit_arrays(
        cls,
        x: npt.ArrayLike,
        *,
        seed: int = 0,
        evaluation_fraction: float = 0.2,
        group_samples: int | None = None,
        n_clusters: int = 64,
        standardize: bool | None = None,
        evaluation: npt.ArrayLike | None = None,
    ) -> WildType:
        """Fit a wild type of vectors; the order of the rows does not matter.

        Equal rows stay on one side of the split, unless a table has each row five times on average: then they are
        kinds.

        Args:
            x: n d finite numbers, at least 20 distinct rows; items of any shape, such as images, are one row each. Or a
                table of pandas, pyarrow, `datasets` or polars with named columns, of which texts are taken for kinds.
            seed: Seed of the split and the clusters; it is recorded.
            evaluation_fraction: Share of the rows for evaluation, in (0, 1).
            group_samples: Samples in a group. None: 128, or fewer where the rows for evaluation fill less than six such
                groups, so that small data can be a baseline.
            n_clusters: Largest number of clusters of the pool, at least 2; see `geometry.Geometry.fit`.
            standardize: Whether columns are measured in standard deviations of the pool, as those of a table must be.
                None: of a table, and where the deviation of one is more than 30 times that of another; columns that
                differ from their median in fewer than 5% of the rows do not count. Rows are kept, given and sampled in
                their own units.
            evaluation: Rows that are never trained on, where you have split them already, as into train and test; those
                of `x` are then the pool. All of them are measured on. Rows of `x` that are in `evaluation` too are left
                out of the pool, and a warning counts them. None: `evaluation_fraction` of the rows.

        A column that is constant in the pool (`constant_columns`) is left out of spread, which a model's noise in it
        would change, and kept in distances.

        Raises:
            InputError: The shape is wrong, there are too few distinct rows, a row is not finite, or an argument is
                outside of its range.

        Example:
            >>> wild_type = WildType.fit_arrays([[float(i), 1.0] for i in range(25)])
            >>> wild_type.kind, wild_type.evaluation_vectors.shape, wild_type.pool_vectors.shape
            ('vectors', (5, 2), (20, 2))
        """
        options = {name: value for name, value in locals().items() if name not in ("cls", "x")}
        settings, contents = fit_vectors(x, **options)
        if contents.n_left_out:
            message = _left_out(contents.n_left_out, "x", "", "pool_vectors")
            warnings.warn(message, CollapseGuardWarning, stacklevel=2)
        return cls._of(settings, contents)

    @classmethod
    def load(cls, path: str | Path, *, embedder: TextEmbedder | None = None) -> WildType:
        """Read a wild type from a directory and check its fingerprint.

        Args:
            path: The directory that `save` wrote.
            embedder: The custom embedder that it was fitted with, if there was one; without it, everything but `embed`
                works.

        Raises:
            WildTypeError: The directory is not a wild type, was written by another version, was changed after it was
                saved, or has words that this version divides in another way; or the embedder gives the first evaluation
                documents other vectors (by more than 0.001 of their norm).
        """
        home = Path(path).absolute()
        saved = files.read(home)
        contents = saved.contents if embedder is None else with_embedder(saved.contents, embedder)
        return cls(settings=saved.settings, contents=contents, fingerprint=saved.fingerprint, home=home)

    @classmethod
    def _of(cls, settings: Settings, contents: Contents) -> WildType:
        return cls(settings=settings, contents=contents, fingerprint=fingerprint(settings, contents))

    def save(self, path: str | Path) -> Path:
        """Write to a new directory, whole or not at all, and return its path.

        If the directory holds the same wild type already, it is left as it is.

        Raises:
            InputError: The path holds something else.
        """
        files.write(Path(path), self.settings, self.contents)
        return Path(path)

    def kept(self, name: str, make: Callable[[], keeping.Arrays]) -> keeping.Arrays:
        """What is made of this wild type alone, read where it was made before (`wildtype.kept`).

        Args:
            name: Of what is made; no two things have the same one.
            make: Makes it.
        """
        return keeping.kept(self.home, self.fingerprint, name, make)

    @property
    def kind(self) -> Literal["text", "vectors"]:
        """Whether it holds texts or vectors."""
        return self.settings.kind

    @property
    def evaluation(self) -> Documents:
        """Documents that are never trained on, all folds together."""
        return self._texts.evaluation

    @cached_property
    def folds(self) -> tuple[Documents, ...]:
        """Disjoint parts of `evaluation`, of nearly equal size."""
        documents = self._texts.evaluation
        return tuple(map(documents.select, np.array_split(range(len(documents)), self._text_settings.n_folds)))

    @property
    def pool(self) -> Documents:
        """Documents that may be trained on or re-injected."""
        return self._texts.pool

    @property
    def evaluation_vectors(self) -> FloatArray:
        """n d: rows that are never trained on."""
        return self._vectors.evaluation

    @property
    def pool_vectors(self) -> FloatArray:
        """m d: rows that may be trained on."""
        return self._vectors.pool

    @property
    def pool_table(self) -> dict[str, list[Any]]:
        """The rows of the table that may be trained on, as columns: `pandas.DataFrame(wild_type.pool_table)`.

        Raises:
            InputError: It was not fitted on a table with named columns.
        """
        columns = self._vectors.columns
        if columns is None:
            raise InputError(
                "`pool_table` needs a wild type of a table, but this one is of an array: use `pool_vectors`"
            )
        return columns.decode(self.pool_vectors)

    @property
    def constant_columns(self) -> tuple[int, ...]:
        """Numbers of the columns that have one value in the whole pool.

        Example:
            >>> WildType.fit_arrays([[float(i), 1.0] for i in range(25)]).constant_columns
            (1,)
        """
        return tuple(np.flatnonzero(~self._vectors.scaling.varies).tolist())

    def measured(self, vectors: FloatArray) -> FloatArray:
        """Vectors as they are measured: in standard deviations of the pool where it is standardised.

        Example:
            >>> wild_type = WildType.fit_arrays([[float(i), 1e6 * (i % 7)] for i in range(60)])
            >>> wild_type.measured(wild_type.pool_vectors).std(axis=0).round(9).tolist()
            [1.0, 1.0]
        """
        return self._vectors.scaling(vectors)

    @cached_property
    def slices(self) -> Slices | None:
        """Kinds of documents that are watched one by one: as they were given, or found by their words, and kept.

        None: it holds vectors; or none were given, and its evaluation documents are fewer than 160 or their words tell
        no kinds apart.
        """
        return slices_of(self)

    def check_training(self, texts: Iterable[str], *, near: float | None = 0.8) -> None:
        """Refuse training texts that are evaluation documents, or near duplicates of one.

        The same content has the same hash; near duplicates share most of their word 5-grams (`near_matches`).
        Documents of `pool` pass: the split has already put them on the other side.

        Args:
            texts: Any number of texts, read once and not kept; of a table, its column `text`.
            near: Smallest Jaccard similarity of word 5-grams that makes a text a near duplicate, in [0.1, 1]; None:
                refuse only the same content.

        Raises:
            WildTypeError: There are such texts; the message counts them and shows three examples.
            InputError: `near` is outside of its range, or the wild type holds vectors.

        Cost: linear in the words of the texts that are not in the pool; 100,000 of 100 words take 10 s on one core.
        """
        refuse_leaks(texts_of("texts", texts), self.evaluation, self.pool, near=near)

    def leaks_in(self, texts: Iterable[str], *, whole: bool = False) -> TrainingCheck:
        """Look for evaluation documents in training texts, and count what is found; nothing is refused.

        Unlike `check_training`, it finds parts of documents: the texts may be chunks of documents, or windows of
        several, as they are decoded from the batches of a training. An evaluation document is found where half of a
        text, or half of the document, is its own: runs of eight words that no document of `pool` has
        (`wildtype.leak_index`). A document of fewer than eleven words is found as a whole only.

        Args:
            texts: Any number of texts, read once and not kept; of a table, its column `text`.
            whole: Whether these are all texts that the model is trained on. Then the evaluation documents that are not
                in them decide beside such a founder.

        Raises:
            InputError: The wild type holds vectors.

        Cost: about 1 µs for a word of the texts, and once for a word of the documents (of the pool, 64 MB at most),
        which is kept beside a wild type that was loaded.

        Example:
            >>> texts = [f"In {year} the Congress met, and wrote {7 * year % 91} laws." for year in range(1790, 1850)]
            >>> wild_type = WildType.fit(texts, near_duplicate_threshold=1.0)
            >>> wild_type.leaks_in(wild_type.pool).leaking, wild_type.leaks_in(wild_type.evaluation).leaking
            (0, 12)
        """
        evaluation = self.evaluation
        check = self._leak_index.check(texts_of("texts", texts), evaluation)
        return check.model_copy(update={"whole": whole})

    @cached_property
    def _leak_index(self) -> LeakIndex:
        made = self.kept("leak-index", lambda: LeakIndex.of(self.evaluation, self.pool).arrays())
        return LeakIndex.from_arrays(made)

    def __repr__(self) -> str:
        """Kind, sizes and fingerprint."""
        sizes = f"{len(self.contents.evaluation)} for evaluation, {len(self.contents.pool)} in the pool"
        constant = "" if self.kind == "text" else self._vectors.scaling.constant_columns(self._vectors.labels)
        return f"WildType({', '.join(filter(None, (self.kind, sizes, constant, self.fingerprint)))})"

    @property
    def _vectors(self) -> VectorContents:
        return of_vectors(self.contents)


def _kinds(slices: Any, documents: Any, evaluation: Any) -> Iterator[str]:
    """The slice of each document, and then of each that is given for evaluation."""
    tables = [documents] if evaluation is None or not isinstance(slices, str) else [documents, evaluation]
    return labels_of(chain.from_iterable(column_of("slices", slices, table) for table in tables))


def _left_out(n: int, argument: str, alike: str, pool: str) -> str:
    are = f"1 of `{argument}` is" if n == 1 else f"{n:,} of `{argument}` are"
    return f"{are} in `evaluation` too{alike} and left out of the pool: train on `wild_type.{pool}`, which lacks them"
