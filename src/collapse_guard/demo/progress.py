"""The demo's display: a progress bar per training, a table row per generation."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from collapse_guard.records import Assessment
from collapse_guard.report.palette import SEVERITIES

COLUMNS = {
    "perplexity": ("ppl", "{:.1f}", 6),
    "tail_loss": ("tail", "{:.2f}", 5),
    "distinct_2": ("dist-2", "{:.3f}", 6),
    "rare_coverage": ("rare", "{:.4f}", 6),
    "total_variance": ("spread", "{:.3f}", 6),
}
LEGEND = (
    "ppl: perplexity on held-out passages; tail: nats per token of the founder's hardest tenth; "
    "dist-2: distinct bigrams; rare: rare words covered; spread: variance of embeddings; "
    "real: share of real data trained on"
)


class TrainingBar(pl.Callback):
    """Advances one task of a rich progress display per training step."""

    def __init__(self, progress: Progress, label: str, total: int) -> None:
        self.progress, self.task = progress, progress.add_task(label, total=total)

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        """Advance the bar by one step."""
        self.progress.advance(self.task)

    def on_train_end(self, *_: Any, **__: Any) -> None:
        """Remove the bar, to make room for the next training."""
        self.progress.remove_task(self.task)


def progress_display(console: Console) -> Progress:
    """A progress display whose finished tasks disappear."""
    return Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def header() -> Table:
    """The header of the table of generations."""
    titles = ("lineage", "t", "verdict", *(title for title, _, _ in COLUMNS.values()), "real")
    table = _grid()
    table.add_row(*(f"[dim]{title}[/dim]" for title in titles))
    return table


def row(assessment: Assessment) -> Table:
    """The row of one generation, in the columns of `header`."""
    generation, severity = assessment.generation, assessment.verdict.severity
    values = {name: assessment.readings[name].value for name in COLUMNS if name in assessment.readings}
    readings = [pattern.format(values[name]) if name in values else "n/a" for name, (_, pattern, _) in COLUMNS.items()]
    share = f"{generation.mixture.real:.0%}" if generation.mixture else "n/a"
    colour = SEVERITIES[severity].terminal
    table = _grid()
    table.add_row(generation.lineage, str(generation.index), f"[{colour}]{severity}[/{colour}]", *readings, share)
    return table


def _grid() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=14, no_wrap=True)
    table.add_column(width=1, justify="right")
    table.add_column(width=9)
    for width in (*(width for _, _, width in COLUMNS.values()), 4):
        table.add_column(width=width, justify="right")
    return table
