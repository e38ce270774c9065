"""Trends: told where harm grows, with the time that is left, and never where it does not."""

import math

import pytest

from building import make_assessment, make_comparison
from collapse_guard.records import Direction, EffectScale
from collapse_guard.report import html, markdown, trends


def lineage(harms, direction=Direction.UP, margin=0.095, **changes):
    return [generation(t, harm, direction, margin, **changes) for t, harm in enumerate(harms)]


def test_a_trend_begins_with_the_newest_founder():
    before = lineage([0.0, 0.3, 0.3, 0.3])
    after = [generation(4 + t, harm, Direction.UP, 0.095, founder=4) for t, harm in enumerate([0.0, 0.01, 0.02, 0.03])]
    assert texts([*before, *after]) == texts(lineage([0.0, 0.01, 0.02, 0.03]))
    assert trends.table([*before, *after[:3]]) is None


def generation(t, harm, direction, margin, *, decides=True, scale=EffectScale.LOG_RATIO, founder=0):
    effect = -harm if direction is Direction.DOWN else harm
    fields = {"direction": direction, "margin": margin, "decides": decides, "scale": scale}
    comparisons = [make_comparison("perplexity", effect=effect, **fields)] if t > founder else []
    anew = "new tokenizer" if t == founder > 0 else ""
    return make_assessment("l", t, comparisons=comparisons, founder=founder, founding=anew)


def texts(history):
    return [[cell.text for cell in row] for row in trends.table(history).rows]


def test_a_steady_rise_has_a_slope_and_the_generations_that_are_left():
    [[name, slope, now, left]] = texts(lineage([0.0, 0.01, 0.02, 0.03, 0.04]))
    assert (name, now, left) == ("perplexity", "+4.1%", "6 generations")
    assert slope == "+1.0% (+1.0% to +1.0%)"
    assert texts(lineage([0.0, 0.03, 0.06, 0.09]))[0][3] == "1 generation"
    assert texts(lineage([0.0, 0.1, 0.2, 0.3]))[0][3] == "beyond it now"


def test_a_fall_is_shown_as_a_fall_where_falling_is_harm():
    assert texts(lineage([0.0, 0.01, 0.02, 0.03], Direction.DOWN))[0][1:3] == ["-1.0% (-1.0% to -1.0%)", "-3.0%"]
    assert texts(lineage([0.0, 0.01, 0.02, 0.03], scale=EffectScale.SHARE))[0][2] == "+3.0 points"


@pytest.mark.parametrize(
    "history",
    [
        lineage([0.0, 0.01, 0.02]),
        lineage([0.0, -0.01, -0.02, -0.03]),
        lineage([0.0, 0.02, -0.02, 0.01, -0.01]),
        lineage([0.0, 0.01, 0.02, 0.03], decides=False),
        lineage([0.0, math.inf, math.inf, math.inf]),
    ],
    ids=["three generations", "recovery", "noise", "does not decide", "fell to nothing"],
)
def test_nothing_is_shown_where_there_is_no_trend_toward_collapse(history):
    assert trends.table(history) is None
    assert "Trend" not in markdown(history)


def test_a_generation_that_was_not_compared_keeps_its_place():
    history = lineage([0.0, 0.01, 0.02, 0.03, 0.04, 0.05])
    del history[3]
    assert texts(history)[0][1] == "+1.0% (+1.0% to +1.0%)"


def test_the_reports_have_it():
    history = lineage([0.0, 0.01, 0.02, 0.03, 0.04])
    assert "Trend toward collapse" in markdown(history)
    assert "6 generations" in html({"l": history})
