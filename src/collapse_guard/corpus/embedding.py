"""Embedders from texts to vectors. The default is TF-IDF and a truncated SVD, fitted once on real text, then frozen.

Its terms are words. Where real texts hardly share any (each is one name, one formula, one long code), they are runs of
three characters.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy import sparse
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from collapse_guard.arrays import FloatArray
from collapse_guard.corpus.lexicon import words
from collapse_guard.errors import InputError

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

TextEmbedder = Callable[[list[str]], Any]
"""A function from a list of n texts to an n d array or tensor; an nn.Module whose forward does this is one too."""

Unit = Literal["words", "characters"]
"""What the terms of the default embedder are: words, or runs of three characters."""

_BATCH = 256
_MAX_TERMS = 20_000
_CHARACTERS = 3
_FEWEST_WITH_TERMS = 0.5
"""Smallest share of the texts that must have a word in common with another text for words to be terms."""


@dataclass(frozen=True, eq=False)
class TfidfEmbedder:
    """Latent semantic analysis with frozen terms: `x -> V · l2(tf · idf)`.

    `tf = 1 + ln(count)` and `idf = 1 + ln((1 + n) / (1 + document count))`, rows scaled to unit length, then
    projected onto the leading right singular vectors V of the fitted texts. A row has a norm of at most 1; a text
    without known terms is the zero vector. Each row depends on its text alone, not on the batch.

    Source: Deerwester et al. (1990), Indexing by latent semantic analysis; Halko, Martinsson and Tropp (2011) for
    the SVD.
    """

    terms: tuple[str, ...]
    """v: the terms, in the order of the columns."""
    idf: FloatArray
    """v: inverse document frequency."""
    components: FloatArray
    """d v: right singular vectors; the entry of largest magnitude of each is positive."""
    unit: Unit = "words"
    """What the terms are."""
    names: ClassVar[Mapping[Unit, str]] = {"words": "tfidf-svd", "characters": "tfidf-svd-characters"}
    """Unit -> name of the kind of embedder."""

    @classmethod
    def fit(cls, texts: Sequence[str], *, dim: int = 64, seed: int = 0) -> TfidfEmbedder:
        """Learn terms (the 20,000 most frequent, in two documents or more), weights and directions.

        The terms are words, unless fewer than half of the texts share a word with another text: then they are runs of
        three characters.

        Args:
            texts: n documents.
            dim: Requested number of dimensions; there are fewer if the texts have fewer terms or documents.
            seed: Seed of the randomised SVD. The same texts in the same order with the same seed give the same bits on
                one machine, with any number of threads.

        Raises:
            InputError: No text has a character.

        Example:
            >>> embedder = TfidfEmbedder.fit(["peace and war", "war and taxes", "taxes and peace"], dim=2)
            >>> embedder(["war", "unheard of"]).shape
            (2, 2)
        """
        from sklearn.utils.extmath import randomized_svd

        unit, vectorizer, matrix = _fit_tfidf(texts)
        with threadpool_limits(1):
            _, _, components = randomized_svd(matrix, min(dim, *matrix.shape), n_iter=5, random_state=seed)
        terms = tuple(vectorizer.get_feature_names_out())
        return cls(terms, vectorizer.idf_, _with_fixed_signs(components), unit)

    def __post_init__(self) -> None:
        """Number the terms, and turn the directions as they are multiplied."""
        object.__setattr__(self, "_columns", {term: column for column, term in enumerate(self.terms)})
        object.__setattr__(self, "_directions", np.ascontiguousarray(self.components.T))

    @property
    def name(self) -> str:
        """Name of the kind of embedder."""
        return self.names[self.unit]

    @property
    def dim(self) -> int:
        """d, the number of dimensions."""
        return int(self.components.shape[0])

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Embed texts: n d. Cost: linear in words times d."""
        if not len(texts):
            return np.zeros((0, self.dim))
        parts = [self._weights(batch) @ self._directions for batch in _batches(texts)]  # type: ignore[attr-defined]
        return np.concatenate(parts)

    def _weights(self, texts: Sequence[str]) -> sparse.csr_array:
        """n v: l2(tf · idf), the bits that scikit-learn's vectorizer gives, which takes half a second to load."""
        split, columns, n_terms = _ANALYZERS[self.unit], self._columns, max(1, len(self.terms))  # type: ignore[attr-defined]
        found = [[columns[term] for term in split(text) if term in columns] for text in texts]
        rows = np.repeat(np.arange(len(texts)), list(map(len, found)))
        coded, counts = np.unique(
            rows * n_terms + np.array(list(chain.from_iterable(found)), np.int64), return_counts=True
        )
        rows, terms = np.divmod(coded, n_terms)
        values = (np.log(counts.astype(np.float64)) + 1.0) * self.idf[terms]
        norms = np.sqrt(np.bincount(rows, values * values, minlength=len(texts)))
        starts = np.searchsorted(rows, np.arange(len(texts) + 1))
        return sparse.csr_array((values / norms[rows], terms, starts), shape=(len(texts), len(self.terms)))

    def arrays(self) -> dict[str, FloatArray]:
        """The learned numbers, by name."""
        return {"components": self.components, "idf": self.idf}

    def save(self, folder: Path) -> None:
        """Write `embedder.json` (the terms) and `embedder.safetensors` (the numbers)."""
        body = json.dumps({"name": self.name, "terms": self.terms}, ensure_ascii=False)
        (folder / "embedder.json").write_text(body, encoding="utf-8")
        save_arrays(self.arrays(), folder / "embedder.safetensors")

    @classmethod
    def load(cls, folder: Path) -> TfidfEmbedder:
        """Read what `save` wrote; the embeddings are the same bits."""
        body = json.loads((folder / "embedder.json").read_text(encoding="utf-8"))
        arrays = load_file(folder / "embedder.safetensors")
        unit = next(unit for unit, name in cls.names.items() if name == body["name"])
        return cls(tuple(body["terms"]), arrays["idf"], arrays["components"], unit)


