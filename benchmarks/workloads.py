"""Data of the benchmark: words and tokens with Zipf's law, clouds of points, logits. The same for the same size."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
Vectors = npt.NDArray[Any]

SEED = 20240724
LATENT = 16
BATCH = 64


class Clouds(NamedTuple):
    """Two sets of vectors, the second with less spread: a collapse that leaves overlap."""

    reference: Vectors
    generated: Vectors


class Documents(NamedTuple):
    """The same documents as token ids, for us, and as texts, for peers that split them."""

    ids: list[IntArray]
    texts: list[str]


class Windows:
    """n windows of token ids, as a dataset that reads one from an array of all tokens: 100,000 a second or so."""

    length = 1024

    def __init__(self, n: int) -> None:
        self.n, self.tokens = n, zipf(4_000_000, 60_000).astype(np.uint16)

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, place: int) -> Any:
        import torch

        start = place * 17 % (len(self.tokens) - self.length)
        window = self.tokens[start : start + self.length].astype(np.int64)
        return torch.from_numpy(window).remainder_(50_257).sum(dtype=torch.int64)


def zipf(n: int, types: int, *, seed: int = SEED) -> IntArray:
    return (np.random.default_rng(seed).zipf(1.2, size=n).clip(max=types) - 1).astype(np.int64)


def documents(n: int, length: int, types: int = 8000) -> Documents:
    ids = list(zipf(n * length, types).reshape(n, length))
    return Documents(ids, [" ".join(f"w{i}" for i in document) for document in ids])


def one_document(n: int) -> Documents:
    """n tokens without a border, which the peer would cross."""
    ids = zipf(n, 50_000)
    return Documents([ids], [" ".join(f"w{i}" for i in ids.tolist())])


def clouds(n: int, d: int, dtype: type[np.floating[Any]] = np.float32) -> Clouds:
    """Vectors that vary mostly in LATENT directions, as embeddings do; otherwise all balls are empty or all full."""
    rng = np.random.default_rng(SEED)
    directions = rng.standard_normal((LATENT, d), dtype=dtype)
    latent, noise = rng.standard_normal((2, n, LATENT), dtype=dtype), rng.standard_normal((2, n, d), dtype=dtype)
    return Clouds(latent[0] @ directions + noise[0], dtype(0.9) * latent[1] @ directions + noise[1])


def features(n: int, d: int = 768, modes: int = 40) -> Clouds:
    """Vectors around modes, as features of texts are; the second set has lost half of the modes."""
    rng = np.random.default_rng(SEED)
    centres = 2 * rng.standard_normal((modes, d), dtype=np.float32)
    real, kept = rng.integers(modes, size=n), rng.integers(modes // 2, size=n)
    noise = rng.standard_normal((2, n, d), dtype=np.float32)
    return Clouds(centres[real] + noise[0], centres[kept] + noise[1])


@lru_cache(maxsize=1)
def logits(batch: int, length: int = 256, vocabulary: int = 32_000) -> tuple[Any, Any]:
    import torch

    generator = torch.Generator().manual_seed(SEED)
    scores = torch.randn(batch, length, vocabulary, generator=generator).mul_(3.0)
    return scores, torch.randint(vocabulary, (batch, length), generator=generator)


def wide_gap() -> tuple[Any, Any]:
    """bfloat16 logits in which the right token is 200 nats below another one."""
    import torch

    scores = torch.zeros(1, 4, 16, dtype=torch.bfloat16)
    scores[..., 0] = 200.0
    return scores, torch.ones(1, 4, dtype=torch.int64)


def lineages(n: int) -> Vectors:
    """ln of perplexity of n lineages over 50 generations: inbreeding depression with purging, and noise."""
    from collapse_guard.genetics.inbreeding import purged_inbreeding

    rng = np.random.default_rng(SEED)
    sizes, purgings = rng.uniform(8.0, 60.0, n), rng.uniform(0.05, 0.3, n)
    paths = purged_inbreeding(50, samples=sizes, purging=purgings)
    return 4.0 + rng.uniform(1.0, 4.0, (n, 1)) * paths + rng.normal(0.0, 0.02, paths.shape)
