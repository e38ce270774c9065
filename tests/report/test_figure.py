"""The figures: what is drawn is what was measured, the bytes repeat, and the user's Matplotlib is left as it was."""

import math
import struct
import subprocess
import sys
import warnings
from xml.etree import ElementTree

import matplotlib
import pytest
from matplotlib.colors import same_color

from collapse_guard.records import Direction, Severity
from collapse_guard.report import figure_png, figure_svg, html, lineage_figure
from collapse_guard.report.palette import LINEAGES, MUTED, SEVERITIES
from collapse_guard.report.series import REAL_SHARE, margin_ends, series


def lines_of(axes, colour):
    return [line for line in axes.lines if same_color(line.get_color(), colour) and len(line.get_xdata()) > 2]


def marks_of(axes, severity):
    marker = SEVERITIES[severity].marker
    return [point for line in axes.lines if line.get_marker() == marker for point in zip(*line.get_data(), strict=True)]


def test_each_lineage_is_a_line_through_its_readings(histories, replace):
    (axes,) = lineage_figure(histories, ["perplexity"], with_legend=False).axes
    (line,) = lines_of(axes, LINEAGES[0].ink.light)
    assert list(line.get_xdata()) == [0, 1, 2, 3, 4]
    assert list(line.get_ydata()) == [assessment.readings["perplexity"].value for assessment in replace]
    assert len(lines_of(axes, LINEAGES[1].ink.light)) == 1


def test_each_verdict_has_its_own_marker(histories):
    (axes,) = lineage_figure(histories, ["perplexity"], with_legend=False).axes
    assert sorted(marks_of(axes, Severity.HEALTHY)) == [(0, 92.1), (0, 92.1), (4, 95.8)]
    assert marks_of(axes, Severity.UNDECIDED) == [(3, 98.4)]
    assert len(marks_of(axes, Severity.COLLAPSED)) == 4 + 2
    assert len({look.marker for look in SEVERITIES.values()}) == len(Severity)


def test_generations_without_a_usable_reading_are_left_out(build, read):
    values = [90.0, math.nan, math.inf, 95.0]
    history = [build("newsbot", t, {"perplexity": read("perplexity", value)}) for t, value in enumerate(values)]
    history.append(build("newsbot", 4, {"perplexity": read("perplexity", 97.0, problem="too few documents")}))
    history.append(build("newsbot", 5, {}))
    assert [(point.generation, point.value) for point in series(history, "perplexity")] == [(0, 90.0), (3, 95.0)]


def test_all_panels_share_their_generations_so_that_a_gap_is_seen(build, read):
    history = [build("x", t, {"vendi": read("vendi", 20.0)} if t < 2 else {}, real=0.5) for t in range(6)]
    assert {panel.get_xlim() for panel in lineage_figure({"x": history}, ["vendi", "mauve", REAL_SHARE]).axes} == {
        (-0.3, 5.3)
    }


def test_whiskers_are_the_interval_around_the_point(guarded):
    point = series(guarded, "rare_coverage")[2]
    assert point.low == pytest.approx(0.388 * math.exp(-1.96 * 0.03))
    assert point.high == pytest.approx(0.388 * math.exp(1.96 * 0.03))
    in_nats = series(guarded, "tail_loss")[2]
    assert (in_nats.low, in_nats.high) == pytest.approx((7.91 - 1.96 * 0.02, 7.91 + 1.96 * 0.02))
    founder = series(guarded, "rare_coverage")[0]
    assert founder.low == founder.value == founder.high


@pytest.mark.parametrize(
    ("direction", "ends"),
    [(Direction.UP, (20.0, 22.0)), (Direction.DOWN, (20 / 1.1, 20.0)), (Direction.BOTH, (20 / 1.1, 22))],
)
def test_the_band_reaches_from_the_founder_to_where_the_margin_ends(compared, direction, ends):
    comparison = compared("vendi", 25.0, 20.0, direction=direction, margin=math.log(1.1))
    assert margin_ends(comparison) == pytest.approx(ends)


def test_a_band_in_nats_is_a_sum(compared):
    assert margin_ends(compared("tail_loss", 8.0, 7.5, margin=0.1)) == pytest.approx((7.5, 7.6))


def test_one_founder_is_drawn_once_and_two_are_drawn_each(histories, replace, build, read, compared):
    def bands(drawn):
        return len(lineage_figure(drawn, ["vendi"], with_legend=False).axes[0].patches)

    other = [build("b", 1, {"vendi": read("vendi", 30.0)}, [compared("vendi", 30.0, 40.0)])]
    assert bands(histories) == 1
    assert bands({"demo-replace": replace, "b": other}) == 2
    assert bands({"demo-replace": replace[:1]}) == 0


