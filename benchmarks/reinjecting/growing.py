"""Lineages that differ in nothing but how their training sets are filled: one founder, and the same random numbers."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from collapse_guard.evidence import Evidence, Losses
from collapse_guard.indicators.likelihood.nats import tail_loss
from collapse_guard.measurement.measure import measure
from collapse_guard.measurement.stratum import freeze_tail
from detecting.corpora import Real, real
from detecting.decoding import write
from detecting.ngram_model import Floats, NgramModel
from detecting.passages import Ids, Passages, joined
from detecting.sizes import Sizes, wild_type_seed
from reinjecting.arms import Arm, Moment, chosen, rows_of, samples, within

SHARES = (0.02, 0.05, 0.1, 0.2)
"""Of real tokens in a training set."""
SPARE = 1.5
"""As many samples are written as there are in a training set, times this: curation needs some to leave out."""

OF_SAMPLES = ("rare_coverage", "lost_ngrams")
"""Indicators of what is written."""


class Readings(NamedTuple):
    """What is measured of one generation."""

    perplexity: float
    """Of the wild type's evaluation documents."""
    tail_loss: float
    """Nats per token over the tenth of them that the founder found hardest."""
    rare_coverage: float
    """Share of the wild type's rare words in its samples, mean over groups."""
    lost_ngrams: float
    """Share of the wild type's recurring n-grams that its samples have lost, mean over groups."""


class Kind(NamedTuple):
    """What lineages must share to be compared."""

    corpus: str
    decoding: str
    share: float
    """Of real tokens; 0: samples only."""


@dataclass(frozen=True, kw_only=True)
class Grown:
    """One lineage."""

    kind: Kind
    arm: str
    seed: int
    readings: tuple[Readings, ...]
    """The founder's first."""


class Filled(NamedTuple):
    """A training set."""

    documents: Passages
    """The real ones first."""
    names: Ids
    """Place in the pool of each real document, which copies share; below 0 for samples."""
    stock: Ids
    """Places in the pool of what is left for later generations."""


@dataclass(frozen=True, eq=False)
class Founder:
    """What all lineages of a seed begin with."""

    model: NgramModel
    written: Passages
    stock: Ids
    """Places in the pool of what it was not trained on, ascending."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """All lineages of one corpus, decoding and seed."""

    corpus: str
    decoding: str
    seed: int
    sizes: Sizes
    folder: Path
    """Where wild types are kept."""

    @cached_property
    def data(self) -> Real:
        """Real data and wild type."""
        return real(self.corpus, wild_type_seed(self.seed), self.sizes, self.folder)

    @property
    def budget(self) -> int:
        """Tokens in a training set."""
        return self.sizes.documents * self.sizes.tokens

    @cached_property
    def founder(self) -> Founder:
        """Trained on real documents only."""
        pool = self.data.pool
        order = self._rng("founder", 0).permutation(len(pool))
        training, used = within(pool, order, order[:0], self.budget)
        model, written = self.trained(training, used, 0)
        return Founder(model, written, np.setdiff1d(order, used))

    def grow(self, arm: Arm, share: float) -> Grown:
        """A lineage from the founder on."""
        kind = Kind(self.corpus, self.decoding, share)
        readings = tuple(self._read(model, written) for model, written in self._generations(arm, share))
        return Grown(kind=kind, arm=arm.name, seed=self.seed, readings=readings)

    def _generations(self, arm: Arm, share: float) -> Iterator[tuple[NgramModel, Passages]]:
        model, written, stock = self.founder.model, self.founder.written, self.founder.stock
        yield model, written
        for generation in range(1, self.sizes.generations + 1):
            moment = Moment(self.data, stock, model, written, self.seen(written))
            training = self.filled(moment, arm, share, generation)
            model, written = self.trained(training.documents, training.names, generation)
            stock = training.stock
            yield model, written

    def filled(self, moment: Moment, arm: Arm, share: float, generation: int) -> Filled:
        """The training set of a generation."""
        n_real = round(share * self.sizes.documents) if arm.strategy else 0
        written = samples(moment, arm, self.sizes.documents - n_real, self._rng("curate", generation))
        names = -1 - np.arange(len(written))
        if not n_real:
            return Filled(written, names, moment.stock)
        budget, pool, rng = n_real * self.sizes.tokens, self.data.pool, self._rng("select", generation)
        places = chosen(moment, arm, round(budget / pool.lengths.mean()), rng)
        others = rng.permutation(np.setdiff1d(moment.stock, places))
        documents, used = within(pool, places, others, budget)
        stock = np.setdiff1d(moment.stock, np.append(places, used))
        return Filled(joined(documents, written), np.append(used, names), stock)

    def trained(self, training: Passages, names: Ids, generation: int) -> tuple[NgramModel, Passages]:
        """A model of a training set, and what it writes."""
        size, length = self.data.wild_type.vocabulary_size, self.sizes.tokens
        model = NgramModel.fit(training, vocabulary_size=size, rng=self._rng("fit", generation), names=names)
        n, rng = math.ceil(SPARE * self.sizes.documents), self._rng("write", generation)
        return model, write(model, n, length, decoding=self.decoding, prompts=training, rng=rng)

    def seen(self, written: Passages) -> Ids:
        """What the guard sees of it, one sample a row."""
        return rows_of(written[np.arange(self.sizes.measured)])

    def _read(self, model: NgramModel, written: Passages) -> Readings:
        lengths, nll = self.data.evaluation.lengths, model.nll(self.data.evaluation)
        found = measure(self.data.wild_type, Evidence(samples=self.seen(written)), only=OF_SAMPLES)
        return Readings(
            math.exp(nll.sum() / lengths.sum()),
            tail_loss(nll, lengths, self._tail),
            *(found[name].value for name in OF_SAMPLES),
        )

    @cached_property
    def _tail(self) -> Floats:
        """Which evaluation documents the founder found hardest."""
        evaluation = self.data.evaluation
        losses = Losses(
            documents=self.data.wild_type.evaluation.hashes,
            nll=self.founder.model.nll(evaluation),
            n_tokens=evaluation.lengths,
        )
        return np.isin(losses.documents, freeze_tail(losses).documents)

    def _rng(self, purpose: str, generation: int) -> np.random.Generator:
        """Random numbers for one purpose, whatever else was drawn: so lineages differ only in what they must."""
        name = f"reinject.{self.corpus}.{self.decoding}.{purpose}"
        return np.random.default_rng([zlib.crc32(name.encode()), self.seed, generation])


def grown(family: Family, arms: Sequence[Arm], shares: Sequence[float]) -> list[Grown]:
    """A lineage of each arm, at each share where it takes real documents."""
    return [family.grow(arm, share) for arm in arms for share in (shares if arm.strategy else (0.0,))]
