"""The rows of the table: what is measured, at which size, against which peer, and the required ratio.

Each row imports what it measures when it runs, so a row whose function or peer is missing says so and the others run.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

import one_generation
import peers
import workloads
from row import Row

PERMUTATIONS = 100
STREAM_BLOCK = 4000
GENERATION = "{n} samples x 128 tokens, 2,000 held-out documents, 384-d embeddings given"


def distinct(documents: workloads.Documents) -> list[float]:
    from collapse_guard.indicators.ngrams import different_ngrams

    return [different / total for different, total in different_ngrams(documents.ids, 4)]


def self_bleu(documents: workloads.Documents) -> float:
    from collapse_guard.indicators.diversity.self_bleu import self_bleu

    return self_bleu(documents.ids)


DISCOUNT = 0.75


def kneser_ney(documents: workloads.Documents) -> list[float]:
    """The model that the peer has: one discount, and single tokens by the different ones before them, undiscounted."""
    from collapse_guard.corpus.kneser_ney import KneserNey

    size = 1 + max(int(one.max()) for one in documents.ids)
    model = KneserNey.fit(documents.ids, vocabulary_size=size, discounts=(0.0, DISCOUNT, DISCOUNT))
    return model.nll(documents.ids).tolist()


class Learning(NamedTuple):
    """Samples that a small model learns from, and real documents that it scores."""

    samples: list[workloads.IntArray]
    documents: list[workloads.IntArray]
    vocabulary_size: int


def learning(n: int) -> Learning:
    """A fifth as many documents as samples."""
    every = workloads.documents(n + max(1, n // 5), 128).ids
    return Learning(every[:n], every[n:], 1 + max(int(one.max()) for one in every))


def learnt(given: Learning) -> float:
    from collapse_guard.corpus.kneser_ney import KneserNey

    model = KneserNey.fit(given.samples, vocabulary_size=given.vocabulary_size)
    return float(model.nll(given.documents).sum())


def repetition(documents: workloads.Documents) -> float:
    from collapse_guard.indicators.diversity.repetition import repetition

    return repetition(documents.ids)


def compression(documents: workloads.Documents) -> float:
    from collapse_guard.indicators.diversity.compression import compression_ratio

    return compression_ratio(documents.texts)


def depression(lineages: workloads.Vectors) -> workloads.Vectors:
    from collapse_guard.genetics.depression import fit_depression

    fit = fit_depression(lineages)
    return ((lineages - fit.curve(lineages.shape[1] - 1)) ** 2).sum(axis=1)


def mixture_loader(windows: workloads.Windows) -> int:
    from collapse_guard.reinjection import MixtureLoader, MixtureSampler

    sizes = {"real": len(windows) // 10, "newest": len(windows) - len(windows) // 10}
    sampler = MixtureSampler(sizes, {"real": 1, "newest": 9}, length=len(windows), batch_size=workloads.BATCH)
    return sum(len(batch) for batch in MixtureLoader(windows, sampler))


def vendi(clouds: workloads.Clouds) -> float:
    from collapse_guard.indicators.spread.cosines import vendi

    return vendi(clouds.generated)


def vendi_of_a_stream(n: int) -> float:
    """One block again and again: what is measured is the state, and a million different rows would be 1.5 GB."""
    from collapse_guard.indicators.spread.cosines import Vendi

    metric = Vendi(dimension=384)
    block = workloads.clouds(min(n, STREAM_BLOCK), 384).generated
    import torch

    for start in range(0, n, STREAM_BLOCK):
        metric.update(torch.from_numpy(block[: n - start]))
    return float(metric.compute())


def manifold(clouds: workloads.Clouds) -> list[float]:
    from collapse_guard.indicators.distance.manifold import Manifold

    return list(Manifold(clouds.reference).scores(clouds.generated))


class Frozen(NamedTuple):
    """What a wild type keeps of its vectors, and a generation."""

    instrument: Any
    clouds: workloads.Clouds


def frozen_manifold(n: int) -> Frozen:
    from collapse_guard.indicators.distance.manifold import Manifold

    clouds = workloads.clouds(n, 512)
    return Frozen(Manifold(clouds.reference), clouds)


@lru_cache(maxsize=1)
def frozen_codebook(n: int) -> Frozen:
    from collapse_guard.wildtype.geometry import Geometry

    clouds = workloads.features(n)
    return Frozen(Geometry.fit(clouds.reference, n_clusters=256), clouds)


def mauve(frozen: Frozen) -> float:
    from collapse_guard.indicators.distance.divergences import mauve

    return mauve(histogram(frozen), frozen.instrument.histogram)


def histogram(frozen: Frozen) -> workloads.IntArray:
    """Generated vectors by cluster of the frozen codebook."""
    labels = frozen.instrument.assign(frozen.clouds.generated)
    return np.bincount(labels, minlength=len(frozen.instrument.codebook))


def mmd(clouds: workloads.Clouds, bandwidth: float | None = None) -> tuple[float, float]:
    from collapse_guard.indicators.distance.kernels import mmd_test

    found = mmd_test(
        reference=clouds.reference, generated=clouds.generated, permutations=PERMUTATIONS, bandwidth=bandwidth
    )
    return found.mmd2, found.p_value


def perplexity(batch: tuple[Any, Any]) -> float:
    from collapse_guard.indicators.likelihood.tokens import Perplexity

    metric = Perplexity()
    metric.update(*batch)
    return float(metric.compute())


def founder(n: int) -> Any:
    import attached

    return attached.setting(n)


def with_a_guard(given: Any) -> list[float]:
    import attached

    return attached.guarded(given)


def with_a_watching_guard(given: Any) -> list[float]:
    import attached

    return attached.watched(given)


def without_one(given: Any) -> list[float]:
    import attached

    return attached.alone(given)


def rounded_sum(ours: list[float], theirs: float, _: Any) -> str:
    return f"the sum differs by {abs(sum(ours) - theirs):.0e}"


def beside(ours: float, theirs: float, _: Any) -> str:
    return f"{ours:.4g}, the peer's {theirs:.4g}"


def relative(ours: float, theirs: float, _: Any) -> str:
    return f"relative difference {abs(ours / theirs - 1):.0e}"


def underflow(ours: float, theirs: float, batch: Any) -> str:
    """Both sides on the same logits, and on a gap of 200 nats in bfloat16."""
    gap = workloads.wide_gap()
    return (
        f"{relative(ours, theirs, batch)}; where the right token is 200 nats below, in bfloat16: "
        f"{perplexity(gap):.4g}, the peer's {peers.torchmetrics_perplexity(*gap)}"
    )


def same_kernel(ours: tuple[float, float], theirs: tuple[float, float], clouds: workloads.Clouds) -> str:
    """The peer keeps the diagonal of the kernel, which adds 1 / (n - 1) for each set, and 0 distances in its median."""
    bandwidth = peers.torchdrift_bandwidth(*clouds)
    difference = abs(mmd(clouds, bandwidth)[0] - (theirs[0] - 2 / (len(clouds.reference) - 1)))
    return f"MMD^2 differs by {difference:.0e} without the peer's diagonal; p {ours[1]:.4f}, the peer's {theirs[1]:g}"


def same_histograms(ours: float, theirs: float, frozen: Frozen) -> str:
    p, q = histogram(frozen), frozen.instrument.histogram
    difference = abs(ours - peers.mauve_of_histograms(p / p.sum(), q / q.sum()))
    return f"of the same histograms: difference {difference:.0e}; of the peer's own clusters: {ours:.3f}, {theirs:.3f}"


ROWS = (
    Row(
        name="distinct",
        what="distinct-1 to 4",
        n=1_000_000,
        size="{n} token ids",
        data=workloads.one_document,
        ours=distinct,
        peer=lambda documents: peers.diversity_distinct(documents.texts),
        peer_name="diversity",
        ratio=30,
        agree=rounded_sum,
        remark="the peer rounds to 3 decimals, and its n-grams cross documents (here there is one)",
    ),
    Row(
        name="self_bleu",
        what="self-BLEU-4",
        n=400,
        size="{n} samples of 100 tokens",
        data=lambda n: workloads.documents(n, 100),
        ours=self_bleu,
        peer=lambda documents: peers.nltk_self_bleu([one.tolist() for one in documents.ids]),
        peer_name="NLTK recipe",
        ratio=100,
        tiny=8,
    ),
    Row(
        name="kneser_ney",
        what="Kneser-Ney, 3 tokens, fitted and scored",
        n=60,
        size="{n} documents of 30 tokens",
        data=lambda n: workloads.documents(n, 30),
        ours=kneser_ney,
        peer=lambda documents: peers.nltk_kneser_ney([one.tolist() for one in documents.ids], DISCOUNT),
        peer_name="NLTK",
        ratio=100,
        tiny=8,
    ),
    Row(
        name="reverse",
        what="Kneser-Ney, as reverse perplexity has it",
        n=10_000,
        size="{n} samples of 128 tokens, 2,000 documents scored",
        data=learning,
        ours=learnt,
        seconds=3,
        growth=2.3,
    ),
    Row(
        name="self_bleu_many",
        what="self-BLEU-4",
        n=10_000,
        size="{n} samples of 100 tokens",
        data=lambda n: workloads.documents(n, 100),
        ours=self_bleu,
        seconds=8,
    ),
    Row(
        name="repetition",
        what="self-repetition",
        n=8000,
        size="{n} documents of 100 words",
        data=lambda n: workloads.documents(n, 100),
        ours=repetition,
        peer=lambda documents: peers.diversity_self_repetition(documents.texts),
        peer_name="diversity",
        ratio=50,
    ),
    Row(
        name="compression",
        what="compression ratio",
        n=2000,
        size="{n} documents of 100 words, 1 in 10 different",
        data=lambda n: workloads.Documents([], 10 * workloads.documents(n // 10, 100).texts),
        ours=compression,
        peer=lambda documents: peers.diversity_compression(documents.texts),
        peer_name="diversity",
        agree=beside,
        tiny=10,
        remark="the peer compresses twice, which hides repetition, and joins by blanks",
    ),
    Row(
        name="vendi",
        what="Vendi, order 1",
        n=4000,
        size="{n} x 384",
        data=lambda n: workloads.clouds(n, 384, dtype=np.float64),
        ours=vendi,
        peer=lambda clouds: peers.vendi_score_of(clouds.generated),
        peer_name="vendi_score.score_X",
        ratio=100,
        agree=relative,
        remark="the peer gives order 1 whatever `q` is",
    ),
    Row(
        name="vendi_stream",
        what="Vendi, order 1, streamed",
        n=1_000_000,
        size="{n} x 384 in blocks of 4,000",
        data=lambda n: n,
        ours=vendi_of_a_stream,
        megabytes=300,
        with_memory=True,
    ),
    Row(
        name="manifold",
        what="precision, recall, density, coverage",
        n=5000,
        size="{n} x 512 each",
        data=lambda n: workloads.clouds(n, 512),
        ours=manifold,
        peer=lambda clouds: list(peers.prdc_scores(*clouds).values()),
        peer_name="prdc",
        ratio=3,
        memory_share=0.5,
        with_memory=True,
    ),
    Row(
        name="manifold_frozen",
        what="the same for each generation, the reference's radii frozen",
        n=5000,
        size="{n} x 512 each",
        data=frozen_manifold,
        ours=lambda frozen: list(frozen.instrument.scores(frozen.clouds.generated)),
        peer=lambda frozen: list(peers.prdc_scores(*frozen.clouds).values()),
        peer_name="prdc",
        remark="the peer finds the radii again",
    ),
    Row(
        name="manifold_many",
        what="precision, recall, density, coverage",
        n=100_000,
        size="{n} x 64 each",
        data=lambda n: workloads.clouds(n, 64),
        ours=manifold,
        with_memory=True,
        remark="a matrix of all distances would take 40 GB",
    ),
    Row(
        name="mmd",
        what=f"MMD with {PERMUTATIONS} permutations",
        n=1000,
        size="{n} + {n} x 64",
        data=lambda n: workloads.clouds(n, 64),
        ours=mmd,
        peer=lambda clouds: peers.torchdrift_mmd(*clouds, PERMUTATIONS),
        peer_name="TorchDrift",
        ratio=30,
        agree=same_kernel,
    ),
    Row(
        name="mauve",
        what="MAUVE of given features for each generation, the codebook frozen",
        n=5000,
        size="{n} x 768 each, 256 clusters",
        data=frozen_codebook,
        ours=mauve,
        peer=lambda frozen: peers.mauve_score(*frozen.clouds, len(frozen.instrument.codebook)),
        peer_name="mauve-text",
        ratio=10,
        agree=same_histograms,
        remark="the peer fits its clusters on both sets, so that each generation has other ones",
        tiny=200,
    ),
    Row(
        name="perplexity",
        what="perplexity",
        n=8,
        size="{n} x 256 x 32,000 logits",
        data=workloads.logits,
        ours=perplexity,
        peer=lambda batch: peers.torchmetrics_perplexity(*batch),
        peer_name="torchmetrics",
        ratio=1,
        memory_share=0.5,
        with_memory=True,
        agree=underflow,
        tiny=1,
    ),
    Row(
        name="depression",
        what="load, effective size and purging of lineages of 50 generations, with intervals",
        n=1000,
        size="{n} lineages",
        data=workloads.lineages,
        ours=depression,
        peer=peers.least_squares_of_each,
        peer_name="scipy's least_squares, one after the other",
        ratio=1,
        seconds=10,
        remark="values are sums of squares; the peer gives no intervals",
        tiny=3,
    ),
    Row(
        name="mixture_loader",
        what="a loader that mixes two sources, one epoch",
        n=100_000,
        size="{n} windows of 1,024 tokens",
        data=workloads.Windows,
        ours=mixture_loader,
        peer=peers.random_sampler,
        peer_name="DataLoader with a RandomSampler",
        ratio=0.98,
        growth=2.2,
        remark="values are numbers of items; reading an item takes some 10 microseconds on both sides",
        tiny=200,
    ),
    Row(
        name="attached",
        what="training a founder with the guard (`examples/add_the_callback.py`)",
        n=8000,
        size="{n} passages of 20 words, two epochs",
        data=founder,
        ours=with_a_guard,
        peer=without_one,
        peer_name="the same training without the guard",
        ratio=0.5,
        remark="values are the losses of all steps; ours writes 400 samples and scores all evaluation documents",
        tiny=400,
    ),
    Row(
        name="watched",
        what="the same training with a guard that measures nothing: plan, hooks, and evaluation documents looked for",
        n=8000,
        size="{n} passages of 20 words, two epochs",
        data=founder,
        ours=with_a_watching_guard,
        peer=without_one,
        peer_name="the same training without the guard",
        ratio=0.98,
        remark="values are the losses of all steps; two epochs, so 1% of an epoch is 0.5% of it",
        tiny=400,
    ),
    Row(
        name="one_generation_thread",
        what="everything for one generation, one thread",
        n=10_000,
        size=GENERATION,
        data=one_generation.setting,
        ours=one_generation.read,
    ),
    Row(
        name="one_generation",
        what="everything for one generation, two threads",
        n=10_000,
        size=GENERATION,
        data=one_generation.setting,
        ours=one_generation.read,
        seconds=10,
        megabytes=1000,
        growth=2.2,
        alone=True,
    ),
)
