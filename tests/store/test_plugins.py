"""Other places that MLflow opens: what a plugin of it keeps, a registry of its own, and Databricks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from collapse_guard.errors import LineageError
from collapse_guard.store import open_store
from collapse_guard.store.mlflow import layout
from waiting import PATIENCE

PLUGIN = """
def open(store_uri, artifact_uri=None):
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    return SqlAlchemyStore(store_uri.replace("plugged:", "sqlite:///"), artifact_uri or "./artifacts")
"""
APPEND = """
import os

from collapse_guard.store import open_store
from collapse_guard.testing import example_assessment

for registry in ("", "databricks-uc"):
    os.environ["MLFLOW_REGISTRY_URI"] = registry
    os.environ["MLFLOW_TRACKING_URI"] = f"plugged:{registry}.db"
    store = open_store()
    for index in range(2):
        store.append(example_assessment(index=index))
    print(store.address, store.lineages(), len(open_store(store.address).history("newsbot")))
"""


@pytest.mark.slow
def test_what_a_plugin_opens_is_a_store_whatever_the_registry(empty_database, tmp_path):
    """In a process of its own, in which the package of the plugin is installed."""
    (tmp_path / "mlflow_plugged.py").write_text(PLUGIN)
    info = tmp_path / "mlflow_plugged-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mlflow-plugged\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[mlflow.tracking_store]\nplugged = mlflow_plugged:open\n")
    for registry in ("", "databricks-uc"):
        shutil.copy(empty_database, tmp_path / f"{registry}.db")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", APPEND],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = [f"plugged:{registry}.db ['newsbot'] 2" for registry in ("", "databricks-uc")]
    assert done.stdout.splitlines()[-2:] == said


def test_databricks_is_asked_for_an_experiment_with_a_path_of_its_workspace(monkeypatch, uri, make):
    """MLflow's own client is sent to a database instead; what a workspace would refuse is refused."""
    client, asked = MlflowClient(uri), []
    made = client.create_experiment

    def create(name, *arguments, **settings):
        asked.append(name)
        if not name.startswith("/"):
            raise MlflowException("must be an absolute path within the workspace", error_code=3)
        return made(name, *arguments, **settings)

    monkeypatch.setattr(client, "create_experiment", create)
    monkeypatch.setattr("collapse_guard.store.mlflow.connection.MlflowClient", lambda tracking_uri: client)
    monkeypatch.chdir(Path(uri.removeprefix("sqlite:///")).parent)
    store = open_store("databricks://profile")
    store.append(make())
    assert asked == ["/Shared/collapse_guard"]
    client.rename_experiment(client.get_experiment_by_name(asked[0]).experiment_id, "/Users/ann/guard")
    assert open_store("databricks://profile").lineages() == ["newsbot"]
    with pytest.raises(
        LineageError, match="the store `databricks://profile`, but got 'newsbto': did you mean `newsbot`"
    ):
        open_store("databricks://profile").history("newsbto")
    assert layout.EXPERIMENT in client.get_experiment_by_name("/Users/ann/guard").tags
