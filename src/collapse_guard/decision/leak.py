"""Leaks: whether a founder finds its evaluation documents harder than those that it was trained on, as it should.

A model knows what it was trained on better than other documents of the same kind. If evaluation documents are shown to
be less than 5% harder in perplexity, the founder has seen them, or it remembers no single document: it is
underfit, or saw each one once among very many. Losses cannot tell these apart, so that is a WATCH, which says both.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.special import stdtrit

from collapse_guard.comparison.effects import relative
from collapse_guard.comparison.paired import paired_difference
from collapse_guard.decision.plausibility import doubt
from collapse_guard.decision.policy import Policy
from collapse_guard.records import EffectScale, Generation, Reading, Reason, ReasonKind, Severity
from collapse_guard.records.readings import TRAINING_PERPLEXITY, Readings

LEAST_HARDER = 0.05
"""So much harder, in perplexity, should documents be that a founder was not trained on."""


class Gap(NamedTuple):
    """How much harder evaluation documents are than training documents, in nats per token, with its interval."""

    value: float
    low: float
    high: float


def gap_of(evaluation: Reading, training: Reading, level: float) -> Gap:
    r"""The difference of two token-weighted means over different documents, with its interval at `level`.

    .. math:: g = \bar x - \bar y, \qquad \mathrm{SE}^2 = \mathrm{SE}_x^2 + \mathrm{SE}_y^2

    Both errors are those of ratio estimators over documents, as in `comparison.paired`.

    Example:
        >>> from collapse_guard.records import Reading
        >>> parts = dict(family="likelihood", unit="", direction="up", n=2, n_minimum=2, value=1.0)
        >>> one = Reading(indicator="perplexity", replicates=(1.0, 2.0), weights=(1.0, 1.0), **parts)
        >>> gap_of(one, one.model_copy(update={"replicates": (0.5, 1.5)}), 0.95).value
        0.5
    """
    sides = [
        paired_difference(observed=one.replicates, reference=(0.0,) * len(one.replicates), weights=one.weights)
        for one in (evaluation, training)
    ]
    value = sides[0].effect - sides[1].effect
    error = math.hypot(*(side.standard_error for side in sides))
    freedom = min(side.degrees_of_freedom for side in sides)
    width = float(stdtrit(max(freedom, 1.0), 0.5 + level / 2.0)) * error
    return Gap(value, value - width, value + width)


def leak_of(generation: Generation, readings: Readings, policy: Policy) -> list[Reason]:
    """What the losses of a founder say of a leak: one reason, or none where they were not given or are not plausible.

    Args:
        generation: The generation; only of the founder, which was trained on real data alone, anything is said.
        readings: Its readings.
        policy: Its confidence, and the lowest perplexity that is plausible.
    """
    evaluation, training = readings.get("perplexity"), readings.get(TRAINING_PERPLEXITY)
    if not generation.is_founder or evaluation is None or training is None:
        return []
    for one, what in ((evaluation, "evaluation"), (training, "training")):
        why = one.problem or doubt({"perplexity": one}, {}, lowest=policy.lowest_perplexity)
        if why:
            return [_said(ReasonKind.NOT_READ, f"a leak cannot be looked for: of {what} documents, {why}")]
    gap = gap_of(evaluation, training, policy.confidence)
    harder = (
        f"the founder's perplexity of evaluation documents is {relative(gap.value)} beside that of training documents "
        f"({relative(gap.low)} to {relative(gap.high)})"
    )
    if gap.high < EffectScale.EXPONENTIAL.effect_of(LEAST_HARDER):
        found = "easier" if gap.high < 0.0 else "hardly harder"
        return [
            _said(
                ReasonKind.LEAKED,
                f"{harder}: they are {found}, as documents are that it was trained on. Look for them in its "
                "training data (`WildType.check_training`); an underfit model, or one that saw each document once, "
                "shows this too",
                Severity.WATCH,
            )
        ]
    if gap.low <= 0.0:
        return [_said(ReasonKind.NOT_READ, f"{harder}: too few documents to tell whether they were trained on")]
    return [_said(ReasonKind.WITHIN_MARGIN, f"{harder}: they are harder, as documents are that it was not trained on")]


def _said(kind: ReasonKind, sentence: str, severity: Severity = Severity.HEALTHY) -> Reason:
    return Reason(kind=kind, severity=severity, indicator=TRAINING_PERPLEXITY, sentence=sentence)
