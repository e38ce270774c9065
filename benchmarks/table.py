"""The table: results as rows of cells, for the terminal and for a page."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.table import Table

from running import Measured, Result

HEADINGS = (
    "what",
    "size",
    "ours",
    "twice the data",
    "peer",
    "peer's time",
    "twice the data",
    "ratio",
    "required",
    "values",
    "memory above the data: ours, peer",
)
NUMBERS = ("ours", "twice the data", "peer's time", "ratio")
PACKAGES = (
    "collapse-guard",
    "torch",
    "numpy",
    "scipy",
    "scikit-learn",
    "torchmetrics",
    "diversity",
    "nltk",
    "vendi-score",
    "prdc",
    "torchdrift",
    "mauve-text",
    "faiss-cpu",
)


def cells(result: Result) -> tuple[str, ...]:
    """One row of the table; what does not apply is empty."""
    row, ours, peer = result.row, result.ours, result.peer
    required = "; ".join(f"{text}: {'yes' if met else 'NO'}" for text, met in result.criteria)
    return (
        row.what,
        row.size.format(n=f"{row.n:,}"),
        ours.missing or _seconds(ours),
        _times(ours.growth),
        row.peer_name,
        peer.missing or _seconds(peer),
        _times(peer.growth),
        _times(result.ratio),
        required,
        result.agreement,
        _memory(result),
    )


def rich_table(results: Iterable[Result]) -> Table:
    table = Table(
        title="seconds of processor, one thread; seconds by the clock where there are two; best of three",
        show_lines=True,
    )
    for heading in HEADINGS:
        numbers = heading in NUMBERS
        table.add_column(heading, justify="right" if numbers else "left", min_width=8 if numbers else 12)
    for result in results:
        table.add_row(*cells(result))
    return table


def markdown(results: Iterable[Result]) -> str:
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *map(cells, results)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def machine() -> str:
    """Processor, cores, system and the versions that matter."""
    where = (
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {platform.system()}, Python {platform.python_version()}"
    )
    return f"{where}; {', '.join(f'{name} {_version(name)}' for name in PACKAGES)}."


def _seconds(measured: Measured) -> str:
    if measured.seconds is None:
        return ""
    return f"{measured.seconds * 1000:.3g} ms" if measured.seconds < 1 else f"{measured.seconds:.3g} s"


def _times(factor: float | None) -> str:
    return "" if factor is None else f"x {factor:.2g}" if factor < 100 else f"x {factor:.0f}"


def _memory(result: Result) -> str:
    ours, peer = result.ours, result.peer
    if ours.extra is None:
        return ""
    whole = f" ({ours.peak:.0f} MB the whole process)" if ours.peak is not None and peer.extra is None else ""
    return f"{ours.extra:.0f} MB{whole}" + (f", {peer.extra:.0f} MB" if peer.extra is not None else "")


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in path.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
