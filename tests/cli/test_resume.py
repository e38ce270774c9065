"""Evidence that could not be sent: it is kept, said where, and sent later, once, in order."""

import json
import os
import re
import shutil
import signal

import pytest

from collapse_guard.lineage.outbox import PENDING, list_pending
from collapse_guard.records import Mixture

NOWHERE = "sqlite:////nowhere/mlflow.db"


@pytest.fixture(autouse=True)
def in_a_directory_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _keep(run, world, samples, lineage, *options):
    outcome = run("assess", samples, "--wild-type", world.wild_type, "--lineage", lineage, "--store", NOWHERE, *options)
    assert outcome.code == 2
    return outcome


def test_what_cannot_be_sent_is_kept_and_the_error_says_where_and_with_which_command(run, world):
    outcome = _keep(run, world, world.few, "kept")
    (kept,) = list_pending(PENDING)
    assert outcome.out == ""
    assert (
        "the lineage store `sqlite:////nowhere/mlflow.db` does not answer: the directory /nowhere does not exist"
        in outcome.err
    )
    assert f"The evidence is kept in {kept.absolute()}" in outcome.err
    assert f"collapse-guard assess --resume --store {NOWHERE}" in outcome.err
    assert "Traceback" not in outcome.err


def test_the_command_in_the_error_does_not_tell_a_password(run, world):
    uri = "postgresql://ann:secret@127.0.0.1:1/db"
    outcome = run("assess", world.few, "--wild-type", world.wild_type, "--lineage", "x", "--store", uri)
    assert outcome.code == 2
    assert "ann:***@127.0.0.1" in outcome.err
    assert "secret" not in outcome.err


@pytest.mark.slow
def test_resuming_sends_everything_in_order_as_it_was_asked_for_and_exits_with_the_worst(run, world):
    _keep(run, world, world.founder, "resumed", "--seed", 3, "--founder")
    _keep(run, world, world.collapsed, "resumed", "--real-share", 0.25, "--documents", 40)
    _keep(run, world, world.few, "other", "--founder")
    outcome = run("assess", "--resume", "--store", world.uri)
    assert outcome.code == 1
    assert re.findall(r"[A-Z]+: generation \d of \w+", outcome.out) == [
        "HEALTHY: generation 0 of resumed",
        "COLLAPSED: generation 1 of resumed",
        "UNDECIDED: generation 0 of other",
    ]
    founder, collapsed = world.store.history("resumed")
    assert (founder.seed, founder.generation.mixture) == (3, Mixture(real=1.0))
    assert collapsed.generation.mixture == Mixture.with_real(0.25)
    assert (founder.generation.items, collapsed.generation.items) == (None, 40)
    assert list_pending(PENDING) == []
    again = run("assess", "--resume", "--store", world.uri)
    assert (again.code, "There is nothing to send" in again.out) == (0, True)


def test_what_was_sent_is_the_same_as_if_the_store_had_answered(run, world):
    _keep(run, world, world.healthy, "bot", "--generation", 1)
    outcome = run("assess", "--resume", "--store", world.uri)
    assert outcome.code == 0
    assert len(world.store.history("bot")) == 3
    assert list_pending(PENDING) == []


def test_a_store_that_still_does_not_answer_loses_nothing(run, world):
    _keep(run, world, world.few, "x")
    _keep(run, world, world.few, "y")
    outcome = run("assess", "--resume", "--store", NOWHERE)
    assert outcome.code == 2
    assert "2 of 2 stay in" in outcome.err
    assert len(list_pending(PENDING)) == 2


def test_what_cannot_be_sent_stays_with_the_later_ones_of_its_lineage_and_stops_no_other(run, world, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(world.wild_type, moved)
    outcome = run("assess", world.few, "--wild-type", moved, "--lineage", "stuck", "--store", NOWHERE)
    assert outcome.code == 2
    shutil.rmtree(moved)
    _keep(run, world, world.founder, "stuck")
    _keep(run, world, world.founder, "free", "--founder")
    outcome = run("assess", "--resume", "--store", world.uri)
    assert outcome.code == 2
    assert "HEALTHY: generation 0 of free" in outcome.out
    assert re.search(r"stays: .*moved must be a wild type", outcome.err)
    assert "because an earlier generation of lineage `stuck` does" in outcome.err
    assert not world.store.has("stuck")
    assert len(list_pending(PENDING)) == 2


def test_evidence_of_a_wild_type_that_was_replaced_stays(run, world, tmp_path):
    place = tmp_path / "wild-type"
    shutil.copytree(world.wild_type, place)
    run("assess", world.few, "--wild-type", place, "--lineage", "replaced", "--store", NOWHERE)
    shutil.rmtree(place)
    assert run("profile", world.real, "--out", place, "--seed", 5).code == 0
    outcome = run("assess", "--resume", "--store", world.uri)
    assert outcome.code == 2
    assert "the evidence was collected for the wild type" in outcome.err
    assert len(list_pending(PENDING)) == 1


def test_damaged_evidence_stays_and_stops_no_other(run, world):
    _keep(run, world, world.few, "damaged")
    (kept,) = list_pending(PENDING)
    (kept / "pending.json").write_text(json.dumps({"schema": 1}), encoding="utf-8")
    _keep(run, world, world.few, "sound", "--founder")
    outcome = run("assess", "--resume", "--store", world.uri)
    assert outcome.code == 2
    assert f"{PENDING / kept.name} stays: `path` must be a directory that save_pending wrote" in outcome.err
    assert world.store.has("sound")


def test_a_process_that_was_killed_between_sending_and_tidying_up_sends_nothing_twice(run, world, monkeypatch):
    _keep(run, world, world.few, "killed", "--founder")
    with monkeypatch.context() as patch:
        patch.setattr("collapse_guard.cli.outbox.discard_pending", _killed)
        assert run("assess", "--resume", "--store", world.uri).code == 130
    assert len(list_pending(PENDING)) == 1
    again = run("assess", "--resume", "--store", world.uri)
    assert again.code == 3
    assert "This evidence is already stored as generation 0 of killed: nothing was added." in again.out
    assert len(world.store.history("killed")) == 1
    assert list_pending(PENDING) == []


def test_a_job_that_is_terminated_while_it_sends_keeps_its_evidence_and_ends(run, world, monkeypatch):
    def terminated(own, assessment):
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("collapse_guard.store.MemoryStore.append", terminated)
    where = ("--wild-type", world.wild_type, "--lineage", "ended", "--store", "memory:", "--founder")
    outcome = run("assess", world.few, *where)
    assert outcome.code == 143
    (kept,) = list_pending(PENDING)
    assert f"The evidence is kept in {kept.absolute()}" in outcome.err
    assert signal.getsignal(signal.SIGTERM) is before


def _killed(path):
    raise KeyboardInterrupt
