"""Indicators over generations as Matplotlib figures: the same input gives the same bytes, without a window system.

Every lineage is a line of its own colour and dashes, every verdict a marker of its own shape and colour. The dotted
line is the founder's level, the band reaches from it to where the margin ends, and whiskers are intervals. Where a
lineage is founded anew, its line breaks, and level and band are those of the founder that is compared with.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter
from matplotlib.typing import ColorType, LineStyleType

from collapse_guard.records import Assessment, Comparison, Severity
from collapse_guard.report import sentences
from collapse_guard.report.palette import BAND, MUTED, PAPER, RULE, SEVERITIES, TEXT, LineageLook, lineage_look
from collapse_guard.report.series import REAL_SHARE, Histories, Point, margin_ends, series
from collapse_guard.report.tables import compared_with, foundations, in_order

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

PANELS = ("perplexity", "tail_loss", "rare_coverage", REAL_SHARE)
"""The panels of the picture in the README."""

_LOGARITHMIC_FROM = 20.0
_NUMBERS = 6
"""Most numbers on an axis: each takes as long to draw as all marks together."""
_CHARACTER = 0.075
"""Inches that a digit of the numbers beside a panel takes."""
DOTS: LineStyleType = (0, (1.0, 1.6))
_STYLE: dict[RcKeyType, Any] = {
    "svg.hashsalt": "collapse_guard",
    "svg.fonttype": "none",
    "font.size": 9.0,
    "text.color": TEXT.light,
    "axes.edgecolor": RULE.light,
    "axes.labelcolor": MUTED.light,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": RULE.light,
    "ytick.color": RULE.light,
    "xtick.labelcolor": MUTED.light,
    "ytick.labelcolor": MUTED.light,
    "grid.color": RULE.light,
    "grid.linewidth": 0.6,
    "text.parse_math": False,
    "figure.constrained_layout.w_pad": 0.12,
    "figure.constrained_layout.h_pad": 0.10,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the look of the reports, whatever the settings of the user."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def lineage_figure(
    histories: Histories,
    indicators: Sequence[str] = PANELS,
    *,
    size: tuple[float, float] | None = None,
    with_legend: bool = True,
) -> Figure:
    """Draw one panel per indicator, two beside each other, with a line per lineage.

    Args:
        histories: Lineage name -> its generations. One without a usable reading is absent from the panel.
        indicators: Names of indicators, or `REAL_SHARE`.
        size: Width and height in inches; None: 4.5 by 3 for each panel.
        with_legend: Whether to explain lines, markers and bands below the panels.

    Returns:
        A figure without a canvas of any window system. O(lineages x generations x indicators).
    """
    columns = min(2, len(indicators)) or 1
    rows = max(1, math.ceil(len(indicators) / columns))
    alone = len(indicators) == 1 and not with_legend
    with house_style():
        figure = Figure(
            figsize=size or (4.5 * columns, 3.0 * rows),
            layout=None if alone else "constrained",
            facecolor=PAPER.light,
        )
        panels = figure.subplots(rows, columns, squeeze=False).flatten()
        for axes, indicator in zip(panels, indicators, strict=False):
            _draw_panel(axes, histories, indicator)
        for axes in panels[len(indicators) :]:
            axes.remove()
        if with_legend:
            _draw_legends(figure, histories)
        if alone:
            _leave_room(figure, panels[0])
    return figure


def _leave_room(figure: Figure, axes: Axes) -> None:
    """Place the one panel by the length of its numbers: to measure all text first, as for several, takes four times as
    long as drawing it.
    """
    numbers, offset = _numbers(axes)
    widest = max(map(len, numbers), default=0)
    above = 0.48 if offset else 0.30
    width, height = figure.get_size_inches()
    figure.subplots_adjust(
        left=(0.14 + _CHARACTER * widest) / width, right=1 - 0.14 / width, bottom=0.44 / height, top=1 - above / height
    )


def _numbers(axes: Axes) -> tuple[list[str], str]:
    """The numbers beside a panel, and what stands above it if they leave out what is the same in all."""
    axis, (low, high) = axes.yaxis, sorted(axes.get_ylim())
    formatter = axis.get_major_formatter()
    numbers = formatter.format_ticks([place for place in axis.get_majorticklocs() if low <= place <= high])
    return numbers, formatter.get_offset()


def _draw_panel(axes: Axes, histories: Histories, indicator: str) -> None:
    lines = {name: series(history, indicator) for name, history in histories.items()}
    _draw_founders(axes, histories, indicator)
    for place, points in enumerate(lines.values()):
        _draw_line(axes, points, lineage_look(place))
    number_generations(axes, [past.generation.index for history in histories.values() for past in history])
    _scale_values(axes, [point.value for points in lines.values() for point in points], indicator)
    # Matplotlib measures all text to place a title: in time, as much as half the panel.
    height = None if _numbers(axes)[1] else 1.0
    head(axes, sentences.title(indicator), way=_which_way(histories, indicator), place=height)


def head(axes: Axes, title: str, *, way: str, place: float | None = None) -> None:
    """Give a panel its paper, its lines, its title, and which way is worse.

    Args:
        axes: The panel.
        title: What it shows.
        way: Which way is worse.
        place: Where the title stands, as a part of the panel's height; None: above all that stands above the panel.
    """
    axes.set_facecolor(PAPER.light)
    axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold", y=place)
    axes.set_title(way, loc="right", fontsize=8.5, color=MUTED.light, y=place)
    axes.grid(axis="y")


def _which_way(histories: Histories, indicator: str) -> str:
    readings = (a.readings[indicator] for history in histories.values() for a in history if indicator in a.readings)
    reading = next(readings, None)
    return sentences.which_way(reading.direction) if reading else ""


def _draw_founders(axes: Axes, histories: Histories, indicator: str) -> None:
    """Draw the founder's level and the margin once where lineages share them, else for each lineage in its colour."""
    drawn = {place: _spans(past, indicator) for place, past in enumerate(histories.values())}
    compared = {place: spans for place, spans in drawn.items() if any(span.drift for span in spans)}
    every = [span.drift for spans in compared.values() for span in spans if span.drift]
    levels = {tuple(f"{end:.3g}" for end in (drift.reference, *margin_ends(drift))) for drift in every}
    if len(levels) == 1:
        compared = dict([next(iter(compared.items()))])
    for place, spans in drawn.items():
        ink = lineage_look(place).ink.light
        line, band = (MUTED.light, BAND.light) if len(levels) == 1 or len(drawn) == 1 else (ink, (ink, 0.12))
        for span in spans[1:]:
            axes.axvline(span.start, color=line, linewidth=0.9)
        for span in compared.get(place, ()):
            _draw_founder(axes, span, line=line, band=band)


