import subprocess
import sys

import pytest

from collapse_guard.errors import InputError
from collapse_guard.store import MemoryStore, dashboard_link, open_store
from waiting import PATIENCE


@pytest.fixture(autouse=True)
def _no_tracking_uri(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_importing_the_room_does_not_import_mlflow():
    code = "import collapse_guard.store, sys; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=PATIENCE, check=False).returncode == 0


def test_memory_is_a_store_without_a_dashboard():
    store = open_store("memory:")
    assert isinstance(store, MemoryStore)
    assert dashboard_link(store) == ""


def test_the_default_is_an_sqlite_file_in_the_working_directory_of_that_moment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = open_store()
    monkeypatch.chdir("/")
    assert store.tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert list(tmp_path.iterdir()) == []


def test_the_environment_of_mlflow_comes_before_the_default_and_an_argument_before_both(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ml.example:5000")
    assert open_store().tracking_uri == "http://ml.example:5000"
    assert open_store("sqlite:////data/mlflow.db").tracking_uri == "sqlite:////data/mlflow.db"


def test_a_directory_is_refused():
    with pytest.raises(InputError, match=r"use sqlite:///mlflow\.db"):
        open_store("file:///data/mlruns")
