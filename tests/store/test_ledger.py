"""The ledger of a lineage is a copy: quick, believed only where it is sure, and never needed."""

import functools

import pytest
from mlflow import MlflowClient

from building import make_comparison
from collapse_guard.records import Severity
from collapse_guard.store.mlflow import layout, ledger
from collapse_guard.store.mlflow.store import MLflowStore


@pytest.fixture
def long(store, make):
    """A lineage of six generations, as it was appended."""
    return appended(store, make, 6)


def appended(store, make, generations, start=0):
    history = [make(index=index, vendi=20.0 - index) for index in range(start, start + generations)]
    for item in history:
        store.append(item)
    return history


def lineage_run(client):
    home = client.get_experiment_by_name("collapse_guard").experiment_id
    (run,) = client.search_runs([home], "tags.`collapse_guard.kind` = 'lineage'")
    return run


def runs_of(client, *indices):
    home = client.get_experiment_by_name("collapse_guard").experiment_id
    by_number = {
        int(run.data.tags[layout.GENERATION]): run
        for run in client.search_runs([home], "tags.`collapse_guard.kind` = 'generation'")
    }
    return [by_number[index].info.run_id for index in indices]


def the_file(database):
    (file,) = (database.parent / "mlruns").rglob(ledger.FILE)
    return file


def require_ledger(store, history):
    """The ledger is that of the history: the founder and the newest whole, the others abridged."""
    expected = [history[0], *(item.abridged() for item in history[1:-1]), history[-1]]
    assert [item.to_dict() for item in store.ledger("newsbot")] == [item.to_dict() for item in expected]


def test_a_line_keeps_what_abridged_keeps(make):
    item = make(index=3, severity=Severity.COLLAPSED).model_copy(
        update={"comparisons": (make_comparison("perplexity", 577.9, 92.1),)}
    )
    line = ledger.line_of(item, "abc")
    assert line.assessment("newsbot").to_dict() == item.abridged().to_dict()
    assert line.assessment("another") is None


def damaged(text, how):
    rows = text.splitlines(keepends=True)
    return {
        "lost": "",
        "cut off": text[: len(text) // 2],
        "changed": text.replace("\n", "x\n"),
        "swapped": "".join(f"{1 + index} {row.split(' ', 1)[1]}" for index, row in enumerate(rows)),
        "not text": "\udcff\udc80" * 50,
        "of nobody": f"{'9' * 5000} a b\n0\n\n -1 a b\n",
    }[how]


def test_a_damaged_ledger_changes_nothing_and_is_made_anew(store, make, uri, long, database):
    file = the_file(database)
    whole = file.read_bytes()
    for how in ("lost", "cut off", "changed", "swapped", "not text", "of nobody"):
        file.write_bytes(damaged(whole.decode(), how).encode(errors="surrogateescape"))
        require_ledger(MLflowStore(uri), long)
        store.append(long[-1])
        assert file.read_bytes() == whole, how


def test_a_verdict_that_was_made_milder_in_the_ledger_is_not_believed(store, make, uri, database):
    history = [make(index=index, severity=Severity.COLLAPSED) for index in range(3)]
    for item in history:
        store.append(item)
    file = the_file(database)
    forged = {
        line.generation: line
        for line in ledger.believed(file.read_text(), lineage_run(MlflowClient(uri)).data.tags).values()
    }
    forged[1] = ledger.line_of(make(index=1), forged[1].run_id)
    file.write_text(ledger.text_of(forged))
    require_ledger(MLflowStore(uri), history)


def test_a_ledger_that_was_deleted_or_belongs_to_a_deleted_run_is_made_anew(store, client, make, uri, long, database):
    the_file(database).unlink()
    require_ledger(MLflowStore(uri), long)
    client.delete_run(lineage_run(client).info.run_id)
    after = MLflowStore(uri)
    require_ledger(after, long)
    assert after.lineages() == ["newsbot"]
    new = make(index=6)
    after.append(new)
    require_ledger(after, [*long, new])
    points = client.get_metric_history(lineage_run(client).info.run_id, layout.SEVERITY_METRIC)
    assert [point.step for point in points] == list(range(7))


def test_a_lineage_of_an_earlier_version_is_read_and_goes_on(store, client, make, uri, long):
    for run_id in runs_of(client, *range(6)):
        for name in (layout.DIGEST, layout.SHOWN_BY, layout.OWN):
            client.delete_tag(run_id, name)
    parent = lineage_run(client)
    for name in parent.data.tags:
        if name in (layout.NEWEST, layout.WILD_TYPE) or name.startswith("collapse_guard.ledger"):
            client.delete_tag(parent.info.run_id, name)
    after = MLflowStore(uri)
    require_ledger(after, long)
    assert (after.latest("newsbot").generation.index, after.lineages(), after.has("newsbot")) == (5, ["newsbot"], True)
    assert after.summaries()["newsbot"].generation == 5
    new = make(index=6)
    after.append(new)
    require_ledger(MLflowStore(uri), [*long, new])
    points = client.get_metric_history(parent.info.run_id, layout.SEVERITY_METRIC)
    assert [point.step for point in points] == list(range(7))


@pytest.mark.usefixtures("no_lock")
def test_two_writers_that_write_the_ledger_at_once_lose_no_generation(store, make, uri, long, database):
    """Behind a server nothing keeps the second one waiting: its ledger lacks what the first one wrote."""
    file, tags = the_file(database), lineage_run(MlflowClient(uri)).data.tags
    before = file.read_bytes()
    store.append(make(index=6))
    file.write_bytes(before)
    noted = {name: value for name, value in tags.items() if name.startswith("collapse_guard.ledger")}
    for name, value in noted.items():
        MlflowClient(uri).set_tag(lineage_run(MlflowClient(uri)).info.run_id, name, value)
    store.append(make(index=7))
    require_ledger(MLflowStore(uri), [*long, make(index=6), make(index=7)])


def test_an_append_and_a_ledger_cost_as_much_in_a_long_lineage_as_in_a_short_one(store, make, uri, monkeypatch):
    """Requests, the runs that they return, and the files that are read: each costs MLflow and us milliseconds."""
    costs = []

    def cost(index):
        counted = dict.fromkeys(("requests", "runs", "files"), 0)

        def counting(request, *arguments, **settings):
            counted["requests"] += 1
            found = request(*arguments, **settings)
            counted["runs"] += len(found) if request.__name__ == "search_runs" else 0
            return found

        with monkeypatch.context() as patch:
            for name in ("search_runs", "get_run", "get_metric_history", "log_batch", "set_tag", "create_run"):
                request = getattr(MlflowClient, name)
                patch.setattr(
                    MlflowClient,
                    name,
                    functools.partialmethod(lambda self, asked, *a, **k: counting(asked, self, *a, **k), request),
                )
            fresh = MLflowStore(uri)
            fresh.append(make(index=index))
            fresh.ledger("newsbot")
        costs.append(counted)

    for index in range(16):
        if index in (3, 15):
            cost(index)
        else:
            store.append(make(index=index))
    assert costs[0] == costs[1]
    assert costs[0]["runs"] > 0
