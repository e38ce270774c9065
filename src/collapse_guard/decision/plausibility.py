"""Plausibility: whether losses are sums of nats over documents, or look like another unit.

Losses come from files, and a file in another unit is as finite as one in nats. The signs are computed from
readings of documents, so that a stored generation is judged again in the same way:

| sign                                                           | of                    | likely cause               |
|----------------------------------------------------------------|-----------------------|----------------------------|
| perplexity below `Policy.lowest_perplexity`, or bits per byte  | one generation        | means per token, a divisor |
| below 0.1                                                      |                       |                            |
| perplexity above a million, or bits per byte above 8           | a founder             | other units or counts      |
| documents differ less in `nll` than in `nll / n_tokens`        | one generation        | means per token            |
| each document's loss is the founder's times a factor of units  | one beside its founder| bits, log10, means         |
| perplexity fell by more than a half                            | one beside its founder| units, another set, a leak |

A collapse changes losses too, but not those of all documents by one factor: see `_is_one_factor`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from collapse_guard.arrays import FloatArray
from collapse_guard.comparison.effects import number, percent
from collapse_guard.records.readings import Reading, Readings

FEWEST = 30
"""Documents that a sign needs at least."""
FEWEST_LENGTHS = 10.0
"""Documents of other lengths than most, in effect, that growth with length needs at least."""
LARGEST_FALL = math.log(2.0)
"""Fall of log perplexity that is more than a retraining of the same kind does: a half. Four epochs instead of two took
45% off the perplexity of a small model."""
BITS_PER_BYTE = (0.1, 8.0)
"""No model of text needs less unless it knows the text by heart, and random bytes need 8."""
LARGEST_LOSS = math.log(1e6)
"""Nats per token of a choice at random from more tokens than vocabularies have."""
_SURE = 0.999
_MEANS = "means per token"
_NOT_SUMS = "not like sums of nats over documents"
_NO_SUMS = "do not look like sums of nats over documents"
_READ_MEANS = "read them with `--loss-per token` (in Python `read_losses(path, per='token')`)"
_MULTIPLY = f"multiply `nll` by `n_tokens`, or {_READ_MEANS}"
_READ_BITS = "read them with `--loss-unit bits` (in Python `read_losses(path, unit='bits')`)"
_UNITS = {"nats": 1.0, "bits": 1.0 / math.log(2.0), "logarithms to base 10": 1.0 / math.log(10.0)}


@dataclass(frozen=True, kw_only=True)
class _Scored:
    """Losses of documents, as they were given."""

    keys: tuple[str, ...]
    nll: FloatArray
    tokens: FloatArray

    @property
    def log_perplexity(self) -> float:
        return float(self.nll.sum() / self.tokens.sum())

    def take(self, places: Sequence[int]) -> _Scored:
        where = list(places)
        return _Scored(keys=tuple(self.keys[place] for place in where), nll=self.nll[where], tokens=self.tokens[where])

    def positive(self) -> _Scored:
        """Those that have a logarithm."""
        return self.take(np.flatnonzero(self.nll > 0.0).tolist())


@dataclass(frozen=True, kw_only=True)
class _Factor:
    """A change of units: what losses of a generation would be, in multiples of the founder's."""

    here: str
    """What the generation's losses would be."""
    there: str
    """What the founder's would be."""
    logs: FloatArray
    """d: logarithm of the factor of each document."""


def of_documents(readings: Readings) -> list[str]:
    """Names of the readings that rest on losses of documents."""
    return [name for name, reading in readings.items() if reading.keys and reading.group == "document"]


