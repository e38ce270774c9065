"""Phase 3: let the guard and its rivals decide on lineages that were measured, and count."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import beta

from collapse_guard.assessment import conclude
from collapse_guard.decision.policy import Policy
from collapse_guard.records import Assessment, Generation, Severity
from detecting.calibrating import Policies
from detecting.lineages import Lineage
from detecting.raw import Task
from detecting.rivals import PERPLEXITY_RULE, RIVALS, NoOpinion, above_founder, first
from detecting.workers import over

EVIDENCE = {"losses and samples": True, "samples only": False}
"""What the guard sees -> whether losses are among it."""
COLLAPSED, WATCH = "COLLAPSED", "WATCH or worse"
MANY = sys.maxsize
"""Generations that no lineage has."""
EQUAL_ALARMS = "perplexity, as many false alarms as WATCH"


def guard(alarm: str, evidence: str) -> str:
    """Name of the guard as a detector: what counts as an alarm, and what it sees."""
    return f"guard, {alarm} ({evidence})"


GUARDS = [guard(alarm, evidence) for evidence in EVIDENCE for alarm in (COLLAPSED, WATCH)]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What every detector said of one lineage."""

    task: Task
    """The lineage."""
    group: str
    """What it is an example of."""
    alarms: dict[str, int | None]
    """Detector -> first generation that it alarmed at, None: never; a detector without an opinion is not here."""
    severities: dict[str, list[str]]
    """What the guard sees -> its verdicts, the founder's first."""
    causes: dict[str, list[str]]
    """Detector -> the indicators that its first alarm rests on."""
    rise: float | None
    """Largest perplexity of a descendant over the founder's; None without losses."""
    perplexity: tuple[float, ...] = ()
    """Of each generation."""

    @property
    def healthy(self) -> bool:
        """Whether every alarm is a false one."""
        return self.group.startswith("healthy")


def scored(path: Path, policies: Policies, *, jobs: int = 1) -> list[Outcome]:
    """All lineages in a file, each by the policy of its corpus and model."""
    return with_equal_alarms(list(over(outcome, Lineage.read_all(path), policies, jobs=jobs)))


def outcome(lineage: Lineage, policies: Policies) -> Outcome:
    """What every detector says of a lineage."""
    policy = policies[lineage.task.source]
    alarms, causes, severities = {}, {}, {}
    for evidence, with_losses in EVIDENCE.items():
        if with_losses and not lineage.has_losses:
            continue
        assessments = decided(lineage, policy, with_losses=with_losses)
        severities[evidence] = [one.verdict.severity.value for one in assessments]
        for alarm, counted in ((COLLAPSED, {Severity.COLLAPSED}), (WATCH, {Severity.COLLAPSED, Severity.WATCH})):
            name = guard(alarm, evidence)
            alarms[name] = first([one.verdict.known in counted for one in assessments])
            causes[name] = _causes(assessments, alarms[name], counted)
    alarms |= _of_rivals(lineage)
    perplexity = () if lineage.perplexity is None else tuple(lineage.perplexity.tolist())
    return Outcome(
        task=lineage.task,
        group=lineage.group,
        alarms=alarms,
        severities=severities,
        causes=causes,
        rise=max(perplexity[1:]) / perplexity[0] if perplexity else None,
        perplexity=perplexity,
    )


def decided(lineage: Lineage, policy: Policy, *, with_losses: bool) -> list[Assessment]:
    """The guard's assessments of all generations, one after the other, on what was measured."""
    names = frozenset((*policy.decides, *policy.required))
    reference, history = lineage.reference(names), list[Assessment]()
    for index, readings in enumerate(lineage.readings(names, with_losses=with_losses)):
        generation = Generation(lineage="scored", index=index, parents=(index - 1,) if index else ())
        history.append(conclude(generation, readings, reference, history=list(history), policy=policy, seed=index))
    return history


def _causes(assessments: Sequence[Assessment], alarm: int | None, counted: set[Severity]) -> list[str]:
    if alarm is None:
        return []
    worst = [reason for reason in assessments[alarm].verdict.reasons if reason.severity.rank]
    return [reason.indicator for reason in worst if reason.severity in counted] or [one.indicator for one in worst]


def _of_rivals(lineage: Lineage) -> dict[str, int | None]:
    found = {}
    for name, rule in RIVALS.items():
        try:
            found[name] = rule(lineage)
        except NoOpinion:
            continue
    return found


