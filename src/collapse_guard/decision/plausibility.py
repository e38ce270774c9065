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

A collapse changes losses too, but not those of all documents by one factor (`units`).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import stdtrit

from collapse_guard.comparison.effects import number, percent
from collapse_guard.decision.units import (
    FEWEST,
    MEANS,
    READ_MEANS,
    Factor,
    Scored,
    change_of,
    conversion,
    factors,
    in_units,
    is_one_factor,
    log_ratios,
    same_documents,
    spread_of,
)
from collapse_guard.records.readings import Reading, Readings

FEWEST_LENGTHS = 10.0
"""Documents of other lengths than most, in effect, that growth with length needs at least."""
LARGEST_FALL = math.log(2.0)
"""Fall of log perplexity that is more than a retraining of the same kind does: a half. Four epochs instead of two took
45% off the perplexity of a small model."""
LARGEST_RISE = math.log(10.0)
"""Factor of all losses, whatever the unit, that is more than a collapse makes of them."""
BITS_PER_BYTE = (0.1, 8.0)
"""No model of text needs less unless it knows the text by heart, and random bytes need 8."""
LARGEST_LOSS = math.log(1e6)
"""Nats per token of a choice at random from more tokens than vocabularies have."""
_SURE = 0.999
_NOT_SUMS = "not like sums of nats over documents"
_NO_SUMS = "do not look like sums of nats over documents"
_MULTIPLY = f"multiply `nll` by `n_tokens`, or {READ_MEANS}"


def of_documents(readings: Readings) -> list[str]:
    """Names of the readings that rest on losses of documents, as they were given: not those that we made of samples."""
    given = {name: reading for name, reading in readings.items() if reading.budget is None}
    return [name for name, reading in given.items() if reading.keys and reading.group == "document"]


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
    pair = same_documents(_scored(readings), _scored(founder))
    if pair is None or change_of(*pair) < LARGEST_FALL:
        return ""
    middle = float(np.median(log_ratios(*pair)))
    near = [one for one in factors(*pair) if "token" not in one.here + one.there and abs(one.logs[0] - middle) <= 0.1]
    if not near:
        return ""
    factor = near[0]
    return (
        f"the losses rose by about the factor of {factor.here} to {factor.there}, but not alike for all documents: "
        f"{_times(*pair)}. If they are in another unit, {conversion(factor)}"
    )


def _scored(readings: Readings) -> Scored | None:
    """The losses that perplexity was read from; None where it was not, or not from enough documents."""
    reading = readings.get("perplexity")
    if reading is None or reading.group != "document" or not reading.weights:
        return None
    rates, tokens = np.array(reading.replicates, dtype=np.float64), np.array(reading.weights, dtype=np.float64)
    finite = np.flatnonzero(np.isfinite(rates)).tolist()
    if len(finite) < FEWEST:
        return None
    return Scored(keys=reading.keys, nll=rates * tokens, tokens=tokens).take(finite)


def _alone(readings: Readings, scored: Scored | None, whose: str, *, lowest: float, is_founder: bool) -> str:
    """Signs in one generation."""
    found = "" if scored is None else _of_sums(scored, lowest=lowest, is_founder=is_founder)
    found = found or _of_bytes(readings.get("bits_per_byte"), is_founder=is_founder)
    return f"{whose} {found}" if found else ""


def _of_sums(scored: Scored, *, lowest: float, is_founder: bool) -> str:
    if scored.log_perplexity < math.log(max(lowest, 1e-300)):
        return _too_low(scored, lowest)
    if is_founder and scored.log_perplexity > LARGEST_LOSS:
        return (
            f"{_NO_SUMS}: they are {number(scored.log_perplexity)} nats per token, and a choice among a million tokens "
            f"at random has {LARGEST_LOSS:.1f}. Does `n_tokens` count the tokens of the document?"
        )
    growth = _growth(scored.positive())
    if growth:
        return f"look like {MEANS}, {_NOT_SUMS}: they hardly grow with length ({growth}); {_MULTIPLY}"
    return ""


def _of_bytes(reading: Reading | None, *, is_founder: bool) -> str:
    if reading is None or not reading.is_usable or len(reading.keys) < FEWEST:
        return ""
    smallest, largest = BITS_PER_BYTE
    if reading.value < smallest:
        return (
            f"{_NO_SUMS}: bits_per_byte is {number(reading.value)}, and text that a model does not know by heart needs "
            f"{smallest:g} or more. Are they {MEANS} ({_MULTIPLY}), or divided by a constant?"
        )
    if is_founder and reading.value > largest:
        return (
            f"{_NO_SUMS}: bits_per_byte is {number(reading.value)}, and bytes at random need {largest:g}. Does "
            "`n_bytes` count the bytes of the document?"
        )
    return ""


def _too_low(scored: Scored, lowest: float) -> str:
    if scored.log_perplexity < 0.0:
        return f"{_NO_SUMS}: their sum is negative; negate log-likelihoods"
    found = f"perplexity would be {number(math.exp(scored.log_perplexity))}, below {lowest:g}"
    otherwise = "If they are right, and the documents were not trained on, lower `lowest_perplexity` in the policy"
    mean = float(scored.nll @ scored.tokens / scored.tokens.sum())
    if math.log(lowest) <= mean < LARGEST_LOSS:
        as_means = f"as means it is {number(math.exp(mean))}"
        return f"look like {MEANS}, {_NOT_SUMS}: {found}, and {as_means}; {_MULTIPLY}. {otherwise}"
    return f"look divided by a constant, {_NOT_SUMS}: {found}; multiply them by it. {otherwise}"


def _growth(scored: Scored) -> str:
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


def _beside(here: Scored | None, there: Scored | None) -> str:
    """Signs in the losses of a generation beside those of the founder on the same documents."""
    pair = same_documents(here, there)
    if pair is None:
        return ""
    change = change_of(*pair)
    if change < -LARGEST_FALL:
        return _fell_too_far(*pair, change)
    for factor in factors(*pair):
        if is_one_factor(*pair, factor):
            return f"{in_units(factor)}: {_times(*pair)}, almost alike for all documents; {conversion(factor)}"
    middle = float(np.median(log_ratios(*pair)))
    other = Factor(here="another unit", there="nats", logs=np.full(len(pair[0].nll), middle))
    if middle > LARGEST_RISE and is_one_factor(*pair, other):
        return f"{in_units(other)}: {_times(*pair)}, almost alike for all documents; {conversion(other)}"
    return ""


def _times(here: Scored, there: Scored) -> str:
    ratio = float(here.nll.sum() / there.nll.sum())
    return f"they are {number(ratio)} times the founder's on the same documents"


def _fell_too_far(here: Scored, there: Scored, change: float) -> str:
    fell = f"perplexity fell by {percent(math.expm1(change)).lstrip('-')} against the founder"

    def distance(factor: Factor) -> float:
        left = log_ratios(here, there) - factor.logs
        return abs(float(np.median(left))) + spread_of(left)

    nearest = min(factors(here, there), key=distance)
    if distance(nearest) <= min(0.5, abs(float(nearest.logs.mean())) / 4.0):
        return f"{in_units(nearest)}: {fell}, and {_times(here, there)}; {conversion(nearest)}"
    return (
        f"the losses are too low to be compared: {fell}, more than a retraining of the same kind does; are they in "
        "another unit, of other documents under the same ids, or were these documents in the training data?"
    )
