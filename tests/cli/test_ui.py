"""`ui`: MLflow's interface starts, names the dashboard, and ends with its workers."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from collapse_guard.store.mlflow.store import MLflowStore
from waiting import PATIENCE, answers, wait_until


def _free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _heed_ctrl_c():
    """A shell starts its background jobs deaf to Ctrl-C, and they hand that on; this suite may be one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
def test_it_serves_the_store_until_ctrl_c_and_leaves_nothing_running(world):
    port = _free_port()
    program = Path(sys.executable).with_name("collapse-guard")
    command = [program, "ui", "--store", world.uri, "--port", str(port)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        preexec_fn=_heed_ctrl_c,
    )
    try:
        assert process.stdout.readline() == f"The dashboard: http://127.0.0.1:{port}{world.store.dashboard_path()}\n"
        assert wait_until(lambda: answers(f"http://127.0.0.1:{port}"))
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        assert not answers(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.communicate()


SERVER = """
import signal, subprocess, sys
worker = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print(worker.pid, flush=True)
signal.pause()
"""
"""Neither it nor its worker ends by itself."""


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_whatever_ends_it_ends_the_workers_of_the_server_too(ending):
    command = f"[sys.executable, '-c', {SERVER!r}]"
    code = f"import sys; from collapse_guard.cli.commands.ui import serve; sys.exit(serve({command}))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, preexec_fn=_heed_ctrl_c)
    try:
        worker = int(process.stdout.readline())
        try:
            process.send_signal(ending)
            assert process.wait(PATIENCE) == 0
            assert wait_until(lambda: not _is_alive(worker))
        finally:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_port_in_use_is_named(run, world):
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        outcome = run("ui", "--store", world.uri, "--port", port)
    assert outcome.code == 2
    assert f"`--port` must be free on this machine, but got {port}" in outcome.err


def test_a_store_in_memory_has_no_interface(run):
    outcome = run("ui", "--store", "memory:")
    assert outcome.code == 2
    assert "but got memory:, which has no user interface" in outcome.err


def test_a_server_shows_itself_at_its_own_address(run, monkeypatch):
    monkeypatch.setattr(MLflowStore, "dashboard_path", lambda store: "/#/experiments/1")
    outcome = run("ui", "--store", "https://mlflow.example/")
    assert outcome.code == 0
    assert "The dashboard: https://mlflow.example/#/experiments/1" in outcome.out


def test_an_interface_that_ends_by_itself_is_an_error(run, world, monkeypatch):
    failing = [sys.executable, "-c", "raise SystemExit(1)"]
    monkeypatch.setattr(MLflowStore, "server_command", lambda store, port: failing)
    outcome = run("ui", "--store", world.uri, "--port", _free_port())
    assert outcome.code == 2
    assert "MLflow's user interface ended with exit code 1" in outcome.err
