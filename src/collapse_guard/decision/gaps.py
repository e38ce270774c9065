"""Gaps: generations that a lineage should have and has not. Without its founder nothing is known of its drift.

| what is missing                           | reason                                       |
|-------------------------------------------|----------------------------------------------|
| its founder, at any later generation      | UNDECIDED, whatever the wild type says       |
| other generations since its founder       | a remark                                     |
| generations before its founder            | nothing: they are compared with another one  |
| later ones that are known to have been    | UNDECIDED, where the newest one was asked for|
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

from collapse_guard.comparison.effects import listed
from collapse_guard.errors import FOUND_ANEW
from collapse_guard.records import Assessment, Reason, ReasonKind, Severity, Verdict

NONE_MISSING: Mapping[int, str] = MappingProxyType({})
_TOLD = 3
"""How many generations that can be restored, and how many stretches, are told one by one."""


def gaps_of(
    index: int, present: Collection[int], missing: Mapping[int, str] = NONE_MISSING, *, founder: int = 0
) -> list[Reason]:
    """What is to be said of a generation because earlier ones are missing: reasons, the founder's first.

    Args:
        index: Number of the generation.
        present: Numbers of the earlier generations that are there.
        missing: Number of each generation that is known to have been there -> how it is restored.
        founder: Number of its founder.

    Example:
        >>> [reason.sentence for reason in gaps_of(4, [0, 3])]
        ['generations 1 and 2 of this lineage are missing: nothing that is said here rests on that']
    """
    if index == founder:
        return []
    without_founder = [] if founder in present else [_no_founder(founder, missing)]
    stretches = _stretches(founder, index, present)
    return without_founder + ([_remark(stretches, missing)] if stretches else [])


def as_of_now(history: Sequence[Assessment], missing: Mapping[int, str], *, is_newest: bool) -> list[Assessment]:
    """A stored lineage, with what the verdict of its last generation has to say of generations that are missing now.

    Args:
        history: The generations up to the one that is asked for, oldest first.
        missing: Number of each generation that is known to have been there -> how it is restored.
        is_newest: Whether it was asked for as the newest one, not by its number.
    """
    *earlier, last = history
    index = last.generation.index
    reasons = gaps_of(index, [past.generation.index for past in earlier], missing, founder=last.generation.founder)
    later = max(missing, default=-1)
    if is_newest and later > index:
        reasons.insert(0, _newer(index, later, missing))
    stored = [reason for reason in last.verdict.reasons if reason.kind is not ReasonKind.GAP]
    known = {reason.kind for reason in stored}
    added = [reason for reason in reasons if reason.kind not in known]
    return [*earlier, last.model_copy(update={"verdict": _with(last.verdict, [*stored, *added])})]


def _with(verdict: Verdict, reasons: Sequence[Reason]) -> Verdict:
    """The verdict with these reasons: worst first, its severity the worst of them."""
    severity = Severity.worst([reason.severity for reason in reasons])
    shown = verdict.shown
    if severity is Severity.UNDECIDED:
        shown = Severity.WATCH if verdict.known is Severity.WATCH else Severity.UNDECIDED
    ordered = sorted(reasons, key=lambda reason: -reason.severity.rank)
    return verdict.model_copy(update={"severity": severity, "reasons": tuple(ordered), "shown": shown})


def _no_founder(founder: int, missing: Mapping[int, str]) -> Reason:
    how = missing.get(founder) or f"restore it from a backup, or {FOUND_ANEW}"
    sentence = (
        f"generation {founder}, the founder of this lineage, is missing, so nothing tells how far it has moved: {how}"
    )
    return Reason(kind=ReasonKind.NO_FOUNDER, severity=Severity.UNDECIDED, sentence=sentence)


def _newer(index: int, later: int, missing: Mapping[int, str]) -> Reason:
    sentence = (
        f"generation {later}, the newest of this lineage, is missing: {missing[later]}; "
        f"or say that generation {index} is meant: `--generation {index}`"
    )
    return Reason(kind=ReasonKind.GAP, severity=Severity.UNDECIDED, sentence=sentence)


def _remark(stretches: Sequence[tuple[int, int]], missing: Mapping[int, str]) -> Reason:
    one = stretches[0][0] == stretches[-1][1]
    named = listed([*_names(stretches[:_TOLD]), *(["more"] if len(stretches) > _TOLD else [])])
    which = f"{'generation' if one else 'generations'} {named} of this lineage {'is' if one else 'are'} missing"
    known = [number for first, last in stretches for number in sorted(missing) if first <= number <= last][:_TOLD]
    how = "; ".join(f"generation {number}: {missing[number]}" for number in known)
    sentence = f"{which}: {how or 'nothing that is said here rests on that'}"
    return Reason(kind=ReasonKind.GAP, severity=Severity.HEALTHY, sentence=sentence)


def _stretches(founder: int, index: int, present: Collection[int]) -> list[tuple[int, int]]:
    """First and last of each row of missing generations between the founder and a generation."""
    there = [founder, *sorted(number for number in present if founder < number < index), index]
    return [(before + 1, after - 1) for before, after in pairwise(there) if after - before > 1]


def _names(stretches: Sequence[tuple[int, int]]) -> Iterator[str]:
    for first, last in stretches:
        yield from [f"{first} to {last}"] if last - first > 1 else map(str, range(first, last + 1))
