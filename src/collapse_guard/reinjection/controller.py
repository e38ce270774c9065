"""The rule for a verdict in the middle of a run: a pure function that any training loop can apply.

| verdict of the check               | action                                                                          |
|------------------------------------|---------------------------------------------------------------------------------|
| WATCH or COLLAPSED, and the        | raise the real share to what the next generation is asked for                   |
| previous check was milder or none  | (`prescription/`), from the first place that no loader has fetched              |
| WATCH or COLLAPSED again           | none: give the last action time to work                                         |
| HEALTHY or UNDECIDED               | none: the share is lowered between generations only                             |

So the rule acts on a healthy lineage only as often as its checks report drift. The share is bounded by what budget and
passes leave for the rest of the run. If that is less than the lineage needs, or if no share is enough, the run should
halt and go back to the newest HEALTHY ancestor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from collapse_guard.decision.policy import Reinjection
from collapse_guard.genetics.ancestry import healthy_ancestor
from collapse_guard.prescription.control import worst_end
from collapse_guard.prescription.prescribe import budget_left
from collapse_guard.records import Assessment, Decision, Prescription, Severity, of_foundation

_MILDER = {Severity.HEALTHY: 0, Severity.UNDECIDED: 0, Severity.WATCH: 1, Severity.COLLAPSED: 2}


class Run(NamedTuple):
    """Where a run is, over all ranks."""

    step: int
    """Global step."""
    fetched: int
    """The first place that no loader of any rank has fetched."""
    end: int | None
    """One after the last place that will be trained on; None: not known."""
    real_share: float
    """Real share in use from `fetched` on."""
    real_items: int
    """Number of different real items."""
    real_drawn: int
    """Real items drawn before `fetched`."""
    real_most: int | None = None
    """Real items that the passes allow in all; None: no limit."""


def steer(
    look: Assessment,
    run: Run,
    *,
    before: Severity | None,
    history: Sequence[Assessment],
    rule: Reinjection,
    dry_run: bool = False,
) -> Decision | None:
    """Decide what to do about an assessment of the generation in training; None: nothing.

    Args:
        look: The assessment in the run.
        run: Where the run is.
        before: Verdict of the previous assessment in this run; None: this is the first.
        history: The earlier generations.
        rule: Steps and bounds.
        dry_run: Record the decision without applying it.
    """
    severity = look.verdict.severity
    if _MILDER[severity] <= (_MILDER[before] if before else 0):
        return None
    target = look.outlook.prescription if look.outlook else None
    past = of_foundation(history, look.generation)
    left = _items_left(run, past, rule)
    affordable = _affordable_share(left, run)
    goal = max(run.real_share, look.prescription.real if look.prescription else run.real_share)
    after = max(run.real_share, min(goal, affordable))
    fault = _fault(target, affordable)
    ancestor = healthy_ancestor([*past, look]) if fault else None
    bad_end, worst = worst_end(look.comparisons)
    return Decision(
        step=run.step,
        severity=severity,
        indicator=worst.indicator if worst else "",
        bad_end=bad_end if math.isfinite(bad_end) else 0.0,
        needed=target.real_share if target else None,
        real_before=run.real_share,
        real_after=after,
        from_index=None if dry_run or after == run.real_share else run.fetched,
        affordable=affordable,
        budget_left=left,
        halt=bool(fault),
        roll_back_to=ancestor.generation.index if ancestor else None,
        dry_run=dry_run,
        rule=fault or _rule(severity, run.real_share, after, goal),
    )


def _items_left(run: Run, history: Sequence[Assessment], rule: Reinjection) -> int | None:
    """Real items that may be drawn from `run.fetched` on: the smaller of budget and passes."""
    past = [one for one in history if not one.generation.is_founder]
    budget = budget_left(past[-1].generation, past[:-1], rule) if past else rule.budget
    if budget is not None and budget >= run.real_items:
        budget = None  # the budget counts different documents, and there are no more than it allows
    limits = [limit - run.real_drawn for limit in (budget, run.real_most) if limit is not None]
    return max(0, min(limits)) if limits else None


def _affordable_share(left: int | None, run: Run) -> float:
    if left is None or run.end is None or run.end <= run.fetched:
        return 1.0
    return min(1.0, left / (run.end - run.fetched))


def _fault(target: Prescription | None, affordable: float) -> str:
    """Why the run should halt, as a sentence; empty if it should go on."""
    if target is None:
        return ""
    needed = target.real_share
    if needed is not None and affordable < needed and not target.infeasible:
        return (
            f"a real share of {needed:.0%} is needed, but budget and passes leave enough for {affordable:.0%} "
            "of the rest of the run"
        )
    return target.infeasible


def _rule(severity: Severity, before: float, after: float, goal: float) -> str:
    if after == before:
        return f"{severity}: the real share stays at {before:.0%}"
    bound = f"; {goal:.0%} is asked for, but budget and passes allow no more" if after < goal else ""
    return f"{severity}: the real share is raised from {before:.0%} to {after:.0%}{bound}"
