"""Slices among the samples, for people: how much of each kind of document is still written."""

from __future__ import annotations

from collapse_guard.comparison.effects import share
from collapse_guard.records import Assessment
from collapse_guard.report import sentences
from collapse_guard.report.tables import Cell, Table

_NONE = 1e-9
"""A share of nothing, so that it may be divided by."""


def table(assessment: Assessment, founder: Assessment | None = None) -> Table | None:
    """Each slice with its share of real text and of the samples, the one that is lacking most first.

    Lacking is what the founder's samples had more of; without a founder, real text.

    Args:
        assessment: The generation.
        founder: Whose shares stand beside; None: there is none, or it is this.

    Returns:
        None where it was not measured.
    """
    coverage = assessment.slices
    if coverage is None:
        return None
    before = None if founder is None or founder.slices is None else founder.slices
    at_founder = {} if before is None else {one.name: one.samples for one in before.shares}
    columns = ("kind of document", "evaluation documents", "in real text", "in the samples")
    expected = {one.name: at_founder.get(one.name, one.real) for one in coverage.shares}
    ordered = sorted(coverage.shares, key=lambda one: (one.samples / max(expected[one.name], _NONE), one.name))
    rows = [
        (
            Cell(text=sentences.one_line(one.name) or sentences.MISSING),
            Cell(text=f"{one.documents:,}"),
            Cell(text=share(one.real)),
            Cell(text=share(one.samples)),
            *([Cell(text=share(at_founder[one.name]))] if one.name in at_founder else []),
        )
        for one in ordered
    ]
    return Table(
        caption=f"What the samples are about: {coverage.n:,} samples by their words, the kind that is lacking most "
        f"first. The same rule puts {share(coverage.agreement)} of real documents into their own kind; it decides "
        "nothing",
        columns=(*columns, *(["at the founder"] if at_founder else [])),
        rows=tuple(rows),
    )
