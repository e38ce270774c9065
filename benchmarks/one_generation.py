"""Everything for one generation: a wild type, a generation of samples with all other evidence, and `measure` on it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

import workloads

if TYPE_CHECKING:
    from collapse_guard.evidence import Evidence, Losses
    from collapse_guard.records import TailStratum
    from collapse_guard.wildtype import WildType

DIMENSION, TOKENS, WORDS = 384, 128, 120
DOCUMENTS, HELD_OUT = 10_000, 2_000


class Setting(NamedTuple):
    """What `measure` gets."""

    wild_type: WildType
    evidence: Evidence
    stratum: TailStratum


def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """A stand-in for a sentence embedder, so that the wild type knows d; the samples' embeddings are given."""
    from sklearn.feature_extraction.text import HashingVectorizer

    found: npt.NDArray[np.float32] = (
        HashingVectorizer(n_features=DIMENSION, dtype=np.float32).transform(texts).toarray()
    )
    return found


@lru_cache(maxsize=1)
def wild_type(documents: int, held_out: int) -> WildType:
    from collapse_guard.wildtype import WildType

    return WildType.fit(
        workloads.documents(documents, WORDS).texts,
        evaluation_fraction=held_out / documents,
        max_evaluation_documents=held_out,
        embedder=embed,
        near_duplicate_threshold=1.0,
    )


def setting(n: int, documents: int = DOCUMENTS, held_out: int = HELD_OUT) -> Setting:
    """n samples of 128 tokens, their embeddings, and losses with those of each token on the held-out documents."""
    from collapse_guard.evidence import Evidence
    from collapse_guard.measurement.stratum import freeze_tail

    real = wild_type(documents, held_out)
    samples = _samples(real, n)
    losses = _losses(real, seed=1)
    embeddings = workloads.clouds(n, DIMENSION).generated
    evidence = Evidence(samples=samples, losses=losses, embeddings=embeddings, **_of_samples(samples))
    return Setting(real, evidence, freeze_tail(_losses(real, seed=0)))


def read(given: Setting) -> dict[str, float]:
    """Indicator -> value of everything that can be read of the generation."""
    from collapse_guard.measurement.measure import measure

    readings = measure(given.wild_type, given.evidence, stratum=given.stratum)
    return {name: reading.value for name, reading in readings.items()}


def _samples(real: WildType, n: int) -> list[npt.NDArray[np.int64]]:
    """The same words as the wild type's, drawn anew, but the rarer half is gone."""
    ids = workloads.zipf(n * WORDS, 4000, seed=workloads.SEED + 1).reshape(n, WORDS)
    texts = [" ".join(f"w{i}" for i in row) for row in ids.tolist()]
    return [np.asarray(tokens[:TOKENS], dtype=np.int64) for tokens in real.encode(texts)]


def _losses(real: WildType, seed: int) -> Losses:
    rng = np.random.default_rng(seed)
    tokens = real.encode(list(real.evaluation))
    return _losses_of(real.evaluation.hashes, [rng.exponential(3.0, size=len(one)) for one in tokens])


def _of_samples(samples: list[npt.NDArray[np.int64]]) -> dict[str, Any]:
    rng = np.random.default_rng(2)
    names = tuple(map(str, range(len(samples))))
    nats = [rng.exponential(2.0, size=len(one)) for one in samples]
    return {"own_losses": _losses_of(names, nats), "founder_losses": _losses_of(names, [2 * one for one in nats])}


def _losses_of(documents: Sequence[str], nats: list[npt.NDArray[np.float64]]) -> Losses:
    from collapse_guard.evidence import Losses

    n_tokens = np.array([len(one) for one in nats])
    sums = np.array([one.sum() for one in nats])
    return Losses(
        documents=tuple(documents),
        nll=sums,
        n_tokens=n_tokens,
        n_bytes=4 * n_tokens,
        token_nll=tuple(nats),
        entropy=sums,
    )
