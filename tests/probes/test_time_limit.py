"""Code that does not end, in the main thread and in another one."""

import queue
import signal
import threading

import pytest

from collapse_guard.errors import CollapseGuardError
from collapse_guard.probes.time_limit import within

SOON = 0.05
"""Seconds."""


def spin():
    while True:
        pass


def wait():
    threading.Event().wait()


def insist():
    while True:
        try:
            queue.Queue().get()
        except Exception:  # noqa: S112 - it is what code that does not give up does
            continue


def shrug_off():
    """Catches everything once."""
    try:
        spin()
    except BaseException:
        spin()


def clean_up(done):
    try:
        spin()
    finally:
        done.append(True)


ENDLESS = {"spins": spin, "waits": wait, "insists": insist, "shrugs it off once": shrug_off}


@pytest.mark.parametrize("action", ENDLESS.values(), ids=ENDLESS)
def test_what_does_not_end_is_interrupted(action):
    with pytest.raises(CollapseGuardError, match="too late"):
        within(SOON, action, late="too late")
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


def test_it_cleans_up_as_after_an_error():
    done = []
    with pytest.raises(CollapseGuardError):
        within(SOON, lambda: clean_up(done), late="too late")
    assert done == [True]


def test_results_and_errors_pass_through():
    assert within(60.0, lambda: "result", late="too late") == "result"
    assert within(None, lambda: "result", late="too late") == "result"
    with pytest.raises(KeyError):
        within(60.0, {}.popitem, late="too late")
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("action", [spin, shrug_off])
def test_another_thread_is_interrupted_too_and_nothing_comes_later(action):
    seen = []

    def run():
        try:
            within(SOON, action, late="too late")
        except CollapseGuardError as error:
            seen.append(str(error))
        seen.append(sum(range(100_000)))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == ["too late", sum(range(100_000))]
    assert within(60.0, lambda: threading.active_count(), late="too late") == threading.active_count()


class TestAnAlarmOfTheUser:
    @pytest.fixture
    def rings(self):
        rung, before = [], signal.signal(signal.SIGALRM, lambda *_: rung.append(True))
        yield rung
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)

    def test_that_rings_later_is_set_again(self, rings):
        signal.setitimer(signal.ITIMER_REAL, 500.0, 7.0)
        with pytest.raises(CollapseGuardError):
            within(SOON, spin, late="too late")
        left, again = signal.getitimer(signal.ITIMER_REAL)
        assert 400.0 < left < 500.0
        assert again == 7.0

    def test_that_rings_first_is_left_alone(self, rings):
        signal.setitimer(signal.ITIMER_REAL, 0.01)

        def until_it_rings():
            while not rings:
                pass
            return "it rang"

        assert within(60.0, until_it_rings, late="too late") == "it rang"