def with_equal_alarms(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Add the perplexity rule whose threshold gives as many false alarms as the guard's WATCH does."""
    watch = guard(WATCH, "losses and samples")
    healthy = [one for one in outcomes if one.healthy and one.rise is not None]
    if not healthy:
        return list(outcomes)
    n_alarms = sum(one.alarms[watch] is not None for one in healthy)
    rises = sorted((one.rise or 0.0 for one in healthy), reverse=True)
    threshold = rises[n_alarms] if n_alarms < len(rises) else 0.0
    for one in outcomes:
        if one.perplexity:
            one.alarms[EQUAL_ALARMS] = above_founder(np.array(one.perplexity), threshold)
    return list(outcomes)


class Rate(NamedTuple):
    """A share with its interval."""

    hits: int
    n: int

    @property
    def share(self) -> float:
        """Hits over n; NaN where n is 0."""
        return self.hits / self.n if self.n else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Two-sided 95% interval of Clopper and Pearson (1934).

        Example:
            >>> [round(end, 4) for end in Rate(0, 200).interval]
            [0.0, 0.0183]
        """
        low = float(beta.ppf(0.025, self.hits, self.n - self.hits + 1)) if self.hits else 0.0
        high = float(beta.ppf(0.975, self.hits + 1, self.n - self.hits)) if self.hits < self.n else 1.0
        return low, high


class Score(NamedTuple):
    """How well a detector finds one kind of collapse."""

    missed: Rate
    """Lineages without an alarm."""
    median: float
    """Generations from the first one that is trained otherwise, which is 1, to the alarm; infinite for a miss."""
    late: float
    """The delay that nine in ten lineages do not exceed."""
    lead: float
    """Median of the generations by which it comes before the perplexity rule, where both alarm; NaN: they never do."""
    alone: Rate
    """Lineages in which it alarms and the perplexity rule does not."""
    rule_alone: Rate
    """Lineages in which the perplexity rule alarms and it does not."""


def detectors(outcomes: Iterable[Outcome]) -> list[str]:
    """All that have an opinion on one of the lineages: the guard first."""
    known = dict.fromkeys(name for one in outcomes for name in one.alarms)
    return [name for name in (*GUARDS, *RIVALS, EQUAL_ALARMS) if name in known]


def found_by(outcomes: Iterable[Outcome], detector: str, generation: float) -> Rate:
    """Lineages that a detector alarms at up to a generation, among those that it has an opinion on."""
    found = [_delay(one.alarms[detector]) <= generation for one in outcomes if detector in one.alarms]
    return Rate(sum(found), len(found))


def false_alarms(outcomes: Iterable[Outcome], detector: str) -> Rate:
    """Lineages with any alarm, among healthy ones."""
    return found_by([one for one in outcomes if one.healthy], detector, MANY)


def score(outcomes: Iterable[Outcome], detector: str) -> Score:
    """The score of a detector over collapsing lineages on which it has an opinion."""
    found = [one for one in outcomes if detector in one.alarms]
    delays = [_delay(one.alarms[detector]) for one in found]
    rule = [_delay(one.alarms[PERPLEXITY_RULE]) if PERPLEXITY_RULE in one.alarms else math.inf for one in found]
    leads = [theirs - ours for ours, theirs in zip(delays, rule, strict=True) if math.isfinite(ours + theirs)]
    missed = [math.isinf(delay) for delay in delays]
    heard = [math.isfinite(delay) for delay in rule]
    return Score(
        missed=Rate(sum(missed), len(found)),
        median=quantile(delays, 0.5),
        late=quantile(delays, 0.9),
        lead=float(np.median(leads)) if leads else math.nan,
        alone=Rate(sum(not ours and not theirs for ours, theirs in zip(missed, heard, strict=True)), len(found)),
        rule_alone=Rate(sum(ours and theirs for ours, theirs in zip(missed, heard, strict=True)), len(found)),
    )


def undecided(outcomes: Iterable[Outcome], evidence: str) -> Rate:
    """Verdicts after the founder's that are UNDECIDED."""
    found = [severity == "UNDECIDED" for one in outcomes for severity in one.severities.get(evidence, [])[1:]]
    return Rate(sum(found), len(found))


def quantile(delays: Sequence[float], share: float) -> float:
    """The smallest delay that at least this share of the lineages does not exceed; NaN of none.

    Example:
        >>> quantile([1, 2, math.inf], 0.5), quantile([1, 2, math.inf], 0.9)
        (2, inf)
    """
    return sorted(delays)[math.ceil(share * len(delays)) - 1] if delays else math.nan


def _delay(alarm: int | None) -> float:
    return math.inf if alarm is None else alarm
