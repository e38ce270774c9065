"""Waiting for other programs: whoever waits longer than PATIENCE has found a hang, not a slow machine."""

import socket
import time
import urllib.request

PATIENCE = 600.0
"""Seconds. On two idle cores no program of the tests takes a tenth of it."""


def answers(address):
    """Whether an MLflow server at an address is up."""
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=2):  # noqa: S310 - http, on this machine
            return True
    except OSError:
        return False


def free_port():
    """A port of this machine at which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition):
    """Ask again and again until a condition holds; whether it came to hold."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True
