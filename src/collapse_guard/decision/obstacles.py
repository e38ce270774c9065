"""Obstacles: why an indicator that should decide cannot, as reasons.

| what is there                                                      | reason                    |
|--------------------------------------------------------------------|---------------------------|
| losses that do not look like losses (`plausibility`)               | UNDECIDED                 |
| no usable reading here, but one of founder or wild type            | UNDECIDED                 |
| a usable one here, none of the founder, but one of the wild type   | UNDECIDED                 |
| the same, where the founder's evidence was read for others         | a remark                  |
| losses or scores that are not finite                               | UNDECIDED                 |
| two usable readings that cannot be compared                        | UNDECIDED                 |
| no usable reading at the baseline either, or no baseline           | a remark, or UNDECIDED if |
| one value in every group, here and at the baseline: it says nothing| the policy requires it    |
| a usable reading of the founder, which nothing is compared with    | it is the baseline        |
| a value that is only told (`Reading.is_only_told`)                 | none                      |

So what nobody can read keeps no generation from passing; but if nothing at all could be judged, it is UNDECIDED. Few
samples are no excuse where the wild type itself can be read: more would do, and a collapse must not pass unseen.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from collapse_guard.comparison.compare import obstacle
from collapse_guard.comparison.effects import listed, shown
from collapse_guard.decision.baselines import on_fold
from collapse_guard.decision.plausibility import doubt, near_a_unit, of_documents
from collapse_guard.decision.policy import Policy
from collapse_guard.decision.saturation import says_nothing
from collapse_guard.errors import FOUND_ANEW
from collapse_guard.indicators.base import all_indicators
from collapse_guard.records import Direction, EffectScale, Generation, Reading, Reason, ReasonKind, Severity
from collapse_guard.records.readings import Readings

_NO_BASELINE = (
    "the founder of this lineage was not measured for that, so there is no baseline: "
    "give a generation that has it, and " + FOUND_ANEW
)
_CAME_LATER = (
    "nothing of it was read at the founder, by an earlier version or for lack of what it needs: to have it judged, "
    f"{FOUND_ANEW}"
)
_REMARKS = (ReasonKind.NOT_READ, ReasonKind.UNINFORMATIVE)
_ALIKE = (*_REMARKS, ReasonKind.NO_BASELINE)


def obstacles_of(
    generation: Generation, readings: Readings, reference: Readings, *, drift: Readings, policy: Policy
) -> list[Reason]:
    """Reasons why indicators that should decide cannot: UNDECIDED, or remarks by the table at the top of this file.

    Args:
        generation: The generation.
        readings: Its readings.
        reference: Those of the wild type.
        drift: Those of the founder; empty if there are none.
        policy: What should decide.
    """
    asked = dict.fromkeys((*policy.decides, *policy.required))
    implausible = _implausible(readings, drift, asked, policy)
    doubtful = {name for reason in implausible for name in asked if reason.is_about(name)}
    fold = generation.since_founder if drift else None
    here = on_fold(readings, fold, policy)
    baseline = reference if generation.is_founder else on_fold(drift, fold, policy)
    in_whole = reference if generation.is_founder else drift
    readable = {name for side in (reference, drift) for name, one in side.items() if one.is_usable}
    found = []
    for name in asked:
        if name in doubtful or any(name in side and side[name].is_only_told for side in (here, drift)):
            continue
        if name in here:
            sides = _Sides(
                here[name],
                baseline.get(name),
                in_whole.get(name),
                is_readable=name in readable,
                came_later=_came_later(name, drift),
            )
            found.append(_obstacle(generation, sides, is_required=name in policy.required))
        else:
            found.append(_absence(name, drift.get(name), policy))
    reasons = implausible + _together(reason for reason in found if reason is not None)
    is_judged = any(
        name in here and name in baseline and not any(reason.is_about(name) for reason in reasons)
        for name in policy.decides
    )
    return reasons + _nothing_judged(reasons, is_judged=is_judged) + _hints(readings, drift, asked, implausible)


def _implausible(readings: Readings, drift: Readings, asked: Collection[str], policy: Policy) -> list[Reason]:
    """The reason that losses are no losses; none where they are, or where nothing rests on them."""
    about = [name for name in asked if name in of_documents(readings)]
    why = doubt(readings, drift, lowest=policy.lowest_perplexity) if about else ""
    return [_reason(ReasonKind.IMPLAUSIBLE, Severity.UNDECIDED, about, why)] if why else []


def _hints(readings: Readings, drift: Readings, asked: Collection[str], implausible: Sequence[Reason]) -> list[Reason]:
    about = [name for name in asked if name in of_documents(readings)]
    hint = near_a_unit(readings, drift) if about and not implausible else ""
    return [_reason(ReasonKind.NEAR_A_UNIT, Severity.HEALTHY, (), hint)] if hint else []


class _Sides(NamedTuple):
    """What there is of one indicator."""

    here: Reading
    """The generation's reading, on its fold."""
    baseline: Reading | None
    """The baseline's on that fold; None if it has none."""
    in_whole: Reading | None
    """The baseline's on all folds."""
    is_readable: bool
    """Whether founder or wild type have a usable reading."""
    came_later: bool
    """Whether other indicators were read of the founder's evidence, and this one was not."""


