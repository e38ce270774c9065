"""The outlook of a lineage in words: how inbred it is, when it fails, and how much real data prevents that."""

from __future__ import annotations

import math

from collapse_guard.comparison.effects import number, relative, share
from collapse_guard.records import (
    Assessment,
    Depression,
    Forecast,
    Inbreeding,
    Interval,
    Outlook,
    Prescription,
    Reading,
    Supply,
)
from collapse_guard.report.sentences import one_line
from collapse_guard.report.tables import Cell, Table

WORTH_A_WORD = 0.01
"""A fixation index below this is called hardly inbred: another seed alone moves that of tokens by a thousandth."""


def sentences(assessment: Assessment) -> list[str]:
    """What the samples are worth, and what the outlook says, a sentence or two for each of its parts."""
    equivalent, outlook = assessment.readings.get("real_equivalent"), assessment.outlook
    worth = [worth_of(equivalent)] if equivalent is not None and equivalent.is_usable else []
    if outlook is None:
        return [sentence for sentence in worth if sentence]
    parts = [
        *worth,
        _inbred(outlook.inbreeding) if outlook.inbreeding else "",
        _depressed(outlook.depression) if outlook.depression else "",
        _fails(outlook.forecasts[0]) if outlook.forecasts else "",
        _needs(outlook.prescription) if outlook.prescription else "",
    ]
    return [sentence for sentence in parts if sentence]


def table(assessment: Assessment) -> Table | None:
    """A row for each mixture that was forecast; None where there is no forecast."""
    outlook = assessment.outlook
    if outlook is None or not outlook.forecasts:
        return None
    in_use = outlook.forecasts[0]
    first, last = in_use.generations[0], in_use.generations[-1]
    return Table(
        caption=f"If each generation from {first} on had this much real data (90% bands; a description)",
        columns=(
            "real data",
            "more likely than not to fail by",
            f"chance of failing by {last}",
            "asks first",
            *([f"perplexity in {first} and {last}"] if "perplexity" in in_use.courses else []),
        ),
        rows=tuple(_row(outlook, forecast) for forecast in outlook.forecasts),
    )


def worth_of(reading: Reading) -> str:
    """How many real documents, or rows, the samples are worth, as a sentence; empty where that is anyone's guess.

    Example:
        >>> worth = Interval(value=2104.3, low=1913.0, high=2297.0, level=0.95)
        >>> worth_of(Reading(indicator="real_equivalent", family="reverse", value=2104.3, unit="real documents",
        ...                  direction="down", n=10_000, n_minimum=20, interval=worth))
        '10,000 samples teach as much about real text as 2,100 real documents (1,900 to 2,300).'
    """
    interval = reading.interval
    if interval is None or not (interval.low > 0.0 or math.isfinite(interval.high)):
        return ""
    ends = (interval.low, interval.value, interval.high)
    low, value, high = map(_rounded, ends)
    if len({low, value, high}) < len(set(ends)):
        low, value, high = (_rounded(end, digits=3) for end in ends)
    told = f"{value} {reading.unit} ({low} to {high})"
    if math.isinf(interval.high):
        told = f"at least {low} {reading.unit}"
    elif interval.low == 0.0:
        told = f"at most {high} {reading.unit}"
    # Rows are learnt from in parts, documents all together.
    n, about = (reading.n, "text") if reading.budget is None else (reading.budget, "data")
    return f"{n:,} samples teach as much about real {about} as {told}."


def supplied(needs: Supply) -> str:
    """What a prescription costs in documents, in words."""
    if not needs.per_generation:
        return ""
    cost = f"That is {needs.per_generation:,} of {needs.documents:,} documents in each generation"
    if not needs.is_carried:
        most = needs.archive / needs.documents
        return (
            f"{cost}, but you have {needs.archive:,} real documents: not enough. Without repeats they make "
            f"{share(most)} of such a training set, or the full share of one of "
            f"{int(needs.archive * needs.documents / needs.per_generation):,} documents."
        )
    if needs.fresh_generations >= needs.horizon:
        lasting = f"your {needs.archive:,} last for all {needs.horizon} generations without repeats"
    else:
        lasting = (
            f"your {needs.archive:,} are fresh for {_generations(needs.fresh_generations)} and are then used again "
            f"({needs.uses:.1f} times each over {needs.horizon}); re-used documents help less"
        )
    weighted = (
        f" If you can weight the loss, give real documents a total weight of {needs.weight:.2f}."
        if needs.weight is not None
        else ""
    )
    return f"{cost}; {lasting}.{weighted}"


def _rounded(count: float, digits: int = 2) -> str:
    """A count to so many significant digits."""
    return f"{float(f'{count:.{digits}g}'):,.0f}" if math.isfinite(count) else "more"


def _generations(count: int) -> str:
    return f"{count} generation{'' if count == 1 else 's'}"


