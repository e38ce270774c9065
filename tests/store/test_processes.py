"""Several processes, and processes that are killed: what counts is whole."""

import json
import subprocess
import sys

import pytest
from mlflow import MlflowClient

from collapse_guard.records import Severity
from collapse_guard.store.mlflow.store import MLflowStore
from waiting import PATIENCE

pytestmark = pytest.mark.slow

KILLED = """
import json, os, sys
from mlflow import MlflowClient
from collapse_guard.records import Assessment
from collapse_guard.store.mlflow.store import MLflowStore

uri, assessment, request, nth = sys.argv[1:]
send, sent = getattr(MlflowClient, request), []

def killed(*arguments, **settings):
    sent.append(arguments)
    return os._exit(9) if len(sent) == int(nth) else send(*arguments, **settings)

setattr(MlflowClient, request, killed)
MLflowStore(uri).append(Assessment.from_dict(json.loads(assessment)))
"""

APPEND_ALL = """
import json, sys
from collapse_guard.records import Assessment
from collapse_guard.store.mlflow.store import MLflowStore

store = MLflowStore(sys.argv[1])
for line in sys.stdin:
    store.append(Assessment.from_dict(json.loads(line)))
"""


def text_of(assessment):
    return json.dumps(assessment.to_dict())


def append_and_be_killed_at(request, nth, uri, assessment):
    """Append in a process that dies when it is about to send MLflow a request of this kind for the nth time."""
    command = [sys.executable, "-c", KILLED, uri, text_of(assessment), request, str(nth)]
    assert subprocess.run(command, timeout=PATIENCE, check=False).returncode == 9


@pytest.mark.parametrize(
    ("step", "nth", "counts"), [("log_artifacts", 1, False), ("set_tag", 1, False), ("log_batch", 2, True)]
)
def test_a_killed_append_counts_whole_or_not_at_all_and_the_next_one_repairs_the_curves(uri, make, step, nth, counts):
    MLflowStore(uri).append(make())
    killed = make(index=1, severity=Severity.COLLAPSED)
    append_and_be_killed_at(step, nth, uri, killed)

    store = MLflowStore(uri)
    assert [item.generation.index for item in store.history("newsbot")] == ([0, 1] if counts else [0])
    store.append(killed)
    store.append(make(index=2))
    assert [item.to_dict() for item in store.history("newsbot")] == [
        item.to_dict() for item in (make(), killed, make(index=2))
    ]
    client = MlflowClient(tracking_uri=uri)
    home = client.get_experiment_by_name("collapse_guard").experiment_id
    (parent,) = client.search_runs([home], "tags.`collapse_guard.kind` = 'lineage'")
    points = client.get_metric_history(parent.info.run_id, "collapse_guard/severity")
    assert [(point.step, point.value) for point in points] == [(0, 0.0), (1, 3.0), (2, 0.0)]


def test_a_first_append_that_is_killed_leaves_no_lineage(uri, make):
    append_and_be_killed_at("set_tag", 1, uri, make())
    assert MLflowStore(uri).lineages() == []


def test_two_processes_make_one_new_store_and_append_their_lineages(tmp_path, make):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    lineages = {name: [make(name, index) for index in range(4)] for name in ("left", "right")}
    processes = [
        subprocess.Popen([sys.executable, "-c", APPEND_ALL, uri], stdin=subprocess.PIPE, text=True) for _ in lineages
    ]
    for process, items in zip(processes, lineages.values(), strict=True):
        process.stdin.write("".join(text_of(item) + "\n" for item in items))
        process.stdin.close()
    assert [process.wait(PATIENCE) for process in processes] == [0, 0]
    store = MLflowStore(uri)
    assert store.lineages() == ["left", "right"]
    for name, items in lineages.items():
        assert [item.to_dict() for item in store.history(name)] == [item.to_dict() for item in items]
