"""What was lost: the words, phrases, clusters and documents of real data that a generation no longer produces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import betainc
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from collapse_guard.arrays import BoolArray, FloatArray, IntArray, is_usable
from collapse_guard.errors import InputError
from collapse_guard.evidence import Samples
from collapse_guard.measurement.phrases import Phrases
from collapse_guard.measurement.samples import row_samples, sample_texts, vector_samples
from collapse_guard.records import LostItem
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.cache import Cache
from collapse_guard.wildtype.contents import of_vectors
from collapse_guard.wildtype.geometry import LARGEST_REFERENCE

Kind = Literal["word", "2-gram", "3-gram", "cluster", "document"]

MOST_BYTES = 1 << 26
"""Bytes of the pool whose words and phrases are counted."""
SHOWN_CHARACTERS = 120
"""Documents are shortened to about this many characters."""
_KINDS: tuple[Kind, ...] = ("word", "2-gram", "3-gram")
_LEVEL = 0.05
"""Largest chance that a table of one kind has a false entry."""
_LARGEST_REMNANT = 0.25
"""What is still seen more often than this part of the expected was not lost."""
_NEIGHBOURS = 5
_LARGEST_SHARE = 4
_BLOCK = 64
_EQUAL = 1e-13


def what_was_lost(
    wild_type: WildType, samples: Samples | None, *, embeddings: npt.ArrayLike | None = None, most: int = 20
) -> tuple[LostItem, ...]:
    """List what the wild type has and the samples lack, or have too rarely to be chance; the worst of each kind first.

    Something with r occurrences in the real data and o in the samples, whose size is s times that of the real data,
    is lost where it is absent, or seen at most a quarter as often as `expected = r s`, and where the exact conditional
    test of two Poisson counts gives so few a `chance` of at most 0.05 / (things tested): of real text, 95 tables of a
    kind in a hundred are empty (Bonferroni). For o = 0 the chance is `(1 + s)^-r`, about `exp(-expected)` where the
    samples are few beside the real data. What is too rare to tell is never called lost. What is absent comes first,
    the most expected before the others.

    - Words and phrases of two and three words of evaluation and pool (of which 64 MB, chosen at random) that occur in
      at least three documents. They come in bursts, so r and o are counted in bursts (occurrences / occurrences per
      document) for the chance. A phrase of which a part is lost already is left out.
    - Clusters of the frozen codebook (`wild_type.geometry`). Real data are the evaluation vectors, or the openings of
      the evaluation documents: so many characters as samples have (median), because embeddings change with length.
    - Documents: the same openings, or vectors. Around each there is a ball that holds so many other real ones that
      real samples would almost surely fall into it; it is lost where too few do, and those farthest from every sample,
      in radii of their balls, come first.

    The counts of the wild type are cached. O(N log N) for N words, and O(m) for m samples, against at most 2,048
    real vectors. Without an embedder there are no clusters and no documents.

    Args:
        wild_type: The frozen real data.
        samples: Texts, token ids of the wild type's own tokenizer, or vectors; None: `embeddings` alone.
        embeddings: n d: embeddings of the samples; None: the wild type's embedder makes them.
        most: Largest number of items of each kind.

    Returns:
        Items by kind: words, 2-grams, 3-grams, clusters, documents.

    Raises:
        InputError: `most` is below 1, or samples or embeddings do not fit the wild type.

    Source: Przyborowski and Wilenski (1940), Biometrika 31:313, for the test; Naeem et al. (2020), ICML, for coverage
    by balls around real data.

    Example:
        >>> wild_type = WildType.fit_arrays(np.random.default_rng(0).normal(size=(1000, 2)), group_samples=10)
        >>> half = [row for row in wild_type.pool_vectors if row[0] > 0]
        >>> lost = what_was_lost(wild_type, np.array(half))
        >>> all(wild_type.evaluation_vectors[int(item.what[4:])][0] < 0 for item in lost)
        True
        >>> [item.observed for item in lost[:3]]
        [0, 0, 0]
    """
    if most < 1:
        raise InputError(f"`most` must be at least 1, but got {most!r}")
    if wild_type.kind == "vectors":
        values = samples if embeddings is None else embeddings
        if values is None:
            return ()
        rows = wild_type.measured(row_samples(wild_type, values))
        return tuple(_of_points(wild_type, _rows(wild_type), rows, most))
    texts = [] if samples is None else sample_texts(wild_type, samples)
    phrases = _of_words(wild_type, texts, most)
    if not wild_type.can_embed or (embeddings is None and not texts):
        return tuple(phrases)
    length = median_length(texts)
    openings = _points.of((wild_type.fingerprint, length), lambda: _openings(wild_type, length))
    vectors = wild_type.embed(texts) if embeddings is None else embeddings
    # On matrices of this size a second thread mostly waits, which costs as much as work.
    with threadpool_limits(1):
        return (*phrases, *_of_points(wild_type, openings, vectors, most))


class _Deficits(NamedTuple):
    """Candidates of one kind."""

    real: IntArray
    """Occurrences in the real data."""
    observed: IntArray
    """Occurrences in the samples."""
    scale: float
    """Size of the samples over size of the real data."""
    burst: FloatArray
    """Occurrences that come together."""
    order: FloatArray | None = None
    """The absent ones come in this order, the largest first; None: in that of their expected bursts."""
    clusters: IntArray | None = None
    """Their numbers in the codebook, if they are clusters."""

    @property
    def expected(self) -> FloatArray:
        return np.asarray(self.real * self.scale, dtype=np.float64)

    @property
    def chance(self) -> FloatArray:
        """P(at most o of r + o bursts fall on the samples), each with odds `scale`."""
        real, observed = self.real / self.burst, np.ceil(self.observed / self.burst)
        chance: npt.NDArray[Any] = betainc(real, observed + 1.0, 1.0 / (1.0 + self.scale))
        return chance.astype(np.float64)

    @property
    def is_lost(self) -> BoolArray:
        is_rare = _LARGEST_REMNANT * self.expected >= self.observed
        return np.asarray(is_rare & (self.chance * len(self.real) <= _LEVEL), dtype=np.bool_)


def _items(kind: Kind, deficits: _Deficits, name: Callable[[int], str], most: int) -> Iterator[LostItem]:
    """The worst losses: absent ones in their order, then the others by chance."""
    chance, expected, is_lost = deficits.chance, deficits.expected, deficits.is_lost
    lost = np.flatnonzero(is_lost)
    surprise = expected / deficits.burst if deficits.order is None else deficits.order
    by_chance = np.where(deficits.observed[lost] > 0, chance[lost], -1.0)
    ranked = lost[np.lexsort((-surprise[lost], by_chance))]
    for i in ranked[:most].tolist():
        yield LostItem(
            kind=kind,
            what=name(i),
            real_count=int(deficits.real[i]),
            expected=float(expected[i]),
            observed=int(deficits.observed[i]),
            chance=float(chance[i]),
            lost_in_all=len(lost),
            cluster=None if deficits.clusters is None else int(deficits.clusters[i]),
        )


def _of_words(wild_type: WildType, texts: list[str], most: int) -> Iterator[LostItem]:
    if not texts:
        return
    phrases = _phrases.of(wild_type.fingerprint, lambda: _phrases_of(wild_type))
    was_lost: BoolArray = np.zeros(0, np.bool_)
    for n, (table, (observed, total)) in enumerate(zip(phrases.tables, phrases.count(texts), strict=True), 1):
        is_lost = np.zeros(len(observed), np.bool_)
        if n > 1:
            is_lost |= was_lost[table.parts].any(axis=1)
        whole = np.flatnonzero(~is_lost)
        counts, scale = table.counts[whole], total / table.total if table.total else 0.0
        deficits = _Deficits(counts, observed[whole], scale, counts / table.documents[whole])
        yield from _items(_KINDS[n - 1], deficits, partial(_phrase, phrases, n, whole), most)
        is_lost[whole] = deficits.is_lost
        was_lost = is_lost


def _phrases_of(wild_type: WildType) -> Phrases:
    pool = wild_type.pool
    documents = chain(wild_type.evaluation, pool[: pool.reach(MOST_BYTES)])
    return Phrases.from_arrays(wild_type.kept("phrases", lambda: Phrases.of(documents).arrays()))


def _phrase(phrases: Phrases, n: int, numbers: IntArray, i: int) -> str:
    return phrases.text(n, int(numbers[i]))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Points:
    """Real data as vectors that samples are compared with."""

    vectors: FloatArray
    """n d."""
    names: tuple[str, ...]
    """n: what a person calls them."""


def _of_points(wild_type: WildType, real: _Points, values: npt.ArrayLike, most: int) -> Iterator[LostItem]:
    vectors = vector_samples(values, dimension=real.vectors.shape[1])
    vectors = vectors[is_usable(vectors).all(axis=1)]
    if len(vectors) and len(real.vectors):
        yield from _clusters(wild_type, real, vectors, most)
        yield from _documents(real, vectors, most)


def _clusters(wild_type: WildType, real: _Points, vectors: FloatArray, most: int) -> Iterator[LostItem]:
    """Clusters of the codebook; each is named after the real vector nearest to its centre."""
    geometry = wild_type.geometry
    owners, n_clusters = geometry.assign(real.vectors), len(geometry.codebook)
    occurring = np.unique(owners)
    deficits = _Deficits(
        np.bincount(owners, minlength=n_clusters)[occurring],
        np.bincount(geometry.assign(vectors), minlength=n_clusters)[occurring],
        len(vectors) / len(real.vectors),
        np.ones(len(occurring)),
        clusters=occurring,
    )

    def name(i: int) -> str:
        members = np.flatnonzero(owners == occurring[i])
        distances = np.square(real.vectors[members] - geometry.codebook[occurring[i]]).sum(axis=1)
        return real.names[int(members[distances.argmin()])]

    yield from _items("cluster", deficits, name, most)


def _documents(real: _Points, vectors: FloatArray, most: int) -> Iterator[LostItem]:
    """Real vectors with too few samples in the ball that reaches to the k-th nearest other real one."""
    n = len(real.vectors)
    scale = len(vectors) / max(1, n - 1)
    # Enough that an empty ball is beyond chance.
    k = max(_NEIGHBOURS, int(np.ceil(np.log(n / _LEVEL) / np.log1p(scale))))
    if n - 1 < _LARGEST_SHARE * k:
        return
    centre = real.vectors.mean(axis=0)
    radii, nearest, inside = _balls(real.vectors - centre, vectors - centre, k)
    farness = np.divide(nearest, radii, out=np.full(n, np.inf), where=radii > 0)
    deficits = _Deficits(np.full(n, k), inside, scale, np.ones(n), order=farness)
    yield from _items("document", deficits, real.names.__getitem__, most)


def _balls(real: FloatArray, samples: FloatArray, k: int) -> tuple[FloatArray, FloatArray, IntArray]:
    """Squared radius of each ball, squared distance from its centre to the nearest sample, and samples inside."""
    radii, nearest, inside = np.empty(len(real)), np.empty(len(real)), np.empty(len(real), np.int64)
    # New memory for all pairs at once would take longer than the products.
    for start in range(0, len(real), _BLOCK):
        rows = slice(start, start + _BLOCK)
        among = _squared_distances(real[rows], real)
        among[np.arange(len(among)), np.arange(start, start + len(among))] = np.inf
        radii[rows] = np.partition(among, k - 1, axis=1)[:, k - 1]
        distances = _squared_distances(real[rows], samples)
        nearest[rows] = distances.min(axis=1)
        inside[rows] = (distances <= radii[rows, None]).sum(axis=1)
    return radii, nearest, inside


def _squared_distances(x: FloatArray, y: FloatArray) -> FloatArray:
    squares = np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1)
    distances: FloatArray = (-2.0 * x) @ y.T
    distances += squares
    # The difference of sums is exact to some 1e-15 of the sums: below, points are equal.
    small = np.flatnonzero(distances < _EQUAL * squares.max(initial=0.0))
    distances.flat[small[distances.flat[small] < _EQUAL * squares.flat[small]]] = 0.0
    return distances


def _rows(wild_type: WildType) -> _Points:
    rows, columns = wild_type.evaluation_vectors[:LARGEST_REFERENCE], of_vectors(wild_type.contents).columns
    names = [f"row {i}" for i in range(len(rows))]
    if columns is not None:
        table = columns.decode(rows)
        written = (", ".join(map(_cell, table, row)) for row in zip(*table.values(), strict=True))
        names = [_shortened(f"{name}: {row}") for name, row in zip(names, written, strict=True)]
    return _Points(vectors=wild_type.measured(rows), names=tuple(names))


def _cell(column: str, value: Any) -> str:
    return f"{column}={value if isinstance(value, str) else format(value, 'g')}"


def _openings(wild_type: WildType, length: int | None) -> _Points:
    texts = [text[:length] for text in wild_type.evaluation[:LARGEST_REFERENCE]]
    return _Points(vectors=wild_type.embed(texts), names=tuple(map(_shortened, texts)))


def _shortened(text: str) -> str:
    """The beginning of a text, on one line, cut between words where that is possible."""
    line = " ".join(text[: 4 * SHOWN_CHARACTERS].split())
    if len(line) <= SHOWN_CHARACTERS:
        return line
    cut = line[:SHOWN_CHARACTERS]
    return f"{cut.rsplit(' ', 1)[0] if ' ' in cut[SHOWN_CHARACTERS // 2 :] else cut}…"


def median_length(texts: list[str]) -> int | None:
    """Median number of characters of the texts that have any; None where none has."""
    lengths = [len(text) for text in texts if text]
    return int(np.median(lengths)) if lengths else None


_phrases: Cache[str, Phrases] = Cache()
_points: Cache[tuple[str, int | None], _Points] = Cache()
