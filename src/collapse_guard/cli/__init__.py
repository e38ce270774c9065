"""SHELL: the command line. Importing it loads typer and rich at most; what is heavy is imported inside the commands."""

from __future__ import annotations

import sys
import traceback


def main() -> None:
    """Run `collapse-guard`; the exit codes are `exit_codes.ExitCode`.

    An installation that cannot be imported ends with 70 too: Python's own 1 would say "collapsed".
    """
    try:
        from collapse_guard.cli.app import app
    except Exception:
        traceback.print_exc()
        sys.exit(70)
    app()
