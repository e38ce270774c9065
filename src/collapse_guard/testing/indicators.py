"""What every indicator keeps that is read from evidence."""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from collapse_guard.assessment import assess
from collapse_guard.decision.policy import Policy
from collapse_guard.evidence import Evidence, taken
from collapse_guard.indicators.base import Indicator, all_indicators
from collapse_guard.measurement.measure import founding_budget, measure
from collapse_guard.measurement.stratum import freeze_tail
from collapse_guard.probes import untouched
from collapse_guard.records import Reading, Severity, Verdict
from collapse_guard.records.census import size_of
from collapse_guard.testing.metrics import ROUNDING, require_collapse
from collapse_guard.testing.requirements import require, require_success
from collapse_guard.wildtype import WildType


class IndicatorContract(ABC):
    """What every registered `Indicator` keeps: subclass it in a test file and say what it is read from.

    Give it enough samples or documents for a comparison; a wild type with small groups keeps them few. What can be
    updated as a metric too has a `MetricContract` besides. It is not for the evidence "lineage": what is read from
    other generations has no value of its own.
    """

    margin: float = 0.02
    """Harm that is acceptable, as in a policy: a known collapse must be far beyond it."""

    @abstractmethod
    def indicator(self) -> type[Indicator]:
        """Return the class."""

    @abstractmethod
    def make_wild_type(self) -> WildType:
        """Return a wild type; called several times in each test, so return the same one each time."""

    @abstractmethod
    def healthy(self, rng: np.random.Generator) -> Evidence:
        """Return evidence of a healthy generation; the same for the same state of the generator."""

    @abstractmethod
    def collapsed(self, rng: np.random.Generator) -> Evidence:
        """Return evidence of a generation whose collapse the indicator must see."""

    def test_it_is_registered(self) -> None:
        """Policies, reports and readings know it by its name."""
        metric = self.indicator()
        got = all_indicators().get(metric.name)
        require(got is metric, f"`{metric.name}` must be registered: decorate {metric.__name__} with `register`", got)

    def test_its_reading_can_be_used_and_says_what_is_declared(self) -> None:
        """A finite value with enough replicates, and unit, family, direction and scale as the class has them."""
        metric, reading = self.indicator(), self._reading(self._healthy(1))
        require(reading.is_usable, "the reading of healthy evidence must be usable: give more samples", reading.problem)
        for name in ("family", "unit", "direction", "scale"):
            declared, got = getattr(metric, name), getattr(reading, name)
            require(
                got == declared, f"`{name}` of the reading must be what {metric.__name__} declares, {declared!r}", got
            )
        replicates = len(reading.replicates) or size_of(reading.census)
        many = replicates >= metric.minimum_n
        require(many, f"a reading must have {metric.minimum_n} replicates", replicates)

    def test_values_stay_in_the_declared_range(self) -> None:
        """Healthy and collapsed."""
        low, high = self.indicator().value_range
        for seed in range(3):
            for evidence in (self._healthy(seed), self._collapsed(seed)):
                value = self._reading(evidence).value
                require(low <= value <= high, f"a value must be in the declared range, {low:g} to {high:g}", value)

    def test_the_evidence_alone_decides_the_value(self) -> None:
        """Whatever the state of the global generators."""
        readings = []
        for state in (1, 2):
            with untouched(nn.Identity()):
                torch.manual_seed(state)
                np.random.seed(state)
                random.seed(state)
                readings.append(self._reading(self._healthy(1)))
        first, second = readings
        rule = "the same evidence must give the same reading: draw nothing at random"
        require(second.to_dict() == first.to_dict(), f"{rule}, {first.value!r}", second.value)

    def test_the_order_of_the_evidence_does_not_matter(self) -> None:
        """Samples and documents come in any order, and from any rank."""
        evidence = self._healthy(1)
        value = self._reading(evidence).value
        for seed in range(3):
            got = self._reading(_taken(evidence, np.random.default_rng(seed))).value
            close = math.isclose(got, value, rel_tol=ROUNDING)
            require(close, f"another order of the evidence must give the same value, {value!r}", got)

    def test_too_little_evidence_is_no_number_to_decide_on(self) -> None:
        """One sample, or one document: the reading has a problem, and never passes as a value."""
        reading = self._reading(_taken(self._healthy(1), np.random.default_rng(0), n=1))
        require(not reading.is_usable, "a reading of one sample or document must not be usable", reading.value)

    def test_a_known_collapse_moves_it_the_declared_way(self) -> None:
        """By more than a twentieth, as a ratio or in the unit."""
        metric = self.indicator()
        for seed in range(3):
            before, after = (self._reading(one).value for one in (self._healthy(seed), self._collapsed(seed)))
            require_collapse(metric, before, after)

    def test_a_verdict_can_rest_on_it(self) -> None:
        """With a policy by which it decides alone, the known collapse is COLLAPSED, and the reason names it."""
        verdict = self._verdict(self._collapsed(2))
        rule = f"the verdict on the known collapse, by {self.indicator().name} alone, must be COLLAPSED"
        require(verdict.severity is Severity.COLLAPSED, rule, str(verdict))
        named = self.indicator().name in str(verdict)
        require(named, f"the verdict must name {self.indicator().name}", str(verdict))

    def _healthy(self, seed: int) -> Evidence:
        return self.healthy(np.random.default_rng(seed))

    def _collapsed(self, seed: int) -> Evidence:
        return self.collapsed(np.random.default_rng(seed))

    def _verdict(self, evidence: Evidence) -> Verdict:
        """The verdict after a healthy founder, where the indicator decides alone."""
        wild_type, policy = self.make_wild_type(), self._policy()
        founder = assess(wild_type, self._healthy(0), policy=policy)
        return assess(wild_type, evidence, history=[founder], policy=policy).verdict

    def _policy(self) -> Policy:
        name = self.indicator().name
        return Policy(decides=(name,), drift={name: {"margin": self.margin, "watch": self.margin / 2}})

    def _reading(self, evidence: Evidence) -> Reading:
        name, founder, wild_type = self.indicator().name, self._healthy(0), self.make_wild_type()
        stratum = None if founder.losses is None else freeze_tail(founder.losses)
        is_learnt = self.indicator().evidence == "reverse"
        budget = founding_budget(measure(wild_type, founder, only={name})) if is_learnt else None
        read = partial(measure, wild_type, evidence, stratum=stratum, budget=budget, only={name})
        readings = require_success(read, "evidence must be read without an error")
        require(name in readings, f"the evidence must give a reading of {name}", sorted(readings))
        return readings[name]


def _taken(evidence: Evidence, rng: np.random.Generator, n: int | None = None) -> Evidence:
    """The evidence in another order; n: so many samples and documents alone."""
    changed: dict[str, Any] = {}
    numbers: dict[str, str] = {}
    if evidence.samples is not None:
        order = rng.permutation(len(evidence.samples))[:n]
        numbers = {str(old): str(new) for new, old in enumerate(order)}
        changed = {
            name: taken(getattr(evidence, name), order) for name in ("samples", "embeddings", "prompts", "truncated")
        }
    if evidence.losses is not None:
        changed["losses"] = evidence.losses.take(rng.permutation(len(evidence.losses))[:n])
    for name in ("own_losses", "founder_losses"):
        if losses := getattr(evidence, name):
            chosen = losses.take([i for i, document in enumerate(losses.documents) if document in numbers])
            changed[name] = replace(chosen, documents=tuple(numbers[document] for document in chosen.documents))
    return replace(evidence, **changed)
