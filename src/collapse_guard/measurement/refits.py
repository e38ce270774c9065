"""The small language model of a wild type: what it knows of each evaluation document after draws of the pool.

All of it follows from the wild type alone, is made where it is first asked for, and is kept with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.corpus.kneser_ney import KneserNey, Ngrams
from collapse_guard.evidence import Losses
from collapse_guard.indicators.instruments import Instruments, instruments
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.cache import Cache

REFITS = 32
"""Draws of the pool that the small model is fitted on: the spread over them is known to an eighth."""
POOL_BYTES = 1 << 23
"""Text of the pool that draws are taken from: some two million tokens."""
_SEED = 16


class Draws(NamedTuple):
    """The small model, fitted on draws of the pool: what another sample of real text does to every document."""

    nll: FloatArray
    """R d: nats of each evaluation document, summed over it, after each draw."""
    inflation: float
    """Draws share documents, since the pool is finite: their variance times this is that of draws of fresh text."""
    discounts: tuple[float, ...]
    """Discounts of the small model, frozen: those of samples would vanish where samples are copies."""


def pool_refits(wild_type: WildType, tokens: int) -> Draws:
    r"""Fit the small model on 32 draws of the pool, each of documents in random order, cut to exactly so many tokens.

    Draws without replacement of a share f of the pool have 1 - f of the variance of draws of fresh documents
    (Cochran 1977, Sampling techniques, section 2.6), so `inflation` is 1 / (1 - f).

    Args:
        wild_type: Of texts.
        tokens: Tokens of a draw, at most half of what `pool_tokens` has.
    """

    def make() -> dict[str, FloatArray]:
        pool, evaluation = pool_ids(wild_type), evaluation_ngrams(wild_type)
        discounts = small_model(wild_type, draw(pool, tokens, 0)).discounts
        models = (small_model(wild_type, draw(pool, tokens, r), discounts) for r in range(REFITS))
        return {"nll": np.stack([model.nll(evaluation) for model in models]), "discounts": np.array(discounts)}

    name = f"refits-{tokens}"
    made = _made.of((wild_type.fingerprint, name), lambda: dict(wild_type.kept(name, make)))
    share = tokens / pool_tokens(wild_type)
    return Draws(made["nll"], 1.0 / (1.0 - share), tuple(made["discounts"].tolist()))


def rarity_of_each(wild_type: WildType) -> dict[str, float]:
    """Id of each evaluation document -> nats per token of the small model after the pool; no generation chose it.

    Args:
        wild_type: Of texts.
    """

    def make() -> dict[str, FloatArray]:
        return {"nll": small_model(wild_type, pool_ids(wild_type)).nll(evaluation_ngrams(wild_type))}

    made = _made.of((wild_type.fingerprint, "rare"), lambda: dict(wild_type.kept("rare", make)))
    losses = losses_of(wild_type, made["nll"])
    return dict(zip(losses.documents, losses.rates.tolist(), strict=True))


def small_model(wild_type: WildType, ids: Sequence[IntArray], discounts: Sequence[float] | None = None) -> KneserNey:
    """The small model of a wild type, fitted on token ids."""
    return KneserNey.fit(ids, vocabulary_size=wild_type.vocabulary_size, discounts=discounts)


def losses_of(wild_type: WildType, nll: FloatArray) -> Losses:
    """Losses of the evaluation documents, by their content hashes, with the wild type's own tokens."""
    documents, lengths = instruments(wild_type).of(_documents)
    return Losses(documents=documents, nll=nll, n_tokens=lengths)


def evaluation_ngrams(wild_type: WildType) -> Ngrams:
    """The n-grams of the evaluation documents."""
    return instruments(wild_type).of(_evaluation)


def pool_ids(wild_type: WildType) -> list[IntArray]:
    """Token ids of documents of the pool, at most 8 MB of them, in a random order."""
    return instruments(wild_type).of(_pool)


def pool_tokens(wild_type: WildType) -> int:
    """How many tokens `pool_ids` has."""
    return int(instruments(wild_type).of(_n_pool))


def draw(ids: Sequence[IntArray], tokens: int, number: int) -> list[IntArray]:
    """A random draw of documents of exactly so many tokens, the last one cut; the same one for the same number."""
    documents = shuffled(ids, number)
    ends = np.cumsum([0, *map(len, documents)])
    last = int(np.searchsorted(ends, tokens))
    return [part[: tokens - int(start)] for part, start in zip(documents[:last], ends, strict=False)]


def shuffled(ids: Sequence[IntArray], number: int) -> list[IntArray]:
    """Documents in a random order; the same one for the same number."""
    return [ids[i] for i in np.random.default_rng([_SEED, number]).permutation(len(ids))]


def _evaluation(frozen: Instruments) -> Ngrams:
    wild_type = frozen.wild_type
    return Ngrams.of(wild_type.encode(wild_type.evaluation.texts), vocabulary_size=wild_type.vocabulary_size)


def _documents(frozen: Instruments) -> tuple[tuple[str, ...], IntArray]:
    """Ids and lengths of the evaluation documents."""
    evaluation = frozen.of(_evaluation)
    lengths = np.bincount(evaluation.owners, minlength=evaluation.n).astype(np.int64)
    return frozen.wild_type.evaluation.hashes, lengths


def _pool(frozen: Instruments) -> list[IntArray]:
    # The pool stands in a random order that depends on its contents alone.
    reach = frozen.wild_type.pool.reach(POOL_BYTES)
    return frozen.pool_tokens if reach >= len(frozen.pool) else frozen.wild_type.encode(frozen.pool[:reach])


def _n_pool(frozen: Instruments) -> int:
    def make() -> dict[str, IntArray]:
        return {"tokens": np.array([sum(map(len, frozen.of(_pool)))])}

    return int(frozen.wild_type.kept("pool-tokens", make)["tokens"][0])


_made: Cache[tuple[str, str], dict[str, FloatArray]] = Cache(most=16)