def _obstacle(generation: Generation, sides: _Sides, *, is_required: bool) -> Reason | None:
    """Why an indicator that was measured cannot decide, as a reason; None if it can."""
    reading, baseline = sides.here, sides.baseline
    name = reading.indicator
    if not reading.is_usable:
        if sides.is_readable or is_required or _is_broken(reading):
            kind = ReasonKind.TOO_FEW if 0 < reading.n < reading.n_minimum else ReasonKind.NOT_A_NUMBER
            return _undecided(kind, name, f"{name}: {reading.problem}" if reading.problem else _no_number(name))
        return _remark(ReasonKind.NOT_READ, name, reading.problem or _no_number(name), is_required=False)
    if baseline is not None and sides.in_whole is not None and sides.in_whole.is_usable:
        return _of_two(reading, baseline, is_required=is_required)
    if generation.is_founder:
        return _founders(reading)
    if baseline is None and sides.came_later:
        return _remark(ReasonKind.NOT_READ, name, _CAME_LATER, is_required=is_required)
    why = _NO_BASELINE if baseline is None else f"at the baseline, {baseline.problem or _no_number(name)}"
    if not sides.is_readable:
        return _remark(ReasonKind.NOT_READ, name, why, is_required=is_required)
    if baseline is None:
        return _undecided(ReasonKind.NO_BASELINE, name, why)
    return _undecided(ReasonKind.MISSING, name, f"{name} cannot be judged: {why}; {FOUND_ANEW}")


def _of_two(reading: Reading, baseline: Reading, *, is_required: bool) -> Reason | None:
    """Why two usable readings say nothing together; None if they do."""
    name, why_not = reading.indicator, obstacle(reading, baseline)
    if why_not and _nothing_to_lose(reading, baseline):
        return _remark(
            ReasonKind.NOT_READ, name, "it is 0 at the baseline, so none can be lost", is_required=is_required
        )
    if why_not:
        return _undecided(ReasonKind.MISSING, name, why_not)
    if says_nothing(reading, baseline):
        value = shown(reading.value, reading.scale)
        same = f"it is {value} in every {reading.group or 'group'}, here and at the baseline, so it tells nothing"
        return _remark(ReasonKind.UNINFORMATIVE, name, same, is_required=is_required)
    return None


def _came_later(name: str, drift: Readings) -> bool:
    """Whether others were read of the founder's evidence, and this one, which comes of the same, was not."""
    metrics = all_indicators()
    if name in drift or name not in metrics:
        return False
    of_losses = metrics[name].evidence == "losses"
    read = [metrics[other].evidence for other in drift if other in metrics]
    return any((kind == "losses") == of_losses for kind in read if kind not in ("outputs", "scores", "lineage"))


def _nothing_to_lose(reading: Reading, baseline: Reading) -> bool:
    is_lost_by_falling = reading.direction is Direction.DOWN and reading.scale is EffectScale.LOG_RATIO
    return is_lost_by_falling and not reading.keys and math.fsum(baseline.replicates) <= 0.0


def _is_broken(reading: Reading) -> bool:
    """Whether losses or scores were given that are not finite: a model that diverged, not one that was not measured."""
    return reading.group in ("document", "item") and not all(map(math.isfinite, reading.replicates))


def _absence(name: str, at_founder: Reading | None, policy: Policy) -> Reason | None:
    """Why an indicator that was not measured should have been; None if nobody expects it."""
    if name in policy.required:
        return _undecided(ReasonKind.MISSING, name, f"{name} is required by the policy, but was not measured")
    if at_founder is not None and at_founder.is_usable:
        return _undecided(ReasonKind.MISSING, name, f"{name} was measured at the founder, but not in this generation")
    return None


def _founders(reading: Reading) -> Reason:
    value = shown(reading.value, reading.scale)
    sentence = f"{reading.indicator} is {value}: this is the founder, so it is the baseline of later generations"
    return Reason(kind=ReasonKind.BASELINE, severity=Severity.HEALTHY, indicator=reading.indicator, sentence=sentence)


def _nothing_judged(reasons: Sequence[Reason], *, is_judged: bool) -> list[Reason]:
    """The reason that nothing was judged, where nothing else says so."""
    if is_judged or any(reason.kind not in _REMARKS for reason in reasons):
        return []
    why = "; ".join(reason.sentence for reason in reasons)
    sentence = f"no deciding indicator could be judged: {why}" if why else _NOTHING
    return [Reason(kind=ReasonKind.MISSING, severity=Severity.UNDECIDED, sentence=sentence)]


_NOTHING = "no deciding indicator was measured: give losses or samples"


def _together(reasons: Iterable[Reason]) -> list[Reason]:
    """Reasons in order, with one for all indicators that a remark, or the lack of a baseline, is alike for."""
    kept: dict[tuple[ReasonKind, str], list[Reason]] = {}
    for reason in reasons:
        key = reason.sentence if reason.kind in _ALIKE else reason.indicator
        kept.setdefault((reason.kind, key), []).append(reason)
    return [
        _reason(kind, alike[0].severity, [one.indicator for one in alike], _not_judged(alike))
        if kind in _ALIKE
        else alike[0]
        for (kind, _), alike in kept.items()
    ]


def _not_judged(alike: Sequence[Reason]) -> str:
    names = listed([reason.indicator for reason in alike])
    return f"{names} {'are' if len(alike) > 1 else 'is'} not judged: {alike[0].sentence}"


def _remark(kind: ReasonKind, name: str, why: str, *, is_required: bool) -> Reason:
    if is_required:
        return _undecided(ReasonKind.MISSING, name, f"{name} is required by the policy, but cannot be judged: {why}")
    return Reason(kind=kind, severity=Severity.HEALTHY, indicator=name, sentence=why)


def _undecided(kind: ReasonKind, name: str, sentence: str) -> Reason:
    return _reason(kind, Severity.UNDECIDED, [name], sentence)


def _reason(kind: ReasonKind, severity: Severity, about: Sequence[str], sentence: str) -> Reason:
    first, *others = about or ("",)
    return Reason(kind=kind, severity=severity, indicator=first, others=tuple(others), sentence=sentence)


def _no_number(name: str) -> str:
    return f"{name} is not a number"
