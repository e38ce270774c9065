"""How lineages lie in MLflow, on real sqlite stores; what every store does is in tests/contract/test_stores.py."""

import json
import math
import os
import shutil
import socket
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError

from collapse_guard.errors import CollapseGuardWarning, GenerationTakenError, LineageError, StoreUnreachableError
from collapse_guard.records import Severity
from collapse_guard.store import dashboard_link
from collapse_guard.store.base import to_text
from collapse_guard.store.mlflow import dashboard, layout
from collapse_guard.store.mlflow.store import MLflowStore


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """MLflow puts the artifacts of experiments that are not ours into the working directory."""
    monkeypatch.chdir(tmp_path)


def runs(client, kind, experiment="collapse_guard"):
    """Runs of a kind, by name."""
    home = client.get_experiment_by_name(experiment).experiment_id
    found = client.search_runs([home], f"tags.`collapse_guard.kind` = '{kind}'")
    return {run.info.run_name: run for run in found}


ONE = f"tags.`{layout.GENERATION}` = '000001'"


def curve(client, run, metric):
    return [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, metric)]


@pytest.mark.slow
def test_the_run_of_a_lineage_carries_every_finite_reading_by_generation(store, client, make):
    store.append(make())
    store.append(make(index=1, severity=Severity.COLLAPSED, real=0.0, vendi=math.nan, distinct_2=math.inf))
    store.append(make(index=2, severity=Severity.WATCH, real=0.5))
    run = runs(client, "lineage")["newsbot"]
    assert curve(client, run, "likelihood/perplexity") == [(0, 92.1), (1, 348.2), (2, 577.9)]
    assert curve(client, run, "spread/vendi") == [(0, 21.4), (2, 15.8)]
    assert curve(client, run, "diversity/distinct_2") == [(0, 0.0782), (2, 0.0531)]
    assert curve(client, run, "collapse_guard/severity") == [(0, 0.0), (1, 3.0), (2, 1.0)]
    assert curve(client, run, "collapse_guard/real_fraction") == [(0, 1.0), (1, 0.0), (2, 0.5)]
    assert run.data.tags["collapse_guard.verdict"] == "WATCH"
    assert [line.split(" | ")[:2] for line in run.data.tags["mlflow.note.content"].splitlines()[2:]] == [
        ["| 2", "WATCH"],
        ["| 1", "COLLAPSED"],
        ["| 0", "HEALTHY"],
    ]
    assert run.info.status == "FINISHED"


def test_the_run_of_a_generation_is_a_finished_child_with_tags_metrics_files_and_datasets(store, client, make):
    item = make(index=3, severity=Severity.COLLAPSED, real=0.25, vendi=math.nan)
    store.append(item)
    store.attach("newsbot", 3, {"report.html": "<html>ü</html>"})
    run = runs(client, "generation")["newsbot generation 3"]
    run_id = run.info.run_id
    assert run.info.status == "FINISHED"
    assert layout.tags(item).items() <= run.data.tags.items()
    assert run.data.tags["mlflow.parentRunId"] == runs(client, "lineage")["newsbot"].info.run_id
    assert run.data.tags["collapse_guard.complete"] == "true"
    assert run.data.tags["collapse_guard.not_a_number"] == "vendi"
    assert run.data.tags["mlflow.note.content"].startswith("**COLLAPSED**")
    assert run.data.metrics == layout.metrics(item)
    assert {file.path for file in client.list_artifacts(run_id)} == {*layout.files(item), "report.html"}
    assert Path(client.download_artifacts(run_id, "assessment.json")).read_text() == to_text(item)
    assert Path(client.download_artifacts(run_id, "report.html")).read_text() == "<html>ü</html>"
    inputs = {entry.dataset.name: entry for entry in run.inputs.dataset_inputs}
    assert inputs["wild type"].dataset.digest == item.verdict.wild_type
    assert {name: entry.tags[0].value for name, entry in inputs.items()} == {
        "wild type": "reference",
        "training mixture": "training",
    }
    assert json.loads(inputs["training mixture"].dataset.profile)["mixture"]["real"] == 0.25
    source = mlflow.data.get_source(inputs["training mixture"].dataset)
    assert source.to_dict()["tags"]["parents"] == [2]


