"""The report page: one HTML file without scripts or fetches, so that it also opens inside MLflow's sandbox.

What comes from outside is escaped by Jinja, and a content security policy forbids scripts and requests altogether.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from collapse_guard.records import Assessment, Comparison, Severity, founder_of
from collapse_guard.report import lost, outlook, sentences, slices, tables, trends
from collapse_guard.report.palette import INKS, SEVERITIES, LineageLook, lineage_look
from collapse_guard.report.series import REAL_SHARE, Histories, description, has_series
from collapse_guard.report.tables import Table

_CHART_INCHES = (4.2, 2.7)
_CHARTS_UP_FRONT = 5
_CHARTS_FOLDED = 12

_SIZE = re.compile(r' width="[\d.]+pt" height="[\d.]+pt"')
_FONT = re.compile(r" font-family: [^;\"]*;")
_STYLESHEET = re.compile(r"<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
_REFERENCE = re.compile(r'(?<= id=")|(?<=url\(#)|(?<=href="#)')


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One small picture of the page."""

    svg: Markup
    """The picture, with the colours of the page."""
    alternative: str
    """What it shows, in words."""


@dataclass(frozen=True, kw_only=True)
class LineageView:
    """The view of one lineage with at least one generation."""

    name: str
    """Its name, on one line."""
    look: LineageLook
    """How it is drawn."""
    newest: Assessment
    """Its newest generation."""
    track: tuple[tuple[int, Severity, str], ...]
    """Generation, verdict and why the lineage was founded anew with it, oldest first; empty: it was not."""
    foundings: tuple[str, ...]
    """Where it was founded anew and why."""
    read: str
    """What was read, counted; empty where it was not."""
    prescription: str
    """The guard's request for the next generation; empty: none."""
    outlook: tuple[str, ...]
    """How inbred it is, when it fails, and how much real data prevents that."""
    needed: tuple[str, ...]
    """What would decide where the verdict is undecided."""
    curves: Chart | None
    """Its relative fitness and perplexity, with what is forecast; None: nothing is."""
    tables: tuple[Table, ...]
    """Generations, then the trend and the comparisons that the newest verdict rests on, where there are any."""
    families: tuple[tuple[str, Table], ...]
    """What stands over the folded comparisons of a family that decide nothing, and these."""
    lost: tuple[Table, ...]
    """What the newest generation lost, a table for each kind."""
    slices: Table | None
    """How much of each kind of document its samples are; None: not measured."""


def html(
    histories: Histories,
    *,
    title: str = "Lineage report",
    curves: Mapping[str, str] | None = None,
    with_calm: bool = True,
) -> str:
    """Report lineages as one self-contained HTML page.

    Args:
        histories: Lineage name -> its generations; a lineage without any is named as not assessed.
        title: Heading of the page.
        curves: Lineage name -> SVG of its two curves, empty where it has none; None: they are drawn.
        with_calm: Whether there are charts of calm indicators behind the first five: those that are not beyond their
            watch level, and that no verdict but HEALTHY rests on.

    Returns:
        The page; the same for the same input. O(generations) text, and an SVG figure for each of the first indicators
        and of those that decide; of the others, twelve in all, those that moved first.
    """
    read = tables.indicators(assessment for history in histories.values() for assessment in history)
    drawn = [name for name in read if has_series(histories, name)]
    first = [*drawn[:_CHARTS_UP_FRONT], *([REAL_SHARE] if has_series(histories, REAL_SHARE) else [])]
    folded, others = _worth_a_chart(histories, drawn[_CHARTS_UP_FRONT:], with_calm=with_calm)
    return _template().render(
        title=sentences.one_line(title),
        inks=INKS,
        severities=SEVERITIES,
        lineages=[
            _view(name, history, place, _curves(history) if curves is None else curves[name])
            for place, (name, history) in enumerate(histories.items())
            if history
        ],
        not_assessed=[sentences.one_line(name) for name, history in histories.items() if not history],
        first_charts=_charts(histories, first, prefix="first"),
        other_charts=_charts(histories, folded, prefix="other"),
        n_without_chart=len(others),
        with_calm=with_calm,
    )


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_printable
    )
    source = resources.files("collapse_guard.report").joinpath("report.html.j2")
    return environment.from_string(source.read_text(encoding="utf-8"))


