"""The two curves of a lineage side by side: relative fitness, as of a population, and perplexity, as of a model.

Both are one series, W_t / W_0 = PPL_0 / PPL_t. Both show the fitted curve of inbreeding and purging, if there are
enough generations for it, and from the newest generation on the forecast under each mixture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from collapse_guard.comparison.effects import number, share
from collapse_guard.records import Assessment, Comparison, Depression, Forecast, Severity
from collapse_guard.report.figures import DOTS, head, house_style, marks, number_generations
from collapse_guard.report.palette import BAND, LINEAGES, MUTED, PAPER
from collapse_guard.report.tables import compared_with, foundations

AHEAD = 5
"""Generations to come that are drawn."""
INDICATOR = "perplexity"
_LINE, _CURVE, _OTHERS = LINEAGES[0].ink.light, LINEAGES[1].ink.light, LINEAGES[2].ink.light
_LOGARITHMIC_FROM = 8.0
_APART = 0.045
"""Names nearer than this part of the panel's height would lie on each other."""


@dataclass(frozen=True, kw_only=True)
class Curves:
    """What is drawn of one lineage; rises are ln(perplexity / founder's)."""

    founder: float
    """The founder's perplexity."""
    generations: tuple[int, ...]
    """The generations on the line of the newest founder's comparisons, the founder first."""
    rises: tuple[float, ...]
    """Measured."""
    severities: tuple[Severity, ...]
    """Verdicts."""
    margin: float
    """How much of a rise is acceptable."""
    depression: Depression | None
    """The fitted curve."""
    forecasts: tuple[Forecast, ...]
    """What comes, under the mixture in use first."""


def curves(history: Sequence[Assessment]) -> Curves | None:
    """The two curves of a lineage; None if its newest generation has no forecast of perplexity."""
    ordered = foundations(history)[-1]
    newest = ordered[-1]
    forecasts = newest.outlook.forecasts if newest.outlook else ()
    drift = compared_with(newest, INDICATOR, "founder")
    if not forecasts or INDICATOR not in forecasts[0].courses or drift is None:
        return None
    drifts = [(past, one) for past in ordered if (one := _known(compared_with(past, INDICATOR, "founder")))]
    return Curves(
        founder=drift.reference,
        generations=(newest.generation.founder, *(past.generation.index for past, _ in drifts)),
        rises=(0.0, *(one.effect for _, one in drifts)),
        severities=(ordered[0].verdict.severity, *(past.verdict.severity for past, _ in drifts)),
        margin=drift.margin,
        depression=newest.outlook.depression if newest.outlook else None,
        forecasts=forecasts,
    )


def _known(comparison: Comparison | None) -> Comparison | None:
    return comparison if comparison is not None and math.isfinite(comparison.effect) else None


def curves_figure(history: Sequence[Assessment], *, size: tuple[float, float] = (9.0, 3.4)) -> Figure | None:
    """Draw both curves; None where `curves` has nothing. O(generations).

    Args:
        history: The generations of one lineage.
        size: Width and height in inches.
    """
    series = curves(history)
    if series is None:
        return None
    with house_style():
        figure = Figure(figsize=size, layout="constrained", facecolor=PAPER.light)
        fitness, model = figure.subplots(1, 2)
        _draw(fitness, series, title="relative fitness (population view)", way="lower is worse", scale=1.0, sign=-1.0)
        _draw(model, series, title="perplexity (model view)", way="higher is worse", scale=series.founder, sign=1.0)
        keys, names = model.get_legend_handles_labels()
        figure.legend(keys, names, loc="outside lower left", ncols=6, frameon=False, fontsize=8.5, borderaxespad=0.2)
    return figure


def description(history: Sequence[Assessment]) -> str:
    """Both curves in words; empty where there is nothing to draw."""
    series = curves(history)
    if series is None:
        return ""
    last, ahead = series.rises[-1], series.forecasts[0].courses[INDICATOR].median[: _ahead(series)][-1]
    parts = [
        f"Relative fitness is {math.exp(-last):.2f} and perplexity {number(series.founder * math.exp(last))} "
        f"at generation {series.generations[-1]}",
        f"under the mixture in use, {math.exp(-ahead):.2f} and {number(series.founder * math.exp(ahead))} are "
        f"forecast for generation {series.generations[-1] + _ahead(series)}",
    ]
    return f"{'; '.join(parts)}."


