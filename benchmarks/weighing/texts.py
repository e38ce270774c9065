"""What texts are worth: eight kinds of samples, fresh passages against their number, and what small samples hide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean, median
from typing import NamedTuple

import numpy as np

from collapse_guard.comparison.compare import compare
from collapse_guard.comparison.effects import with_interval
from collapse_guard.decision.policy import Policy
from collapse_guard.evidence import Evidence
from collapse_guard.indicators.reverse import RealEquivalent, ReversePerplexity
from collapse_guard.measurement.measure import measure
from collapse_guard.records import Comparison, Reading
from collapse_guard.report.outlook import worth_of
from collapse_guard.wildtype import WildType
from detecting.decoding import TOP_K, write
from detecting.ngram_model import N_SPECIAL, NgramModel
from detecting.passages import Ids
from detecting.passages import Passages as Documents
from detecting.table import Sheet
from weighing.speeches import WORDS, Passages

PURE, NARROW = "pure", "narrow"
"""Ways to write: all tokens by their probability, and the most probable ones alone."""
SHARE, COMMON, COPIES = 10, 2_000, 10
"""One sample in so many is narrow in a mixture; so many words are common; and each copy is there so many times."""


class Kind(NamedTuple):
    """Samples of one kind, as token ids of the wild type."""

    name: str
    """As the table shows it."""
    samples: list[Ids]
    """As many as of each other kind."""


class Covered(NamedTuple):
    """Sets of fresh passages of one size."""

    size: int
    """Passages in a set."""
    readings: list[Reading]
    """Of `real_equivalent`, one for each set."""

    @property
    def hits(self) -> int:
        """Sets that have their number in their interval."""
        return sum(
            one.interval is not None and one.interval.low <= self.size <= one.interval.high for one in self.readings
        )

    @property
    def ratio(self) -> float:
        """What a set is worth, divided by its size: the mean."""
        return fmean(one.value / self.size for one in self.readings)


def worth(wild_type: WildType, samples: Sequence[Ids]) -> Reading:
    """How many real documents these samples are worth."""
    name = RealEquivalent.name
    return measure(wild_type, Evidence(samples=samples), only=[name])[name]


def kinds(passages: Passages, n: int, seed: int) -> list[Kind]:
    """The kinds of samples, n of each: first fresh passages, and then those that trigram models of words and of tokens
    write by all their probabilities.
    """
    rng, wild_type = np.random.default_rng(seed), passages.wild_type
    texts = passages.fresh[:n]
    fresh, learnt = wild_type.encode(texts), Documents.of(wild_type.encode(passages.learnt))
    length = round(median(map(len, fresh)))
    model = NgramModel.fit(learnt, vocabulary_size=wild_type.vocabulary_size, rng=rng)
    by_tokens, narrow = (
        list(write(model, n, length, decoding=decoding, prompts=learnt, rng=rng).tokens.reshape(n, length))
        for decoding in (PURE, NARROW)
    )
    known = Counter(word for text in wild_type.pool for word in text.split())
    common = {word for word, _ in known.most_common(COMMON)}
    shuffled = [" ".join(rng.permutation(text.split())) for text in texts]
    few = [" ".join(word for word in text.split() if word in common) for text in texts]
    how = f"by the token trigram from the {TOP_K[NARROW]} likeliest tokens"
    others = f"that learnt from {len(passages.learnt):,} other passages"
    return [
        Kind("fresh real passages", fresh),
        Kind(f"written by a word trigram, unsmoothed, {others}", wild_type.encode(_by_words(passages.learnt, n, rng))),
        Kind(f"written by a token trigram, smoothed, {others}", by_tokens),
        Kind(f"90% fresh, 10% {how}", [*fresh[: n - n // SHARE], *narrow[: n // SHARE]]),
        Kind("real passages, their words shuffled", wild_type.encode(shuffled)),
        Kind(how, narrow),
        Kind(f"real passages without any but the {COMMON:,} commonest words", wild_type.encode(few)),
        Kind(f"{n // COPIES:,} real passages, {COPIES} times each", fresh[: n // COPIES] * COPIES),
    ]


def _by_words(texts: Sequence[str], n: int, rng: np.random.Generator) -> list[str]:
    """What a trigram model of whole words writes that only knows what it has seen: a word follows two others in a text,
    or one where nothing follows the two.
    """
    vocabulary = sorted({word for text in texts for word in text.split()})
    number = {word: N_SPECIAL + i for i, word in enumerate(vocabulary)}
    learnt = Documents.of([[number[word] for word in text.split()] for text in texts])
    model = NgramModel.fit(learnt, vocabulary_size=N_SPECIAL + len(vocabulary), rng=rng)
    unsmoothed = replace(model, weights=np.ones_like(model.weights))
    ids = write(unsmoothed, n, WORDS, decoding=PURE, prompts=learnt, rng=rng).tokens.reshape(n, WORDS)
    return [" ".join(vocabulary[i - N_SPECIAL] for i in row) for row in ids]


def covered(passages: Passages, sizes: Sequence[int], sets: int, seed: int) -> Iterator[Covered]:
    """Read sets of passages that the wild type does not have, each drawn at random: those of two sets may overlap."""
    rng, wild_type = np.random.default_rng(seed), passages.wild_type
    unseen = wild_type.encode(passages.unseen)
    for size in sizes:
        drawn = (rng.choice(len(unseen), size, replace=False) for _ in range(sets))
        yield Covered(size, [worth(wild_type, [unseen[i] for i in places]) for places in drawn])


def by_budget(wild_type: WildType, found: Sequence[Kind], budgets: Sequence[int]) -> dict[int, list[Comparison]]:
    """Reverse perplexity of all kinds but the first, compared with the first, where the small model sees so much.

    Args:
        wild_type: Of passages.
        found: Kinds of samples.
        budgets: Tokens that the small model is fitted on.
    """
    name = ReversePerplexity.name
    limits = Policy().limits(name, "founder", direction=ReversePerplexity.direction, scale=ReversePerplexity.scale)

    def read(kind: Kind, budget: int) -> Reading:
        return measure(wild_type, Evidence(samples=kind.samples), budget=budget, only=[name])[name]

    def changes(budget: int) -> list[Comparison]:
        first, *others = (read(kind, budget) for kind in found)
        how = {"baseline": "founder", "margin": limits.margin, "watch": limits.watch}
        return [compare(other, first, **how) for other in others]

    return {budget: changes(budget) for budget in budgets}


def sheet_of_kinds(found: Sequence[tuple[Kind, Reading]]) -> Sheet:
    """What each kind is worth."""
    n = len(found[0][0].samples)
    rows = [(kind.name, _told(reading)) for kind, reading in found]
    return Sheet(f"{n:,} samples of each kind, with the interval of 95%", (f"{n:,} samples", "are worth"), rows)


def _told(reading: Reading) -> str:
    """The end of the sentence that a report has."""
    return worth_of(reading).rpartition(" as ")[2].removesuffix(".")


def sheet_of_covered(found: Sequence[Covered]) -> Sheet:
    """How often the number of fresh passages is in its interval."""
    hits, n = sum(one.hits for one in found), sum(len(one.readings) for one in found)
    headings = ("fresh passages in a set", "sets", "with their number in the interval of 95%", "mean worth / number")
    rows = [(f"{one.size:,}", str(len(one.readings)), str(one.hits), f"{one.ratio:.3f}") for one in found]
    return Sheet(f"{n} sets of passages that the wild type has never seen; {hits} are covered", headings, rows)


def sheet_of_budgets(found: Mapping[int, Sequence[Comparison]]) -> Sheet:
    """What the samples of the word trigram and of the token trigram do to reverse perplexity at each budget."""
    rows = [
        (f"{budget:,}", *(with_interval(one, one.effect, one.low, one.high) for one in some))
        for budget, some in found.items()
    ]
    title = "Change of reverse perplexity, where samples stand in the place of as many real passages (95%)"
    return Sheet(
        title, ("tokens that the small model sees", "word trigram, unsmoothed", "token trigram, smoothed"), rows
    )
