"""The command line. Importing it loads only typer and rich; commands import the rest when they run."""

from __future__ import annotations

import sys
import traceback


def main() -> None:
    """Run `collapse-guard`; the exit codes are `exit_codes.ExitCode`.

    A broken installation also exits with 70: Python's own 1 would mean "collapsed".
    """
    try:
        from collapse_guard.cli.app import app
    except Exception:
        traceback.print_exc()
        sys.exit(70)
    app()
