"""From a verdict to the mixture that the guard asks for in the next generation: a pure rule.

Harm grows about in proportion to the synthetic share: on real text, a small language model trained on 100, 75, 50 and
25 % samples of its parent had a held-out loss 0.27, 0.21, 0.16 and 0.08 nats above its founder. So after a COLLAPSED
or a WATCH the synthetic share is cut by the factor that brings the worst deciding indicator back to its watch level:

    synthetic share next = synthetic share in use * min over deciding indicators of (watch level / harm)

| verdict            | real share asked for next                                                         |
|--------------------|-----------------------------------------------------------------------------------|
| COLLAPSED or WATCH | by the formula above                                                              |
| UNDECIDED          | the share in use                                                                  |
| HEALTHY            | the share in use; after `release_after` in a row less `release`, never below `minimum` |

It is raised on evidence and released slowly, so that it does not oscillate, and never to zero. The founder gets no
prescription: it was trained on real data only, and whether to mix at all is its owner's choice.
"""

from __future__ import annotations

from collections.abc import Sequence

from collapse_guard.policy import Reinjection
from collapse_guard.records import Assessment, Comparison, Generation, Mixture, Severity, Verdict


def prescribe(
    verdict: Verdict,
    comparisons: Sequence[Comparison],
    *,
    generation: Generation,
    history: Sequence[Assessment],
    rule: Reinjection,
) -> Mixture | None:
    """The mixture for the generation after this one; None where there is no opinion.

    Args:
        verdict: On this generation.
        comparisons: Of this generation; those that decide are brought back to their watch level.
        generation: This generation, with the mixture that it was trained on; an unknown mixture counts as no real data.
        history: The generations before it.
        rule: Steps and bounds.
    """
    if generation.index == 0:
        return None
    share = generation.mixture.real if generation.mixture else 0.0
    if verdict.severity in (Severity.COLLAPSED, Severity.WATCH):
        return Mixture.with_real(1.0 - (1.0 - share) * _cut(comparisons))
    if share == 0.0:
        return None
    if _healthy_in_a_row(verdict, history) >= rule.release_after:
        share = max(min(rule.minimum, share), share - rule.release)
    return Mixture.with_real(share)


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