def _printable(value: object) -> object:
    """Text on one line, without what controls a terminal or turns text around; markup is ours and stays."""
    return sentences.one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _curves(history: Sequence[Assessment]) -> str:
    from collapse_guard.report.curves import curves_figure
    from collapse_guard.report.figures import figure_svg

    figure = curves_figure(history)
    return "" if figure is None else figure_svg(figure)


def _view(name: str, history: Sequence[Assessment], place: int, curves: str) -> LineageView:
    from collapse_guard.report.curves import description as curves_description

    ordered = tables.in_order(history)
    newest = ordered[-1]
    before = None if newest.generation.is_founder else founder_of(ordered, newest.generation)
    deciding = tables.deciding(newest)
    compared = tables.comparisons(newest, deciding) if deciding else None
    shown = (tables.generations(ordered), trends.table(ordered), outlook.table(newest), compared)
    return LineageView(
        name=sentences.one_line(name),
        look=lineage_look(place),
        newest=newest,
        track=tuple((past.generation.index, past.verdict.severity, past.generation.founding) for past in ordered),
        foundings=tuple(sentences.foundings(ordered)),
        read=sentences.read(newest),
        prescription=sentences.prescription(newest),
        outlook=(*sentences.decisions(newest), *outlook.sentences(newest)),
        needed=tuple(sentences.deciding_samples(newest)),
        curves=_chart(curves, curves_description(ordered), prefix=f"curves-{place}-") if curves else None,
        tables=tuple(table for table in shown if table),
        families=tuple(_family(newest, family, group) for family, group in tables.informative(newest).items()),
        lost=lost.tables(newest, before),
        slices=slices.table(newest, before),
    )


def _family(newest: Assessment, family: str, comparisons: Sequence[Comparison]) -> tuple[str, Table]:
    moved = sum(map(tables.has_moved, comparisons))
    beyond = f", {moved} beyond {'its' if moved == 1 else 'their'} watch level" if moved else ""
    noun = "comparison" if len(comparisons) == 1 else "comparisons"
    return f"{family}: {len(comparisons)} more {noun}{beyond}", tables.comparisons(newest, comparisons)


def _worth_a_chart(histories: Histories, indicators: Sequence[str], *, with_calm: bool) -> tuple[list[str], list[str]]:
    """Those that a newest verdict rests on, then those that moved anyway, then others up to twelve; and the rest.

    Without the calm ones: those that moved, or that a newest verdict is not HEALTHY for; and the rest.
    """
    newest = [tables.in_order(history)[-1] for history in histories.values() if history]
    comparisons = [comparison for assessment in newest for comparison in assessment.comparisons]
    deciding = {comparison.indicator for comparison in comparisons if comparison.decides}
    moved = {comparison.indicator for comparison in comparisons if tables.has_moved(comparison)}
    if not with_calm:
        reasons = [reason for assessment in newest for reason in assessment.verdict.reasons]
        told = moved | {reason.indicator for reason in reasons if reason.severity is not Severity.HEALTHY}
        return [name for name in indicators if name in told], [name for name in indicators if name not in told]
    ordered = sorted(indicators, key=lambda name: (name not in deciding, name not in moved))
    n_kept = max(_CHARTS_FOLDED, sum(name in deciding for name in indicators))
    return ordered[:n_kept], ordered[n_kept:]


def _charts(histories: Histories, indicators: Sequence[str], *, prefix: str) -> list[Chart]:
    from collapse_guard.report.figures import figure_svg, lineage_figure

    charts = []
    for place, indicator in enumerate(indicators):
        figure = lineage_figure(histories, [indicator], size=_CHART_INCHES, with_legend=False)
        charts.append(_chart(figure_svg(figure), description(histories, indicator), prefix=f"{prefix}-{place}-"))
    return charts


def _chart(svg: str, alternative: str, *, prefix: str) -> Chart:
    return Chart(svg=Markup(inline_svg(svg, prefix=prefix)), alternative=alternative)  # noqa: S704 - our own SVG


def inline_svg(svg: str, *, prefix: str) -> str:
    """Fit a figure of `figure_svg` into a page: colours and font become the page's, ids are unique, the size is fluid.

    Args:
        svg: A whole SVG file.
        prefix: Stands before every id, so that several figures can be in one page.
    """
    body = _STYLESHEET.sub("", svg[svg.index("<svg") :])
    body = _REFERENCE.sub(prefix, _FONT.sub("", _SIZE.sub("", body, count=1)))
    for ink in INKS:
        body = body.replace(ink.light, f"var(--{ink.name})")
    return body.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
