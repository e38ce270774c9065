import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

import collapse_guard.store as store_room
from collapse_guard.errors import InputError
from collapse_guard.store import BrowsableStore, LineageStore, RunStore, dashboard_link, open_store
from collapse_guard.store.base import lineage_not_found
from waiting import PATIENCE


@pytest.fixture(autouse=True)
def _no_tracking_uri(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_importing_the_room_does_not_import_mlflow():
    code = "import collapse_guard.store, sys; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=PATIENCE, check=False).returncode == 0


class Dictionary(LineageStore):
    """The least that a store must do."""

    def lineages(self):
        return []

    def history(self, lineage):
        raise lineage_not_found(lineage, [])

    def append(self, assessment):
        pass


@pytest.mark.parametrize("store", [open_store("memory:"), Dictionary()])
def test_a_store_needs_neither_pages_nor_runs(store):
    assert not isinstance(store, BrowsableStore | RunStore)
    assert dashboard_link(store) == ""


def test_mlflows_store_has_both_and_is_not_asked_whether():
    for uri in ("http://127.0.0.1:1/", "sqlite:////no/such/mlflow.db"):
        store = open_store(uri)
        assert isinstance(store, BrowsableStore)
        assert isinstance(store, RunStore)
    assert open_store("http://127.0.0.1:1/").server_address() == "http://127.0.0.1:1"
    assert store.server_address() == ""
    assert store.server_command(5001)[1:4] == ["-m", "mlflow", "server"]


@pytest.mark.parametrize(
    ("uri", "tracked"), [("sqlite:////data/mlflow.db", True), ("sqlite:////data/other.db", False), ("./mlruns", False)]
)
def test_a_logger_is_tracked_where_it_sends_its_runs_to_the_store(uri, tracked):
    assert open_store("sqlite:////data/mlflow.db").tracks(uri) is tracked


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


def opens_nothing(uri):
    return uri


@pytest.fixture
def entry_point(monkeypatch):
    """Has a package add a store under the scheme "mine"."""

    def add(name):
        point = EntryPoint(name="mine", value=f"store_of_a_package:{name}", group="collapse_guard.stores")
        monkeypatch.setitem(sys.modules, "store_of_a_package", sys.modules[__name__])
        found = {"mine": [point]}
        monkeypatch.setattr(store_room, "entry_points", lambda group, name: found.get(name, []))

    return add


class AtAnAddress(Dictionary):
    def __init__(self, uri):
        self.uri = uri


def test_a_package_adds_a_store_by_the_scheme_of_its_address(entry_point):
    entry_point("AtAnAddress")
    assert open_store("mine:/srv/lineages").uri == "mine:/srv/lineages"
    assert not isinstance(open_store("sqlite:////data/mlflow.db"), AtAnAddress)


def test_an_entry_point_that_opens_no_store_is_refused(entry_point):
    entry_point("opens_nothing")
    with pytest.raises(InputError, match=r"`mine` in the group collapse_guard\.stores must open a LineageStore, but"):
        open_store("mine:/srv/lineages")
