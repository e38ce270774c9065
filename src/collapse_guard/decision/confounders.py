"""Confounders: what moved what was read of samples, beside a collapse: their lengths, and the prompts they answer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from collapse_guard.comparison.effects import listed, phrase, shown
from collapse_guard.comparison.prompts import PROMPT
from collapse_guard.records import Comparison, Reading, Reason, ReasonKind, Severity
from collapse_guard.records.readings import Readings

LENGTH, TRUNCATED = "sample_length", "truncated_samples"
_LEAST_MOVE = math.log(1.1)
"""Change of the mean length that is worth a word: distinct-n of text changes by a few percent."""
_NOT_OF_SAMPLES = ("document", "item")


def lengths_moved(comparisons: Sequence[Comparison], judged: Sequence[Reason]) -> list[Reason]:
    """A remark where samples got longer or shorter than the founder's, on what may have moved because of that.

    Args:
        comparisons: Of the generation.
        judged: What its deciding comparisons came to.
    """
    against = {one.indicator: one for one in comparisons if one.baseline == "founder"}
    length = against.get(LENGTH)
    names = [
        reason.indicator
        for reason in judged
        if reason.severity is not Severity.HEALTHY
        and reason.indicator != LENGTH
        and reason.indicator in against
        and against[reason.indicator].replicate not in _NOT_OF_SAMPLES
    ]
    if length is None or not names or abs(length.effect) < _LEAST_MOVE or length.low <= 0.0 <= length.high:
        return []
    here, there = (shown(value, length.scale) for value in (length.observed, length.reference))
    sentence = (
        f"samples have {here} tokens on average against the founder's {there} ({phrase(length, length.effect)})"
        f"{_cut(against.get(TRUNCATED))}: {listed(names)} may have moved because of that alone. Sample with the same "
        "limit of length and the same prompts"
    )
    return [
        Reason(
            kind=ReasonKind.LENGTHS_MOVED,
            severity=Severity.HEALTHY,
            indicator=names[0],
            others=tuple(names[1:]),
            sentence=sentence,
        )
    ]


def other_prompts(readings: Readings, drift: Readings) -> list[Reason]:
    """A reason where samples answer other prompts than the founder's: a remark, or UNDECIDED where these are few.

    Prompts that are many stand for others like them. A few stand for themselves, so that samples of others are of
    something else, and nothing that was read of samples can be judged (`is_of_samples`).

    Args:
        readings: Of the generation.
        drift: Of the founder.
    """
    here, there = _prompts(readings), _prompts(drift)
    if here is None or there is None or set(here.keys) == set(there.keys):
        return []
    same = len(set(here.keys) & set(there.keys))
    others = (
        f"the samples answer {len(here.keys):,} prompts, of which {same:,} are among the founder's {len(there.keys):,}"
    )
    if min(len(here.keys), len(there.keys)) >= here.n_minimum:
        what = "if the model is asked for something else now, its diversity changes with that. Give the same prompts"
        return [Reason(kind=ReasonKind.OTHER_PROMPTS, severity=Severity.HEALTHY, sentence=f"{others}: {what}")]
    about = [name for name, reading in readings.items() if is_of_samples(reading)]
    what = (
        "so few stand for themselves alone, and samples of other prompts cannot be compared. Sample the founder's "
        f"prompts, or found a lineage with {here.n_minimum} and more"
    )
    return [
        Reason(
            kind=ReasonKind.OTHER_PROMPTS,
            severity=Severity.UNDECIDED,
            indicator=about[0],
            others=tuple(about[1:]),
            sentence=f"{others}: {what}",
        )
    ]


def is_of_samples(reading: Reading) -> bool:
    """Whether a reading rests on what the samples say."""
    return reading.family == "reverse" or reading.group not in (*_NOT_OF_SAMPLES, "")


def _prompts(readings: Readings) -> Reading | None:
    """The reading of all prompts, the keys of which are they; None where samples were given without."""
    of_prompts = [reading for reading in readings.values() if reading.group == PROMPT]
    return max(of_prompts, key=lambda reading: len(reading.keys), default=None)


def _cut(truncated: Comparison | None) -> str:
    if truncated is None:
        return ""
    here, there = (shown(value, truncated.scale) for value in (truncated.observed, truncated.reference))
    return f", and {here} of them were cut before their end against {there}"
