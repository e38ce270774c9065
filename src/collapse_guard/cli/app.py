"""The commands of `collapse-guard`, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from collapse_guard import __version__
from collapse_guard.cli.commands.assess import assess
from collapse_guard.cli.commands.calibrate import calibrate
from collapse_guard.cli.commands.curate import curate
from collapse_guard.cli.commands.demo import demo
from collapse_guard.cli.commands.gate import gate
from collapse_guard.cli.commands.lineage import list_lineages, show_lineage
from collapse_guard.cli.commands.prescribe import prescribe
from collapse_guard.cli.commands.profile import profile
from collapse_guard.cli.commands.report import report
from collapse_guard.cli.commands.simulate import simulate
from collapse_guard.cli.commands.ui import ui
from collapse_guard.cli.failures import exits
from collapse_guard.cli.options import current_name, grouped
from collapse_guard.cli.terminal import make_streams_forgiving, quiet_libraries, say

app = typer.Typer(
    name="collapse-guard",
    help="The instrument for model collapse: measure every generation against frozen real data, and gate retraining.",
    epilog="Exit codes: 0 passed, 1 collapsed, 2 wrong usage or unreadable input or unreachable store, 3 undecided.",
    no_args_is_help=True,
    context_settings={"token_normalize_func": current_name},
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (demo, profile, assess, gate, prescribe, curate, report, calibrate, simulate, ui):
    app.command()(grouped(exits(command)))
lineage = typer.Typer(help="List and show the lineages of the store.", no_args_is_help=True)
lineage.command("list")(grouped(exits(list_lineages)))
lineage.command("show")(grouped(exits(show_lineage)))
app.add_typer(lineage, name="lineage")


def _print_version(requested: bool) -> None:
    if requested:
        say(f"collapse-guard {__version__}")
        raise typer.Exit


@app.callback()
def _every_command(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    make_streams_forgiving()
    quiet_libraries()