class _Span(NamedTuple):
    """The generations of one founder in one panel."""

    start: float
    end: float
    drift: Comparison | None
    """The newest comparison with it; None: there is none."""
    is_whole: bool
    """Whether the lineage has no other founder."""


def _spans(history: Sequence[Assessment], indicator: str) -> list[_Span]:
    found = foundations(history)
    spans = []
    for past in found:
        drifts = [drift for one in past if (drift := compared_with(one, indicator, "founder"))]
        start, end = past[0].generation.index - 0.5, past[-1].generation.index + 0.5
        spans.append(_Span(start, end, drifts[-1] if drifts else None, len(found) == 1))
    return spans


def _draw_founder(axes: Axes, span: _Span, *, line: ColorType, band: ColorType) -> None:
    if span.drift is None:
        return
    level, (low, high) = span.drift.reference, margin_ends(span.drift)
    if span.is_whole:
        if span.drift.decides:
            axes.axhspan(low, high, facecolor=band, edgecolor="none")
        axes.axhline(level, color=line, linewidth=0.9, linestyle=DOTS)
        return
    between = (span.start, span.end)
    if span.drift.decides:
        axes.fill_between(between, low, high, facecolor=band, edgecolor="none")
    axes.plot(between, (level, level), color=line, linewidth=0.9, linestyle=DOTS)


