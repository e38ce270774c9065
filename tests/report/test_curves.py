"""The two curves of a lineage: what is drawn, and that it is kept beside the assessment."""

import math
import re

import numpy as np
import pytest

from collapse_guard.decision.policy import Policy
from collapse_guard.prescription.outlook import outlook
from collapse_guard.records import Depression, Interval, Reason, ReasonKind, Severity
from collapse_guard.report import attachments, html
from collapse_guard.report.curves import curves, curves_figure, description


@pytest.fixture(scope="module")
def forecast(replace):
    """The collapsing lineage, with the outlook of its newest generation."""
    return [*replace[:-1], replace[-1].model_copy(update={"outlook": outlook(replace[-1], replace[:-1], Policy())})]


@pytest.fixture
def panels(forecast):
    return curves_figure(forecast).axes


def line(axes, label):
    (found,) = [line for line in axes.lines if str(line.get_label()).startswith(label)]
    return found.get_xydata()


def test_the_measured_line_is_fitness_in_one_panel_and_perplexity_in_the_other(panels):
    perplexity = np.array([92.1, 348.2, 577.9, 684.4, 760.3])
    np.testing.assert_allclose(line(panels[0], "measured")[:, 1], perplexity[0] / perplexity)
    np.testing.assert_allclose(line(panels[1], "measured")[:, 1], perplexity)


def test_the_forecast_goes_on_from_what_was_measured(panels, forecast):
    course = forecast[-1].outlook.forecasts[0].courses["perplexity"]
    path = line(panels[1], "forecast, 0% real as now")
    np.testing.assert_allclose(path[:, 0], [4, 5, 6, 7, 8, 9])
    np.testing.assert_allclose(path[:, 1], [760.3, *(92.1 * math.exp(rise) for rise in course.median[:5])])
    np.testing.assert_allclose(line(panels[0], "forecast")[:, 1], 92.1 / path[:, 1])


def test_every_other_mixture_is_named_at_its_end(forecast):
    apart = with_ends(forecast, {0.05: 2.0, 0.1: 1.4, 0.2: 0.8, 0.625: 0.1})
    for axes, founder, sign in zip(curves_figure(apart).axes, (1.0, 92.1), (-1.0, 1.0), strict=True):
        named = {text.get_text(): text.xy[1] for text in axes.texts}
        assert set(named) == {"5% real", "10% real", "20% real", "62.5% real"}
        assert named["5% real"] == pytest.approx(founder * math.exp(sign * 2.0))


def with_ends(forecast, ends):
    """The lineage with forecasts of other mixtures that end at the given rises."""
    (first, *_), outlook = forecast[-1].outlook.forecasts, forecast[-1].outlook
    course = first.courses["perplexity"]
    others = [
        first.model_copy(
            update={
                "real_share": share,
                "courses": {"perplexity": course.model_copy(update={"median": (rise,) * len(course.median)})},
            }
        )
        for share, rise in ends.items()
    ]
    changed = outlook.model_copy(update={"forecasts": (first, *others)})
    return [*forecast[:-1], forecast[-1].model_copy(update={"outlook": changed})]


def test_no_mixture_leaves_the_panel(forecast):
    wide = curves_figure(with_ends(forecast, {0.5: -1.0, 0.9: 4.0}))
    for axes, founder, sign in zip(wide.axes, (1.0, 92.1), (-1.0, 1.0), strict=True):
        reached = [founder * math.exp(sign * rise) for rise in (-1.0, 4.0)]
        low, high = axes.get_ylim()
        assert low < min(reached)
        assert max(reached) < high


def test_mixtures_that_end_at_one_place_share_a_name(forecast):
    for axes in curves_figure(with_ends(forecast, {0.0: 1.0, 0.2: 1.001, 0.05: 1.0, 0.7: 0.1})).axes:
        assert sorted(text.get_text() for text in axes.texts) == ["0-20% real", "70% real"]