def test_one_batch_per_run_and_generation(store, make, monkeypatch):
    calls = []
    log_batch = MlflowClient.log_batch
    monkeypatch.setattr(
        MlflowClient, "log_batch", lambda self, run_id, **kw: (calls.append(run_id), log_batch(self, run_id, **kw))
    )
    monkeypatch.setattr(MlflowClient, "log_metric", lambda *_, **__: pytest.fail("one metric at a time"))
    for index in range(3):
        calls.clear()
        store.append(make(index=index))
        assert len(calls) == len(set(calls)) == 2


def test_artifacts_lie_beside_the_sqlite_file_wherever_the_process_works(
    store, client, make, database, tmp_path, monkeypatch
):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    store.append(make())
    location = client.get_experiment_by_name("collapse_guard").artifact_location
    assert unquote(urlsplit(location).path) == f"{database.parent}/mlruns/collapse_guard"
    assert list(elsewhere.iterdir()) == []
    assert len(list((database.parent / "mlruns").rglob("assessment.json"))) == 1


def test_reading_makes_nothing(tmp_path):
    store = MLflowStore(f"sqlite:///{tmp_path}/mlflow.db")
    assert store.lineages() == []
    assert dashboard_link(store) == ""
    with pytest.raises(LineageError, match="there are none"):
        store.history("newsbot")
    assert list(tmp_path.iterdir()) == []


def test_the_global_state_of_mlflow_is_left_alone(store, make):
    before = (mlflow.get_tracking_uri(), mlflow.active_run(), dict(os.environ))
    store.append(make())
    store.history("newsbot")
    assert (mlflow.get_tracking_uri(), mlflow.active_run(), dict(os.environ)) == before


def test_the_dashboard_is_installed_and_grows_and_is_not_rewritten_for_nothing(store, client, make):
    store.append(make())
    experiment = client.get_experiment_by_name("collapse_guard")
    first = experiment.tags[dashboard.VIEW_TAG]
    assert dashboard.charted(first) == set(layout.metrics(make()))
    assert dashboard_link(store) == dashboard.dashboard_path(experiment.experiment_id)
    assert dashboard_link(store) in experiment.tags["mlflow.note.content"]
    time.sleep(0.01)
    store.append(make(index=1))
    assert client.get_experiment_by_name("collapse_guard").tags[dashboard.VIEW_TAG] == first
    store.append(make(index=2, mauve=0.5))
    assert "distance/mauve" in dashboard.charted(
        client.get_experiment_by_name("collapse_guard").tags[dashboard.VIEW_TAG]
    )


def test_the_notes_and_the_view_of_a_person_are_kept(store, client, make):
    home = client.create_experiment("collapse_guard", tags={"mlflow.note.content": "ours"})
    store.append(make())
    assert client.get_experiment(home).tags["mlflow.note.content"] == "ours"


def test_an_mlflow_without_saved_views_gets_notes_only(store, client, make, monkeypatch):
    monkeypatch.setattr(mlflow, "__version__", "3.14.9")
    store.append(make())
    tags = client.get_experiment_by_name("collapse_guard").tags
    assert dashboard.VIEW_TAG not in tags
    assert "mlflow.note.content" in tags


def test_the_run_of_a_trainer_becomes_the_child_and_keeps_running_with_what_was_logged(store, client, make):
    store.append(make())
    home = client.get_experiment_by_name("collapse_guard").experiment_id
    run_id = client.create_run(home, run_name="my training", tags={"mlflow.note.content": "mine"}).info.run_id
    client.log_metric(run_id, "likelihood/perplexity", 7.5, step=4000)
    store.in_run(run_id).append(make(index=1))
    run = client.get_run(run_id)
    assert (run.info.run_name, run.info.status) == ("my training", "RUNNING")
    assert run.data.tags["mlflow.note.content"] == "mine"
    assert run.data.tags["mlflow.parentRunId"] == runs(client, "lineage")["newsbot"].info.run_id
    assert curve(client, run, "likelihood/perplexity") == [(4000, 7.5)]
    assert curve(client, run, "spread/vendi") == [(1, 17.9)]
    assert len(runs(client, "generation")) == 2
    assert len(store.history("newsbot")) == 2


def test_runs_in_other_experiments_are_found_again(store, client, make, uri):
    for index, name in enumerate(["lightning_logs", "other", "lightning_logs"]):
        found = client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else client.create_experiment(name)
        store.in_run(client.create_run(experiment).info.run_id).append(make(index=index))
    store.append(make(index=3))
    assert [item.generation.index for item in MLflowStore(uri).history("newsbot")] == [0, 1, 2, 3]


