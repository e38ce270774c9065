"""Leaks: whether a model was trained on evaluation documents. Then its losses on them are too low to be compared.

| what is known                                                         | of a founder      | of a later one |
|-----------------------------------------------------------------------|-------------------|----------------|
| its training texts hold evaluation documents, beyond chance           | WATCH             | WATCH          |
| its training texts do not, beyond chance                              | nothing           | nothing        |
| its losses: evaluation documents are easier than training documents   | WATCH             | not looked at  |
| its losses: they are shown to be less than 5% harder                  | WATCH, or a remark| not looked at  |
|                                                                       | where texts of its|                |
|                                                                       | training are clean|                |

A model knows what it was trained on better than other documents of the same kind, unless it remembers no single
document: it is underfit, or saw each one once among very many. Losses cannot tell that from a leak; training texts can.

A founder that is a WATCH for a leak is no baseline on documents that it was trained on (`decision.leaked_founder`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.special import stdtrit
from scipy.stats import binom

from collapse_guard.comparison.effects import relative
from collapse_guard.comparison.paired import paired_difference
from collapse_guard.decision.plausibility import doubt
from collapse_guard.decision.policy import Policy
from collapse_guard.records import EffectScale, Generation, Reading, Reason, ReasonKind, Severity, TrainingCheck
from collapse_guard.records.readings import TRAINING_PERPLEXITY, Readings

LEAST_HARDER = 0.05
"""So much harder, in perplexity, should documents be that a founder was not trained on."""
COPIED = 0.04
"""Largest share of fresh documents that are copies of evaluation documents by chance. It was 3% of the functions of
Python's standard library, 0.1% of the paragraphs of speeches, and hardly any of an encyclopedia."""
CHANCE = 0.005
"""Probability of a WATCH where that is so."""
COVERED, FEWEST_COVERED = 0.10, 3
"""Share of the evaluation documents, and number, that make a leak however many texts they were found in."""
FEWEST_TEXTS = 100
"""So many training texts without a leak tell an underfit founder from one: a leak of 5% would nearly always be seen."""


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


def leak_of(
    generation: Generation, readings: Readings, policy: Policy, check: TrainingCheck | None = None
) -> list[Reason]:
    """What the training texts of a generation say of a leak, and of a founder its losses.

    Args:
        generation: The generation. Losses are looked at only of the founder, which was trained on real data alone.
        readings: Its readings; nothing is said of losses that were not given, or are not plausible.
        policy: Its confidence, and the lowest perplexity that is plausible.
        check: What was found in its training texts; None: nobody looked.
    """
    return [*_of_texts(check), *(of_losses(readings, policy, check) if generation.is_founder else [])]


def is_leaking(check: TrainingCheck) -> bool:
    """Whether training texts hold more evaluation documents than fresh documents of the same kind do by chance.

    .. math:: P(X \\geq k) \\leq 0.005, \\qquad X \\sim \\mathrm{Bin}(n, 0.04)

    for k evaluation documents among the n documents, or parts of one, that are not of the pool. Or a tenth of all
    evaluation documents was found: so many matter, in however many texts they are.

    Example:
        >>> facts = dict(texts=320, words=9_000, evaluation=2_000, of_pool=290)
        >>> is_leaking(TrainingCheck(**facts, leaking=28, pieces=30, copies=28))
        True
        >>> is_leaking(TrainingCheck(**facts, leaking=1, pieces=30, copies=1))
        False
    """
    needed = max(FEWEST_COVERED, COVERED * check.evaluation)
    by_chance = float(binom.sf(check.copies - 1, check.pieces, COPIED))
    return check.copies > 0 and (by_chance <= CHANCE or len(check.found) >= needed)


def _of_texts(check: TrainingCheck | None) -> list[Reason]:
    if check is None or not check.copies:
        return []
    held = (
        f"{check.leaking:,} of {check.texts:,} training texts that were looked at hold evaluation documents "
        f"({len(check.found):,} of {check.evaluation:,}, such as {', '.join(check.examples)})"
    )
    if not is_leaking(check):
        sentence = f"{held}, no more than fresh documents of the same kind may by chance"
        return [Reason(kind=ReasonKind.WITHIN_MARGIN, severity=Severity.HEALTHY, sentence=sentence)]
    sentence = f"{held}: its losses on these are too low to be compared. Train on `wild_type.pool`, or leave these out"
    return [Reason(kind=ReasonKind.LEAKED, severity=Severity.WATCH, sentence=sentence)]


def of_losses(readings: Readings, policy: Policy, check: TrainingCheck | None) -> list[Reason]:
    """What the losses of a founder say of a leak; the arguments are those of `leak_of`."""
    evaluation, training = readings.get("perplexity"), readings.get(TRAINING_PERPLEXITY)
    if evaluation is None or training is None:
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
        return [_no_harder(harder, gap, check)]
    if gap.low <= 0.0:
        return [_said(ReasonKind.NOT_READ, f"{harder}: too few documents to tell whether they were trained on")]
    return [_said(ReasonKind.WITHIN_MARGIN, f"{harder}: they are harder, as documents are that it was not trained on")]


def _no_harder(harder: str, gap: Gap, check: TrainingCheck | None) -> Reason:
    """A leak, or a founder that remembers no single document: its training texts tell."""
    found = "easier" if gap.high < 0.0 else "hardly harder"
    seen = f"{harder}: they are {found}, as documents are that it was trained on"
    other = "an underfit model, or one that saw each document once, shows this too"
    if check is not None and check.texts >= FEWEST_TEXTS and gap.high >= 0.0 and not is_leaking(check):
        held = f"{check.leaking or 'none'} of {check.texts:,} training texts that were looked at hold one"
        return _said(ReasonKind.WITHIN_MARGIN, f"{seen}, but {held}: {other}")
    advice = "Look for them in its training texts (`--training-texts`, `WildType.leaks_in` in Python)"
    return _said(ReasonKind.LEAKED, f"{seen}. {advice}; {other}", Severity.WATCH)


def _said(kind: ReasonKind, sentence: str, severity: Severity = Severity.HEALTHY) -> Reason:
    return Reason(kind=kind, severity=severity, indicator=TRAINING_PERPLEXITY, sentence=sentence)