def test_the_margin_is_shaded_on_the_side_of_harm(panels):
    fitness, perplexity = (
        [patch for patch in axes.patches if patch.get_label() == "within the margin"] for axes in panels
    )
    ends = [
        sorted(patch.get_extents().transformed(axes.transData.inverted()).intervaly)
        for axes, (patch,) in zip(panels, (fitness, perplexity), strict=True)
    ]
    assert ends[0] == pytest.approx([math.exp(-0.0953), 1.0])
    assert ends[1] == pytest.approx([92.1, 92.1 * math.exp(0.0953)])


def test_the_fitted_curve_goes_through_both_and_says_whether_purging_is_shown(forecast):
    curve = tuple(0.1 * t for t in range(15))
    found = Depression(load=interval(1.0), size=interval(9.0), curve=curve)
    for purging, label in ((None, "inbreeding, fitted"), (interval(0.2), "inbreeding with purging, fitted")):
        fitted = forecast[-1].outlook.model_copy(update={"depression": found.model_copy(update={"purging": purging})})
        axes = curves_figure([*forecast[:-1], forecast[-1].model_copy(update={"outlook": fitted})]).axes
        np.testing.assert_allclose(line(axes[0], label)[:, 1], np.exp(-np.array(curve[:10])))
        np.testing.assert_allclose(line(axes[1], label)[:, 1], 92.1 * np.exp(curve[:10]))


def interval(value):
    return Interval(value=value, low=0.5 * value, high=2.0 * value)


def test_without_a_forecast_of_perplexity_there_is_nothing_to_draw(replace, forecast):
    assert curves(replace) is None
    assert curves_figure(replace) is None
    assert description(replace) == ""
    others = forecast[-1].outlook.forecasts[0].model_copy(update={"courses": {}})
    bare = forecast[-1].outlook.model_copy(update={"forecasts": (others,)})
    assert curves([*forecast[:-1], forecast[-1].model_copy(update={"outlook": bare})]) is None


@pytest.mark.slow
def test_the_page_and_the_store_have_the_picture_and_its_words(replace, forecast):
    page = html({"bot": forecast})
    assert "relative fitness (population view)" in page
    assert description(forecast) in page
    assert "Relative fitness is 0.12 and perplexity 760.3 at generation 4" in description(forecast)
    assert set(attachments("bot", forecast)) == {"report.html", "two-curves.svg"}
    assert attachments("bot", forecast)["two-curves.svg"].startswith("<?xml")
    assert set(attachments("bot", replace)) == {"report.html"}


def test_the_page_in_the_store_has_charts_of_what_moved_or_decides_and_counts_the_others(build, read, compared):
    names = [f"of_my_own_{place:02}" for place in range(8)]
    comparisons = [
        compared("vendi", 20.0, 20.0, indicator=names[5]),
        compared("vendi", 14.0, 20.0, indicator=names[6], decides=False),
        compared("vendi", 14.0, 20.0, indicator=names[7]),
    ]
    history = [build("x", 0, {name: read("vendi", 20.0, indicator=name) for name in names}, comparisons)]
    page = attachments("x", history)["report.html"]
    drawn = re.findall(r'aria-label="of my own-(\d+) over generations', page)
    assert drawn == ["00", "01", "02", "03", "04", "06", "07"]
    assert "1 more indicator has no chart here, as nothing was found in it: <code>collapse-guard report</code>" in page
    assert len(re.findall("<figure", html({"x": history}))) == 8
    undecided = Reason(
        kind=ReasonKind.NOT_SHOWN, severity=Severity.UNDECIDED, indicator=names[5], sentence="too few samples"
    )
    verdict = history[0].verdict.model_copy(update={"severity": Severity.UNDECIDED, "reasons": (undecided,)})
    page = attachments("x", [history[0].model_copy(update={"verdict": verdict})])["report.html"]
    assert "of my own-05 over generations" in page
    assert "no chart here" not in page
