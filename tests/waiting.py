"""Waiting for other programs: whoever waits longer than PATIENCE has found a hang, not a slow machine."""

import time

PATIENCE = 600.0
"""Seconds. On two idle cores no program of the tests takes a tenth of it."""


def wait_until(condition):
    """Ask again and again until a condition holds; whether it came to hold."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True
