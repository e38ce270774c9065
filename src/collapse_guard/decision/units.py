"""Units of losses: what two files of losses on the same documents look like where one is in another unit.

A unit multiplies the losses of all documents by one factor: of bits to nats, or, for means per token, by 1 / n_tokens.
A collapse changes losses too, but not those of all documents alike (`is_one_factor`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from collapse_guard.arrays import FloatArray

FEWEST = 30
"""Documents that a sign of another unit needs at least."""
MEANS = "means per token"
READ_MEANS = "read them with `--loss-per token` (in Python `read_losses(path, per='token')`)"
_SIZES = {"nats": 1.0, "bits": 1.0 / math.log(2.0), "logarithms to base 10": 1.0 / math.log(10.0)}
_OPTIONS = {"bits": "bits", "logarithms to base 10": "log10"}


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Losses of documents, as they were given."""

    keys: tuple[str, ...]
    """d: ids of the documents."""
    nll: FloatArray
    """d: their losses, in nats summed over the document if they are what they should be."""
    tokens: FloatArray
    """d: their scored tokens."""

    @property
    def log_perplexity(self) -> float:
        """Mean loss per token."""
        return float(self.nll.sum() / self.tokens.sum())

    def take(self, places: Sequence[int]) -> Scored:
        """Those at some places, in that order."""
        where = list(places)
        return Scored(keys=tuple(self.keys[place] for place in where), nll=self.nll[where], tokens=self.tokens[where])

    def positive(self) -> Scored:
        """Those that have a logarithm."""
        return self.take(np.flatnonzero(self.nll > 0.0).tolist())


@dataclass(frozen=True, kw_only=True)
class Factor:
    """A change of units: what losses of a generation would be, in multiples of the founder's."""

    here: str
    """What the generation's losses would be."""
    there: str
    """What the founder's would be."""
    logs: FloatArray
    """d: logarithm of the factor of each document."""


def same_documents(here: Scored | None, there: Scored | None) -> tuple[Scored, Scored] | None:
    """The documents that both sides have, with losses above 0, in one order; None where they are too few to judge."""
    if here is None or there is None:
        return None
    here, there = here.positive(), there.positive()
    place: Mapping[str, int] = {key: i for i, key in enumerate(here.keys)}
    places = [i for i, key in enumerate(there.keys) if key in place]
    if len(places) < FEWEST:
        return None
    there = there.take(places)
    return here.take([place[key] for key in there.keys]), there


def change_of(here: Scored, there: Scored) -> float:
    """Change of log perplexity, per token of the founder."""
    return float((here.nll - there.nll).sum() / there.tokens.sum())


def log_ratios(here: Scored, there: Scored) -> FloatArray:
    """d: logarithm of each document's loss as a multiple of the founder's."""
    ratios: FloatArray = np.log(here.nll / there.nll)
    return ratios


def factors(here: Scored, there: Scored) -> Iterator[Factor]:
    """What the ratio of losses is where one side is in another unit than the other, for each document."""
    same = np.zeros(len(here.nll))
    for unit_here, size_here in _SIZES.items():
        for unit_there, size_there in _SIZES.items():
            unit = math.log(size_here / size_there)
            if unit_here != unit_there:
                yield Factor(here=unit_here, there=unit_there, logs=same + unit)
            yield Factor(here=f"{MEANS} in {unit_here}", there=unit_there, logs=unit - np.log(here.tokens))
            yield Factor(here=unit_here, there=f"{MEANS} in {unit_there}", logs=unit + np.log(there.tokens))


def is_one_factor(here: Scored, there: Scored, factor: Factor) -> bool:
    r"""Whether losses differ from the founder's by the factor of a unit, up to the noise of a training.

    A unit multiplies the losses of all documents alike, so three things follow that no collapse shows together. What is
    left of the log ratio is the noise of a training: a robust standard deviation of .15 to .27 / sqrt(n) for documents
    of n tokens, which is at most .43 of the spread over documents. That spread stays as it is. And the factor is met:
    to 5%, or to 1% where all losses are the founder's times one number. Where collapses had raised losses by a third or
    more, the first was .30 to .75 / sqrt(n) and .59 to 1.4 of the spread, which had changed by a factor of up to 2.3
    (docs/losses.md).
    """
    left = log_ratios(here, there) - factor.logs
    missed = abs(float(np.median(left)))
    if missed > 0.05:
        return False
    noise = spread_of(left)
    if missed > 0.01 and noise <= 1e-4:
        return False
    spread, before = spread_of(_logs(here, factor.here)), spread_of(_logs(there, factor.there))
    most = min(max(0.03, 0.3 / math.sqrt(float(there.tokens.mean()))), abs(float(factor.logs.mean())) / 4.0)
    return noise <= min(most, 0.55 * before) + 1e-9 and abs(spread - before) <= 0.2 * before + 1e-9


def _logs(scored: Scored, unit: str) -> FloatArray:
    """Logarithms of losses per token, if the losses are in a unit."""
    logs: FloatArray = np.log(scored.nll if unit.startswith(MEANS) else scored.nll / scored.tokens)
    return logs


def spread_of(values: FloatArray) -> float:
    """Standard deviation of normal numbers from the median distance to their median, which outliers do not move."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def in_units(factor: Factor) -> str:
    """What the losses of both sides look like, as a sentence."""
    if factor.here == "nats":
        return f"the founder's losses look like {_with_sums(factor.there)}, where these look like sums of nats"
    return f"the losses look like {_with_sums(factor.here)}, where the founder's look like {_with_sums(factor.there)}"


def _with_sums(unit: str) -> str:
    return unit if unit.startswith(MEANS) else f"sums of {unit}"


def conversion(factor: Factor) -> str:
    """What to do about it, as the end of a sentence."""
    wrong = factor.there if factor.here == "nats" else factor.here
    ways = [READ_MEANS] if wrong.startswith(MEANS) else []
    ways += [
        f"read them with `--loss-unit {option}` (in Python `read_losses(path, unit='{option}')`)"
        for unit, option in _OPTIONS.items()
        if wrong.endswith(unit)
    ]
    again = "start the lineage again under another name and " if factor.here == "nats" else ""
    return again + " and ".join(ways or ["give both in nats, summed over documents"])