def _draw_line(axes: Axes, points: Sequence[Point], look: LineageLook) -> None:
    generations = [point.generation for point in points]
    axes.vlines(
        generations, [p.low for p in points], [p.high for p in points], color=look.ink.light, linewidth=1.2, alpha=0.55
    )
    for _, of_founder in groupby(points, key=lambda point: point.founder):
        line = list(of_founder)
        places, values = [point.generation for point in line], [point.value for point in line]
        axes.plot(places, values, color=look.ink.light, linewidth=1.6, linestyle=_dashes(look))
    for severity in Severity:
        marked = [point for point in points if point.severity is severity]
        if marked:
            axes.add_line(marks(severity, [p.generation for p in marked], [p.value for p in marked]))


def _dashes(look: LineageLook) -> LineStyleType:
    return (0, look.dashes) if look.dashes else "solid"


def marks(severity: Severity, x: Sequence[float], y: Sequence[float]) -> Line2D:
    """Markers of one severity."""
    look = SEVERITIES[severity]
    return Line2D(
        x,
        y,
        linestyle="none",
        marker=look.marker,
        markersize=look.size,
        markerfacecolor=PAPER.light if look.is_hollow else look.ink.light,
        markeredgecolor=look.ink.light if look.is_hollow else PAPER.light,
        markeredgewidth=1.4 if look.is_hollow else 0.8,
        zorder=3,
    )


def number_generations(axes: Axes, generations: Sequence[int]) -> None:
    """Give every panel the same generations, so that a gap is seen as one."""
    axes.set_xlabel("generation", fontsize=8.5)
    axes.xaxis.set_major_locator(
        MaxNLocator(integer=True, nbins=_NUMBERS, min_n_ticks=1) if generations else NullLocator()
    )
    axes.tick_params(bottom=False, left=False, labelsize=8.5)
    if generations:
        axes.set_xlim(min(generations) - 0.3, max(generations) + 0.3)


def _scale_values(axes: Axes, values: Sequence[float], indicator: str) -> None:
    if not values:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", va="center", color=MUTED.light)
        axes.yaxis.set_major_locator(NullLocator())
    elif indicator == REAL_SHARE:
        axes.set_ylim(-0.06, 1.06)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    elif 0 < min(values) < max(values) / _LOGARITHMIC_FROM:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=_NUMBERS, steps=[1, 2, 2.5, 5, 10]))


def _draw_legends(figure: Figure, histories: Histories) -> None:
    lines: list[Artist] = []
    for place, (name, history) in enumerate(histories.items()):
        look, newest = lineage_look(place), in_order(history)[-1:]
        verdict = f"now {newest[0].verdict.severity}" if newest else "not assessed yet"
        label = sentences.one_line(f"{name}: {verdict}")
        lines.append(Line2D([], [], color=look.ink.light, linewidth=2.0, linestyle=_dashes(look), label=label))
    seen = {assessment.verdict.severity for history in histories.values() for assessment in history}
    explained: list[Artist] = []
    for severity in Severity:
        if severity in seen:
            explained.append(marks(severity, [], []))
            explained[-1].set_label(str(severity))
    explained.append(Line2D([], [], color=MUTED.light, linewidth=0.9, linestyle=DOTS, label="founder"))
    explained.append(Patch(facecolor=BAND.light, edgecolor="none", label="within the margin"))
    figure.legend(handles=lines, loc="outside upper left", ncols=3, fontsize=10.5, frameon=False, borderaxespad=0.2)
    figure.legend(handles=explained, loc="outside lower left", ncols=6, fontsize=9.0, frameon=False, borderaxespad=0.2)


def figure_svg(figure: Figure) -> str:
    """A figure as SVG with text as text; the same whatever the day and the Matplotlib settings of the user."""
    out = io.StringIO()
    with house_style():
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return out.getvalue()


def figure_png(histories: Histories, *, indicators: Sequence[str] = PANELS, dots_per_inch: int = 200) -> bytes:
    """The lineages as a PNG, 1,800 pixels wide by default: the picture for a README or a slide."""
    figure = lineage_figure(histories, indicators)
    out = io.BytesIO()
    with house_style():
        figure.savefig(out, format="png", dpi=dots_per_inch, metadata={"Software": None})
    return out.getvalue()
