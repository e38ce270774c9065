"""Reports of a lineage as HTML, Markdown, JUnit XML, JSON and pictures; nothing is written to disk."""

from collapse_guard.report.attachments import attachments
from collapse_guard.report.curves import curves_figure
from collapse_guard.report.figures import figure_png, figure_svg, lineage_figure
from collapse_guard.report.html import html
from collapse_guard.report.json import json_text
from collapse_guard.report.junit import junit
from collapse_guard.report.markdown import markdown

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
