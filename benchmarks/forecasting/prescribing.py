"""Trials of prescriptions: a lineage on samples only, then ten generations with the prescribed real share."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from collapse_guard.assessment import assess
from collapse_guard.decision.policy import Policy
from collapse_guard.evidence import Evidence, Losses
from collapse_guard.records import Assessment, Generation, Mixture
from detecting.corpora import Real, real
from detecting.decoding import write
from detecting.ngram_model import NgramModel
from detecting.scenarios import Past, mix
from detecting.sizes import Sizes, wild_type_seed
from detecting.table import Sheet

CORPORA, DECODINGS, TRIALS = ("speeches", "wikipedia"), ("pure", "top_k"), (1, 2, 3)
AHEAD, LESS = 10, 2 / 3
"""Generations under the prescription, and the part of it that is tried beside it."""
MARGIN = Policy().margin("perplexity", "founder").margin
ANOTHER = 1_000
"""Added to the seed of a trial for the lineage that starts from a founder of its own."""


class Rises(NamedTuple):
    """Largest rise of held-out perplexity over its founder's, in ten generations under a real share."""

    here: float
    """From the end of the trial on."""
    founder: float
    """From another founder on."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One trial, the prescribed share, and its results."""

    lineages: str
    """Model, corpus and decoding."""
    trial: int
    """Generations on samples only."""
    share: float | None
    """Real share prescribed; None: no share would do."""
    indicator: str = ""
    """The indicator that asked for the most."""
    full: Rises | None = None
    """Under that share."""
    less: Rises | None = None
    """Under two thirds of it."""


@dataclass(frozen=True, kw_only=True)
class Ngrams:
    """Trigram lineages of one corpus and decoding, by one seed."""

    corpus: str
    decoding: str
    seed: int
    sizes: Sizes
    folder: Path
    """Where wild types are kept."""

    @property
    def data(self) -> Real:
        """Real data and wild type."""
        return real(self.corpus, wild_type_seed(self.seed % ANOTHER), self.sizes, self.folder)

    def grow(self, shares: Sequence[float]) -> Iterator[tuple[NgramModel, np.ndarray]]:
        """A founder, then a generation for each real share: the model, and what it wrote."""
        data, sizes = self.data, self.sizes
        rng = np.random.default_rng([zlib.crc32(f"prescribe.{self.corpus}.{self.decoding}".encode()), self.seed])
        past = Past(real=data, n=sizes.documents, rng=rng, founding=data.draw(sizes.documents, rng))
        founding = data.pool[past.founding]
        for share in (None, *shares):
            training = founding if share is None else mix(share)(past)
            model = NgramModel.fit(training, vocabulary_size=data.wild_type.vocabulary_size, rng=rng)
            written = write(model, sizes.documents, sizes.tokens, decoding=self.decoding, prompts=founding, rng=rng)
            past.written.append(written)
            yield model, written[np.arange(sizes.measured)].tokens.reshape(-1, sizes.tokens)

    def assessed(self, shares: Sequence[float]) -> list[Assessment]:
        """The same lineage, as the guard sees it."""
        data, history = self.data, list[Assessment]()
        for index, (model, samples) in enumerate(self.grow(shares)):
            losses = Losses(
                documents=data.wild_type.evaluation.hashes,
                nll=model.nll(data.evaluation),
                n_tokens=data.evaluation.lengths,
            )
            generation = Generation(
                lineage="trial",
                index=index,
                parents=(index - 1,) if index else (),
                mixture=Mixture.with_real(shares[index - 1] if index else 1.0),
            )
            evidence = Evidence(samples=samples, losses=losses)
            history.append(assess(data.wild_type, evidence, history=history, seed=self.seed, generation=generation))
        return history

    def rise(self, shares: Sequence[float]) -> float:
        """Largest rise of perplexity in the last ten generations."""
        evaluation = self.data.evaluation
        rates = [model.nll(evaluation).sum() / evaluation.lengths.sum() for model, _ in self.grow(shares)]
        return largest_rise(np.exp(rates))

    def rises(self, trial: int, share: float) -> Rises:
        """From the end of a trial on, and from another founder on."""
        other = replace(self, seed=self.seed + ANOTHER)
        return Rises(self.rise([0.0] * trial + [share] * AHEAD), other.rise([share] * AHEAD))


def largest_rise(perplexities: Sequence[float]) -> float:
    """Of the last ten generations over the first of all."""
    return float(max(perplexities[-AHEAD:]) / perplexities[0] - 1.0)


def tried(ngrams: Ngrams) -> list[Tried]:
    """Trials of 1, 2 and 3 generations: the shorter are the beginnings of the longest."""
    history = ngrams.assessed([0.0] * max(TRIALS))
    return [_tried(ngrams, history[trial], trial) for trial in TRIALS]


def _tried(ngrams: Ngrams, newest: Assessment, trial: int) -> Tried:
    share, indicator = prescribed(newest)
    found = Tried(
        lineages=f"trigrams, {ngrams.corpus}, {ngrams.decoding}", trial=trial, share=share, indicator=indicator
    )
    if found.share is None:
        return found
    return replace(found, full=ngrams.rises(trial, found.share), less=ngrams.rises(trial, LESS * found.share))


def prescribed(newest: Assessment) -> tuple[float | None, str]:
    """Real share that the outlook of a trial asks for, and the indicator that does."""
    target = newest.outlook.prescription if newest.outlook else None
    return (target.real_share, target.indicator) if target else (None, "")


def sheet(found: Sequence[Tried]) -> Sheet:
    """One row for each kind of lineage and length of trial."""
    title = (
        f"prescribed by trials on samples only, then tried for {AHEAD} generations: largest rise of held-out "
        f"perplexity over the founder's, median (largest), and lineages in which it stayed within {MARGIN:.0%}"
    )
    headings = (
        "lineages",
        "trial",
        "real share prescribed",
        "asked by",
        "from there on",
        "from another founder on",
        "two thirds of it, from there on",
        "two thirds, from another founder on",
    )
    ordered = sorted(found, key=_kind)
    return Sheet(title, headings, [_row(kind, list(some)) for kind, some in groupby(ordered, key=_kind)])


def _kind(one: Tried) -> tuple[str, int]:
    return one.lineages, one.trial


def _row(kind: tuple[str, int], some: Sequence[Tried]) -> tuple[str, ...]:
    shares = [one.share for one in some if one.share is not None]
    none = f"; none in {len(some) - len(shares)}" if len(shares) < len(some) else ""
    span = f"{median(shares):.2f} ({min(shares):.2f} to {max(shares):.2f})" if shares else ""
    cells = [
        _rises([getattr(rises, start) for rises in (getattr(one, how) for one in some) if rises])
        for how in ("full", "less")
        for start in Rises._fields
    ]
    asking = ", ".join(dict.fromkeys(one.indicator for one in some if one.indicator))
    return kind[0], str(kind[1]), span + none, asking, *cells


def _rises(rises: Sequence[float]) -> str:
    if not rises:
        return ""
    kept = sum(rise <= MARGIN for rise in rises)
    return f"{median(rises):+.0%} ({max(rises):+.0%}); {kept} of {len(rises)}"
