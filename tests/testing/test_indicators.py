"""The contract of indicators fails where an indicator is broken, and its message says what is required."""

import functools
import itertools
import math

import numpy as np
import pytest

from collapse_guard import Evidence, Indicator, Losses, WildType, register
from collapse_guard.indicators import Rates, unregister
from collapse_guard.testing import IndicatorContract
from contract_failures import failures

CHECK = {
    "registered": "it_is_registered",
    "reading": "its_reading_can_be_used_and_says_what_is_declared",
    "range": "values_stay_in_the_declared_range",
    "alone": "the_evidence_alone_decides_the_value",
    "order": "the_order_of_the_evidence_does_not_matter",
    "few": "too_little_evidence_is_no_number_to_decide_on",
    "collapse": "a_known_collapse_moves_it_the_declared_way",
    "verdict": "a_verdict_can_rest_on_it",
}


@functools.cache
def wild_type():
    return WildType.fit_arrays(np.random.default_rng(0).normal(size=(600, 2)), group_samples=10)


class Mine(Indicator):
    """Mean square of rows: sound."""

    name, family, unit = "mean_square", "mine", "square units"
    direction, value_range, minimum_n = "down", (0.0, math.inf), 5
    evidence = "vectors"

    @classmethod
    def read(cls, group):
        return float((group.vectors**2).sum(axis=1).mean())


class TheOtherWay(Mine):
    name, direction = "the_other_way", "up"


class OutOfRange(Mine):
    name, value_range = "out_of_range", (0.0, 0.5)


class Random(Mine):
    name = "random"

    @classmethod
    def read(cls, group):
        return super().read(group) + np.random.random()


class Counts(Mine):
    """Remembers how often it was read."""

    name = "counts"
    calls = itertools.count()

    @classmethod
    def read(cls, group):
        return super().read(group) * (1 + 1e-6 * next(cls.calls))


class Undefined(Mine):
    name = "undefined"

    @classmethod
    def read(cls, group):
        return math.nan


class Unmoved(Mine):
    name = "unmoved"

    @classmethod
    def read(cls, group):
        return 1.0


class Breaks(Mine):
    name = "breaks"

    @classmethod
    def read(cls, group):
        raise ZeroDivisionError("no rows")


def contract_of(metric, **methods):
    class Contract(IndicatorContract):
        def indicator(self):
            return metric

        def make_wild_type(self):
            return wild_type()

        def healthy(self, rng):
            return Evidence(samples=rng.normal(size=(100, 2)))

        def collapsed(self, rng):
            return Evidence(samples=0.5 * rng.normal(size=(100, 2)))

    return type("Broken", (Contract,), methods)


@pytest.fixture
def known():
    """Registers for one test."""
    registered = []

    def register_for_now(metric):
        registered.append(metric.name)
        return register(metric)

    yield register_for_now
    for name in registered:
        unregister(name)


def test_an_indicator_that_keeps_the_contract_passes_every_check(known):
    assert failures(contract_of(known(Mine))) == {}


BROKEN = {
    TheOtherWay: ("collapse", "a collapse must move the_other_way up by more than 0.05"),
    OutOfRange: ("range", "a value must be in the declared range, 0 to 0.5"),
    Random: ("alone", "the same evidence must give the same reading: draw nothing at random"),
    Counts: ("order", "another order of the evidence must give the same value"),
    Undefined: ("reading", "the reading of healthy evidence must be usable"),
    Unmoved: ("verdict", "the verdict on the known collapse, by unmoved alone, must be COLLAPSED, but got"),
    Breaks: ("reading", "evidence must be read without an error, but got ZeroDivisionError: no rows"),
}


@pytest.mark.slow
@pytest.mark.parametrize("metric", BROKEN, ids=lambda metric: metric.__name__)
def test_a_broken_indicator_is_caught_and_the_error_says_what_is_required(metric, known):
    check, rule = BROKEN[metric]
    assert rule in failures(contract_of(known(metric)))[CHECK[check]]


def test_an_indicator_that_nobody_registered_is_caught():
    found = failures(contract_of(Mine))
    assert "`mean_square` must be registered: decorate Mine with `register`" in found[CHECK["registered"]]


def test_too_few_samples_are_said(known):
    few = contract_of(known(Mine), healthy=lambda self, rng: Evidence(samples=rng.normal(size=(30, 2))))
    assert "must be usable: give more samples, but got '30 samples fill 3 groups" in failures(few)[CHECK["reading"]]


def test_evidence_of_another_kind_is_said(known):
    losses = contract_of(known(Mine), healthy=lambda self, rng: Evidence(samples=["a text"]))
    assert "evidence must be read without an error" in failures(losses)[CHECK["reading"]]


class ContentWithOne(Indicator):
    """Says that a single document is enough."""

    name, family, unit, evidence = "content_with_one", "mine", "nats", "losses"
    direction, value_range, minimum_n = "up", (0.0, math.inf), 2

    @classmethod
    def read(cls, scored):
        losses = scored.losses
        value = float(losses.nll.sum() / losses.n_tokens.sum())
        return Rates(value=value, documents=losses.documents, sums=losses.nll, units=losses.n_tokens, n_minimum=1)


def scored(self, rng):
    nll = rng.gamma(3.0, size=40)
    return Evidence(losses=Losses(documents=tuple(map(str, range(40))), nll=nll, n_tokens=[5] * 40))


def test_a_number_from_a_single_document_is_caught(known):
    found = failures(contract_of(known(ContentWithOne), healthy=scored))
    assert "a reading of one sample or document must not be usable" in found[CHECK["few"]]
