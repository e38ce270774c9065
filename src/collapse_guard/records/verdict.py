"""Severity, reasons, alert and verdict."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

from pydantic import model_validator

from collapse_guard.records.record import Record


class Severity(StrEnum):
    """The severity of a verdict.

    The order for combination, mildest first, is HEALTHY < WATCH < UNDECIDED < COLLAPSED. UNDECIDED stands above WATCH
    because a WATCH is shown to be within its margin and an UNDECIDED is not: a gate must not pass what was not shown.

    | worst of | HEALTHY   | WATCH     | UNDECIDED | COLLAPSED |
    |----------|-----------|-----------|-----------|-----------|
    | HEALTHY  | HEALTHY   | WATCH     | UNDECIDED | COLLAPSED |
    | WATCH    | WATCH     | WATCH     | UNDECIDED | COLLAPSED |
    | UNDECIDED| UNDECIDED | UNDECIDED | UNDECIDED | COLLAPSED |
    | COLLAPSED| COLLAPSED | COLLAPSED | COLLAPSED | COLLAPSED |

    Example:
        >>> Severity.worst([Severity.WATCH, Severity.HEALTHY])
        <Severity.WATCH: 'WATCH'>
    """

    HEALTHY = "HEALTHY"
    WATCH = "WATCH"
    UNDECIDED = "UNDECIDED"
    COLLAPSED = "COLLAPSED"

    @property
    def rank(self) -> int:
        """Place in the order of combination, 0 for the mildest."""
        return list(Severity).index(self)

    @staticmethod
    def worst(severities: list[Severity]) -> Severity:
        """Combine by the truth table above; HEALTHY if there is nothing to combine."""
        return max(severities, key=lambda severity: severity.rank, default=Severity.HEALTHY)


class ReasonKind(StrEnum):
    """Why a verdict is what it is."""

    IMPLAUSIBLE = "implausible"
    BEYOND_MARGIN = "beyond_margin"
    BEYOND_WATCH = "beyond_watch"
    BEYOND_SEEDS = "beyond_seeds"
    NOT_SHOWN = "not_shown"
    NOT_A_NUMBER = "not_a_number"
    MISSING = "missing"
    TOO_FEW = "too_few"
    BASELINE = "baseline"
    WITHIN_MARGIN = "within_margin"
    BETTER = "better"
    FAR_FROM_REAL = "far_from_real"
    LEAKED = "leaked"
    FOUNDED_ANEW = "founded_anew"
    NO_FOUNDER = "no_founder"
    NO_BASELINE = "no_baseline"
    GAP = "gap"
    NOT_READ = "not_read"
    NOT_MEASURED = "not_measured"
    UNINFORMATIVE = "uninformative"
    NEAR_A_UNIT = "near_a_unit"
    LENGTHS_MOVED = "lengths_moved"
    OTHER_PROMPTS = "other_prompts"
    SEED_NOISE = "seed_noise"


class Reason(Record):
    """One statement that a verdict rests on, which a person can dispute."""

    kind: ReasonKind
    """What kind of statement."""
    severity: Severity
    """The severity that this statement alone would give."""
    indicator: str = ""
    """Indicator that it is about, the worst of several; empty if it is about the generation."""
    others: tuple[str, ...] = ()
    """The other indicators that it is about."""
    definitions: tuple[int, ...] = ()
    """Definitions of model collapse that the indicator measures, by their numbers in Schaeffer et al. (2025)."""
    sentence: str
    """The statement in plain words, with the numbers."""

    def is_about(self, indicator: str) -> bool:
        """Whether the statement is about an indicator; "" stands for the generation."""
        return indicator == self.indicator or indicator in self.others


class Alert(Record):
    """What is news about a lineage: `alerts.alert_after` has the table."""

    state: Severity = Severity.HEALTHY
    """The alert that stands."""
    event: Literal["", "enter", "recover"] = ""
    """What this generation changed: an alert was raised, taken back, or nothing."""
    healthy_in_a_row: int = 0
    """Consecutive HEALTHY verdicts up to this one."""


class Verdict(Record):
    """HEALTHY, WATCH, UNDECIDED or COLLAPSED, with the reasons, worst first."""

    severity: Severity
    """Worst of the reasons."""
    reasons: tuple[Reason, ...]
    """Worst first."""
    lineage: str
    """Lineage that it is about."""
    generation: int
    """Index of the generation that it is about."""
    wild_type: str
    """Fingerprint of the wild type."""
    policy: str
    """Fingerprint of the policy."""
    shown: Severity | None = None
    """The worst severity that was shown: a lineage may be UNDECIDED on the margin of one indicator and beyond the watch
    level of another. None: the same as `severity`."""
    alert: Alert = Alert()
    """The alert that this verdict raises or takes back."""

    @model_validator(mode="after")
    def _follows_from_its_reasons(self) -> Self:
        """A stored verdict is believed as far as its reasons carry it."""
        worst = Severity.worst([reason.severity for reason in self.reasons])
        if self.severity is not worst:
            raise ValueError(f"severity must be {worst}, the worst of the reasons, but got {self.severity}")
        may_be_shown = [self.severity, *([Severity.WATCH] if worst is Severity.UNDECIDED else [])]
        if self.shown not in (None, *may_be_shown):
            raise ValueError(f"shown must be {' or '.join(may_be_shown)} where severity is {worst}, got {self.shown}")
        return self

    @property
    def known(self) -> Severity:
        """The severity that alerts follow: `shown`, or else `severity`."""
        return self.severity if self.shown is None else self.shown

    @property
    def is_unmeasured(self) -> bool:
        """Whether nothing was measured that it could rest on."""
        return any(reason.kind is ReasonKind.NOT_MEASURED for reason in self.reasons)

    def disbelieves(self, indicator: str) -> bool:
        """Whether an indicator's evidence does not look like what it should be, such as losses in another unit."""
        return any(reason.kind is ReasonKind.IMPLAUSIBLE and reason.is_about(indicator) for reason in self.reasons)

    def __str__(self) -> str:
        """The severity and the worst reason, on one line."""
        why = f": {self.reasons[0].sentence}" if self.reasons else ""
        return f"{self.severity} (generation {self.generation} of {self.lineage}){why}"
