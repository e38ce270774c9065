"""From a verdict to the mixture that the guard asks for in the next generation: a pure rule.

How much real data a lineage needs is learned from its own generations (`outlook.py`); the verdict says whether to act.

| verdict            | real share asked for next                                                           |
|--------------------|-------------------------------------------------------------------------------------|
| COLLAPSED or WATCH | what the lineage needs, and at least a step more than the share in use              |
| UNDECIDED          | the share in use                                                                    |
| HEALTHY            | the share in use; after `release_after` in a row a step less, but never below what  |
|                    | the lineage needs, nor below `minimum`                                              |

A step is `release`. The share is raised on evidence and released slowly, so that it does not oscillate, and never to
zero. Where no share is enough, all is real. The founder gets no prescription: it was trained on real data only, and
whether to mix at all is its owner's choice.

A lineage without a founder has no drift to learn from. There harm is taken to be in proportion to the synthetic share,
which is cut by the factor that brings the worst deciding indicator back to its watch level.
"""

from __future__ import annotations

from collections.abc import Sequence

from collapse_guard.policy import Reinjection
from collapse_guard.records import Assessment, Comparison, Generation, Mixture, Prescription, Severity, Verdict


def prescribe(
    verdict: Verdict,
    comparisons: Sequence[Comparison],
    *,
    generation: Generation,
    history: Sequence[Assessment],
    needed: Prescription | None,
    rule: Reinjection,
) -> Mixture | None:
    """The mixture for the generation after this one; None where there is no opinion.

    Args:
        verdict: On this generation.
        comparisons: Of this generation; they count where `needed` is not known.
        generation: This generation, with the mixture that it was trained on; an unknown mixture counts as no real data.
        history: The generations before it.
        needed: How much real data the lineage needs; None: not known.
        rule: Steps and bounds.
    """
    if generation.index == 0:
        return None
    share = generation.mixture.real if generation.mixture else 0.0
    enough = 1.0 - (1.0 - share) * _cut(comparisons) if needed is None else _enough(needed)
    if verdict.severity in (Severity.COLLAPSED, Severity.WATCH):
        return Mixture.with_real(min(1.0, max(enough, share + rule.release)))
    if share == 0.0:
        return None
    if verdict.severity is Severity.HEALTHY and _healthy_in_a_row(verdict, history) >= rule.release_after:
        least = max(rule.minimum, enough if needed else 0.0)
        share = max(min(least, share), share - rule.release)
    return Mixture.with_real(share)


def _enough(needed: Prescription) -> float:
    if needed.real_share is None or needed.infeasible:
        return 1.0
    return max(needed.real_share, needed.fixation_share or 0.0)


def _cut(comparisons: Sequence[Comparison]) -> float:
    factors = [c.watch / c.harm for c in comparisons if c.decides and c.harm > c.watch]
    return min(factors, default=1.0)


def _healthy_in_a_row(verdict: Verdict, history: Sequence[Assessment]) -> int:
    past = [assessment.verdict.severity for assessment in history if assessment.generation.index]
    count = 0
    for severity in (verdict.severity, *reversed(past)):
        if severity is not Severity.HEALTHY:
            break
        count += 1
    return count
