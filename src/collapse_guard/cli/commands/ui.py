"""`collapse-guard ui`: open MLflow's user interface on the lineage store."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from collapse_guard.cli import options
from collapse_guard.cli.exit_codes import ExitCode
from collapse_guard.cli.terminal import say
from collapse_guard.errors import CollapseGuardError, InputError

_HOST = "127.0.0.1"
_PATIENCE_SECONDS = 10


def ui(
    store: options.Store = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 5000,
) -> ExitCode:
    """Serve MLflow's user interface on this machine until Ctrl-C."""
    from collapse_guard.store import BrowsableStore, open_store
    from collapse_guard.store.mlflow.address import shown

    lineages = open_store(store)
    if not isinstance(lineages, BrowsableStore):
        raise InputError(
            f"`--store` must be a database or a server, but got {shown(lineages.address) or 'memory:'}, which has no "
            "user interface"
        )
    path = lineages.dashboard_path()
    if address := lineages.server_address():
        say(f"This store has a user interface of its own. The dashboard: {shown(address)}{path}")
        return ExitCode.PASSED
    _check_port(port)
    address = f"http://{_HOST}:{port}"
    if path:
        say(f"The dashboard: {address}{path}\nCtrl-C ends it.")
    else:
        say(f"The store has no lineages yet. MLflow: {address}\nPress Ctrl-C to end it.")
    return serve(lineages.server_command(port))


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise InputError(
                f"`--port` must be free on this machine, but got {port}, which is in use: give another port"
            ) from error


def serve(command: Sequence[str]) -> ExitCode:
    """Run the server until it or this process ends; it never outlives this process."""
    process = subprocess.Popen(command, start_new_session=True)  # noqa: S603 - our own interpreter and arguments
    try:
        with _termination_as_interrupt():
            code = process.wait()
    except KeyboardInterrupt:
        return ExitCode.PASSED
    finally:
        _end(process)
    raise CollapseGuardError(f"MLflow's user interface ended with exit code {code}; see its output above")


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server with all of its workers."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