def doubt(readings: Readings, founder: Readings, *, lowest: float) -> str:
    """Say why the losses of a generation cannot be what they should be, as a sentence; empty where they can.

    Args:
        readings: Of the generation.
        founder: Of the founder; empty for the founder itself.
        lowest: Perplexity below which losses are not believed.

    Example:
        >>> rates = tuple(4.6 / n for n in range(20, 60))
        >>> reading = Reading(indicator="perplexity", family="likelihood", value=1.13, unit="choices per token",
        ...                   direction="up", n=40, n_minimum=30, group="document", replicates=rates,
        ...                   weights=tuple(range(20, 60)), keys=tuple(map(str, range(40))))
        >>> doubt({"perplexity": reading}, {}, lowest=1.5)[:60]
        'the losses look like means per token, not like sums of nats '
    """
    here, there = _scored(readings), _scored(founder)
    alone = _alone(readings, here, "the losses", lowest=lowest, is_founder=not founder)
    if alone:
        return alone
    baseline = _alone(founder, there, "the founder's losses", lowest=lowest, is_founder=True)
    if baseline and here is not None:
        return f"{baseline}. Start the lineage again under another name, and compare with that"
    return _beside(here, there)


def near_a_unit(readings: Readings, founder: Readings) -> str:
    """Say that losses rose by about the factor of a unit, though unlike a change of units; empty where they did not.

    Such a rise is a collapse: that a document's loss is not the founder's times one factor tells them apart (`doubt`).
    """
    pair = _same_documents(_scored(readings), _scored(founder))
    if pair is None or _change(*pair) < LARGEST_FALL:
        return ""
    middle = float(np.median(_log_ratios(*pair)))
    near = [one for one in _factors(*pair) if "token" not in one.here + one.there and abs(one.logs[0] - middle) <= 0.1]
    if not near:
        return ""
    factor = near[0]
    return (
        f"the losses rose by about the factor of {factor.here} to {factor.there}, but not alike for all documents: "
        f"{_times(*pair)}. If they are in another unit, {_conversion(factor)}"
    )


def _scored(readings: Readings) -> _Scored | None:
    """The losses that perplexity was read from; None where it was not, or not from enough documents."""
    reading = readings.get("perplexity")
    if reading is None or reading.group != "document":
        return None
    rates, tokens = np.array(reading.replicates, dtype=np.float64), np.array(reading.weights, dtype=np.float64)
    finite = np.flatnonzero(np.isfinite(rates)).tolist()
    if len(finite) < FEWEST:
        return None
    return _Scored(keys=reading.keys, nll=rates * tokens, tokens=tokens).take(finite)


def _alone(readings: Readings, scored: _Scored | None, whose: str, *, lowest: float, is_founder: bool) -> str:
    """Signs in one generation."""
    found = "" if scored is None else _of_sums(scored, lowest=lowest, is_founder=is_founder)
    found = found or _of_bytes(readings.get("bits_per_byte"), is_founder=is_founder)
    return f"{whose} {found}" if found else ""


def _of_sums(scored: _Scored, *, lowest: float, is_founder: bool) -> str:
    if scored.log_perplexity < math.log(max(lowest, 1e-300)):
        return _too_low(scored, lowest)
    if is_founder and scored.log_perplexity > LARGEST_LOSS:
        return (
            f"{_NO_SUMS}: they are {number(scored.log_perplexity)} nats per token, and a choice among a million tokens "
            f"at random has {LARGEST_LOSS:.1f}. Does `n_tokens` count the tokens of the document?"
        )
    growth = _growth(scored.positive())
    if growth:
        return f"look like {_MEANS}, {_NOT_SUMS}: they hardly grow with length ({growth}); {_MULTIPLY}"
    return ""


def _of_bytes(reading: Reading | None, *, is_founder: bool) -> str:
    if reading is None or not reading.is_usable or len(reading.keys) < FEWEST:
        return ""
    smallest, largest = BITS_PER_BYTE
    if reading.value < smallest:
        return (
            f"{_NO_SUMS}: bits_per_byte is {number(reading.value)}, and text that a model does not know by heart needs "
            f"{smallest:g} or more. Are they {_MEANS} ({_MULTIPLY}), or divided by a constant?"
        )
    if is_founder and reading.value > largest:
        return (
            f"{_NO_SUMS}: bits_per_byte is {number(reading.value)}, and bytes at random need {largest:g}. Does "
            "`n_bytes` count the bytes of the document?"
        )
    return ""


