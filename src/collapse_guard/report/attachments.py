"""Attachments of a stored assessment, for people: the report of its lineage, and its two curves."""

from __future__ import annotations

from collections.abc import Sequence

from collapse_guard.records import Assessment
from collapse_guard.report.curves import curves_figure
from collapse_guard.report.figures import figure_svg
from collapse_guard.report.html import html


def attachments(lineage: str, history: Sequence[Assessment]) -> dict[str, str]:
    """File name -> text: report.html, and two-curves.svg if perplexity is forecast."""
    curves = curves_figure(history)
    page = {"report.html": html({lineage: history})}
    return page if curves is None else {**page, "two-curves.svg": figure_svg(curves)}
