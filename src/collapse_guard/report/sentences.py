"""How numbers, changes and verdicts are put for people, in one place.

The reasons of a verdict come with it as sentences and are not phrased again. A change of log ratios is shown in
percent; so is a change of nats per token, as the change of perplexity on the same documents, like in the reasons.
"""

from __future__ import annotations

import math
import re
from enum import StrEnum

from collapse_guard.records import Assessment, Comparison, Decision, Direction, Mixture, Reason, Severity, Verdict
from collapse_guard.report.palette import SEVERITIES

MISSING = "n/a"
"""Shown where there is no usable value."""

_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)


class Status(StrEnum):
    """What the verdict says of one comparison."""

    COLLAPSED = "collapsed"
    NOT_SHOWN = "not shown"
    WATCH = "watch"
    WITHIN = "within"
    INFORMATIVE = "informative"
    """The verdict does not rest on it."""

    @property
    def severity(self) -> Severity | None:
        """The severity that it stands for; None where the verdict does not rest on it."""
        return _SEVERITY_OF_STATUS.get(self)


_SEVERITY_OF_STATUS = {
    Status.COLLAPSED: Severity.COLLAPSED,
    Status.NOT_SHOWN: Severity.UNDECIDED,
    Status.WATCH: Severity.WATCH,
    Status.WITHIN: Severity.HEALTHY,
}
_STATUS_OF_SEVERITY = {severity: status for status, severity in _SEVERITY_OF_STATUS.items()}


def status(comparison: Comparison, verdict: Verdict) -> Status:
    """What the verdict says of a comparison: the severity of its own reason, never a second look at the p-values.

    A deciding comparison that the verdict gives no reason for is `NOT_SHOWN`.
    """
    if not comparison.decides:
        return Status.INFORMATIVE
    reason = reason_for(comparison.indicator, verdict)
    return _STATUS_OF_SEVERITY[reason.severity] if reason else Status.NOT_SHOWN


def reason_for(indicator: str, verdict: Verdict) -> Reason | None:
    """The worst reason about an indicator; None where there is none."""
    about = [reason for reason in verdict.reasons if reason.indicator == indicator]
    return max(about, key=lambda reason: reason.severity.rank, default=None)


def one_line(text: str) -> str:
    """Put a text from outside on one line, without control characters, direction overrides and halves of surrogates.

    Example:
        >>> one_line("a\\x1b[31m\\n  b\\u202e")
        'a[31m b'
    """
    return " ".join(_UNPRINTABLE.sub("", text).split())


def title(indicator: str) -> str:
    """The name of an indicator for people, at most 60 characters.

    Example:
        >>> title("distinct_2"), title("rare_coverage")
        ('distinct-2', 'rare coverage')
    """
    return re.sub(r"_(?=\d)", "-", one_line(indicator)).replace("_", " ")[:60]


def number(value: float) -> str:
    """A number with four significant digits.

    Example:
        >>> number(92.0), number(0.05821), number(12345.6), number(2.5e-7), number(float("nan"))
        ('92.00', '0.05821', '12,346', '2.500e-07', 'not a number')
    """
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "infinite" if value > 0 else "minus infinite"
    size = abs(value)
    if value == 0 or 1e3 <= size < 1e7:
        return f"{value:,.0f}"
    return f"{value:#.4g}".rstrip(".") if 1e-4 <= size < 1e3 else f"{value:.3e}"


def percent(fraction: float) -> str:
    """A signed fraction in percent; from a million percent on as a factor.

    Example:
        >>> percent(0.1734), percent(-0.091), percent(2.7812), percent(-1e-9), percent(59999.0)
        ('+17.3 %', '-9.1 %', '+278 %', '±0.0 %', '×60,000')
    """
    if math.isnan(fraction):
        return MISSING
    if math.isinf(fraction):
        return number(fraction)
    if abs(fraction) < 5e-4:
        return "±0.0 %"
    if abs(fraction) >= 1e4:
        return f"×{number(1.0 + fraction)}"
    return f"{100.0 * fraction:+,.1f} %" if abs(fraction) < 1.0 else f"{100.0 * fraction:+,.0f} %"


def share(mixture: Mixture | None) -> str:
    """The real share of a mixture in percent; "n/a" where it is not known.

    Example:
        >>> share(Mixture(real=0.25, newest=0.75)), share(None)
        ('25 %', 'n/a')
    """
    return MISSING if mixture is None else f"{100.0 * mixture.real:.3g} %"