def _inbred(record: Inbreeding) -> str:
    fixation, is_inbred = record.fixation, record.fixation.low > 0.0 and record.fixation.high >= WORTH_A_WORD
    measured = f"fixation index {fixation.value:.3g} against the founder ({_between(fixation)})"
    text = f"The generation {_how_inbred(record)}: {measured}"
    if record.size is not None and is_inbred and math.isfinite(record.size.value):
        drawn = f"as if each generation were {number(record.size.value)} {record.of}"
        text += f", {drawn} drawn at random ({_between(record.size, digits=0)})"
    text += "."
    if record.expected is not None and is_inbred:
        text += f" Chance alone would give {record.expected:.3g} to its pedigree: {_beyond_chance(record)}."
    return text if record.fitness is None else f"{text} Its relative fitness is {record.fitness:.3f}."


def _how_inbred(record: Inbreeding) -> str:
    low, high = record.fixation.low, record.fixation.high
    if high < 0.0:
        return f"writes more varied {record.of} than the founder"
    if low > 0.0:
        return "is inbred" if high >= WORTH_A_WORD else "is hardly inbred"
    return "is not measurably inbred"


def _beyond_chance(record: Inbreeding) -> str:
    expected = record.expected or 0.0
    if record.fixation.low > expected:
        return "more than chance is at work: decoding, filtering or the model itself narrows the text"
    if record.fixation.high < expected:
        return "less is lost than by chance: the model writes more than it was trained on"
    return "chance explains the loss"


def _depressed(record: Depression) -> str:
    text = (
        f"Its perplexity follows inbreeding with a load of {record.load.value:.2g} nats ({_between(record.load)}) and "
        f"an effective size of {number(record.size.value)} ({_between(record.size, digits=0)})"
    )
    if record.purging is None:
        return f"{text}; there is no evidence of purging."
    return f"{text}, purged with d = {record.purging.value:.2f} ({_between(record.purging)})."


def _fails(forecast: Forecast) -> str:
    last, chance = forecast.generations[-1], forecast.crossed[-1]
    with_share = f"If nothing changes ({share(forecast.real_share)} real data)"
    failing = forecast.fails_at
    if failing is None:
        return f"{with_share}, no generation up to {last} is likely to fail (chance {_chance(chance)})."
    name = one_line(forecast.first_to_fail_by(failing))
    chance = forecast.crossed[forecast.generations.index(failing)]
    return f"{with_share}, generation {failing} fails: {name} is beyond its margin (chance {_chance(chance)})."


def _needs(prescription: Prescription) -> str:
    target = (
        f" {share(prescription.fixation_share)} holds the fixation index at its target."
        if prescription.fixation_share is not None
        else ""
    )
    if prescription.infeasible:
        back = "" if prescription.roll_back_to is None else f" Roll back to generation {prescription.roll_back_to}."
        return f"No share of real data is enough: {one_line(prescription.infeasible)}.{back}{target}"
    assured, spare = f"{share(prescription.assurance)} sure", ""
    if not prescription.real_share:
        within = f"within its margins for {prescription.horizon} generations"
        return f"It needs no real data to stay {within} ({assured}).{target}"
    if prescription.even_share is not None:
        spare = f"; {share(prescription.even_share)} at even odds"
    return (
        f"{share(prescription.real_share)} fresh real data in each generation keeps it within its margins for "
        f"{prescription.horizon} generations ({assured}{spare}); {one_line(prescription.indicator)} needs the most."
        f"{target}"
    )


def _row(outlook: Outlook, forecast: Forecast) -> tuple[Cell, ...]:
    failing = forecast.fails_at
    worst = one_line(forecast.first_to_fail_by(failing or forecast.generations[-1]))
    needed = outlook.prescription.real_share if outlook.prescription else None
    is_needed = needed is not None and abs(forecast.real_share - needed) < 0.005
    roles = [role for role, holds in (("in use", forecast is outlook.forecasts[0]), ("needed", is_needed)) if holds]
    return (
        Cell(text=share(forecast.real_share), detail=", ".join(roles)),
        Cell(text="none" if failing is None else f"generation {failing}"),
        Cell(text=_chance(forecast.crossed[-1])),
        Cell(text=worst if forecast.crossed[-1] > 0.0 else "none", is_name=forecast.crossed[-1] > 0.0),
        *([_band(forecast)] if "perplexity" in outlook.forecasts[0].courses else []),
    )


def _band(forecast: Forecast) -> Cell:
    course = forecast.courses["perplexity"]
    ends = [
        f"{relative(course.median[at])} ({relative(course.low[at])} to {relative(course.high[at])})" for at in (0, -1)
    ]
    return Cell(text=", ".join(ends))


def _between(interval: Interval, *, digits: int = 3) -> str:
    low, high = (_end(end, digits) for end in (interval.low, interval.high))
    return f"{share(interval.level)}: {low} to {high}"


def _end(value: float, digits: int) -> str:
    if math.isinf(value):
        return "no end"
    return f"{value:.{digits}g}" if digits else number(value)


def _chance(probability: float) -> str:
    if probability < 0.005:
        return "under 1%"
    return "over 99%" if probability > 0.995 else f"{probability:.0%}"
