"""One limit for each operation, whatever stalls; every fault of a network is a store that does not answer."""

import socket
import subprocess
import sys
import warnings

import pytest

from collapse_guard.errors import CollapseGuardWarning, InputError, StoreUnreachableError
from collapse_guard.store.mlflow.deadline import DEFAULT_SECONDS, SETTING, Deadline, LateError, limit, operation
from collapse_guard.store.mlflow.store import MLflowStore
from faulty import FAULTS, failing, swallowing
from waiting import PATIENCE, free_port

STALLS = ("stall", "stall_after_the_request", "stall_in_the_answer", "drip", "drip_the_head", "say_later")
"""What ends with the deadline only."""

LEFT_ALONE = """
import threading
from concurrent.futures import ThreadPoolExecutor
from collapse_guard.store.mlflow.deadline import Deadline, LateError

try:
    Deadline(0.2).run(lambda: ThreadPoolExecutor().submit(threading.Event().wait).result())
except LateError:
    print("late")
"""


class TestARequest:
    def test_gives_its_result_or_its_error(self):
        assert Deadline(PATIENCE).run(lambda: "answer") == "answer"
        with pytest.raises(ZeroDivisionError):
            Deadline(PATIENCE).run(lambda: 1 / 0)

    def test_warns_in_the_way_that_its_caller_has_set(self):
        with pytest.warns(CollapseGuardWarning, match="seen"):
            Deadline(PATIENCE).run(lambda: warnings.warn("seen", CollapseGuardWarning, stacklevel=1))

    def test_that_comes_too_late_is_left_alone_and_the_limit_is_said(self):
        said = rf"^it did not answer within 0\.1 s \({SETTING} sets another limit\)$"
        here, there = socket.socketpair()
        with here, there, pytest.raises(LateError, match=said):
            Deadline(0.1).run(lambda: here.recv(1))

    def test_that_is_left_alone_keeps_no_process_from_its_end_not_even_in_a_pool(self):
        """Python waits for the threads of pools, and MLflow downloads in one."""
        done = subprocess.run([sys.executable, "-c", LEFT_ALONE], timeout=PATIENCE, check=True, capture_output=True)
        assert done.stdout == b"late\n"


def test_an_operation_inside_another_has_the_same_deadline(monkeypatch):
    monkeypatch.setenv(SETTING, "77")
    with operation() as outer:
        monkeypatch.setenv(SETTING, "1")
        with operation() as inner:
            assert inner is outer
        assert outer.seconds == 77
    with operation() as after:
        assert after.seconds == 1


@pytest.mark.parametrize("text", ["", " "])
def test_the_limit_is_a_minute_unless_it_is_set(monkeypatch, text):
    monkeypatch.setenv(SETTING, text)
    assert limit() == DEFAULT_SECONDS
    monkeypatch.delenv(SETTING)
    assert limit() == DEFAULT_SECONDS


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon", "1e30"])
def test_a_limit_that_is_none_is_refused(monkeypatch, text, uri):
    monkeypatch.setenv(SETTING, text)
    with pytest.raises(InputError, match=f"`{SETTING}` must be a number of seconds above 0, but got '{text}'"):
        MLflowStore(uri).lineages()


class TestAServer:
    @pytest.fixture(autouse=True)
    def _soon(self, monkeypatch):
        monkeypatch.setenv(SETTING, "1.5")
        monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)

    @pytest.mark.parametrize("fault", FAULTS)
    def test_that_fails_in_any_way_does_not_answer(self, fault, make, capfd, caplog):
        with failing(fault) as port, pytest.raises(StoreUnreachableError) as caught:
            MLflowStore(f"http://ann:hush@127.0.0.1:{port}").append(make())
        said = str(caught.value)
        assert said.startswith(f"the lineage store `http://ann:***@127.0.0.1:{port}` does not answer: ")
        assert ("did not answer within 1.5 s" in said) is (fault in STALLS)
        assert "hush" not in said + caplog.text + "".join(capfd.readouterr())

    @pytest.mark.parametrize("scheme", ["http", "postgresql"])
    def test_whose_host_swallows_what_it_is_sent_does_not_answer(self, scheme):
        with swallowing() as port, pytest.raises(StoreUnreachableError, match=r"did not answer within 1\.5 s"):
            MLflowStore(f"{scheme}://127.0.0.1:{port}/x").lineages()

    def test_that_nobody_listens_at_does_not_answer(self):
        with pytest.raises(StoreUnreachableError, match=r"does not answer: .*refused"):
            MLflowStore(f"http://127.0.0.1:{free_port()}").lineages()