def test_where_a_lineage_is_founded_anew_its_line_breaks_and_the_level_is_that_of_the_new_founder(
    build, read, compared
):
    levels, drawn = (90.0, 90.0, 50.0, 50.0, 50.0), []
    for t, level in enumerate(levels):
        drift = [] if t in (0, 2) else [compared("perplexity", level + t, level)]
        foundation = {"founding": "new tokenizer"} if t == 2 else {"founder": 2 if t > 2 else 0}
        drawn.append(build("x", t, {"perplexity": read("perplexity", level + t)}, drift, **foundation))
    (axes,) = lineage_figure({"x": drawn}, ["perplexity"], with_legend=False).axes
    lines = [line for line in axes.lines if same_color(line.get_color(), LINEAGES[0].ink.light)]
    assert [list(line.get_xdata()) for line in lines] == [[0, 1], [2, 3, 4]]
    others = [line for line in axes.lines if same_color(line.get_color(), MUTED.light)]
    spans = {tuple(line.get_xdata()): tuple(line.get_ydata()) for line in others}
    assert spans == {(1.5, 1.5): (0, 1), (-0.5, 1.5): (90.0, 90.0), (1.5, 4.5): (50.0, 50.0)}
    page = html({"x": drawn})
    assert page.count('class="anew"') == 1
    assert "Founded anew with generation 2: new tokenizer." in page


def test_an_indicator_that_does_not_decide_has_no_band(histories):
    assert not lineage_figure(histories, ["bits_per_byte"], with_legend=False).axes[0].patches


def test_the_real_share_is_drawn_from_the_mixture(histories):
    (axes,) = lineage_figure(histories, [REAL_SHARE], with_legend=False).axes
    (line,) = lines_of(axes, LINEAGES[1].ink.light)
    assert list(line.get_ydata()) == [1.0, 0.0, 0.5, 0.5, 0.5]


def test_values_over_orders_of_magnitude_are_drawn_on_a_logarithmic_scale(build, read):
    def scale(values):
        history = [build("x", t, {"perplexity": read("perplexity", value)}) for t, value in enumerate(values)]
        drawn = lineage_figure({"x": history}, ["perplexity"])
        return drawn.axes[0].get_yscale(), figure_svg(drawn)

    assert scale([90.0, 400.0])[0] == "linear"
    kind, svg = scale([90.0, 4e6])
    assert kind == "log"
    assert "mathdefault" not in svg
    assert scale([0.0, 4e6])[0] == "linear"


def test_a_panel_of_nothing_says_so(histories):
    assert "not measured" in figure_svg(lineage_figure(histories, ["mauve"]))
    assert "not assessed yet" in figure_svg(lineage_figure({"newsbot": []}, ["mauve"]))
    assert lineage_figure({}, []).axes == []


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_there_is_a_panel_for_each_indicator_and_no_empty_one(histories, count):
    names = ["perplexity", "tail_loss", "vendi", "distinct_2", REAL_SHARE][:count]
    axes = lineage_figure(histories, names).axes
    assert [panel.get_title(loc="left").replace(" ", "_").replace("-", "_") for panel in axes] == names


@pytest.mark.parametrize("name", ["_hidden", "$x_{1}$", "$unclosed", "<b>&amp;", "a\u202eb"])
def test_a_lineage_of_any_name_is_in_the_legend_as_it_is(replace, name):
    svg = figure_svg(lineage_figure({name: replace}, ["perplexity"]))
    texts = [node.text for node in ElementTree.fromstring(svg.encode()).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314
    assert f"{name.replace(chr(0x202E), '')}: now COLLAPSED" in texts


def test_the_svg_is_xml_and_the_same_for_the_same_input_whatever_the_user_has_set(histories):
    plain = figure_svg(lineage_figure(histories))
    assert ElementTree.fromstring(plain.encode()).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314
    with matplotlib.rc_context(
        {"svg.hashsalt": "other", "axes.facecolor": "red", "font.size": 30, "svg.fonttype": "path", "axes.titlepad": 40}
    ):
        assert figure_svg(lineage_figure(histories)) == plain


def test_the_users_settings_are_as_before(histories):
    with matplotlib.rc_context({"font.size": 31.0}):
        before = dict(matplotlib.rcParams)
        figure_png(histories, dots_per_inch=20)
        assert dict(matplotlib.rcParams) == before


def test_the_png_repeats(histories):
    assert figure_png(histories, dots_per_inch=40) == figure_png(histories, dots_per_inch=40)


def test_the_png_is_1800_pixels_wide_and_names_no_software(histories):
    picture = figure_png(histories)
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", picture[16:24]) == (1800, 1200)
    assert b"matplotlib" not in picture.lower()


def test_drawing_warns_of_nothing(histories):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure_png(histories, dots_per_inch=20)
        figure_png({"only": histories["demo-replace"][:1]}, dots_per_inch=20)


@pytest.mark.slow
def test_the_report_never_imports_pyplot():
    heavy = "('matplotlib.pyplot', 'torch', 'mlflow')"
    code = f"import sys, collapse_guard.report; print(*(m for m in sys.modules if m in {heavy}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("names", [["perplexity"], ["perplexity", "vendi"]])
def test_a_title_stands_above_what_stands_above_the_numbers(build, read, names):
    values = [3.57 + 1e-12 * t for t in range(4)]
    history = [build("x", t, {name: read(name, value) for name in names}) for t, value in enumerate(values)]
    figure = lineage_figure({"x": history}, names, size=(4.2 * len(names), 2.7), with_legend=False)
    figure.draw_without_rendering()
    for axes in figure.axes:
        (title,) = axes.findobj(lambda artist, axes=axes: getattr(artist, "get_text", str)() == axes.get_title("left"))
        offset = axes.yaxis.get_offset_text()
        assert offset.get_text()
        assert title.get_window_extent().y0 >= offset.get_window_extent().y1
