"""What a person is told of the slices of a wild type: which there are, and which were too small to be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from collapse_guard.cli.terminal import output, printable, say

if TYPE_CHECKING:
    from collapse_guard.wildtype import WildType

_SHOWN = 8


def show_slices(wild_type: WildType, column: str | None) -> None:
    """List the slices with their evaluation documents.

    Args:
        wild_type: Of texts.
        column: Whose values they are; None: they were found.
    """
    slices = wild_type.slices
    if slices is None or not slices.names:
        return
    whose = "found by their words" if column is None else f"by `{column}`"
    say(f"\nKinds of documents, {whose}, each of which is watched by itself:")
    table = Table("slice", "evaluation documents", box=None)
    for name, size in zip(slices.names, slices.sizes, strict=True):
        table.add_row(Text(printable(name)), f"{size:,}")
    unlabelled = len(wild_type.evaluation) - sum(slices.sizes)
    if unlabelled:
        table.add_row(Text("(none)", style="dim"), f"{unlabelled:,}")
    output().print(table)


def slice_warnings(wild_type: WildType, column: str | None) -> list[str]:
    """Which of the kinds that were given are too small, and what became of them."""
    from collapse_guard.wildtype.slices import FEWEST_DOCUMENTS, OTHER

    slices = wild_type.slices
    if column is None or slices is None or not slices.merged:
        return []
    merged = sorted(slices.merged.items(), key=lambda one: (-one[1], one[0]))
    named = ", ".join(f"{name} {n}" for name, n in merged[:_SHOWN]) + (", …" if len(merged) > _SHOWN else "")
    became = f'are together the slice "{OTHER}"' if OTHER in slices.names else "are in no slice"
    few = f"{len(merged)} of the kinds in `{column}` have fewer than {FEWEST_DOCUMENTS} evaluation documents"
    return [f"{few} and {became} ({named}): give more documents of them, or a larger --evaluation-fraction"]
