"""What to do about a verdict in the middle of a run: a pure rule. Whoever trains applies it.

| verdict of the look                | done                                                                            |
|------------------------------------|---------------------------------------------------------------------------------|
| WATCH or COLLAPSED, and the look   | the real share is raised to what is asked of the next generation                |
| before it was milder or none       | (`prescription/`), from the first place that no loader has fetched            |
| WATCH or COLLAPSED again           | nothing: what was done must have time to work                                   |
| HEALTHY or UNDECIDED               | nothing: a share is released between generations only                           |

So a healthy lineage is acted on no more often than it is found to drift. What budget and passes leave for the rest of
the run bounds the share. Where that is less than the lineage needs, or no share is enough, the run should halt, and go
back to the newest HEALTHY ancestor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from collapse_guard.decision.policy import Reinjection
from collapse_guard.genetics.ancestry import healthy_ancestor
from collapse_guard.prescription.control import worst_end
from collapse_guard.prescription.prescribe import budget_left
from collapse_guard.records import Assessment, Decision, Severity

_MILDER = {Severity.HEALTHY: 0, Severity.UNDECIDED: 0, Severity.WATCH: 1, Severity.COLLAPSED: 2}


class Run(NamedTuple):
    """Where a run is, over all ranks."""

    step: int
    """Global step."""
    fetched: int
    """The first place that no loader of any rank has fetched."""
    end: int | None
    """The last place that will be trained on, and one; None: not known."""
    real_share: float
    """In use from there on."""
    real_items: int
    """Different real items at hand."""
    real_drawn: int
    """Real items drawn before `fetched`."""
    real_most: int | None = None
    """How many may be drawn in all, by passes; None: no limit."""


def steer(
    look: Assessment,
    run: Run,
    *,
    before: Severity | None,
    history: Sequence[Assessment],
    rule: Reinjection,
    dry_run: bool = False,
) -> Decision | None:
    """What to do about a look at the generation in training; None: nothing.

    Args:
        look: The assessment in the run.
        run: Where the run is.
        before: Verdict of the look before this one; None: this is the first.
        history: The generations before this one.
        rule: Steps and bounds.
        dry_run: Only say it.
    """
    severity = look.verdict.severity
    if _MILDER[severity] <= (_MILDER[before] if before else 0):
        return None
    needed = _needed(look)
    left = _left(run, history, rule)
    affordable = _affordable(left, run)
    wanted = max(run.real_share, look.prescription.real if look.prescription else run.real_share)
    after = max(run.real_share, min(wanted, affordable))
    fault = _fault(look, needed, affordable)
    ancestor = healthy_ancestor([*history, look]) if fault else None
    bad_end, worst = worst_end(look.comparisons)
    return Decision(
        step=run.step,
        severity=severity,
        indicator=worst.indicator if worst else "",
        bad_end=bad_end if math.isfinite(bad_end) else 0.0,
        needed=needed,
        real_before=run.real_share,
        real_after=after,
        from_index=None if dry_run or after == run.real_share else run.fetched,
        affordable=affordable,
        budget_left=left,
        halt=bool(fault),
        roll_back_to=ancestor.generation.index if ancestor else None,
        dry_run=dry_run,
        rule=fault or _rule(severity, run.real_share, after, wanted),
    )


def _needed(look: Assessment) -> float | None:
    needed = look.outlook.prescription if look.outlook else None
    return needed.real_share if needed else None


def _left(run: Run, history: Sequence[Assessment], rule: Reinjection) -> int | None:
    """Real items that may be drawn from `run.fetched` on: the least of budget and passes."""
    past = [one for one in history if one.generation.index]
    budget = budget_left(past[-1].generation, past[:-1], rule) if past else rule.budget
    if budget is not None and budget >= run.real_items:
        budget = None  # it is a budget of different documents, and these are all there are
    limits = [limit - run.real_drawn for limit in (budget, run.real_most) if limit is not None]
    return max(0, min(limits)) if limits else None


def _affordable(left: int | None, run: Run) -> float:
    if left is None or run.end is None or run.end <= run.fetched:
        return 1.0
    return min(1.0, left / (run.end - run.fetched))


def _fault(look: Assessment, needed: float | None, affordable: float) -> str:
    """Why training on is no use, as a sentence; empty where it is."""
    asked = look.outlook.prescription if look.outlook else None
    if asked is not None and asked.infeasible:
        return asked.infeasible
    if needed is not None and affordable < needed:
        return (
            f"a real share of {needed:.0%} is needed, and what budget and passes leave is enough for {affordable:.0%} "
            "of the rest of the run"
        )
    return ""


def _rule(severity: Severity, before: float, after: float, wanted: float) -> str:
    if after == before:
        return f"{severity}: the real share stays at {before:.0%}"
    bounded = f"; {wanted:.0%} is asked for, and budget and passes allow no more" if after < wanted else ""
    return f"{severity}: the real share is raised from {before:.0%} to {after:.0%}{bounded}"
