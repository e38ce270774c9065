"""What somebody changed, deleted or set aside is told of, and what a killed writer left is ended."""

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from collapse_guard.errors import LineageError, LineageNotFoundError
from collapse_guard.records import Severity
from collapse_guard.store import LineageSummary
from collapse_guard.store.base import to_text
from collapse_guard.store.mlflow import layout
from collapse_guard.store.mlflow.store import MLflowStore
from waiting import PATIENCE


def run_of(client, index, lineage="newsbot"):
    query = f"tags.`collapse_guard.lineage` = '{lineage}' AND tags.`collapse_guard.generation` = '{index:06d}'"
    homes = [one.experiment_id for one in client.search_experiments()]
    (run,) = client.search_runs(homes, query)
    return run


class TestARecordThatWasChanged:
    @pytest.mark.parametrize("change", [lambda text: text.replace("COLLAPSED", "HEALTHY"), lambda text: text + " "])
    def test_is_refused_with_the_run_and_what_to_do(self, store, client, make, database, change):
        store.append(make(severity=Severity.COLLAPSED))
        (file,) = (database.parent / "mlruns").rglob("assessment.json")
        file.write_text(change(file.read_text()))
        run_id = run_of(client, 0).info.run_id
        expected = (
            f"assessment.json of run {run_id} of lineage `newsbot` must be as it was written, but got other content"
        )
        for read in (store.history, store.latest, store.ledger):
            with pytest.raises(LineageError, match=f"{expected} .*: restore the file from a backup"):
                read("newsbot")
        with pytest.raises(LineageError, match=expected):
            store.append(make(index=1))

    def test_is_read_where_an_earlier_version_noted_no_digest(self, store, client, make, database):
        store.append(make())
        client.delete_tag(run_of(client, 0).info.run_id, layout.DIGEST)
        (file,) = (database.parent / "mlruns").rglob("assessment.json")
        file.write_text(to_text(make(vendi=1.0)))
        assert store.latest("newsbot").readings["vendi"].value == 1.0

    def test_has_the_verdict_of_its_tag(self, store, client, make):
        store.append(make(severity=Severity.COLLAPSED))
        run_id = run_of(client, 0).info.run_id
        client.set_tag(run_id, layout.VERDICT, "HEALTHY")
        with pytest.raises(
            LineageError, match=f"of run {run_id} of .* must be COLLAPSED, .* got 'HEALTHY': .*set it back"
        ):
            store.latest("newsbot")


class TestARunThatWasDeleted:
    def test_is_missing_and_the_command_brings_it_back(self, store, client, make, uri):
        for index in range(3):
            store.append(make(index=index))
        client.delete_run(run_of(client, 0).info.run_id)
        after = MLflowStore(uri)
        assert [item.generation.index for item in after.ledger("newsbot")] == [1, 2]
        assert [item.generation.index for item in after.history("newsbot")] == [1, 2]
        missing = after.missing("newsbot")
        assert missing.keys() == {0}
        command = re.fullmatch(r"run [0-9a-f]{32} was deleted: `(.*)` brings it back", missing[0])[1]
        follow(command)
        assert [item.generation.index for item in after.ledger("newsbot")] == [0, 1, 2]
        assert after.missing("newsbot") == {}

    def test_is_said_to_be_a_founder_where_it_is_a_later_one(self, store, client, make, uri):
        store.append(make())
        founder = make(index=1)
        anew = founder.generation.model_copy(update={"founder": 1, "founding": "new tokenizer"})
        store.append(founder.model_copy(update={"generation": anew}))
        client.delete_run(run_of(client, 1).info.run_id)
        assert ", with which the lineage was founded anew, was deleted: " in MLflowStore(uri).missing("newsbot")[1]

    def test_with_its_experiment_is_brought_back_with_it(self, store, client, make, uri):
        home = client.create_experiment("trainings")
        store.in_run(client.create_run(home).info.run_id).append(make())
        store.append(make(index=1))
        client.delete_experiment(home)
        after = MLflowStore(uri)
        (command,) = re.findall(
            r"the experiment of run .* was deleted: `(.*)` brings it back", after.missing("newsbot")[0]
        )
        follow(command)
        assert [item.generation.index for item in after.ledger("newsbot")] == [0, 1]

    def test_and_whose_number_was_given_again_is_not_missing(self, store, client, make):
        store.append(make())
        client.delete_run(run_of(client, 0).info.run_id)
        store.append(make(vendi=3.0))
        assert store.missing("newsbot") == {}
        assert [item.readings["vendi"].value for item in store.ledger("newsbot")] == [3.0]

    def test_as_the_last_one_of_its_lineage_is_told_of_where_the_lineage_is_not_found(self, store, client, make):
        store.append(make())
        run_id = run_of(client, 0).info.run_id
        client.delete_run(run_id)
        assert (store.has("newsbot"), store.lineages(), store.summaries()) == (False, [], {})
        with pytest.raises(LineageNotFoundError, match=f"It had generation 0: run {run_id} was deleted"):
            store.history("newsbot")

    def test_as_the_newest_one_leaves_the_one_before(self, store, client, make):
        for index, severity in enumerate([Severity.HEALTHY, Severity.WATCH, Severity.COLLAPSED]):
            store.append(make(index=index, severity=severity))
        client.delete_run(run_of(client, 2).info.run_id)
        assert store.latest("newsbot").generation.index == 1
        assert store.summaries() == {"newsbot": LineageSummary(1, Severity.WATCH, make().verdict.wild_type)}
        assert store.missing("newsbot").keys() == {2}

    def test_for_good_is_missing_too_if_it_was_the_founder(self, store, client, make, database, uri):
        for index in range(2):
            store.append(make(index=index))
        run_id = run_of(client, 0).info.run_id
        with closing(sqlite3.connect(database)) as connection, connection:
            for rows in ("tags", "metrics", "latest_metrics", "runs"):
                connection.execute(f"DELETE FROM {rows} WHERE run_uuid = ?", [run_id])  # noqa: S608
        missing = MLflowStore(uri).missing("newsbot")
        assert missing == {0: "its run was removed for good: restore the store from a backup"}


