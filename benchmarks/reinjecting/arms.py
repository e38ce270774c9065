"""The ways to fill a training set: which real documents, weighted or not, and which of the samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from collapse_guard.measurement.lost import what_was_lost
from collapse_guard.records import LostItem
from collapse_guard.reinjection import Selection, curate, select
from collapse_guard.wildtype import WildType
from detecting.corpora import Real
from detecting.ngram_model import Floats, NgramModel
from detecting.passages import Ids, Passages

CLUSTERS, DIMENSIONS = 32, 50
"""Strata of a pool, and the dimensions in which they are found."""

CURATING = ("exact", "toward")
"""Rules of curation. `quality` would leave a tenth of the founder's samples and a few in a hundred after that: samples
are cut by tokens and documents by words, and these models put words together from pieces; `near` and `probable` find
nothing in what they write."""


class Arm(NamedTuple):
    """One way to fill a training set."""

    name: str
    """For the tables."""
    strategy: str | None = None
    """Of `select`; None: no real documents."""
    weighted: bool = False
    """Whether the documents are drawn again in proportion to their importance weights."""
    curated: bool = False
    """Whether samples are curated."""


ARMS = (
    Arm("none"),
    Arm("curated", curated=True),
    Arm("uniform", "uniform"),
    Arm("stratified", "stratified"),
    Arm("stratified, weighted", "stratified", weighted=True),
    Arm("tail", "tail"),
    Arm("tail, weighted", "tail", weighted=True),
    Arm("perplexity", "perplexity"),
    Arm("perplexity, weighted", "perplexity", weighted=True),
    Arm("curated + uniform", "uniform", curated=True),
    Arm("curated + tail", "tail", curated=True),
)


@dataclass(frozen=True, eq=False)
class Moment:
    """What is known when the training set of a generation is filled."""

    data: Real
    """Real data and wild type."""
    stock: Ids
    """Places in the pool of the documents that no generation of the lineage was trained on."""
    model: NgramModel
    """The parent."""
    written: Passages
    """What it has written, documents of equal length."""
    seen: Ids
    """What the guard sees of it, one sample a row."""

    @property
    def pool(self) -> list[str]:
        """The documents to choose from."""
        texts = self.data.wild_type.pool
        return [texts[place] for place in self.stock]

    @cached_property
    def lost(self) -> list[LostItem]:
        """The words and phrases that an assessment of the parent says were lost: the worst twenty of each kind."""
        items = what_was_lost(self.data.wild_type, self.seen)
        return [item for item in items if item.kind in ("word", "2-gram", "3-gram")]

    @property
    def nats(self) -> Floats:
        """Nats per token of each document to choose from, under the parent."""
        documents = self.data.pool[self.stock]
        return self.model.nll(documents) / documents.lengths

    @property
    def strata(self) -> Ids:
        """Cluster of each document to choose from."""
        return clusters(self.data.wild_type)[self.stock]


def rows_of(documents: Passages) -> Ids:
    """Documents of equal length, one a row."""
    return documents.tokens.reshape(len(documents), -1)


@lru_cache(maxsize=4)
def clusters(wild_type: WildType) -> Ids:
    """Cluster of each document of the pool: k-means on TF-IDF of words, projected."""
    counts = TfidfVectorizer(min_df=2, sublinear_tf=True).fit_transform(wild_type.pool)
    vectors = TruncatedSVD(min(DIMENSIONS, counts.shape[1] - 1), random_state=0).fit_transform(counts)
    return np.asarray(KMeans(CLUSTERS, n_init=1, random_state=0).fit_predict(vectors), dtype=np.int64)


def chosen(moment: Moment, arm: Arm, n: int, rng: np.random.Generator) -> Ids:
    """Places in the pool of n real documents in random order; weighted ones are there as often as their weight says."""
    found = _selection(moment, arm, n, seed=int(rng.integers(2**31)))
    places = moment.stock[found.places]
    if arm.weighted:
        places = np.repeat(places, repeats(found.weights, rng))
    return rng.permutation(places)


def _selection(moment: Moment, arm: Arm, n: int, *, seed: int) -> Selection:
    """What is chosen; where nothing was lost, `tail` has nothing to go by and is uniform."""
    strategy = "uniform" if arm.strategy == "tail" and not moment.lost else arm.strategy
    return select(
        moment.pool,
        moment.lost if strategy == "tail" else (),
        n,
        strategy=strategy,
        strata=moment.strata if strategy == "stratified" else None,
        nats=moment.nats if strategy == "perplexity" else None,
        seed=seed,
    )


def repeats(weights: Floats, rng: np.random.Generator) -> Ids:
    """How often each document is there: its weight, rounded up or down at random, as many in all as weights.

    Example:
        >>> repeats(np.array([2.0, 0.5, 0.5, 1.0]), np.random.default_rng(0)).tolist()
        [2, 1, 0, 1]
    """
    upto = np.cumsum(weights) / weights.sum() * len(weights)
    return np.diff(np.floor(np.append(0.0, upto) + rng.random()).astype(np.int64))


def within(pool: Passages, places: Ids, others: Ids, budget: int) -> tuple[Passages, Ids]:
    """The documents at some places, or as many of them, and of others after them, as fill a budget of tokens exactly.

    Returns:
        The documents, the last of them cut, and their places.
    """
    order = np.append(places, others)
    n = int(np.searchsorted(np.cumsum(pool.lengths[order]), budget)) + 1
    taken = pool[order[:n]]
    return Passages(tokens=taken.tokens[:budget], starts=np.append(taken.starts[:-1], budget)), order[:n]


def samples(moment: Moment, arm: Arm, n: int, rng: np.random.Generator) -> Passages:
    """The first n of what the parent has written, or the n that curation keeps of all of it."""
    return moment.written[kept(moment, n, rng) if arm.curated else np.arange(n)]


def kept(moment: Moment, n: int, rng: np.random.Generator) -> Ids:
    """Places of the n samples that curation keeps."""
    texts = moment.data.wild_type.decode(rows_of(moment.written))
    return curate(texts, moment.data.wild_type, n=n, rules=CURATING, seed=int(rng.integers(2**31))).places
