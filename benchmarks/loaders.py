"""Compare mixing libraries on the same interrupted run with a change of weights: python benchmarks/loaders.py.

A library that is not installed is left out, with the reason. `make bench-loaders` installs all of them.
"""

from __future__ import annotations

import argparse
import traceback
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from detecting.table import Sheet, write_markdown
from loading.judging import END, SAVED, Found, judge
from loading.libraries import LIBRARIES

TITLE = "8,000 items of two sources, 10% real for 4,000 of them and 40% from there on, interrupted at 3,000 and 5,000"
HEADINGS = (
    "library",
    "weights change in a loader in use",
    "items that came again too early (as many were skipped)",
    "interrupted before the change: items as uninterrupted",
    "interrupted after it",
    "largest deviation of real items in 1,000",
    "time to resume far out",
    "state",
)


def main() -> None:
    """Run all that are installed, print the table, and write it where arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=tuple(LIBRARIES), help="some libraries")
    parser.add_argument("--markdown", type=Path, help="write the table between its markers in this file")
    arguments = parser.parse_args()
    rows = [row(name) for name in arguments.only or LIBRARIES]
    sheet = Sheet(TITLE, HEADINGS, rows)
    print(sheet.markdown)
    if arguments.markdown:
        write_markdown(arguments.markdown, [sheet], "loaders")


def row(name: str) -> tuple[str, ...]:
    """The cells of one library."""
    make, distribution = LIBRARIES[name]
    try:
        label = f"{name} {version(distribution)}"
    except PackageNotFoundError:
        return (f"{name}: not installed", *[""] * (len(HEADINGS) - 1))
    try:
        return cells(label, judge(make))
    except Exception:
        traceback.print_exc()
        return (f"{label}: failed", *[""] * (len(HEADINGS) - 1))


def cells(label: str, found: Found) -> tuple[str, ...]:
    """What was found, in words."""
    return (
        label,
        "yes" if found.changes_in_place else "no, another loader from its state",
        f"{found.repeated:,}",
        f"{found.same_before:,} of {END - SAVED[0]:,}",
        f"{found.same_after:,} of {END - SAVED[1]:,}",
        f"{found.deviation:.1f}",
        f"{found.resume_seconds:.3g} s at {found.reached:,}",
        f"{found.state_bytes:,} bytes",
    )


if __name__ == "__main__":
    main()
