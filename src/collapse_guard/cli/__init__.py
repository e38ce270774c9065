"""The command line. Importing it loads only typer and rich; commands import the rest when they run."""

from __future__ import annotations

import gc
import sys
import traceback

_OBJECTS = 200_000


def main() -> None:
    """Run `collapse-guard`; the exit codes are `exit_codes.ExitCode`.

    A broken installation also exits with 70: Python's own 1 would mean "collapsed".
    """
    _collect_less()
    try:
        from collapse_guard.cli.app import app
        from collapse_guard.cli.failures import finish
    except Exception:
        traceback.print_exc()
        sys.exit(70)
    try:
        finish(app)
    finally:
        gc.freeze()


def _collect_less() -> None:
    """Look for cycles more rarely than usual, and at the exit not at all: in libraries that are just being loaded
    there is nothing to collect, and looking took half as long as loading them."""
    gc.set_threshold(_OBJECTS, 20, 100)
