"""What was lost, for people: a sentence and a table for each kind, and a short table of words for narrow places.

The names of things come from data and are text from outside; the writers escape them like everything else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from collapse_guard.comparison.effects import number
from collapse_guard.records import Assessment, LostItem
from collapse_guard.report import sentences
from collapse_guard.report.tables import Cell, Table

_NAMES = {
    "word": ("word", "words"),
    "2-gram": ("run of two words", "runs of two words"),
    "3-gram": ("run of three words", "runs of three words"),
    "cluster": ("cluster of real data", "clusters of real data"),
    "document": ("real document", "real documents"),
}
_WORDED = ("word", "2-gram", "3-gram")
_COLUMNS = ("in real data", "expected", "in the samples")
_SMALLEST = 1e-15


def tables(assessment: Assessment, founder: Assessment | None = None) -> tuple[Table, ...]:
    """A table for each kind of which something was lost, the worst first; its caption says how many there are.

    What the founder lacked was not lost by retraining, so its number stands beside; None: there is none, or it is this.
    """
    by_kind = {kind: _of_kind(assessment, kind) for kind in _NAMES}
    return tuple(
        _table(kind, items, None if founder is None else _of_kind(founder, kind))
        for kind, items in by_kind.items()
        if items
    )


def summary(assessment: Assessment, *, most: int = 5) -> Table | None:
    """The worst `most` words, and as many runs of two and of three words, in one table; None where none was lost."""
    kinds = [_of_kind(assessment, kind) for kind in _WORDED]
    if not any(kinds):
        return None
    return Table(
        caption=f"What was lost: {_listed([_counted(items) for items in kinds if items])} that real text of this size "
        "would show are gone or nearly so",
        columns=("kind", "what", *_COLUMNS),
        rows=tuple((Cell(text=item.kind), *_cells(item)) for items in kinds for item in items[:most]),
    )


def sentence(kind: str, items: Sequence[LostItem], at_founder: Sequence[LostItem] | None = None) -> str:
    """How many of a kind were lost, how many the founder lacked, and whether all of them are listed.

    Example:
        >>> item = LostItem(kind="word", what="tariff", real_count=9, expected=9.0, observed=0, chance=1e-4)
        >>> sentence("word", [item])
        '1 word that real text of this size would show is gone or nearly so'
    """
    total = _total(items)
    is_are = "is" if total == 1 else "are"
    predicate = {
        "cluster": f"that as many real samples would fill {is_are} empty or nearly so",
        "document": "has no samples near it, or too few" if total == 1 else "have no samples near them, or too few",
    }.get(kind, f"that real text of this size would show {is_are} gone or nearly so")
    before = "" if at_founder is None else f" ({_total(at_founder):,} at the founder)"
    cut = f"; the worst {len(items)} are listed" if total > len(items) else ""
    return f"{_counted(items)} {predicate}{before}{cut}"


def _of_kind(assessment: Assessment, kind: str) -> list[LostItem]:
    return [item for item in assessment.lost if item.kind == kind]


def _table(kind: str, items: Sequence[LostItem], at_founder: Sequence[LostItem] | None) -> Table:
    return Table(
        caption=sentence(kind, items, at_founder),
        columns=(kind, *_COLUMNS, "chance"),
        rows=tuple((*_cells(item), Cell(text=_chance(item.chance))) for item in items),
    )


def _cells(item: LostItem) -> tuple[Cell, ...]:
    return (
        Cell(text=sentences.one_line(item.what) or sentences.MISSING),
        Cell(text=f"{item.real_count:,}"),
        Cell(text=number(item.expected) if math.isfinite(item.expected) else sentences.MISSING),
        Cell(text=f"{item.observed:,}"),
    )


def _chance(chance: float) -> str:
    if math.isnan(chance):
        return sentences.MISSING
    return f"below {_SMALLEST:.0e}" if chance < _SMALLEST else number(chance)


def _total(items: Sequence[LostItem]) -> int:
    return max([len(items), *(item.lost_in_all for item in items)])


def _counted(items: Sequence[LostItem]) -> str:
    total = _total(items)
    return f"{total:,} {_NAMES[items[0].kind][total != 1]}"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
