"""How numbers and effects are told: hand-made oracles, and what must hold for every float."""

import math
from typing import NamedTuple

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from collapse_guard.comparison.effects import limit, number, percent, phrase, share, shown, size, with_interval
from collapse_guard.records import Comparison, Direction, EffectScale, Reading

LN_1_1 = math.log(1.1)


class Of(NamedTuple):
    scale: EffectScale = EffectScale.LOG_RATIO
    effect_unit: str = "log ratio"
    direction: Direction = Direction.UP


WORDS = Of(EffectScale.ABSOLUTE, "words")
SHARES = Of(EffectScale.SHARE, "share of words")
NATS = Of(EffectScale.LOG, "nats per token")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (999.96, "1000"),
        (1000.0, "1,000"),
        (1000.4, "1,000"),
        (9999999.0, "9,999,999"),
        (1e7, "1.000e+07"),
        (-1234567.0, "-1,234,567"),
        (1.5e7, "1.500e+07"),
        (0.00012346, "0.0001235"),
        (1e-4, "0.0001000"),
        (9.9e-5, "9.900e-05"),
        (math.inf, "infinite"),
        (-math.inf, "minus infinite"),
        (math.nan, "not a number"),
    ],
)
def test_a_number_has_three_to_four_digits_or_a_name(value, text):
    assert number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_to_four_digits(value):
    assume(value == 0 or 1e-300 < abs(value) < 1e300)
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=5.1e-4)


@given(value=st.floats(), scale=st.sampled_from(list(EffectScale)))
@example(value=math.nan, scale=EffectScale.ABSOLUTE)
@example(value=math.inf, scale=EffectScale.LOG_RATIO)
@example(value=1e308, scale=EffectScale.EXPONENTIAL)
@example(value=1e307, scale=EffectScale.SHARE)
def test_no_float_is_ever_shown_as_nan_or_inf(value, scale):
    for text in (number(value), percent(value), phrase(Of(scale, "words"), value), shown(value, scale)):
        assert text
        assert "nan" not in text.lower()
        assert "inf" not in text.lower().replace("infinite", "")


@pytest.mark.parametrize("of", [Of(), Of(EffectScale.EXPONENTIAL)])
def test_an_effect_on_an_amount_is_shown_in_percent(of):
    assert phrase(of, math.log(1.5)) == "+50.0%"
    assert phrase(of, math.log(0.25)) == "-75.0%"
    assert phrase(of, -math.inf) == "-100%"
    assert phrase(of, math.log(3.78)) == "+278%"
    assert phrase(of, math.log(2.0)) == "+100%"
    assert phrase(of, math.log(3e6)) == "×3,000,000"
    assert phrase(of, 800.0) == "infinite"


def test_an_effect_on_a_share_is_shown_in_points_and_on_any_other_number_in_its_unit():
    assert phrase(SHARES, 0.283) == "+28.3 points"
    assert phrase(SHARES, -1e-9, 0.07) == "±0.0 to +7.0 points"
    assert phrase(WORDS, 2.5) == "+2.500 words"
    assert phrase(NATS, -0.05) == "-0.05000 nats per token"
    assert (shown(0.283, SHARES.scale), shown(0.283, WORDS.scale)) == ("28.30%", "0.2830")


def test_a_number_without_a_unit_is_shown_without_one():
    assert phrase(Of(EffectScale.ABSOLUTE, "1"), -0.07541) == "-0.07541"


@pytest.mark.parametrize("of", [Of(), WORDS, SHARES, NATS])
def test_what_is_not_a_number_and_what_has_no_end_are_shown_alike_on_every_scale(of):
    assert phrase(of, math.nan) == "not a number"
    assert phrase(of, math.inf) == "infinite"
    assert phrase(of, -math.inf) == ("-100%" if of.scale.is_relative else "minus infinite")


@pytest.mark.parametrize(
    ("of", "text"),
    [
        (Of(), "+10.0%"),
        (Of(direction=Direction.DOWN), "-9.1%"),
        (Of(direction=Direction.BOTH), "-9.1% to +10.0%"),
        (Of(EffectScale.LOG, "nats", Direction.BOTH), "-0.09531 to +0.09531 nats"),
    ],
)
def test_a_limit_is_shown_on_the_side_of_collapse(of, text):
    assert limit(of, LN_1_1) == text


def test_of_a_limit_on_both_sides_that_of_the_effect_is_shown_beside_it():
    both = Of(direction=Direction.BOTH)
    assert [limit(both, LN_1_1, beside=effect) for effect in (0.5, -0.5)] == ["+10.0%", "-9.1%"]
    assert limit(Of(), LN_1_1, beside=-0.5) == "+10.0%", "the other side is no harm"


def test_an_interval_has_its_unit_once_and_says_where_it_has_no_end():
    assert with_interval(NATS, 0.05, 0.01, 0.09) == "+0.05000 nats per token (+0.01000 to +0.09000)"
    assert with_interval(Of(), 0.0, -math.inf, math.inf) == "±0.0% (-100% to infinite)"
    assert with_interval(NATS, math.nan, math.nan, math.nan) == "not a number"


def test_a_share_has_three_digits_unless_more_are_asked_for():
    assert [share(1 / 3), share(0.05), share(0.99995, digits=6)] == ["33.3%", "5%", "99.995%"]


def test_a_spread_has_no_sign():
    assert [size(Of(), effect) for effect in (0.0198, -0.0198, 0.0, 5e-5)] == ["2.0%", "2.0%", "0.0%", "0.0%"]
    assert (size(WORDS, -2.5), size(SHARES, 0.0)) == ("2.500 words", "0.0 points")


@given(st.sampled_from(list(EffectScale)), st.floats(0.01, 5.0), st.floats(-2.0, 2.0), st.floats(0.01, 2.0))
def test_a_value_moved_by_an_effect_and_back_is_the_value(scale, value, effect, fraction):
    assert scale.moved(scale.moved(value, effect), -effect) == pytest.approx(value)
    there = scale.moved(value, scale.effect_of(fraction))
    relative = {EffectScale.LOG_RATIO, EffectScale.EXPONENTIAL}
    expected = {EffectScale.LOG: value + math.log1p(fraction)} | dict.fromkeys(relative, value * (1 + fraction))
    assert there == pytest.approx(expected.get(scale, value + fraction))


@pytest.mark.parametrize(
    ("unit", "scale"),
    [
        ("log ratio", "log_ratio"),
        ("nats per token", "log"),
        ("share of samples", "share"),
        ("nats", "absolute"),
        ("1", "absolute"),
    ],
)
def test_a_comparison_that_was_stored_without_a_scale_is_read_by_its_unit(unit, scale):
    numbers = ("observed", "reference", "effect", "standard_error", "degrees_of_freedom", "low", "high", "level")
    limits = ("margin", "watch", "p_beyond_margin", "p_beyond_watch", "p_within_margin")
    fields = {**dict.fromkeys((*numbers, *limits), 0.5), "n": 9, "n_reference": 9, "method": "", "direction": "up"}
    stored = {"schema": 1, "indicator": "x", "baseline": "founder", "effect_unit": unit, **fields}
    assert Comparison.from_dict(stored).scale == scale


def test_a_reading_that_was_stored_as_a_difference_of_logarithms_is_one_still():
    fields = {"indicator": "tail_loss", "family": "likelihood", "value": 5.0, "unit": "nats per token"}
    stored = {"schema": 1, **fields, "direction": "up", "n": 9, "n_minimum": 1, "scale": "difference"}
    assert Reading.from_dict(stored).scale is EffectScale.LOG
