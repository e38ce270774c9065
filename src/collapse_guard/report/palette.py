"""The look of verdicts and lineages: one mark, one marker shape and one colour each, in a light and a dark scheme.

Colour alone never shows a severity: each has a mark of its own shape and its name beside it. Each colour of
text, verdict and lineage has a contrast of at least 4.5 : 1 to the paper of its scheme (WCAG 2.2, AA).
"""

from __future__ import annotations

from dataclasses import dataclass

from collapse_guard.records import Severity


@dataclass(frozen=True, kw_only=True)
class Ink:
    """One colour in both schemes. `light` is unique in this file: the page swaps it for the CSS variable `name`."""

    name: str
    """CSS variable of the page, without the leading dashes."""
    light: str
    """Hexadecimal colour on light paper; the figures are drawn with it."""
    dark: str
    """Hexadecimal colour on dark paper."""


@dataclass(frozen=True, kw_only=True)
class SeverityLook:
    """How one severity is shown."""

    mark: str
    """One character for text."""
    marker: str
    """The same shape as a Matplotlib marker."""
    size: float
    """Size of the marker in points: shapes of equal weight to the eye differ in it."""
    ink: Ink
    """Its colour."""
    terminal: str
    """Its style in a terminal, as rich names it."""
    is_hollow: bool = False
    """Whether the marker is an outline."""


@dataclass(frozen=True, kw_only=True)
class LineageLook:
    """How one lineage is drawn."""

    ink: Ink
    """Colour of its line."""
    dashes: tuple[float, ...]
    """On and off lengths in points; empty: a solid line."""


PAPER = Ink(name="paper", light="#ffffff", dark="#16191e")
TEXT = Ink(name="text", light="#1b1f24", dark="#e7eaee")
MUTED = Ink(name="muted", light="#59636e", dark="#9aa4b0")
RULE = Ink(name="rule", light="#dce1e6", dark="#333a43")
BAND = Ink(name="band", light="#e6edf3", dark="#242c36")

SEVERITIES = {
    Severity.HEALTHY: SeverityLook(
        mark="●", marker="o", size=7.5, ink=Ink(name="healthy", light="#0a7a5c", dark="#4fcba5"), terminal="green"
    ),
    Severity.WATCH: SeverityLook(
        mark="▲", marker="^", size=8.5, ink=Ink(name="watch", light="#9a5b00", dark="#f2b84b"), terminal="yellow"
    ),
    Severity.UNDECIDED: SeverityLook(
        mark="◇",
        marker="D",
        size=6.0,
        ink=Ink(name="undecided", light="#57606c", dark="#a9b3bf"),
        terminal="magenta",
        is_hollow=True,
    ),
    Severity.COLLAPSED: SeverityLook(
        mark="✖", marker="X", size=9.0, ink=Ink(name="collapsed", light="#b3261e", dark="#ff8577"), terminal="bold red"
    ),
}

LINEAGES = (
    LineageLook(ink=Ink(name="lineage-1", light="#1f5fbf", dark="#7db0ff"), dashes=()),
    LineageLook(ink=Ink(name="lineage-2", light="#7b3fb5", dark="#c79bff"), dashes=(5.0, 2.0)),
    LineageLook(ink=Ink(name="lineage-3", light="#0b7285", dark="#5ccbe0"), dashes=(1.5, 1.5)),
    LineageLook(ink=Ink(name="lineage-4", light="#b0267d", dark="#ff8ccb"), dashes=(7.0, 2.0, 1.5, 2.0)),
    LineageLook(ink=Ink(name="lineage-5", light="#6d5426", dark="#d6b57c"), dashes=(3.0, 1.0)),
    LineageLook(ink=Ink(name="lineage-6", light="#30343b", dark="#cfd4da"), dashes=(5.0, 1.5, 1.5, 1.5, 1.5, 1.5)),
)

INKS = (
    *(PAPER, TEXT, MUTED, RULE, BAND),
    *(look.ink for look in SEVERITIES.values()),
    *(look.ink for look in LINEAGES),
)


def lineage_look(place: int) -> LineageLook:
    """The look of the lineage at a place of the page; they repeat after six."""
    return LINEAGES[place % len(LINEAGES)]