def follow(command):
    """Type a command of MLflow into a shell: in the process of the tests, loggers have named other stores."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(command, shell=True, env=os.environ | {"PATH": path}, timeout=PATIENCE, capture_output=True)  # noqa: S602
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("how", ["set to false", "taken away"])
def test_a_run_that_was_set_aside_counts_no_more_and_its_number_is_free(store, client, make, uri, how):
    for index in range(3):
        store.append(make(index=index))
    run_id = run_of(client, 1).info.run_id
    if how == "set to false":
        client.set_tag(run_id, layout.COMPLETE, "false")
    else:
        client.delete_tag(run_id, layout.COMPLETE)
    after = MLflowStore(uri)
    assert [item.generation.index for item in after.ledger("newsbot")] == [0, 2]
    assert after.missing("newsbot") == {}
    after.append(make(index=1, vendi=3.0))
    assert [item.readings["vendi"].value for item in after.ledger("newsbot")] == [21.4, 3.0, 15.8]


def test_the_list_of_lineages_believes_no_tag_that_its_curve_contradicts(store, client, make):
    store.append(make(severity=Severity.COLLAPSED))
    home = client.get_experiment_by_name("collapse_guard").experiment_id
    (run,) = client.search_runs([home], "tags.`collapse_guard.kind` = 'lineage'")
    for name, value in [(layout.VERDICT, "HEALTHY"), (layout.NEWEST, "first")]:
        client.set_tag(run.info.run_id, name, value)
        assert store.summaries() == {"newsbot": LineageSummary(0, Severity.COLLAPSED, make().verdict.wild_type)}


def test_the_list_of_lineages_reads_no_record(store, make, database):
    for name in ("alpha", "omega"):
        store.append(make(name))
    for file in (database.parent / "mlruns").rglob("assessment.json"):
        file.unlink()
    assert list(store.summaries()) == ["alpha", "omega"]


class TestARunThatIsRunning:
    """Of a writer that was killed, or is still writing."""

    def left(self, client, store, make):
        store.append(make())
        parent = run_of(client, 0).data.tags[layout.PARENT_RUN]
        home = run_of(client, 0).info.experiment_id
        own = {layout.PARENT_RUN: parent, layout.OWN: "true"}
        return client.create_run(home, tags=own), client.create_run(home, start_time=1, tags=own)

    def status(self, client, *runs):
        return [client.get_run(run.info.run_id).info.status for run in runs]

    def test_is_ended_by_the_next_writer(self, client, store, make):
        left = self.left(client, store, make)
        store.append(make(index=1))
        assert self.status(client, *left) == ["KILLED", "KILLED"]

    @pytest.mark.usefixtures("no_lock")
    def test_is_ended_behind_a_server_once_it_is_old(self, client, store, make):
        left = self.left(client, store, make)
        store.append(make(index=1))
        assert self.status(client, *left) == ["RUNNING", "KILLED"]

    def test_and_is_of_a_training_goes_on(self, client, store, make):
        home = client.create_experiment("trainings")
        training = client.create_run(home, start_time=1)
        store.in_run(training.info.run_id).append(make())
        store.append(make(index=1))
        assert self.status(client, training) == ["RUNNING"]