def _too_low(scored: _Scored, lowest: float) -> str:
    if scored.log_perplexity < 0.0:
        return f"{_NO_SUMS}: their sum is negative; negate log-likelihoods"
    found = f"perplexity would be {number(math.exp(scored.log_perplexity))}, below {lowest:g}"
    otherwise = "If they are right, and the documents were not trained on, lower `lowest_perplexity` in the policy"
    mean = float(scored.nll @ scored.tokens / scored.tokens.sum())
    if math.log(lowest) <= mean < LARGEST_LOSS:
        as_means = f"as means it is {number(math.exp(mean))}"
        return f"look like {_MEANS}, {_NOT_SUMS}: {found}, and {as_means}; {_MULTIPLY}. {otherwise}"
    return f"look divided by a constant, {_NOT_SUMS}: {found}; multiply them by it. {otherwise}"


def _growth(scored: _Scored) -> str:
    r"""How the losses grow with length, where that is the way of means; empty where it is not, or cannot be told.

    The slope b of ln nll on ln n_tokens is near 1 for sums and near 0 for means. It is below 1/2 exactly where
    documents differ less in nll than in nll / n_tokens. The bound uses the HC3 error (MacKinnon and White 1985) and the
    number of documents that the slope rests on, (sum x^2)^2 / sum x^4: one long document among equals shows nothing.
    """
    if len(scored.keys) < FEWEST:
        return ""
    x, y = np.log(scored.tokens), np.log(scored.nll)
    x, y = x - x.mean(), y - y.mean()
    total = float(x @ x)
    effective = total**2 / max(float((x**2) @ (x**2)), 1e-300)
    if total <= 1e-12 * len(x) or effective < FEWEST_LENGTHS:
        return ""
    slope = float(x @ y) / total
    leverage = 1.0 / len(x) + x**2 / total
    error = math.sqrt(float(np.sum((x * (y - slope * x) / (1.0 - leverage)) ** 2))) / total
    bound = slope + float(stdtrit(effective - 1.0, _SURE)) * error
    if bound >= 0.5:
        return ""
    return f"a document of twice the tokens has {2.0**slope:.2f} times the loss, where sums have about 2.00"


def _beside(here: _Scored | None, there: _Scored | None) -> str:
    """Signs in the losses of a generation beside those of the founder on the same documents."""
    pair = _same_documents(here, there)
    if pair is None:
        return ""
    change = _change(*pair)
    if change < -LARGEST_FALL:
        return _fell_too_far(*pair, change)
    for factor in _factors(*pair):
        if _is_one_factor(*pair, factor):
            return f"{_in_units(factor)}: {_times(*pair)}, almost alike for all documents; {_conversion(factor)}"
    return ""


def _fell_too_far(here: _Scored, there: _Scored, change: float) -> str:
    fell = f"perplexity fell by {percent(math.expm1(change)).lstrip('-')} against the founder"

    def distance(factor: _Factor) -> float:
        left = _log_ratios(here, there) - factor.logs
        return abs(float(np.median(left))) + _spread(left)

    nearest = min(_factors(here, there), key=distance)
    if distance(nearest) <= min(0.5, abs(float(nearest.logs.mean())) / 4.0):
        return f"{_in_units(nearest)}: {fell}, and {_times(here, there)}; {_conversion(nearest)}"
    return (
        f"the losses are too low to be compared: {fell}, more than a retraining of the same kind does; are they in "
        "another unit, of other documents under the same ids, or were these documents in the training data?"
    )


def _same_documents(here: _Scored | None, there: _Scored | None) -> tuple[_Scored, _Scored] | None:
    if here is None or there is None:
        return None
    here, there = here.positive(), there.positive()
    place: Mapping[str, int] = {key: i for i, key in enumerate(here.keys)}
    places = [i for i, key in enumerate(there.keys) if key in place]
    if len(places) < FEWEST:
        return None
    there = there.take(places)
    return here.take([place[key] for key in there.keys]), there


