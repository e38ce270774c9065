"""Several processes, and processes that are killed: what counts is whole, and nothing is lost or counted twice."""

import itertools

import pytest
from mlflow import MlflowClient

from collapse_guard.records import Severity
from collapse_guard.store.mlflow.store import MLflowStore
from writers import KILLED, append_all, append_and_be_killed, append_as_next, at_once

pytestmark = pytest.mark.slow


def runs(client, query):
    home = client.get_experiment_by_name("collapse_guard").experiment_id
    return client.search_runs([home], query)


def killed_at(nth, uri, assessment):
    """Whether the process that appended was killed at its nth request; otherwise it had fewer."""
    (code,) = at_once(append_and_be_killed, (uri, assessment.to_dict(), nth))
    assert code in (0, KILLED)
    return code == KILLED


def test_a_first_append_that_is_killed_counts_whole_or_not_at_all_and_is_made_good_by_the_next(uri, make):
    """At every third request, and the other test at others: a process of MLflow costs a second."""
    store, client, counted = MLflowStore(uri), MlflowClient(uri), []
    for nth in itertools.count(1, 3):
        founder = make(f"killed at {nth}", severity=Severity.WATCH)
        if not killed_at(nth, uri, founder):
            break
        counted.append(founder.generation.lineage in store.lineages())
        store.append(founder)
        assert [item.to_dict() for item in store.history(founder.generation.lineage)] == [founder.to_dict()]
    assert counted == sorted(counted)
    assert set(counted) == {False, True}
    assert {one.severity for one in store.summaries().values()} == {Severity.WATCH}
    lineages = runs(client, "tags.`collapse_guard.kind` = 'lineage'")
    assert len(lineages) == len(store.lineages()) > 6
    for run in lineages:
        points = client.get_metric_history(run.info.run_id, "collapse_guard/severity")
        assert [(point.step, point.value) for point in points] == [(0, 1.0)]
    assert runs(client, "attributes.status = 'RUNNING'") == []


def test_what_a_killed_writer_left_is_made_good_by_whoever_appends_the_next_generation(uri, make):
    store, client = MLflowStore(uri), MlflowClient(uri)
    lost = make(index=1, severity=Severity.COLLAPSED)
    for nth in itertools.count(14, 6):
        lineage = f"killed at {nth}"
        lost = make(lineage, 1, severity=Severity.COLLAPSED)
        store.append(make(lineage))
        if not killed_at(nth, uri, lost):
            break
        before = [item.to_dict() for item in MLflowStore(uri).ledger(lineage)]
        assert before in ([make(lineage).to_dict()], [make(lineage).to_dict(), lost.to_dict()])
        store.append(make(lineage, 2))
        history = [make(lineage), *([lost] if len(before) == 2 else []), make(lineage, 2)]
        assert [item.to_dict() for item in store.history(lineage)] == [item.to_dict() for item in history]
        assert [item.verdict for item in store.ledger(lineage)] == [item.verdict for item in history]
        (run,) = runs(client, f"tags.`collapse_guard.kind` = 'lineage' AND tags.`collapse_guard.lineage` = '{lineage}'")
        points = client.get_metric_history(run.info.run_id, "collapse_guard/severity")
        assert [point.step for point in points] == [item.generation.index for item in history]
    assert runs(client, "attributes.status = 'RUNNING'") == []


def test_two_processes_make_one_new_store_and_append_their_lineages(tmp_path, make):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    lineages = {name: [make(name, index).to_dict() for index in range(4)] for name in ("left", "right")}
    assert at_once(append_all, *((uri, records) for records in lineages.values())) == [0, 0]
    store = MLflowStore(uri)
    assert store.lineages() == ["left", "right"]
    for name, records in lineages.items():
        assert [item.to_dict() for item in store.history(name)] == records


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_several_writers_of_one_lineage_at_once_lose_nothing(database, tmp_path, make, request):
    uri = f"sqlite:///{tmp_path}/mlflow.db" if database == "sqlite" else request.getfixturevalue(database).empty()
    writers = range(4)
    own = [make(vendi=float(writer)) for writer in writers]
    assert at_once(append_as_next, *((uri, item.to_dict()) for item in own)) == [0 for _ in writers]
    store = MLflowStore(uri)
    history = store.history("newsbot")
    assert [item.generation.index for item in history] == list(writers)
    assert {item.readings["vendi"].value for item in history} == {float(writer) for writer in writers}
    assert len(store.ledger("newsbot")) == len(writers)
    client = MlflowClient(uri)
    assert len(runs(client, "tags.`collapse_guard.kind` = 'lineage'")) == 1
    assert runs(client, "attributes.status = 'RUNNING'") == []
