"""Evidence of a healthy and of a collapsed generation of a small language, for what is read from evidence."""

import functools
from dataclasses import replace

import numpy as np

from collapse_guard.evidence import Evidence, Losses
from collapse_guard.measurement.refits import rarity_of_each
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.slices import slice_of_each

WORDS = [f"{onset}{vowel}{coda}" for onset in "bdfgklmnprst" for vowel in "aeiou" for coda in "nrst"]
N_SAMPLES, N_PROMPTS = 120, 40


def language(rng, n, exponent=1.0):
    """Documents of 20 to 40 words whose frequencies follow Zipf's law."""
    shares = np.arange(1, len(WORDS) + 1) ** -exponent
    return [" ".join(rng.choice(WORDS, rng.integers(20, 41), p=shares / shares.sum())) for _ in range(n)]


@functools.cache
def wild_type():
    documents = language(np.random.default_rng(1900), 600)
    return WildType.fit(
        documents,
        slices=[f"kind {i % 3}" for i in range(len(documents))],
        vocabulary_size=400,
        group_tokens=256,
        group_samples=12,
        evaluation_fraction=0.3,
    )


def scored(rng, documents, *, rate, entropy):
    """Losses with about `rate` nats per token and predictions of about `entropy` nats."""
    hardness = 1.0 + 0.2 * np.random.default_rng(7).normal(size=len(documents))
    tokens = [rate * hard * rng.uniform(0.9, 1.1, size=20) for hard in hardness]
    return Losses(
        documents=tuple(documents),
        nll=np.array([nats.sum() for nats in tokens]),
        n_tokens=np.full(len(documents), 20),
        n_bytes=np.full(len(documents), 80),
        token_nll=tuple(tokens),
        entropy=entropy * 20 * rng.uniform(0.9, 1.1, size=len(documents)),
    )


def evidence(rng, samples, *, rate, entropy, own, founder):
    numbers = list(map(str, range(len(samples))))
    return Evidence(
        samples=samples,
        losses=scored(rng, wild_type().evaluation.hashes, rate=rate, entropy=entropy),
        own_losses=scored(rng, numbers, rate=own, entropy=own),
        founder_losses=scored(rng, numbers, rate=founder, entropy=founder),
        prompts=[f"prompt {i % N_PROMPTS}" for i in range(len(samples))],
        truncated=[i % 10 == 0 for i in range(len(samples))],
    )


def healthy(rng):
    return evidence(rng, language(rng, N_SAMPLES), rate=3.0, entropy=2.5, own=2.5, founder=2.5)


def narrowed(rng):
    """Three training documents, the beginning of each over and over."""
    chosen = [wild_type().pool[int(place)].split()[:8] for place in rng.choice(100, size=3, replace=False)]
    return collapsed(rng, [" ".join(chosen[i % 3] * 4) for i in range(N_SAMPLES)])


def recited(rng):
    """Training documents."""
    return collapsed(rng, [wild_type().pool[int(place)] for place in rng.choice(300, size=N_SAMPLES)])


def common(rng):
    """Common words more often, rare ones hardly ever."""
    return collapsed(rng, language(rng, N_SAMPLES, exponent=1.3))


def faded(rng):
    """What is not rare, by heart."""
    real, rarity = wild_type().evaluation, rarity_of_each(wild_type())
    common = np.quantile(list(rarity.values()), 0.5)
    known = [text for text, document in zip(real, real.hashes, strict=True) if rarity[document] < common]
    return collapsed(rng, rng.permutation(known)[:N_SAMPLES].tolist())


def noise(rng):
    """Words that nobody wrote."""
    return collapsed(rng, [" ".join(map(str, rng.integers(10**6, size=20))) for _ in range(N_SAMPLES)])


def astray(rng):
    """Vectors far from all real ones."""
    lost = narrowed(rng)
    return replace(lost, embeddings=100.0 + rng.normal(size=(N_SAMPLES, wild_type().geometry.dimension)))


def silent(rng):
    """Two of three samples say nothing."""
    written = language(rng, N_SAMPLES)
    return collapsed(rng, [text if i % 3 == 0 else " \n" for i, text in enumerate(written)])


def forgotten(rng):
    """One kind of document is found harder, and the others are not."""
    whole = healthy(rng)
    is_lost = wild_type().slices.of_evaluation == 0
    return replace(whole, losses=replace(whole.losses, nll=np.where(is_lost, 1.5, 1.0) * whole.losses.nll))


def unlearnt(rng):
    """Rare documents are found harder, and common ones are not."""
    whole, rarity = healthy(rng), rarity_of_each(wild_type())
    rare = np.quantile(list(rarity.values()), 0.7)
    is_rare = [rarity[document] > rare for document in whole.losses.documents]
    return replace(whole, losses=replace(whole.losses, nll=np.where(is_rare, 1.5, 1.0) * whole.losses.nll))


def learnt_in_part(rng):
    """Some documents of two kinds by heart, none of the third, and noise."""
    of = slice_of_each(wild_type())
    documents = zip(wild_type().evaluation, wild_type().evaluation.hashes, strict=True)
    known = [text for text, document in documents if of[document] != "kind 0"]
    noise = [" ".join(map(str, rng.integers(10**6, size=20))) for _ in range(N_SAMPLES * 3 // 5)]
    return collapsed(rng, rng.permutation(known)[: N_SAMPLES * 2 // 5].tolist() + noise)


def repeated(rng):
    """A prompt is always answered in the same way."""
    return collapsed(rng, language(rng, N_PROMPTS) * (N_SAMPLES // N_PROMPTS))


def endless(rng):
    """Twice as long, and cut."""
    written = language(rng, 2 * N_SAMPLES)
    samples = [f"{first} {second}" for first, second in zip(written[::2], written[1::2], strict=True)]
    return replace(collapsed(rng, samples), truncated=[i % 3 > 0 for i in range(N_SAMPLES)])


def collapsed(rng, samples):
    return evidence(rng, samples, rate=4.0, entropy=1.5, own=1.5, founder=3.5)


COLLAPSES = {
    "tail_gap": unlearnt,
    "worst_slice_loss": forgotten,
    "worst_slice_reverse": learnt_in_part,
    "empty_samples": silent,
    "truncated_samples": endless,
    "sample_length": endless,
    "distinct_within_prompts": repeated,
    "homozygosity": common,
    "hill_index": common,
    "fixation_index": common,
    "rare_mass": common,
    "reverse_tail_loss": faded,
    "total_variance": noise,
    "mean_distance": noise,
    "recall": noise,
    "precision": astray,
    "near_duplicates": recited,
}
"""Indicator -> the collapse that it must see; the others must see `narrowed`."""
