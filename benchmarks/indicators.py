"""Compare the speed of the indicators with the packages that people would use instead: one run, one thread, ratios.

    python benchmarks/indicators.py [--only NAME ...] [--markdown FILE]

Each row is measured at n and at n / 2, which shows its growth; rows of memory run in processes of their own.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from rich.console import Console
from rich.progress import track

from rows import ROWS
from running import Result, child, run
from table import machine, markdown, rich_table

WIDTH = 200
"""Columns where the output is not a terminal."""
NAMED = {row.name: row for row in ROWS}


def main() -> None:
    arguments = _parser().parse_args()
    if arguments.child:
        name, side, n = arguments.child
        print(json.dumps(child(NAMED[name], side, int(n))))
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    chosen = [NAMED[name] for name in arguments.only or NAMED]
    results = [run(row) for row in track(chosen, "measuring", console=Console(stderr=True), transient=True)]
    console.print(rich_table(results))
    console.print(machine())
    if arguments.markdown:
        write_table(arguments.markdown, results)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Speed of the indicators as ratios against peers.")
    parser.add_argument("--only", nargs="+", choices=list(NAMED), metavar="NAME", help=f"rows: {', '.join(NAMED)}")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table between the marks of this page")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    return parser


BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def write_table(path: Path, results: list[Result]) -> None:
    """Replace what stands between the marks of a page, or write a new page of the table alone."""
    page = path.read_text(encoding="utf-8") if path.exists() else f"{BEGIN}\n{END}\n"
    before, rest = page.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    body = f"\n{markdown(results)}\n\nMachine: {machine()}\n"
    path.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
