"""A store that does not answer, in every way of a network: exit code 2 in time, and the evidence is kept."""

import pytest

from collapse_guard.lineage.outbox import PENDING, list_pending
from collapse_guard.store.mlflow.deadline import SETTING
from faulty import failing

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _soon_and_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(SETTING, "1")


@pytest.mark.parametrize("fault", ["stall", "drip", "reset", "truncate", "say_error", "say_page", "say_garbage"])
def test_assess_exits_with_2_and_keeps_the_evidence(fault, run, world):
    with failing(fault) as port:
        uri = f"http://ann:hush@127.0.0.1:{port}"
        outcome = run("assess", world.few, "--wild-type", world.wild_type, "--lineage", "bot", "--store", uri)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: the lineage store `http://ann:***@127.0.0.1:{port}` does not answer: ")
    assert f"The evidence is kept in {list_pending(PENDING)[0].absolute()}" in outcome.err
    assert "hush" not in outcome.err
    assert "hush" not in "".join(file.read_text(errors="replace") for file in PENDING.rglob("*.json"))


@pytest.mark.parametrize(
    "command", [("gate", "--lineage", "bot"), ("lineage", "list"), ("lineage", "show", "bot"), ("ui",)]
)
def test_a_command_that_reads_exits_with_2_at_the_deadline(command, run):
    with failing("drip") as port:
        outcome = run(*command, "--store", f"http://127.0.0.1:{port}")
    assert outcome.code == 2
    assert "did not answer within 1 s" in outcome.err


def test_the_process_ends_though_a_request_goes_on(run_process):
    with failing("drip") as port:
        outcome = run_process("lineage", "list", "--store", f"http://127.0.0.1:{port}")
    assert outcome.code == 2
    assert outcome.err.startswith("error: the lineage store")


def test_the_page_of_a_server_is_named_without_the_password(run, monkeypatch):
    monkeypatch.setattr("collapse_guard.store.mlflow.store.MLflowStore.dashboard_path", lambda self: "/#/x")
    outcome = run("ui", "--store", "http://ann:hush@127.0.0.1:5000")
    assert outcome.code == 0
    assert "The dashboard: http://ann:***@127.0.0.1:5000/#/x" in outcome.out
