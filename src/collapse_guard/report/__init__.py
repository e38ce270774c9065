"""Reports of a lineage as HTML, Markdown, JUnit XML, JSON and pictures; nothing is written to disk.

Matplotlib is loaded when something is drawn: a verdict in words must not wait for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from collapse_guard.report.attachments import attachments
from collapse_guard.report.html import html
from collapse_guard.report.json import json_text
from collapse_guard.report.junit import junit
from collapse_guard.report.markdown import markdown

if TYPE_CHECKING:
    from collapse_guard.report.curves import curves_figure
    from collapse_guard.report.figures import figure_png, figure_svg, lineage_figure

_HOMES = {"curves_figure": "curves"} | dict.fromkeys(("figure_png", "figure_svg", "lineage_figure"), "figures")

__all__ = [
    "attachments",
    "curves_figure",
    "figure_png",
    "figure_svg",
    "html",
    "json_text",
    "junit",
    "lineage_figure",
    "markdown",
]


def __getattr__(name: str) -> Any:
    """Load what draws on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
