"""`collapse-guard lineage`: list and show the lineages of the store."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from collapse_guard.cli import options
from collapse_guard.cli.terminal import output, printable, say, say_warning
from collapse_guard.errors import LineageError


def list_lineages(store: options.Store = None) -> None:
    """List the lineages with their newest verdict; one that cannot be read keeps its place, and is warned of."""
    from collapse_guard.cli.verdicts import severity_text
    from collapse_guard.store import open_store
    from collapse_guard.store.mlflow.address import without_password

    lineages = open_store(store)
    table = Table("lineage", "newest generation", "verdict", "wild type", box=None)
    faults: list[str] = []
    for name, newest in lineages.summaries().items():
        if isinstance(newest, LineageError):
            faults.append(str(newest))
            table.add_row(Text(printable(name)), "?", Text("cannot be read"), "?")
            continue
        verdict, fingerprint = severity_text(newest.severity), Text(printable(newest.wild_type))
        table.add_row(Text(printable(name)), str(newest.generation), verdict, fingerprint)
    if table.row_count:
        output().print(table)
    else:
        at = f" --store {shlex.quote(without_password(lineages.address))}" if lineages.address else ""
        say(f"The store has no lineages yet: `collapse-guard assess --founder{at}` adds the first generation of one.")
    for fault in faults:
        say_warning(fault)


def show_lineage(
    name: Annotated[str, typer.Argument(metavar="LINEAGE", help="Name of the lineage.")], store: options.Store = None
) -> None:
    """Show the generations of a lineage, newest first, and the reasons of the newest verdict."""
    from collapse_guard.cli.verdicts import show_headline, show_reasons, show_table
    from collapse_guard.report import sentences, tables, trends
    from collapse_guard.store import open_store

    history = open_store(store).history(name)
    show_table(tables.generations(history))
    for sentence in sentences.foundings(history):
        say(sentence)
    say("")
    trend = trends.table(history)
    if trend:
        show_table(trend)
        say("")
    show_headline(history[-1])
    show_reasons(history[-1])