def test_a_trainer_run_that_holds_a_generation_keeps_it(store, client, make):
    home = client.create_experiment("trainings")
    run_id = client.create_run(home).info.run_id
    store.in_run(run_id).append(make())
    with pytest.warns(
        CollapseGuardWarning, match=f"run {run_id} holds generation 0 of newsbot, so this generation gets a run"
    ):
        store.in_run(run_id).append(make(index=1))
    assert [item.to_dict() for item in store.history("newsbot")] == [make().to_dict(), make(index=1).to_dict()]
    assert client.get_run(run_id).data.tags["collapse_guard.generation"] == "000000"


@pytest.mark.parametrize("run_id", ["0" * 32, "no run", "../x"])
def test_a_run_that_does_not_exist_is_refused_and_nothing_counts(store, make, run_id):
    with pytest.raises(LineageError, match="`run_id` must be a run in sqlite"):
        store.in_run(run_id).append(make())
    assert store.lineages() == []


def test_damaged_and_missing_records_are_named(store, client, make, uri, database):
    store.append(make())
    run_id = runs(client, "generation")["newsbot generation 0"].info.run_id
    client.delete_tag(run_id, layout.DIGEST)  # as in records of earlier versions
    (file,) = (database.parent / "mlruns").rglob("assessment.json")
    for text, message in [("{", "cannot be read"), (to_text(make("other")), "but got one of generation 0 of `other`")]:
        file.write_text(text)
        with pytest.raises(
            LineageError, match=f"assessment.json of run {run_id} of lineage `newsbot` must be .*{message}"
        ):
            MLflowStore(uri).history("newsbot")
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(LineageError, match="cannot be read"):
        MLflowStore(uri).history("newsbot")
    file.unlink()
    with pytest.raises(LineageError, match=f"assessment.json of run {run_id} of lineage `newsbot` is not there"):
        MLflowStore(uri).history("newsbot")


@pytest.mark.usefixtures("no_lock")
def test_two_processes_that_append_the_same_generation_do_not_both_count(store, client, make, uri, monkeypatch):
    """The other one appends when ours has written its files, and before it makes them count."""
    log_artifacts = MlflowClient.log_artifacts

    def overtaken(client, run_id, folder):
        log_artifacts(client, run_id, folder)
        monkeypatch.setattr(MlflowClient, "log_artifacts", log_artifacts)
        MLflowStore(uri).append(make(index=1, vendi=1.0))

    store.append(make())
    monkeypatch.setattr(MlflowClient, "log_artifacts", overtaken)
    with pytest.raises(
        GenerationTakenError, match=r"generation 1 .* got several at once, and this one \(.* stepped back"
    ):
        MLflowStore(uri).append(make(index=1, vendi=2.0))
    assert [item.readings["vendi"].value for item in store.history("newsbot")] == [21.4, 1.0]
    home = client.get_experiment_by_name("collapse_guard").experiment_id
    states = {run.data.tags.get(layout.COMPLETE): run.info.status for run in client.search_runs([home], ONE)}
    assert states == {"true": "FINISHED", None: "KILLED"}


@pytest.mark.usefixtures("no_lock")
def test_two_processes_that_begin_a_lineage_at_once_share_the_run_of_one(client, make, uri, monkeypatch):
    """The other one begins it when ours has found that there is none."""
    create_run, the_other = MlflowClient.create_run, MLflowStore(uri)
    the_other.append(make("warm-up"))

    def overtaken(*arguments, **settings):
        monkeypatch.setattr(MlflowClient, "create_run", create_run)
        the_other.append(make())
        return create_run(*arguments, **settings)

    monkeypatch.setattr(MlflowClient, "create_run", overtaken)
    MLflowStore(uri).append(make(index=1))
    lineages = runs(client, "lineage")
    assert lineages.keys() == {"warm-up", "newsbot"}
    assert runs(client, layout.SECOND).keys() == {"newsbot"}
    for index in range(2):
        child = runs(client, "generation")[f"newsbot generation {index}"]
        assert child.data.tags[layout.PARENT_RUN] == lineages["newsbot"].info.run_id
    assert MLflowStore(uri).summaries()["newsbot"].generation == 1


def test_two_complete_runs_of_one_generation_are_an_error_that_names_both(store, client, make, uri):
    store.append(make())
    run = runs(client, "generation")["newsbot generation 0"]
    twin = client.create_run(run.info.experiment_id, tags=run.data.tags)
    with pytest.raises(LineageError, match=f"(?=.*{run.info.run_id})(?=.*{twin.info.run_id})"):
        MLflowStore(uri).history("newsbot")


