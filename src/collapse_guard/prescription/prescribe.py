"""The mixture that the guard asks for in the next generation: a pure rule.

The lineage's own generations show how much real data it needs (`outlook`); the verdict says whether to act.

| verdict            | real share asked for next                                                           |
|--------------------|-------------------------------------------------------------------------------------|
| COLLAPSED or WATCH | what the lineage needs, and at least a step or more above the share in use          |
| UNDECIDED          | the share in use                                                                    |
| HEALTHY            | the share in use; after `release_after` in a row a step less, but never below what  |
|                    | the lineage needs, nor below `minimum`                                              |

A step is `release`. Upward, the number of steps is the bad end of the worst interval in units of its watch level, at
most four. The share is raised on evidence and lowered slowly, so that it does not oscillate, and never to zero. If no
share is enough, all data should be real. The founder gets no prescription: it was trained on real data only, and its
owner decides whether to mix at all.

With a `target_fixation` the fixation index is also steered to that target (`control.target_share`), and a HEALTHY
lineage gets the larger of that share and the share it needs.

A `budget` of real documents bounds all of this if the sizes of the training sets are recorded: the next generation gets
at most what is left of it.

A generation that does not descend from the founder has no drift to learn from. Its harm is assumed to be proportional
to the synthetic share, which is cut by the factor that brings the worst deciding indicator back to its watch level.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from collapse_guard.decision.policy import Reinjection
from collapse_guard.genetics.ancestry import line_of_descent
from collapse_guard.prescription.control import Observation, raise_share, target_share
from collapse_guard.records import (
    Assessment,
    Comparison,
    Generation,
    Mixture,
    Outlook,
    Prescription,
    ReasonKind,
    Severity,
    of_foundation,
)


def prescribe(
    assessment: Assessment, *, history: Sequence[Assessment], ahead: Outlook | None, rule: Reinjection
) -> Mixture | None:
    """The mixture for the next generation; None if the guard asks for nothing.

    Args:
        assessment: This generation, with the mixture that it was trained on; an unknown mixture counts as no real data.
            Its comparisons count if the needed share is not known.
        history: The earlier generations.
        ahead: The outlook of the lineage, with the real data that it needs; None: not known.
        rule: Steps and bounds.
    """
    generation = assessment.generation
    if generation.is_founder:
        return None
    needed, held = ahead.prescription if ahead else None, _by_target(assessment, history, ahead, rule)
    if held is not None and assessment.verdict.severity is Severity.HEALTHY:
        share: float | None = max(held, _enough(needed) if needed else 0.0)
    else:
        share = _by_verdict(assessment, history, needed, rule)
        share = share if held is None else max(share or 0.0, held)
    return None if share is None else Mixture.with_real(min(share, affordable(generation, history, rule)))


def affordable(generation: Generation, history: Sequence[Assessment], rule: Reinjection) -> float:
    """Largest real share of a training set as large as that of a generation, for what is left of the budget after it.

    1 where there is no budget, or a size is not recorded.
    """
    left = budget_left(generation, history, rule)
    return 1.0 if left is None or not generation.items else min(1.0, left / generation.items)


def budget_left(generation: Generation, history: Sequence[Assessment], rule: Reinjection) -> int | None:
    """Real documents that the budget still has after a generation; None: no budget, or a size is not recorded."""
    later = [past.generation for past in of_foundation(history, generation) if not past.generation.is_founder]
    spent = [*later, generation]
    used = [_real_items(one) for one in spent]
    if rule.budget is None or None in used:
        return None
    return max(0, rule.budget - sum(number for number in used if number is not None))


def _real_items(generation: Generation) -> int | None:
    if generation.items is None or generation.mixture is None:
        return None
    return round(generation.items * generation.mixture.real)


def _by_verdict(
    assessment: Assessment, history: Sequence[Assessment], needed: Prescription | None, rule: Reinjection
) -> float | None:
    # More real data is no cure of a leak.
    others = [one.severity for one in assessment.verdict.reasons if one.kind is not ReasonKind.LEAKED]
    severity, share = Severity.worst(others), real_share(assessment)
    enough = 1.0 - (1.0 - share) * _cut(assessment.comparisons) if needed is None else _enough(needed)
    if severity in (Severity.COLLAPSED, Severity.WATCH):
        return max(enough, raise_share(share, assessment.comparisons, rule))
    if share == 0.0:
        return None
    if severity is Severity.HEALTHY and _healthy_in_a_row(assessment, history) >= rule.release_after:
        least = max(rule.minimum, enough if needed else 0.0)
        return max(min(least, share), share - rule.release)
    return share


def _by_target(
    assessment: Assessment, history: Sequence[Assessment], ahead: Outlook | None, rule: Reinjection
) -> float | None:
    """Share that steers the fixation index to the target; None: no target, or n_e or an index is not known."""
    inbreeding = ahead.inbreeding if ahead else None
    if rule.target_fixation is None or inbreeding is None or inbreeding.size is None:
        return None
    measured = [
        Observation(real_share(past), past.outlook.inbreeding.fixation.high)
        for past in line_of_descent([*history, assessment])[1:-1]
        if past.outlook is not None and past.outlook.inbreeding is not None
    ]
    now = Observation(real_share(assessment), inbreeding.fixation.high)
    return target_share(rule.target_fixation, [*measured, now], size=inbreeding.size.value, rule=rule)


def real_share(assessment: Assessment) -> float:
    """Real share that a generation was trained on; 0 where it is not known."""
    mixture = assessment.generation.mixture
    return mixture.real if mixture else 0.0


def _enough(needed: Prescription) -> float:
    if needed.real_share is None or needed.infeasible:
        return 1.0
    return max(needed.real_share, needed.fixation_share or 0.0)


def _cut(comparisons: Sequence[Comparison]) -> float:
    factors = [c.watch / c.harm for c in comparisons if c.decides and c.harm > c.watch]
    return min(factors, default=1.0)


def _healthy_in_a_row(assessment: Assessment, history: Sequence[Assessment]) -> int:
    past = [past.verdict.severity for past in (*history, assessment) if not past.generation.is_founder]
    return len(list(takewhile(lambda severity: severity is Severity.HEALTHY, reversed(past))))
