"""The sentences of a verdict, and the same numbers in the tables: what a reader with a calculator makes of them."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from building import make_assessment, make_comparison
from collapse_guard.comparison.compare import compare
from collapse_guard.decision.calibration import Noise, evidence
from collapse_guard.decision.margins import SeedNoise
from collapse_guard.decision.policy import Policy
from collapse_guard.decision.reasons import is_better, sentence
from collapse_guard.indicators.base import all_indicators
from collapse_guard.records import ReasonKind
from collapse_guard.report import tables

INDICATORS = {name: metric for name, metric in all_indicators().items() if metric.evidence != "lineage"}
KINDS = (
    ReasonKind.BEYOND_MARGIN,
    ReasonKind.BEYOND_WATCH,
    ReasonKind.BEYOND_SEEDS,
    ReasonKind.WITHIN_MARGIN,
    ReasonKind.BETTER,
    ReasonKind.NOT_SHOWN,
)
NOISE = 0.001 * np.array([0.3, -1.1, 0.8, -0.2, 1.4, -0.9, 0.5, -0.8])
NUMBER = r"[-+±×]?[\d,]+(?:\.\d+)?(?:e[-+]\d+)?"
TOLD = re.compile(
    rf"(?P<name>\w+) is (?P<here>{NUMBER}%?) against the founder's (?P<there>{NUMBER}%?): it changed by "
    rf"(?P<change>{NUMBER})(?P<unit>%| [^(]+)? \(95% interval (?P<low>{NUMBER})%? to (?P<high>{NUMBER})%?\); .*"
    rf"margin of (?P<margin>{NUMBER})"
)


def numeric(text):
    """A printed number, and how far what it was printed from may be from it."""
    digits = text.rstrip("%").lstrip("+±×").replace(",", "")
    mantissa, _, exponent = digits.partition("e")
    places = len(mantissa.partition(".")[2])
    return float(digits), 0.5000001 * 10.0 ** (int(exponent or 0) - places)


def between(low, high, value):
    slack = 1e-9 * max(abs(low), abs(high), 1e-12)
    return low - slack <= value <= high + slack


def assert_a_calculator_agrees(here, there, change, unit):
    """The printed change is that of the printed values, for some values that print as these do."""
    (a, a_error), (b, b_error), (c, c_error) = map(numeric, (here, there, change))
    if unit == "%" or change.startswith("×"):
        assert not here.endswith("%"), "percent of what?"
        ratios = [(a + i * a_error) / (b + j * b_error) for i in (-1, 1) for j in (-1, 1) if b + j * b_error > 0]
        low, high = min(ratios), max(ratios) if b > b_error else math.inf
        size, shift = (1.0, 0.0) if change.startswith("×") else (100.0, 1.0)
        assert between(size * (low - shift) - c_error, size * (high - shift) + c_error, c)
    else:
        assert here.endswith("%") == there.endswith("%") == (unit == " points")
        assert between(a - b - a_error - b_error - c_error, a - b + a_error + b_error + c_error, c)


def levels(metric):
    """Means of replicates that an indicator may have, and the mean far from them toward collapse."""
    low, high = metric.value_range
    if metric.family == "likelihood" or metric.unit.startswith("nats") or metric.unit == "log repeats":
        return st.floats(0.3, 7.0)
    return st.floats(max(low, -0.4) + 0.01, min(high, 9.0) - 0.01)


def read(metric, level, *, more=()):
    """A reading; documents carry weights, and there may be more of them or of samples than are compared."""
    rates = level + NOISE
    if metric.evidence == "losses":
        n = len(rates) + len(more)
        weights = 10.0 + np.arange(n) ** 2
        keys = {"keys": tuple(f"document {i}" for i in range(n)), "weights": tuple(weights), "group": "document"}
        return metric.reading(value=level, n=n, n_minimum=2, replicates=(*rates, *more), **keys)
    return metric.reading(value=level + sum(more), n=999, n_minimum=2, replicates=tuple(rates), group="4096 tokens")


def compared(metric, here, there, *, more=()):
    reading, founder = read(metric, here, more=more), read(metric, there)
    limits = Policy().limits(metric.name, "founder", direction=reading.direction, scale=reading.scale)
    return compare(
        reading, founder, baseline="founder", baseline_generation=0, margin=limits.margin, watch=limits.watch
    )


def row_of(comparison):
    return [cell.text for cell in tables.comparisons(make_assessment(comparisons=[comparison])).rows[0]]


@given(st.data(), st.sampled_from(sorted(INDICATORS)), st.sampled_from(KINDS))
@settings(max_examples=400)
def test_a_reader_with_a_calculator_gets_the_numbers_that_are_printed(data, name, kind):
    """The value, its change and its margin stand in one unit, whatever the indicator and whatever the verdict."""
    metric = INDICATORS[name]
    here, there = data.draw(levels(metric)), data.draw(levels(metric))
    comparison = compared(metric, here, there, more=(0.07,))
    text = sentence(comparison, kind, p=1e-9, level=0.05, since_founder=1)
    told = TOLD.match(text)
    assert told, text
    assert_a_calculator_agrees(told["here"], told["there"], told["change"], told["unit"])
    known = {"%", " points", None if metric.unit == "1" else f" {metric.unit}"}
    assert told["unit"] in known or told["change"].startswith("×")
    assert told["change"].startswith("×") or text[told.end() :].startswith(
        told["unit"] or (";", ":", ",", " it is", " (")
    )
    _, _, observed, reference, change, margin, _, _ = row_of(comparison)
    assert (observed, reference) == (told["here"], told["there"])
    assert change.startswith(f"{told['change']}{told['unit'] or ''} (")
    assert f"{told['margin']}" in margin


@given(st.data(), st.sampled_from(sorted(INDICATORS)))
@settings(max_examples=200)
def test_harm_beyond_the_margin_is_shown_on_the_side_of_the_margin_that_it_is_beyond(data, name):
    metric = INDICATORS[name]
    comparison = compared(metric, data.draw(levels(metric)), data.draw(levels(metric)))
    told = TOLD.match(sentence(comparison, ReasonKind.BEYOND_MARGIN, p=1e-9, level=0.05, since_founder=1))
    if comparison.harm > 1.001 * comparison.margin:
        if told["change"].startswith("×"):
            assert told["margin"].startswith("+")
            return
        assert told["change"][0] == told["margin"][0]
        (change, error), (margin, margin_error) = numeric(told["change"]), numeric(told["margin"])
        assert abs(change) + error >= abs(margin) - margin_error


@pytest.mark.parametrize(
    ("name", "here", "there", "told"),
    [
        ("jensen_shannon", 0.35, 0.30, "is 0.3500 against the founder's 0.3000: it changed by +0.05000 nats ("),
        ("repetition", 4.776, 0.4831, "is 4.776 against the founder's 0.4831: it changed by +4.293 log repeats ("),
        ("entropy_2", 5.0, 6.3, "is 5.000 against the founder's 6.300: it changed by -1.300 nats per n-gram ("),
        ("precision", 0.6, 0.7, "is 0.6000 against the founder's 0.7000: it changed by -0.1000 ("),
        ("lost_ngrams", 0.4, 0.1, "is 40.00% against the founder's 10.00%: it changed by +30.0 points ("),
        (
            "perplexity",
            math.log(106.05),
            math.log(101.0),
            "is 106.0 against the founder's 101.0: it changed by +5.0% (",
        ),
        ("tail_loss", 5.61, 5.56, "is 5.610 against the founder's 5.560: it changed by +0.05000 nats per token ("),
        ("distinct_2", 0.04, 0.08, "is 0.04000 against the founder's 0.08000: it changed by -50.0% ("),
    ],
)
def test_each_scale_is_shown_in_its_unit(name, here, there, told):
    comparison = compared(INDICATORS[name], here, there)
    assert sentence(comparison, ReasonKind.BEYOND_MARGIN, p=1e-9, level=0.05, since_founder=1).startswith(
        f"{name} {told}"
    )


@pytest.mark.parametrize("name", ["perplexity", "tail_loss", "distinct_2", "lost_ngrams", "precision"])
@pytest.mark.parametrize("effect", [math.nan, math.inf, -math.inf, 0.0, -1e-9, 30.0])
def test_the_sentence_the_table_and_the_calibration_tell_the_same_change(name, effect):
    """Also of what is not a number, and of what has no end."""
    comparison = compared(INDICATORS[name], 0.5, 0.5).model_copy(update={"effect": effect, "low": effect})
    change = row_of(comparison)[4].partition(" (")[0]
    assert f"changed by {change} (95%" in sentence(comparison, ReasonKind.NOT_SHOWN, p=1.0, level=0.05, since_founder=1)
    seeds = SeedNoise.model_construct(controls=3, mean=effect, sd=0.1)
    fields = {"sampling_sd": None, "policy_margin": 0.1, "limit": 0.2, "seeds": seeds}
    of = comparison.model_dump(include={"indicator", "scale", "effect_unit", "direction"})
    assert f"by {change} on average" in evidence(Noise.model_construct(**of, **fields), Policy())
    assert not {"nan", "inf", "+infinite"} & set(re.findall(r"[+\w]+", change))


def told(comparison, kind=ReasonKind.NOT_SHOWN, *, p=0.5, since_founder=1):
    return sentence(comparison, kind, p=p, level=0.05, since_founder=since_founder)


@pytest.mark.parametrize(
    ("baseline", "index", "name"),
    [("founder", 0, "the founder's"), ("wild_type", None, "the wild type's"), ("parent", 7, "generation 7's")],
)
def test_a_sentence_names_the_baseline(baseline, index, name):
    of = make_comparison(effect=0.3, baseline=baseline, baseline_generation=index)
    assert f"is 135.0 against {name} 100.0: it changed by +35.0% (95% interval +32.4% to +37.7%)" in told(of)


def test_distance_is_said_of_the_founder_in_its_own_generation_only():
    for baseline, t, is_of_founder in (
        ("wild_type", 0, True),
        ("wild_type", 1, False),
        ("founder", 0, False),
        ("founder", 1, False),
    ):
        of = make_comparison(effect=0.3, baseline=baseline)
        for kind in KINDS:
            text = told(of, kind, since_founder=t)
            assert text.endswith("not charged to later generations") == is_of_founder


@pytest.mark.parametrize(
    ("level", "text"), [(0.95, "(95% interval"), (0.9999, "(99.99% interval"), (2 / 3, "(66.6667% int")]
)
def test_the_level_of_an_interval_is_told_to_six_digits(level, text):
    assert text in told(make_comparison(effect=0.3, level=level))


@pytest.mark.parametrize(
    ("p", "text"), [(0.0312, "(p = 0.03 over"), (2e-99, "p = 2e-99 "), (1e-99, "p = 1e-99 "), (9e-100, "p < 1e-99 ")]
)
def test_a_p_value_has_one_digit_and_none_is_told_where_no_distribution_is_known(p, text):
    sentence = told(make_comparison(effect=0.3), ReasonKind.BEYOND_MARGIN, p=p)
    assert text in sentence
    assert "over the lineage, level 0.05;" in sentence


@pytest.mark.parametrize(
    ("replicate", "text"),
    [
        ("document", "1,234 documents"),
        ("item", "1,234 items"),
        ("64 samples", "1,234 groups of 64 samples"),
        ("", "1,234 repl"),
    ],
)
def test_what_n_counts_is_told_with_every_verdict(replicate, text):
    for kind in KINDS:
        assert f" {text}" in told(make_comparison(effect=0.3, n=1234, replicate=replicate), kind)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not ReasonKind.BEYOND_MARGIN])
def test_what_would_be_found_is_told_on_the_side_of_the_effect(kind):
    """Harm on both sides: of an effect below 0 the margin, the watch level and what would be found are below it too."""
    limits = {"margin": 0.2, "watch": 0.1, "seed_limit": 0.05, "detectable": 0.3}
    for direction, effect, numbers in (
        ("up", -0.3, ("+22.1%", "+10.5%", "+5.1%", "+35.0%")),
        ("down", -0.3, ("-18.1%", "-9.5%", "-4.9%", "-25.9%")),
        ("both", -0.3, ("-18.1%", "-9.5%", "-4.9%", "-25.9%")),
        ("both", 0.3, ("+22.1%", "+10.5%", "+5.1%", "+35.0%")),
    ):
        text = told(make_comparison(effect=effect, direction=direction, **limits), kind)
        margin, watch, seeds, found = numbers
        assert f"the margin of {margin}" in text
        assert f"would find a collapse from {found} on (80% power)" in text
        assert (f"beyond the watch level of {watch};" in text) == (kind is ReasonKind.BEYOND_WATCH)
        assert (f"another seed alone does, {seeds};" in text) == (kind is ReasonKind.BEYOND_SEEDS)
    assert "would find" not in told(make_comparison(effect=0.3), kind)


@pytest.mark.parametrize("kind", [ReasonKind.BEYOND_MARGIN, ReasonKind.BEYOND_WATCH, ReasonKind.BEYOND_SEEDS])
def test_harm_is_a_rise_or_a_fall_by_its_direction(kind):
    for direction, effect, word in (
        ("up", 0.3, "rise"),
        ("down", -0.3, "fall"),
        ("both", 0.3, "rise"),
        ("both", -0.3, "fall"),
    ):
        of = make_comparison(effect=effect, direction=direction, seed_limit=0.01)
        assert f"; a {word} " in told(of, kind)


def test_how_many_would_decide_is_told_where_nothing_is_shown():
    of = make_comparison(effect=0.1, n_needed=12345)
    assert told(of).endswith("; about 12,345 documents or samples would decide")
    assert all("would decide" not in told(of, kind) for kind in KINDS if kind is not ReasonKind.NOT_SHOWN)
    assert "would decide" not in told(make_comparison(effect=0.1))


def test_a_margin_that_seeds_set_is_told_as_theirs():
    for seed_limit, is_theirs in ((0.3, True), (0.2, True), (0.1, False), (None, False)):
        of = make_comparison(effect=0.1, margin=0.2, seed_limit=seed_limit)
        for kind in KINDS:
            assert ("margin of +22.1%, which is what another seed alone does" in told(of, kind)) == is_theirs


@pytest.mark.parametrize(
    ("direction", "effect", "is_told"),
    [
        ("up", -0.3, True),
        ("up", 0.3, False),
        ("up", -0.11, False),  # the interval reaches the margin
        ("down", 0.3, True),
        ("down", -0.3, False),
        ("down", 0.11, False),
        ("both", -0.3, False),
        ("both", 0.3, False),
    ],
)
def test_what_is_better_by_more_than_the_margin_is_no_harm_of_two_sides_and_no_distance(direction, effect, is_told):
    assert is_better(make_comparison(effect=effect, direction=direction)) == is_told
    assert not is_better(make_comparison(effect=effect, direction=direction, baseline="wild_type"))


@pytest.mark.parametrize(
    ("name", "changes", "text"),
    [
        (
            "perplexity",
            {"replicate": "document"},
            "perplexity fell by 25.9%, for the better beyond the margin of +10.0%: another evaluation set, or a leak? ",
        ),
        (
            "tail_loss",
            {"replicate": "document"},
            "tail_loss fell by 0.3000 nats per token, for the better beyond the margin of +0.09531 nats per token: "
            "another evaluation set, or a leak? 400 documents",
        ),
        (
            "facts",
            {"replicate": "item", "direction": "down", "scale": "share", "effect": 0.3},
            "facts rose by 30.0 points, for the better beyond the margin of -10.0 points: other items, or a leak? 400 ",
        ),
        (
            "vendi",
            {"replicate": "64 samples", "effect": 0.3},
            "vendi rose by 35.0%, for the better beyond the margin of -9.1%: other prompts or decoding, or copies of "
            "real text? 400 groups of 64 samples",
        ),
    ],
)
def test_a_change_for_the_better_is_told_in_words_with_what_it_may_be(name, changes, text):
    assert text in told(make_comparison(name, **{"effect": -0.3, **changes}), ReasonKind.BETTER)
