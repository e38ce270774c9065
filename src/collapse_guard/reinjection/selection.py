r"""Select real documents to re-inject: at random, evenly over strata, those with what was lost, or the hardest.

A selection that is not random biases the training set. So each document comes with a weight, one over its probability
to be chosen (Horvitz and Thompson 1952), scaled to a mean of one: weighted sums over the selection have the expectation
of sums over the whole pool. `tail` and `perplexity` choose a part for certain and the rest at random from the others. A
certain document represents itself; the random ones represent all others.

`tail` covers what was lost. A lost phrase that should occur d times more often is worth d: each document that has it
adds one, up to d. This gain is submodular, so repeatedly taking the best next document reaches at least 1 - 1/e of the
best cover (Nemhauser, Wolsey and Fisher 1978), and a heap of stale gains finds that document without going through all
of them again (Minoux 1978).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import share, whole
from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.corpus.lexicon import phrase, words
from collapse_guard.errors import InputError, near
from collapse_guard.records import LostItem

Strategy = Literal["uniform", "stratified", "tail", "perplexity"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
_LONGEST = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Selection:
    """Documents chosen from a pool."""

    places: IntArray
    """[n]: places in the pool: first those chosen for certain, the best one first, then those chosen at random."""
    weights: FloatArray
    """[n]: importance weights, with a mean of one."""
    reasons: tuple[str, ...]
    """Why each was chosen."""


def select(
    pool: Sequence[str],
    lost: Sequence[LostItem] = (),
    n: int = 1,
    *,
    strategy: Strategy = "uniform",
    strata: Sequence[Any] | npt.NDArray[Any] | None = None,
    nats: npt.ArrayLike | None = None,
    certain: float = 0.5,
    seed: int = 0,
) -> Selection:
    """Choose n different documents of a pool, with a reason and an unbiased weight for each.

    | strategy     | chosen                                                                                    |
    |--------------|-------------------------------------------------------------------------------------------|
    | `uniform`    | at random                                                                                 |
    | `stratified` | at random, equally many from each stratum, as far as it has them                          |
    | `tail`       | a part `certain` of n that together has most of what was lost (words, phrases, and the    |
    |              | clusters in `strata`), the others at random                                               |
    | `perplexity` | a part `certain` of n with the most nats per token under the current model, the others at |
    |              | random                                                                                    |

    Args:
        pool: The documents.
        lost: What was lost (`Assessment.lost`); for `tail`. Single documents do not count.
        n: Number of documents, from 1 to all.
        strategy: How to choose them.
        strata: The stratum of each document; for `stratified`. For `tail`, its cluster in the wild type's codebook
            (`wild_type.geometry.assign(wild_type.embed(pool))`); without it lost clusters do not count.
        nats: Nats per token of each document under the current model; for `perplexity`.
        certain: Part of n to choose for certain, from 0 to 1; below 1 unless all of the pool is chosen.
        seed: Seed of the random choice.

    Raises:
        InputError: An argument is missing, does not fit the pool, or is outside of its range.

    Cost: O(words of the pool) for `tail`, plus about O(n log N) for the heap; O(N) for the others.

    Source: Horvitz and Thompson (1952), JASA 47:663; Nemhauser, Wolsey and Fisher (1978), Math. Program. 14:265; Minoux
        (1978), Optimization Techniques, LNCIS 7:234.

    Example:
        >>> gone = LostItem(kind="word", what="senate", real_count=9, expected=2.0, observed=0, chance=0.001)
        >>> selection = select(["a senate", "the house", "house of cards", "law"], [gone], 2, strategy="tail")
        >>> int(selection.places[0]), selection.reasons[0], selection.weights.tolist()
        (0, 'carries what was lost: senate', [0.5, 1.5])
    """
    _check(pool, n, strategy)
    rng = np.random.default_rng(seed)
    if strategy == "stratified":
        return _select_stratified(_check_length("strata", strata, pool, strategy), n, rng)
    n_certain = 0 if strategy == "uniform" else _certain(certain, n, len(pool))
    if strategy == "tail":
        clusters = None if strata is None else _check_length("strata", strata, pool, strategy)
        first, reasons = _cover(pool, lost, n_certain, clusters)
    elif strategy == "perplexity":
        first, reasons = _hardest(_check_length("nats", nats, pool, strategy), n_certain)
    else:
        first, reasons = np.empty(0, dtype=np.int64), []
    return _add_random(first, reasons, n, len(pool), rng)


def _check(pool: Sequence[str], n: int, strategy: str) -> None:
    if strategy not in STRATEGIES:
        raise InputError(
            f"`strategy` must be one of {', '.join(STRATEGIES)}, but got {strategy!r:.40}: "
            f"{near(str(strategy), STRATEGIES)}"
        )
    if whole("n", n, least=1) > len(pool):
        raise InputError(
            f"`n` must be at most the {len(pool)} documents of the pool, but got {n}: ask for fewer, or add documents"
        )


def _certain(certain: float, n: int, size: int) -> int:
    part = share("certain", certain)
    if part == 1.0 and n < size:
        raise InputError(
            "`certain` must be below 1 unless all of the pool is chosen, but got 1: a document without a chance to be "
            "chosen would have no weight"
        )
    return min(math.floor(part * n), n if n == size else n - 1)


def _check_length(name: str, values: Any, pool: Sequence[str], strategy: str) -> npt.NDArray[Any]:
    if values is None:
        raise InputError(f"`{name}` must be given for the strategy `{strategy}`, but got None: one for each document")
    array = np.asarray(values)
    if array.shape != (len(pool),):
        raise InputError(f"`{name}` must be one for each of {len(pool)} documents, but got the shape {array.shape}")
    return array


def _add_random(first: IntArray, reasons: list[str], n: int, size: int, rng: np.random.Generator) -> Selection:
    """The documents chosen for certain, and others at random, each of which represents as many."""
    others = np.setdiff1d(np.arange(size), first)
    chosen = rng.choice(others, size=n - len(first), replace=False)
    stands_for = np.append(np.ones(len(first)), np.full(len(chosen), len(others) / max(1, len(chosen))))
    return Selection(
        places=np.append(first, chosen).astype(np.int64),
        weights=stands_for * (n / size),
        reasons=(*reasons, *["at random"] * len(chosen)),
    )


def _select_stratified(strata: npt.NDArray[Any], n: int, rng: np.random.Generator) -> Selection:
    names, labels, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    if n < len(names):
        raise InputError(
            f"`n` must be at least the {len(names)} strata, but got {n}: a stratum without a document has no weight"
        )
    counts = _even_counts(sizes, n)
    drawn = [rng.choice(np.flatnonzero(labels == i), size=count, replace=False) for i, count in enumerate(counts)]
    return Selection(
        places=np.concatenate(drawn).astype(np.int64),
        weights=np.repeat(sizes / counts, counts) * (n / len(strata)),
        reasons=tuple(
            f"at random from stratum {name}" for name, count in zip(names, counts, strict=True) for _ in range(count)
        ),
    )


def _even_counts(sizes: IntArray, n: int) -> IntArray:
    """Equal counts that sum to n, none above its size."""
    counts = np.zeros(len(sizes), dtype=np.int64)
    while (left := n - int(counts.sum())) > 0:
        open_ = np.flatnonzero(counts < sizes)
        each = max(1, left // len(open_))
        for place in open_[:left]:
            counts[place] += min(each, sizes[place] - counts[place], n - int(counts.sum()))
    return counts


def _hardest(nats: FloatArray, n: int) -> tuple[IntArray, list[str]]:
    if not np.isfinite(nats).all():
        raise InputError(f"`nats` must be finite, but got {nats[~np.isfinite(nats)][0]}: leave such documents out")
    order = np.argsort(-nats, kind="stable")[:n]
    return order.astype(np.int64), [f"{nats[place]:.3g} nats per token" for place in order]


def _cover(
    pool: Sequence[str], lost: Sequence[LostItem], n: int, clusters: npt.NDArray[Any] | None
) -> tuple[IntArray, list[str]]:
    """Greedy cover of what was lost; fewer than n if the rest of the pool has none of it."""
    phrases = {item.what: item.expected - item.observed for item in lost if item.kind in ("word", "2-gram", "3-gram")}
    gone = {item.cluster: item for item in lost if clusters is not None and item.cluster is not None}
    # No phrase begins with a blank, so clusters have names of their own.
    needs = phrases | {f" cluster {number}": item.expected - item.observed for number, item in gone.items()}
    if n and not needs:
        raise InputError(
            "`lost` must name words or phrases for the strategy `tail`, or clusters with `strata`, but has none: "
            "choose another strategy"
        )
    contents = [_lost_phrases(text, phrases) for text in pool]
    if clusters is not None:
        own = [(f" cluster {number}",) if number in gone else () for number in clusters.tolist()]
        contents = [(*content, *more) for content, more in zip(contents, own, strict=True)]
    missing = dict(needs)
    # Gains only fall, so a document whose updated gain is still the largest is the best.
    heap = [(-_gain(content, missing), place) for place, content in enumerate(contents) if content]
    heapq.heapify(heap)
    chosen: list[int] = []
    while heap and len(chosen) < n:
        _, place = heapq.heappop(heap)
        gain = _gain(contents[place], missing)
        if gain <= 0.0:
            continue
        if heap and (-gain, place) > heap[0]:
            heapq.heappush(heap, (-gain, place))
            continue
        chosen.append(place)
        for need in contents[place]:
            missing[need] = max(0.0, missing[need] - 1.0)
    reasons = [
        f"carries what was lost: {', '.join(map(str.strip, sorted(contents[place], key=lambda it: -needs[it])[:3]))}"
        for place in chosen
    ]
    return np.array(chosen, dtype=np.int64), reasons


def _lost_phrases(text: str, phrases: dict[str, float]) -> tuple[str, ...]:
    """The lost phrases that a document has."""
    tokens = words(text)
    grams: set[str] = set()
    for length in range(1, _LONGEST + 1):
        grams.update(phrase(tokens[i : i + length]) for i in range(len(tokens) - length + 1))
    return tuple(sorted(grams & phrases.keys()))


def _gain(phrases: tuple[str, ...], missing: dict[str, float]) -> float:
    return sum(min(1.0, missing[name]) for name in phrases)