def is_relative(effect_unit: str) -> bool:
    """Whether an effect in that unit is shown in percent: log ratios, and nats per token as a ratio of perplexities."""
    return effect_unit == "log ratio" or effect_unit.startswith("nats")


def change(effect: float, effect_unit: str = "log ratio") -> str:
    """An effect for people: in percent, in points for shares, or as a signed difference with its unit.

    Example:
        >>> change(0.157), change(0.157, "nats per token"), change(-0.25, "words"), change(float("nan"))
        ('+17.0 %', '+17.0 %', '-0.2500 words', 'n/a')
        >>> change(0.283, "share of recurring n-grams")
        '+28.3 points'
    """
    if math.isnan(effect):
        return MISSING
    if is_relative(effect_unit):
        return percent(math.expm1(effect) if effect < 50.0 else math.inf)
    if effect_unit.startswith("share") and math.isfinite(effect):
        return f"{100.0 * effect:+.1f} points"
    return f"{'+' if effect > 0 else ''}{number(effect)} {one_line(effect_unit)}"


def change_with_interval(comparison: Comparison) -> str:
    """The effect of a comparison with its interval, such as "+17.0 % (+12.1 % to +22.3 %)"."""
    middle, low, high = (
        change(effect, comparison.effect_unit) for effect in (comparison.effect, comparison.low, comparison.high)
    )
    return middle if middle == MISSING else f"{middle} ({low} to {high})"


def margin(comparison: Comparison) -> str:
    """How far the indicator may move, as the change at which the margin ends, such as "+10.0 %"."""
    up, down = (change(sign * comparison.margin, comparison.effect_unit) for sign in (1.0, -1.0))
    return {Direction.UP: up, Direction.DOWN: down, Direction.BOTH: f"{down} to {up}"}[comparison.direction]


def which_way(direction: Direction) -> str:
    """Which way is collapse, in words."""
    return {Direction.UP: "higher is worse", Direction.DOWN: "lower is worse", Direction.BOTH: "either way is worse"}[
        direction
    ]


def baseline(comparison: Comparison) -> str:
    """What a comparison is made with, in words: "founder", "wild type" or "generation 3"."""
    if comparison.baseline == "parent":
        return f"generation {comparison.baseline_generation}"
    return comparison.baseline.replace("_", " ")


def headline(assessment: Assessment) -> str:
    """The verdict on one line, such as "✖ COLLAPSED: generation 4 of newsbot"."""
    severity, generation = assessment.verdict.severity, assessment.generation
    return f"{SEVERITIES[severity].mark} {severity}: generation {generation.index} of {one_line(generation.lineage)}"


def prescription(assessment: Assessment) -> str:
    """What the guard asks for next, as a sentence; empty where it has no opinion."""
    mixture = assessment.prescription
    if mixture is None:
        return ""
    return f"The guard asks for {share(mixture)} real data in generation {assessment.generation.index + 1}."


def decisions(assessment: Assessment) -> list[str]:
    """What was done in the middle of its training, a sentence for each decision."""
    return [_decision(decision) for decision in assessment.decisions]


def _decision(decision: Decision) -> str:
    told = f"After step {decision.step:,} of its training, {'dry run: ' if decision.dry_run else ''}{decision.rule}"
    if decision.from_index is not None:
        told += f", from item {decision.from_index:,} of the run on"
    if decision.indicator:
        worst = title(decision.indicator)
        told += f"; the bad end of {worst} was {decision.bad_end:.1f} times its watch level"
    if decision.budget_left is not None:
        told += f"; {decision.budget_left:,} real documents were left for it"
    if decision.halt:
        back = "" if decision.roll_back_to is None else f": go back to generation {decision.roll_back_to}"
        told += f". Training on was no use{back}"
    return f"{told}."


def deciding_samples(assessment: Assessment) -> list[str]:
    """What would decide where the verdict is undecided, a sentence for each such indicator."""
    told = []
    for comparison in assessment.comparisons:
        reading, is_open = assessment.readings.get(comparison.indicator), comparison.n_needed is not None
        if reading and is_open and status(comparison, assessment.verdict) is Status.NOT_SHOWN:
            told.append(
                f"{title(comparison.indicator)}: about {comparison.n_needed:,} would decide; there are {reading.n:,}."
            )
    for name, reading in assessment.readings.items():
        if reading.n < reading.n_minimum and reason_for(name, assessment.verdict):
            told.append(f"{title(name)}: at least {reading.n_minimum:,} are needed; there are {reading.n:,}.")
    return told