def _ahead(series: Curves) -> int:
    return min(AHEAD, len(series.forecasts[0].generations))


def _draw(axes: Axes, series: Curves, *, title: str, way: str, scale: float, sign: float) -> None:
    """Draw rises as scale * exp(sign * rise)."""

    def shown(rises: Sequence[float]) -> list[float]:
        return [scale * math.exp(max(-50.0, min(50.0, sign * rise))) for rise in rises]

    steps, (in_use, *others) = _ahead(series), series.forecasts
    last, generations = series.generations[-1], [*series.generations]
    coming = [last, *in_use.generations[:steps]]
    head(axes, title, way=way)
    axes.axhspan(*shown([0.0, series.margin]), facecolor=BAND.light, edgecolor="none", label="within the margin")
    axes.axhline(scale, color=MUTED.light, linewidth=0.9, linestyle=DOTS, label="founder")
    axes.axvline(last, color=MUTED.light, linewidth=0.6)
    course, start = in_use.courses[INDICATOR], series.rises[-1]
    low, high = (shown([start, *ends[:steps]]) for ends in (course.low, course.high))
    axes.fill_between(coming, low, high, facecolor=(_LINE, 0.12), edgecolor="none", label="90% band")
    paths = {forecast.real_share: shown([start, *forecast.courses[INDICATOR].median[:steps]]) for forecast in others}
    for path in paths.values():
        axes.plot(coming, path, color=_OTHERS, linewidth=0.8)
    in_words = f"forecast, {_named(in_use.real_share)} as now"
    axes.plot(
        coming, shown([start, *course.median[:steps]]), color=_LINE, linewidth=1.6, linestyle="dashed", label=in_words
    )
    axes.plot(generations, shown(series.rises), color=_LINE, linewidth=1.6, label="measured")
    for severity in sorted(set(series.severities), key=lambda each: each.rank):
        places = [i for i, each in enumerate(series.severities) if each is severity]
        axes.add_line(marks(severity, [generations[i] for i in places], shown([series.rises[i] for i in places])))
    if series.depression is not None:
        path = shown(series.depression.curve[: last + steps + 1])
        label = "inbreeding with purging, fitted" if series.depression.purging else "inbreeding, fitted"
        axes.plot(range(len(path)), path, color=_CURVE, linewidth=1.2, linestyle=DOTS, label=label)
    number_generations(axes, [*generations, *coming])
    medians = [*shown(course.median[:steps]), *(value for path in paths.values() for value in path)]
    _fit(axes, [*shown(series.rises), *medians, *shown([0.0, series.margin])], right=coming[-1])
    _name_ends(axes, {share: path[-1] for share, path in paths.items()}, right=coming[-1])


def _name_ends(axes: Axes, ends: Mapping[float, float], *, right: float) -> None:
    """Name each real share at the end of its line, and those whose lines end at one place together."""
    place = {share: float(axes.transData.transform((right, end))[1]) for share, end in ends.items()}
    groups: list[list[float]] = []
    for end in sorted(ends, key=lambda each: place[each]):
        if groups and place[end] - place[groups[-1][-1]] < _APART * axes.bbox.height:
            groups[-1].append(end)
        else:
            groups.append([end])
    for shares in groups:
        label = _named(max(shares)) if len(shares) == 1 else f"{100.0 * min(shares):.3g}-{_named(max(shares))}"
        middle = math.sqrt(ends[shares[0]] * ends[shares[-1]])
        axes.annotate(
            label, (right, middle), fontsize=7.0, color=_OTHERS, va="center", xytext=(3, 0), textcoords="offset points"
        )


def _named(real_share: float) -> str:
    return f"{share(real_share)} real"


def _fit(axes: Axes, values: Sequence[float], *, right: float) -> None:
    """Show what was measured and the medians that are forecast, whatever a band reaches; leave room for the names."""
    low, high = min(values), max(values)
    if high > _LOGARITHMIC_FROM * low:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.3, high * 1.3)
        axes.yaxis.set_major_formatter("{x:g}")
    else:
        spare = 0.12 * (high - low)
        axes.set_ylim(max(0.0, low - spare), high + spare)
    axes.set_xlim(axes.get_xlim()[0], right + 0.18 * (right + 1.0))
