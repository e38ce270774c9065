"""`collapse-guard report`: write lineages as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from collapse_guard.cli import options
from collapse_guard.cli.terminal import say


def report(
    lineage: Annotated[
        list[str], typer.Option(help="Name of a lineage; repeat it to compare several.", show_default=False)
    ],
    out: Annotated[Path, options.file("Where to write the page.")] = Path("report.html"),
    store: options.Store = None,
) -> None:
    """Write lineages as one self-contained HTML page: curves, verdicts, and their evidence."""
    from collapse_guard.cli.outputs import check_outputs, write_text
    from collapse_guard.report import html
    from collapse_guard.store import open_store

    check_outputs({"--out": out}, store=store)
    lineages = open_store(store)
    write_text(out, html({name: lineages.history(name) for name in lineage}))
    say(f"The report is in {out}.")