@dataclass(frozen=True, eq=False)
class CustomEmbedder:
    """A user's function or nn.Module as an embedder: batched, without gradients, and checked.

    A module is called in eval mode; afterwards each submodule is back in its own mode. The output must be a finite n d
    array with the same d in every batch.
    """

    function: TextEmbedder
    """list of texts -> n d array or tensor."""

    @property
    def name(self) -> str:
        """Name of the function or of the module's class."""
        return str(getattr(self.function, "__qualname__", type(self.function).__qualname__))

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Embed texts: n d.

        Raises:
            InputError: The output has another shape or is not finite.

        Example:
            >>> CustomEmbedder(lambda texts: [[len(text), 1.0] for text in texts])(["a", "abc"]).tolist()
            [[1.0, 1.0], [3.0, 1.0]]
        """
        parts = [self._checked(_call(self.function, batch), len(batch)) for batch in _batches(texts)]
        if len({part.shape[1] for part in parts}) > 1:
            raise InputError(
                f"`embedder` {self.name} must give every text the same number of dimensions, "
                f"but got {sorted({part.shape[1] for part in parts})}"
            )
        return np.concatenate(parts) if parts else np.zeros((0, 0))

    def _checked(self, output: Any, n: int) -> FloatArray:
        required = f"`embedder` {self.name} must return an array of {n} rows (one per text) and d columns"
        try:
            values = np.asarray(output, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"{required}, but got a {type(output).__name__}: {error}") from error
        if values.ndim != 2 or len(values) != n or not values.shape[1]:
            raise InputError(f"{required}, but got shape {values.shape}")
        if not np.isfinite(values).all():
            bad = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
            raise InputError(
                f"`embedder` {self.name} must return finite numbers, but row {bad} of a batch is not finite"
            )
        return values


Embedder = TfidfEmbedder | CustomEmbedder
"""The embedders of a wild type."""


def save_arrays(arrays: Mapping[str, FloatArray], path: Path) -> None:
    """Write arrays by name as safetensors."""
    # safetensors writes the buffer as it is in memory: an array in Fortran order would come back scrambled.
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)


def _call(function: TextEmbedder, batch: list[str]) -> Any:
    # A module exists only if torch was imported; importing it here would cost every other user two seconds.
    torch = sys.modules.get("torch")
    if torch is None:
        return function(batch)
    with torch.no_grad():
        output = _call_in_eval_mode(function, batch) if isinstance(function, torch.nn.Module) else function(batch)
    return output.detach().double().cpu().numpy() if isinstance(output, torch.Tensor) else output


def _call_in_eval_mode(module: Any, batch: list[str]) -> Any:
    modes = [(part, part.training) for part in module.modules()]
    try:
        return module.eval()(batch)
    finally:
        for part, training in modes:
            part.training = training


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(texts), _BATCH):
        yield list(texts[start : start + _BATCH])


def _characters(text: str) -> list[str]:
    """Runs of three characters; a shorter text is one run."""
    text = " ".join(unicodedata.normalize("NFC", text).lower().split())
    return [text[i : i + _CHARACTERS] for i in range(len(text) - _CHARACTERS + 1)] or ([text] if text else [])


_ANALYZERS: dict[Unit, Callable[[str], list[str]]] = {"words": words, "characters": _characters}


def _vectorizer(unit: Unit, **options: Any) -> TfidfVectorizer:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer=_ANALYZERS[unit], sublinear_tf=True, dtype=np.float64, **options)


def _fit_tfidf(texts: Sequence[str]) -> tuple[Unit, TfidfVectorizer, Any]:
    """The first way in which at least half of the texts have a term; in a few texts, a term may stand in one alone."""
    for min_df, unit in product((2, 1), get_args(Unit)):
        vectorizer = _vectorizer(unit, max_features=_MAX_TERMS, min_df=min_df)
        try:
            matrix = vectorizer.fit_transform(texts)
        except ValueError:  # scikit-learn's way to say that no term is left
            continue
        if (np.diff(matrix.indptr) > 0).mean() >= _FEWEST_WITH_TERMS:
            return unit, vectorizer, matrix
    raise InputError(
        f"`texts` must have characters to fit an embedder on, but got {len(texts)} blank ones: pass your own `embedder`"
    )


def _with_fixed_signs(components: FloatArray) -> FloatArray:
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1, keepdims=True), axis=1)
    return np.ascontiguousarray(components * np.where(largest < 0, -1.0, 1.0), dtype=np.float64)
