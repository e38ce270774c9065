"""Verdicts, names and decisions in sentences, in one place; numbers and effects come from `effects`.

The reasons of a verdict come with it as sentences and are not phrased again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from collapse_guard.comparison.effects import share
from collapse_guard.records import Assessment, Comparison, Decision, Direction, Mixture, Reason, Severity, Verdict
from collapse_guard.report.palette import SEVERITIES

MISSING = "n/a"
"""Shown where there is no usable value."""

_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)


STATUSES = {
    Severity.COLLAPSED: "collapsed",
    Severity.UNDECIDED: "not shown",
    Severity.WATCH: "watch",
    Severity.HEALTHY: "within",
    None: "informative",
}
"""What the verdict says of one comparison, worst first: its severity, None where the verdict does not rest on it."""


def status(comparison: Comparison, verdict: Verdict) -> Severity | None:
    """What the verdict says of a comparison: the severity of its own reason, never a second look at the p-values.

    UNDECIDED for a deciding comparison that the verdict gives no reason for; None for one that does not decide.
    """
    if not comparison.decides:
        return None
    reason = reason_for(comparison.indicator, verdict)
    return reason.severity if reason else Severity.UNDECIDED


def reason_for(indicator: str, verdict: Verdict) -> Reason | None:
    """The worst reason about an indicator; None where there is none."""
    about = [reason for reason in verdict.reasons if reason.is_about(indicator)]
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


def real_share(mixture: Mixture | None) -> str:
    """The real share of a mixture in percent; "n/a" where it is not known.

    Example:
        >>> real_share(Mixture(real=0.25, newest=0.75)), real_share(None)
        ('25%', 'n/a')
    """
    return MISSING if mixture is None else share(mixture.real)


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


def foundings(history: Iterable[Assessment]) -> list[str]:
    """Where a lineage was founded anew and why, one sentence each, oldest first; none where it was not."""
    anew = (past.generation for past in history if past.generation.founding)
    return [
        f"Founded anew with generation {one.index}: {one_line(one.founding).rstrip('.')}. Earlier generations are not "
        "compared with what follows."
        for one in sorted(anew, key=lambda one: one.index)
    ]


def prescription(assessment: Assessment) -> str:
    """The guard's request for the next generation, as a sentence; empty if there is none."""
    mixture = assessment.prescription
    if mixture is None:
        return ""
    return f"The guard asks for {share(mixture.real)} real data in generation {assessment.generation.index + 1}."


def read(assessment: Assessment) -> str:
    """What was read of the generation and its training texts, counted, and which weights were measured; empty where
    nothing of that is known."""
    looked_at = [] if assessment.training_check is None else [assessment.training_check]
    parts = [one_line(str(part)) for part in (*assessment.intake, *looked_at)]
    measured = one_line(assessment.origin.measured) if assessment.origin else ""
    said = [f"Read {'; '.join(parts)}." if parts else "", f"Weights measured: {measured}." if measured else ""]
    return " ".join(filter(None, said))


def decisions(assessment: Assessment) -> list[str]:
    """Decisions in the middle of its training, one sentence each."""
    return [_decision(decision) for decision in assessment.decisions]


def _decision(decision: Decision) -> str:
    text = f"After step {decision.step:,} of its training, {'dry run: ' if decision.dry_run else ''}{decision.rule}"
    if decision.from_index is not None:
        text += f", from item {decision.from_index:,} of the run on"
    if decision.indicator:
        worst = title(decision.indicator)
        text += f"; the bad end of {worst} was {decision.bad_end:.1f} times its watch level"
    if decision.budget_left is not None:
        text += f"; {decision.budget_left:,} real documents were left for it"
    if decision.halt:
        back = "" if decision.roll_back_to is None else f": go back to generation {decision.roll_back_to}"
        text += f". The run should halt{back}"
    return f"{text}."


def deciding_samples(assessment: Assessment) -> list[str]:
    """The samples that would decide, one sentence for each undecided indicator."""
    lines = []
    for comparison in assessment.comparisons:
        reading, is_open = assessment.readings.get(comparison.indicator), comparison.n_needed is not None
        if reading and is_open and status(comparison, assessment.verdict) is Severity.UNDECIDED:
            lines.append(
                f"{title(comparison.indicator)}: about {comparison.n_needed:,} would decide; there are {reading.n:,}."
            )
    for name, reading in assessment.readings.items():
        if reading.n < reading.n_minimum and reason_for(name, assessment.verdict):
            lines.append(f"{title(name)}: at least {reading.n_minimum:,} are needed; there are {reading.n:,}.")
    return lines
