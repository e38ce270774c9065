"""A verdict on the terminal: severity, reasons, its comparisons, what was lost, what to do, the exit code."""

from __future__ import annotations

from dataclasses import replace

from rich.table import Table as RichTable
from rich.text import Text

from collapse_guard.cli.exit_codes import ExitCode, meaning
from collapse_guard.cli.terminal import output, printable, say, say_item
from collapse_guard.records import Assessment, Severity
from collapse_guard.report import lost, outlook, sentences, tables
from collapse_guard.report.palette import SEVERITIES
from collapse_guard.report.tables import Cell, Table

_WIDTH = 6


def show_verdict(assessment: Assessment, code: ExitCode, *, advice: str = "") -> None:
    """Print the evidence of the verdict, what to do, and the exit code."""
    show_headline(assessment)
    if what := sentences.read(assessment):
        say(what)
    show_reasons(assessment)
    deciding = tables.deciding(assessment)
    compared = _shortened(tables.comparisons(assessment, deciding)) if deciding else None
    shown = [table for table in (compared, lost.summary(assessment)) if table]
    for table in shown:
        say("")
        show_table(table)
    if shown:
        say("")
    notes = (*sentences.decisions(assessment), *outlook.sentences(assessment), sentences.prescription(assessment))
    for sentence in (*notes, advice):
        if sentence:
            say(sentence)
    say(f"{assessment.verdict.severity}: {meaning(assessment.verdict.severity, code)}")


def show_headline(assessment: Assessment) -> None:
    """Print the severity, and which generation it is about."""
    headline = Text(printable(sentences.headline(assessment)))
    headline.stylize(SEVERITIES[assessment.verdict.severity].terminal, 0, headline.plain.index(":"))
    say(headline)


def show_reasons(assessment: Assessment) -> None:
    """Print the reasons, worst first, each with the mark of its own severity."""
    for reason in assessment.verdict.reasons:
        mark = Text(SEVERITIES[reason.severity].mark, style=SEVERITIES[reason.severity].terminal)
        say_item(mark, sentences.one_line(reason.sentence))


def show_outlook(assessment: Assessment) -> None:
    """Print how inbred the lineage is, when it fails, how much real data it needs, and what other shares would do."""
    for sentence in outlook.sentences(assessment):
        say_item(Text("-"), sentence)
    forecasts = outlook.table(assessment)
    if forecasts:
        say("")
        show_table(forecasts)


def severity_text(severity: Severity) -> Text:
    """The name of a severity with its mark, coloured."""
    return Text(f"{SEVERITIES[severity].mark} {severity}", style=SEVERITIES[severity].terminal)


def show_table(table: Table) -> None:
    """Print a table of a report under its caption; on a narrow terminal cells are folded, never cut."""
    say(table.caption)
    shown = RichTable(box=None)
    for column in table.columns:
        shown.add_column(column, overflow="fold")
    for row in table.rows:
        shown.add_row(*map(_cell, row))
    output().print(shown)


def _shortened(table: Table) -> Table:
    """Drop method and n, which the reports have, so that the table fits most terminals."""
    return replace(table, columns=table.columns[:_WIDTH], rows=tuple(row[:_WIDTH] for row in table.rows))


def _cell(cell: Cell) -> Text:
    text = printable(f"{cell.text} ({cell.detail})" if cell.detail else cell.text)
    if cell.severity is None:
        return Text(text)
    return Text(f"{SEVERITIES[cell.severity].mark} {text}", style=SEVERITIES[cell.severity].terminal)
