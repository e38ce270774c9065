"""Slices: kinds of documents that are watched one by one, given by the user or found as clusters.

What is found is derived of the wild type alone, and kept with it: the same clusters in every generation.
"""

from __future__ import annotations

import heapq
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from collapse_guard.arrays import FloatArray, IntArray, freeze
from collapse_guard.corpus.lexicon import words
from collapse_guard.wildtype import kept as keeping
from collapse_guard.wildtype.contents import TextContents

if TYPE_CHECKING:
    from collapse_guard.wildtype.reference import WildType

FEWEST_DOCUMENTS = 40
"""Evaluation documents that a slice needs: with fewer, its own noise hides what happens to it."""
OTHER = "other"
"""Name of the slice of what is too small to be one."""
NONE = -1
"""Number of the slice of a document that has none."""
MOST_FOUND = 16
"""Clusters that are looked for at most: of more slices, each is harder to tell from chance."""
_PER_CLUSTER = 2 * FEWEST_DOCUMENTS
"""Evaluation documents for each cluster that is looked for."""
_RESTARTS = 4
_NAMED_BY = 3
"""Words in the name of a slice that was found."""
_COMMON = 0.25
"""A word that stands in so large a part of all other documents tells nothing, however often it stands in a slice."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Slices:
    """Kinds of documents, each with 40 evaluation documents or more.

    Example:
        >>> slices = Slices.given(["en"] * 60 + ["es"] * 45 + ["fr"] * 3 + [""])
        >>> slices.names, slices.sizes, slices.merged
        (('en', 'es'), (60, 45), {'fr': 3})
    """

    names: tuple[str, ...]
    """s: the largest first."""
    of_evaluation: IntArray
    """n: number of the slice of each evaluation document; -1 for none."""
    is_given: bool
    """Whether the user gave them; else they are clusters."""
    merged: Mapping[str, int] = field(default_factory=dict)
    """Name of each kind that was too small -> its evaluation documents: they are in "other", or in none where all of
    these together are too few."""
    centres: FloatArray | None = None
    """c d: middles of clusters of embeddings that were scaled to length 1; None: nothing can embed."""
    of_centre: IntArray | None = None
    """c: number of the slice of each centre."""

    @classmethod
    def given(cls, labels: Sequence[str]) -> Slices:
        """Slices of the labels of the evaluation documents, "" for none.

        Labels with fewer than 40 documents become the slice "other", if they have as many together.
        """
        counts = Counter(label for label in labels if label)
        merged = {name: n for name, n in sorted(counts.items()) if name != OTHER and n < FEWEST_DOCUMENTS}
        numbers, names = _numbered([OTHER if label in merged else label for label in labels])
        return cls(names=names, of_evaluation=numbers, is_given=True, merged=merged)

    @classmethod
    def found(
        cls,
        evaluation: Sequence[str],
        embed: Callable[[Sequence[str]], FloatArray],
        reference: FloatArray,
        *,
        seed: int,
    ) -> Slices | None:
        """Clusters of real documents, by k-means; None where the evaluation documents are too few for two of them.

        A cluster with fewer than 40 evaluation documents joins the one with the nearest middle, the smallest first.

        Args:
            evaluation: n: evaluation documents.
            embed: Makes embeddings of them.
            reference: m d: embeddings of documents of the pool.
            seed: Seed of k-means.
        """
        n_clusters = min(MOST_FOUND, len(evaluation) // _PER_CLUSTER)
        if n_clusters < 2:
            return None
        rows = _unit(embed(evaluation))
        centres = _middles(np.concatenate([rows, _unit(reference)]), n_clusters, seed)
        clusters = _nearest(rows, centres)
        joined = _joined(np.bincount(clusters, minlength=len(centres)), centres)
        numbers, groups = _numbered([str(group) for group in joined[clusters]])
        if len(groups) < 2:
            return None
        of_group = {int(group): number for number, group in enumerate(groups)}
        of_centre = np.array([of_group[group] for group in joined.tolist()], dtype=np.int64)
        names = _telling_names(evaluation, numbers, len(groups))
        return cls(names=names, of_evaluation=numbers, is_given=False, centres=centres, of_centre=of_centre)

    @property
    def sizes(self) -> tuple[int, ...]:
        """s: evaluation documents of each."""
        return tuple(np.bincount(self.of_evaluation + 1, minlength=len(self.names) + 1)[1:].tolist())

    def names_of(self, documents: Sequence[str]) -> dict[str, str]:
        """Id of each evaluation document -> the name of its slice, "" for none.

        Args:
            documents: Ids of the evaluation documents, in their order.
        """
        names = (*self.names, "")
        return {document: names[number] for document, number in zip(documents, self.of_evaluation, strict=True)}

    def assign(self, embeddings: FloatArray) -> IntArray | None:
        """The number of the slice whose documents each embedding lies nearest to; None where nothing can embed.

        Args:
            embeddings: m d, by the embedder of the wild type.
        """
        if self.centres is None or self.of_centre is None:
            return None
        return self.of_centre[_nearest(_unit(embeddings), self.centres)]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All parts of slices that were found, for `from_arrays`."""
        assert self.centres is not None  # noqa: S101
        assert self.of_centre is not None  # noqa: S101
        names = np.frombuffer(json.dumps(self.names).encode(), np.uint8)
        return {
            "names": names,
            "of_evaluation": self.of_evaluation,
            "centres": self.centres,
            "of_centre": self.of_centre,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Slices | None:
        """Rebuild what was found from `arrays`; None where nothing was found."""
        if not arrays:
            return None
        names = tuple(json.loads(arrays["names"].tobytes()))
        numbers, centres, of_centre = (freeze(arrays[name]) for name in ("of_evaluation", "centres", "of_centre"))
        return cls(names=names, of_evaluation=numbers, is_given=False, centres=centres, of_centre=of_centre)


def slices_of(wild_type: WildType) -> Slices | None:
    """The slices of a wild type: as they were given, or clusters; None where there are none."""
    contents = wild_type.contents
    if not isinstance(contents, TextContents):
        return None
    if contents.labels is None:
        return Slices.from_arrays(_kept(wild_type, lambda: _found(wild_type)))
    slices = Slices.given(list(contents.labels[0]))
    centres = _kept(wild_type, lambda: _middles_of_given(wild_type, slices)).get("centres")
    if centres is None:
        return slices
    return replace(slices, centres=freeze(centres), of_centre=freeze(np.arange(len(centres))))


def _kept(wild_type: WildType, make: Callable[[], keeping.Arrays]) -> keeping.Arrays:
    """What is made with the embedder; without one, what was kept."""
    if wild_type.can_embed:
        return wild_type.kept("slices", make)
    return keeping.found(wild_type.home, wild_type.fingerprint, "slices") or {}


def _found(wild_type: WildType) -> keeping.Arrays:
    reference, seed = wild_type.geometry.reference, wild_type.settings.seed
    found = Slices.found(wild_type.evaluation.texts, wild_type.embed, reference, seed=seed)
    return {} if found is None else found.arrays()


def _middles_of_given(wild_type: WildType, slices: Slices) -> keeping.Arrays:
    """The middle of each slice among the embeddings of its evaluation documents."""
    if not slices.names:
        return {}
    rows = _unit(wild_type.embed(wild_type.evaluation.texts))
    middles = [rows[slices.of_evaluation == number].mean(axis=0) for number in range(len(slices.names))]
    return {"centres": np.array(middles)}


def _numbered(labels: Sequence[str]) -> tuple[IntArray, tuple[str, ...]]:
    """The number of each label, the commonest first, and their names; -1 for "" and for those that are too rare."""
    counts = Counter(label for label in labels if label)
    names = sorted(
        (name for name, n in counts.items() if n >= FEWEST_DOCUMENTS), key=lambda name: (-counts[name], name)
    )
    number = {name: i for i, name in enumerate(names)}
    return freeze(np.array([number.get(label, NONE) for label in labels], dtype=np.int64)), tuple(names)


def _unit(rows: FloatArray) -> FloatArray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: FloatArray = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    return scaled


def _middles(rows: FloatArray, n_clusters: int, seed: int) -> FloatArray:
    from sklearn.cluster import KMeans

    n_distinct = len(np.unique(rows, axis=0))
    # One thread adds in one order, so the bits do not depend on the machine's number of cores.
    with threadpool_limits(1):
        means = KMeans(min(n_clusters, n_distinct), n_init=_RESTARTS, random_state=seed).fit(rows)
    return freeze(np.ascontiguousarray(means.cluster_centers_, dtype=np.float64))


def _nearest(rows: FloatArray, centres: FloatArray) -> IntArray:
    # |x - c|^2 less |x|^2, which is the same for all centres.
    scores = np.square(centres).sum(axis=1) - 2.0 * rows @ centres.T
    nearest: IntArray = scores.argmin(axis=1).astype(np.int64)
    return nearest


def _joined(counts: IntArray, centres: FloatArray) -> IntArray:
    """c: the cluster that each one has become part of; each that is left has enough evaluation documents."""
    joined, counts, middles = np.arange(len(centres)), counts.astype(np.float64), centres.copy()
    alive = counts >= 0
    while alive.sum() > 1 and counts[alive].min() < FEWEST_DOCUMENTS:
        smallest = int(np.where(alive, counts, np.inf).argmin())
        distances = np.square(middles - middles[smallest]).sum(axis=1)
        distances[~alive] = distances[smallest] = np.inf
        nearest = int(distances.argmin())
        total = max(1.0, counts[smallest] + counts[nearest])
        middles[nearest] = (counts[smallest] * middles[smallest] + counts[nearest] * middles[nearest]) / total
        counts[nearest] += counts[smallest]
        joined[joined == smallest] = nearest
        alive[smallest] = False
    return joined


def _telling_names(documents: Sequence[str], numbers: IntArray, n_slices: int) -> tuple[str, ...]:
    """The words of each slice that say most about it: they stand in many of its documents, and in few others."""
    standing: list[Counter[str]] = [Counter() for _ in range(n_slices)]
    for text, number in zip(documents, numbers.tolist(), strict=True):
        standing[number].update(set(words(text)))
    everywhere = sum(standing, Counter())
    names: list[str] = []
    for number, here in enumerate(standing):
        n, rest = int((numbers == number).sum()), int((numbers != number).sum())
        score = {
            word: _says(count / n, (everywhere[word] - count + 0.5) / (rest + 1.0))
            for word, count in here.items()
            if word.isalpha()
        }
        telling = heapq.nsmallest(_NAMED_BY, score, key=lambda word: (-score[word], word))
        name = ", ".join(word for word in telling if score[word] > 0.0) or f"cluster {number + 1}"
        names.append(name if name not in names else f"{name} ({number + 1})")
    return tuple(names)


def _says(here: float, elsewhere: float) -> float:
    """What a word says about a slice: the more, the more of its documents have it, and the fewer of the others."""
    return here * math.log(here / elsewhere) if elsewhere < _COMMON else 0.0