def test_a_deleted_run_does_not_count_and_its_generation_may_be_appended_again(store, client, make):
    store.append(make())
    client.delete_run(runs(client, "generation")["newsbot generation 0"].info.run_id)
    assert store.lineages() == []
    store.append(make(vendi=3.0))
    assert store.latest("newsbot").readings["vendi"].value == 3.0


def test_a_deleted_experiment_is_named_with_the_way_back(store, client, make, uri):
    store.append(make())
    home = client.get_experiment_by_name("collapse_guard").experiment_id
    client.delete_experiment(home)
    with pytest.raises(LineageError, match=f"it was deleted: .*mlflow experiments restore --experiment-id {home}`"):
        MLflowStore(uri).history("newsbot")


def test_a_server_that_is_not_there_is_named(make):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    before = dict(os.environ)
    with pytest.raises(
        StoreUnreachableError, match=f"the lineage store `{address}` does not answer: .*MLFLOW_TRACKING_URI"
    ):
        MLflowStore(address).append(make())
    assert dict(os.environ) == before


@contextmanager
def hanging_up():
    """A server that hangs up on everybody: its port, and who called."""
    calls = []

    def answer(server):
        with suppress(OSError):
            while True:
                connection, caller = server.accept()
                calls.append(caller)
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        yield server.getsockname()[1], calls
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize(("retries", "asked"), [(None, 2), ("0", 1), ("2", 3)])
def test_a_server_that_hangs_up_is_asked_once_more_or_as_often_as_the_user_says(make, monkeypatch, retries, asked):
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    if retries is not None:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", retries)
    with hanging_up() as (port, calls):
        with pytest.raises(StoreUnreachableError, match="does not answer"):
            MLflowStore(f"http://127.0.0.1:{port}").append(make())
        assert len(calls) == asked


@pytest.mark.slow
def test_a_server_that_does_not_speak_is_waited_for_as_long_as_the_user_says(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(StoreUnreachableError, match=rf"ann:\*\*\*@127.0.0.1:{port}.*read timeout=1\)"):
            MLflowStore(f"http://ann:secret@127.0.0.1:{port}").lineages()


@pytest.mark.slow
@pytest.mark.parametrize(
    "error",
    [OSError("disk full"), MlflowException("server is gone"), OperationalError("INSERT", {}, Exception("locked"))],
)
def test_whatever_breaks_on_the_way_is_a_store_that_does_not_answer_and_nothing_counts(store, make, monkeypatch, error):
    store.append(make())

    def broken(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifacts", broken)
        with pytest.raises(StoreUnreachableError, match=r"disk full|server is gone|locked"):
            store.append(make(index=1))
    assert len(store.history("newsbot")) == 1
    store.append(make(index=1))
    assert len(store.history("newsbot")) == 2


def test_what_mlflow_refuses_is_said_and_is_not_an_unreachable_store(make, uri):
    with pytest.raises(LineageError, match=r"MLflow refuses: .*maximum length"):
        MLflowStore(uri, experiment="x" * 600).append(make())


def test_long_lineages_are_read_page_by_page(store, make, monkeypatch):
    for index in range(4):
        store.append(make(index=index))
    search = MlflowClient.search_runs
    monkeypatch.setattr(
        MlflowClient, "search_runs", lambda self, *found, **kw: search(self, *found, **{**kw, "max_results": 3})
    )
    assert len(store.history("newsbot")) == 4


def test_a_database_that_compares_without_case_does_not_mix_lineages(store, make, monkeypatch):
    store.append(make("newsbot"))
    search = MlflowClient.search_runs
    monkeypatch.setattr(
        MlflowClient,
        "search_runs",
        lambda self, ids, wanted, **kw: search(self, ids, wanted.replace(" = ", " ILIKE "), **kw),
    )
    store.append(make("Newsbot", vendi=3.0))
    assert [len(store.history(name)) for name in ("newsbot", "Newsbot")] == [1, 1]
    assert store.lineages() == ["Newsbot", "newsbot"]


def test_a_moved_store_without_its_artifacts_says_what_is_missing(store, make, database, tmp_path):
    store.append(make())
    copy = shutil.copy(database, tmp_path / "copy.db")
    shutil.rmtree(database.parent / "mlruns")
    with pytest.raises(LineageError, match="is not there: no file is "):
        MLflowStore(f"sqlite:///{copy}").history("newsbot")
