"""From comparisons to a verdict: pure and total, without a trainer, clock, file or random number.

Each deciding comparison, and each obstacle that prevented one, becomes a reason with a severity; the verdict is the
worst of them (the truth table is `Severity`). Nothing is averaged.

| the deciding comparison                                       | severity  |
|---------------------------------------------------------------|-----------|
| harm beyond the margin, for the lineage and all indicators    | COLLAPSED |
| else not shown to be within the margin                        | UNDECIDED |
| else harm beyond the watch level, and beyond chance alone     | WATCH     |
| else harm beyond what another seed alone does, where known    | WATCH     |
| else                                                          | HEALTHY   |

A founder is judged by distance and cannot collapse: whatever is not HEALTHY becomes one WATCH (`founder`).

A p-value "for the lineage" is one whose chance of ever falling to a level is at most that level, over all generations
(`lineage_p`); Holm's correction over the indicators comes on top. docs/design/statistics.md has the proofs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from collapse_guard.comparison.multiplicity import holm
from collapse_guard.comparison.sequential import cusum, generation_share, horizon_p, product, spending_share
from collapse_guard.decision.alerts import alert_after
from collapse_guard.decision.confounders import lengths_moved
from collapse_guard.decision.founder import of_founder
from collapse_guard.decision.policy import Policy
from collapse_guard.decision.reasons import is_better, sentence
from collapse_guard.indicators.base import all_indicators
from collapse_guard.records import Assessment, Comparison, Generation, Reason, ReasonKind, Severity, Verdict

Threshold = Literal["margin", "watch"]
_PUT_ASIDE = (ReasonKind.IMPLAUSIBLE, ReasonKind.UNINFORMATIVE)
_GROUND = (ReasonKind.FOUNDED_ANEW, ReasonKind.LEAKED)


def decide(
    comparisons: Sequence[Comparison],
    history: Sequence[Assessment] = (),
    *,
    generation: Generation,
    policy: Policy,
    obstacles: Sequence[Reason] = (),
    look: int | None = None,
) -> Verdict:
    """Decide on one generation.

    The chance that a lineage whose harm stays within its margins ever gets a COLLAPSED is at most `Policy.alpha`, and
    that one in which retraining changes nothing ever gets a WATCH is at most `Policy.watch_alpha`. A pass needs every
    deciding indicator within its margin (intersection-union), so it needs no correction.

    Args:
        comparisons: Of this generation; those with `decides` false are ignored.
        history: The earlier generations of the same founder, oldest first: their verdicts say whether this one is news,
            and if folds rotate their comparisons are evidence too.
        generation: The generation to judge.
        policy: Levels and margins.
        obstacles: Reasons why a comparison that should decide could not be made.
        look: How often this generation was judged before; None: it is judged only once.

    Returns:
        The verdict, worst reasons first.
    """
    t, deciding = generation.since_founder, [comparison for comparison in comparisons if comparison.decides]
    # What was put aside after a look at it counts in the correction as if it had shown nothing.
    aside = [1.0] * sum(1 + len(reason.others) for reason in obstacles if reason.kind in _PUT_ASIDE)
    beyond, watch = (
        holm(
            [
                *(lineage_p(c, history, threshold, since_founder=t, policy=policy, look=look) for c in deciding),
                *aside,
            ]
        )
        for threshold in ("margin", "watch")
    )
    judged = [
        judge(comparison, p=p, p_watch=q, policy=policy, since_founder=t)
        for comparison, p, q in zip(deciding, beyond, watch, strict=False)
    ]
    worst_first = sorted(zip(deciding, judged, strict=True), key=lambda pair: -_excess(pair[0]))
    told = of_founder(worst_first) if generation.is_founder else [reason for _, reason in worst_first]
    reasons = sorted([*told, *obstacles], key=_worst_first)
    severity = Severity.worst([reason.severity for reason in reasons])
    watched = any(_is_watched(one, q, policy) or one.beyond_seeds for one, q in zip(deciding, watch, strict=False))
    shown = Severity.WATCH if severity is Severity.UNDECIDED and watched else severity
    return Verdict(
        severity=severity,
        reasons=(*reasons, *lengths_moved(comparisons, judged), *_remarks(deciding, policy)),
        lineage=generation.lineage,
        generation=generation.index,
        wild_type=generation.wild_type,
        policy=policy.fingerprint,
        shown=shown,
        alert=alert_after([*(past.verdict.known for past in history), shown], policy.alerts),
    )


def lineage_p(
    comparison: Comparison,
    history: Sequence[Assessment],
    threshold: Threshold,
    *,
    since_founder: int,
    policy: Policy,
    look: int | None = None,
) -> float:
    """A p-value that holds for all generations of a founder: P(it is ever at most a) <= a, while harm is at most margin
    or watch.

    If all are judged on the same documents, the t-th after the founder spends the share 1/(t(t+1)) of any level, so its
    p-value is divided by that share (a union bound, valid under any dependence). If folds rotate, the evidence of a
    cycle of T generations is an e-detector M, T/M is the p-value, and cycles share the level as generations do.

    Args:
        comparison: Of this generation.
        history: The generations before it; their comparisons with the same baseline are used where folds rotate.
        threshold: Whether the p-value is for harm beyond the margin or the watch level.
        since_founder: t, how many generations it is after its founder.
        policy: How evidence is shared among generations.
        look: How many times this generation was judged before; looks share its part as generations share the whole.
    """
    e_value = _e_value(comparison, threshold)
    of_look = 1.0 if look is None else spending_share(look)
    if policy.rotate_folds is None or e_value is None or since_founder == 0:
        p = comparison.p_beyond_margin if threshold == "margin" else comparison.p_beyond_watch
        return min(1.0, p / (generation_share(since_founder) * of_look))
    cycle = cycle_of(since_founder, policy.rotate_folds)
    before = [past for past in history if cycle_of(past.generation.since_founder, policy.rotate_folds) == cycle]
    e_values = [e for past in before for e in _past_e_values(past, comparison, threshold)]
    p = _accumulated(policy, [*e_values, e_value])
    return min(1.0, p / (spending_share(cycle) * of_look))


def cycle_of(since_founder: int, folds: int) -> int:
    """Which round through the folds the t-th generation after its founder belongs to; the founder, the baseline,
    belongs to none: -1.

    Example:
        >>> [cycle_of(t, folds=3) for t in range(6)]
        [-1, 0, 0, 0, 1, 1]
    """
    return (since_founder - 1) // folds


def judge(comparison: Comparison, *, p: float, p_watch: float, policy: Policy, since_founder: int) -> Reason:
    """Turn one comparison into a reason, by the table at the top of this file."""
    metric = all_indicators().get(comparison.indicator)
    if p <= policy.alpha:
        kind, severity = ReasonKind.BEYOND_MARGIN, Severity.COLLAPSED
    elif not comparison.p_within_margin <= 1.0 - policy.confidence:
        kind, severity = ReasonKind.NOT_SHOWN, Severity.UNDECIDED
    elif _is_watched(comparison, p_watch, policy):
        kind, severity = ReasonKind.BEYOND_WATCH, Severity.WATCH
    elif comparison.beyond_seeds:
        kind, severity = ReasonKind.BEYOND_SEEDS, Severity.WATCH
    else:
        is_contrast = metric is not None and metric.is_contrast
        better = is_better(comparison) and not is_contrast
        kind, severity = ReasonKind.BETTER if better else ReasonKind.WITHIN_MARGIN, Severity.HEALTHY
    return Reason(
        kind=kind,
        severity=severity,
        indicator=comparison.indicator,
        definitions=metric.definitions if metric else (),
        sentence=sentence(comparison, kind, p=p, level=policy.alpha, since_founder=since_founder),
    )


def _is_watched(comparison: Comparison, p: float, policy: Policy) -> bool:
    """Whether harm is beyond the watch level, which is what chance alone does not reach where that is known."""
    if comparison.chance is None or policy.rotate_folds is not None:
        return p <= policy.watch_alpha
    return comparison.harm > comparison.watch


def _e_value(comparison: Comparison, threshold: Threshold) -> float | None:
    return comparison.e_beyond_margin if threshold == "margin" else comparison.e_beyond_watch


def _past_e_values(past: Assessment, like: Comparison, threshold: Threshold) -> list[float]:
    e_values = [
        _e_value(comparison, threshold)
        for comparison in past.comparisons
        if (comparison.indicator, comparison.baseline) == (like.indicator, like.baseline)
        and not past.verdict.disbelieves(like.indicator)
    ]
    return [e_value for e_value in e_values if e_value is not None]


def _accumulated(policy: Policy, e_values: Sequence[float]) -> float:
    if policy.accumulate == "product":
        return horizon_p(product(e_values)[-1], 1)
    return horizon_p(cusum(e_values)[-1], policy.rotate_folds or 1)


def _worst_first(reason: Reason) -> tuple[int, bool]:
    """Among equals, a founding anew and a leak come first: they say what all others rest on."""
    return -reason.severity.rank, reason.kind not in _GROUND


def _excess(comparison: Comparison) -> float:
    """Harm in margins: units differ between indicators."""
    excess = comparison.harm / comparison.margin
    return excess if not math.isnan(excess) else math.inf


def _remarks(deciding: Sequence[Comparison], policy: Policy) -> list[Reason]:
    """Remarks that limit a verdict without changing it."""
    drift = [comparison.indicator for comparison in deciding if comparison.baseline == "founder"]
    unknown = [name for name in drift if name not in policy.seed_noise]
    if not unknown:
        return []
    names = "" if len(unknown) == len(drift) else f" in {', '.join(unknown)}"
    remark = (
        f"the noise of seeds{names} was not measured, so the margins are the policy's "
        "(`collapse-guard calibrate` measures it from control retrains)"
    )
    return [Reason(kind=ReasonKind.SEED_NOISE, severity=Severity.HEALTHY, sentence=remark)]