def _change(here: _Scored, there: _Scored) -> float:
    """Change of log perplexity, per token of the founder."""
    return float((here.nll - there.nll).sum() / there.tokens.sum())


def _times(here: _Scored, there: _Scored) -> str:
    ratio = float(here.nll.sum() / there.nll.sum())
    return f"they are {number(ratio)} times the founder's on the same documents"


def _log_ratios(here: _Scored, there: _Scored) -> FloatArray:
    ratios: FloatArray = np.log(here.nll / there.nll)
    return ratios


def _factors(here: _Scored, there: _Scored) -> Iterator[_Factor]:
    """What the ratio of losses is where one side is in another unit than the other, for each document."""
    same = np.zeros(len(here.nll))
    for unit_here, size_here in _UNITS.items():
        for unit_there, size_there in _UNITS.items():
            unit = math.log(size_here / size_there)
            if unit_here != unit_there:
                yield _Factor(here=unit_here, there=unit_there, logs=same + unit)
            yield _Factor(here=f"{_MEANS} in {unit_here}", there=unit_there, logs=unit - np.log(here.tokens))
            yield _Factor(here=unit_here, there=f"{_MEANS} in {unit_there}", logs=unit + np.log(there.tokens))


def _is_one_factor(here: _Scored, there: _Scored, factor: _Factor) -> bool:
    r"""Whether losses differ from the founder's by the factor of a unit, up to the noise of a training.

    A unit multiplies the losses of all documents alike, so three things follow that no collapse shows together. What is
    left of the log ratio is the noise of a training: a robust standard deviation of .15 to .27 / sqrt(n) for documents
    of n tokens, which is at most .43 of the spread over documents. That spread stays as it is. And the factor is met:
    to 5%, or to 1% where all losses are the founder's times one number. Where collapses had raised losses by a third or
    more, the first was .30 to .75 / sqrt(n) and .59 to 1.4 of the spread, which had changed by a factor of up to 2.3
    (docs/losses.md).
    """
    left = _log_ratios(here, there) - factor.logs
    noise = _spread(left)
    if abs(float(np.median(left))) > (0.05 if noise > 1e-4 else 0.01):
        return False
    spread, before = _spread(_logs(here, factor.here)), _spread(_logs(there, factor.there))
    most = min(max(0.03, 0.3 / math.sqrt(float(there.tokens.mean()))), abs(float(factor.logs.mean())) / 4.0)
    return noise <= min(most, 0.55 * before) + 1e-9 and abs(spread - before) <= 0.2 * before + 1e-9


def _logs(scored: _Scored, unit: str) -> FloatArray:
    """Logarithms of losses per token, if the losses are in a unit."""
    logs: FloatArray = np.log(scored.nll if unit.startswith(_MEANS) else scored.nll / scored.tokens)
    return logs


def _spread(values: FloatArray) -> float:
    """Standard deviation of normal numbers from the median distance to their median, which outliers do not move."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _in_units(factor: _Factor) -> str:
    if factor.here == "nats":
        return f"the founder's losses look like {_with_sums(factor.there)}, where these look like sums of nats"
    return f"the losses look like {_with_sums(factor.here)}, where the founder's look like {_with_sums(factor.there)}"


def _with_sums(unit: str) -> str:
    return unit if unit.startswith(_MEANS) else f"sums of {unit}"


def _conversion(factor: _Factor) -> str:
    """What to do about it."""
    wrong = factor.there if factor.here == "nats" else factor.here
    ways = []
    if wrong.startswith(_MEANS):
        ways.append(_READ_MEANS)
    if wrong.endswith("bits"):
        ways.append(_READ_BITS)
    if wrong.endswith("base 10"):
        ways.append("read them with `--loss-unit log10` (in Python `read_losses(path, unit='log10')`)")
    again = "start the lineage again under another name and " if factor.here == "nats" else ""
    return again + " and ".join(ways or ["give both in nats, summed over documents"])
