"""Attachments of a stored assessment, for people: the report of its lineage, and its two curves."""

from __future__ import annotations

from collections.abc import Sequence

from collapse_guard.records import Assessment
from collapse_guard.report.html import html


def attachments(lineage: str, history: Sequence[Assessment]) -> dict[str, str]:
    """File name -> text: report.html, and two-curves.svg if perplexity is forecast.

    The page has no charts of calm indicators (`html`): every generation has a page, and `collapse-guard report` draws
    more.
    """
    from collapse_guard.report.curves import curves_figure
    from collapse_guard.report.figures import figure_svg

    figure = curves_figure(history)
    curves = "" if figure is None else figure_svg(figure)
    page = {"report.html": html({lineage: history}, curves={lineage: curves}, with_calm=False)}
    return {**page, "two-curves.svg": curves} if curves else page
