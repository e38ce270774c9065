"""Files and databases that cannot be used, or only after a repair: found out before MLflow tries for minutes."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from collapse_guard.errors import StoreUnreachableError
from collapse_guard.store.mlflow.deadline import SETTING
from collapse_guard.store.mlflow.reachability import FIRST_ANSWER, LATER_ANSWERS, missing_driver, mlflow_settings
from collapse_guard.store.mlflow.store import MLflowStore
from waiting import PATIENCE

NOBODY = 65534

KILLED = """
import os, sqlite3, sys

connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute(f"PRAGMA journal_mode={sys.argv[2]}")
connection.execute("PRAGMA cache_size=1")
connection.execute("BEGIN")
connection.execute("UPDATE experiments SET name = name || ' half'")
connection.execute("CREATE TABLE filled AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000) "
                   "SELECT i, hex(randomblob(200)) AS text FROM n")
os.kill(os.getpid(), 9)
"""
"""A writer that has no room for what it changes, so that it writes before it commits, and is killed then."""

HOLDING = """
import sqlite3, sys

connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
connection.execute("COMMIT")
"""


def kill_a_writer(path, journal="DELETE"):
    command = [sys.executable, "-I", "-S", "-c", KILLED, str(path), journal]
    assert subprocess.run(command, timeout=PATIENCE, check=False).returncode == -9


@contextmanager
def locked(path):
    """Another process holds the file for itself; `release` ends that."""
    command = [sys.executable, "-I", "-S", "-c", HOLDING, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        yield holder


@contextmanager
def without_leave_to_write(*paths):
    """The body runs as an account that may read the files, but not write them: root may write everything."""
    before = {path: path.stat().st_mode for path in paths}
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    is_root = os.getuid() == 0
    try:
        if is_root:
            os.setresuid(NOBODY, NOBODY, 0)
        yield
    finally:
        if is_root:
            os.setresuid(0, 0, 0)
        for path, mode in before.items():
            path.chmod(mode)


@pytest.fixture
def shared(store, make, database):
    """A lineage in a file that other accounts can read, too."""
    store.append(make())
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        for file in database.parent.iterdir():
            subprocess.run(["cp", "-r", file, folder], check=True)
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        yield Path(folder, "mlflow.db")


def names(path):
    with closing(sqlite3.connect(path)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM experiments ORDER BY name")]


def history_of(path):
    return [item.generation.index for item in MLflowStore(f"sqlite:///{path}").history("newsbot")]


def refusal_of(path):
    with pytest.raises(StoreUnreachableError) as caught:
        history_of(path)
    return str(caught.value)


class TestAWriterThatWasKilled:
    def test_is_undone_by_whoever_reads_next(self, store, make, database):
        store.append(make())
        kill_a_writer(database)
        assert Path(f"{database}-journal").exists()
        assert history_of(database) == [0]
        assert names(database) == ["Default", "collapse_guard"]
        MLflowStore(f"sqlite:///{database}").append(make(index=1))
        assert history_of(database) == [0, 1]

    def test_in_a_file_with_a_log_ahead_is_undone_too(self, store, make, database):
        store.append(make())
        kill_a_writer(database, "WAL")
        assert Path(f"{database}-wal").exists()
        assert history_of(database) == [0]
        MLflowStore(f"sqlite:///{database}").append(make(index=1))
        assert history_of(database) == [0, 1]

    @pytest.mark.parametrize("what", ["the file", "its directory"])
    def test_is_named_to_those_who_may_not_undo_it(self, shared, what):
        kill_a_writer(shared)
        journal = Path(f"{shared}-journal")
        journal.chmod(0o444)
        unwritable = [shared.parent] if what == "its directory" else [shared, shared.parent]
        if what == "its directory":
            shared.chmod(0o666)
        with without_leave_to_write(*unwritable):
            said = refusal_of(shared)
        assert f"{shared} cannot be read without writing, because mlflow.db-journal is beside it" in said
        assert f"an account that may write both {shared} and its directory" in said
        assert history_of(shared) == [0], "the owner reads it again"

    def test_in_a_file_with_a_log_ahead_is_named_to_those_who_may_not_write(self, shared):
        kill_a_writer(shared, "WAL")
        Path(f"{shared}-shm").unlink()
        with without_leave_to_write(shared, shared.parent):
            said = refusal_of(shared)
        assert "mlflow.db-wal is beside it" in said


def test_a_file_that_may_only_be_read_is_read(shared):
    with without_leave_to_write(shared, shared.parent):
        assert history_of(shared) == [0]


def test_a_file_that_another_process_locks_is_waited_for(store, make, database):
    store.append(make())
    with locked(database) as holder:
        holder.stdin.close()  # it ends while we wait, or before: both are right
        assert history_of(database) == [0]


def test_a_file_that_stays_locked_is_named_with_its_lock(database, monkeypatch):
    monkeypatch.setenv(SETTING, "1")
    with locked(database):
        assert f"another process holds a lock on {database}: wait until it is done, or end it" in refusal_of(database)


def test_a_missing_directory_is_named(tmp_path):
    said = refusal_of(tmp_path / "no" / "mlflow.db")
    assert f"sqlite:///{tmp_path}/no/mlflow.db" in said
    assert f"the directory {tmp_path}/no does not exist; make it first" in said
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused_and_left(tmp_path):
    path = tmp_path / "mlflow.db"
    path.write_text("not a database, " * 100)
    assert "file is not a database" in refusal_of(path)
    assert path.read_text() == "not a database, " * 100


def test_a_database_that_is_to_be_made_is_not_made_by_reading(tmp_path):
    assert MLflowStore(f"sqlite:///{tmp_path}/new ü.db").lineages() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("scheme", "command"),
    [
        ("postgresql+psycopg2", "pip install psycopg2-binary"),
        ("mysql", "pip install mysqlclient"),
        ("mysql+pymysql", "pip install pymysql"),
        ("mssql", "pip install pyodbc"),
    ],
)
def test_a_driver_that_is_not_installed_is_named_with_the_command_that_installs_it(scheme, command):
    with pytest.raises(StoreUnreachableError) as caught:
        MLflowStore(f"{scheme}://ann:secret@127.0.0.1/db").lineages()
    said = str(caught.value)
    assert f"the lineage store `{scheme}://ann:***@127.0.0.1/db` does not answer: its driver is not installed" in said
    assert f"`{command}`" in said
    assert "secret" not in said


def test_the_driver_that_sqlalchemy_takes_by_itself_is_installed_with_its_library():
    error = ImportError("no pq wrapper available", name="psycopg")
    assert missing_driver(error).endswith("`pip install 'psycopg[binary]'`")
    assert (
        missing_driver(ImportError("libodbc.so.2 is missing")) == "its driver cannot be used (libodbc.so.2 is missing)"
    )


def test_settings_hold_inside_only_and_never_replace_the_users(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    before = dict(os.environ)
    settings = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
    with mlflow_settings(settings):
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
    assert dict(os.environ) == before
    with pytest.raises(ZeroDivisionError, match="by zero"), mlflow_settings(settings):
        1 / 0  # noqa: B018
    assert dict(os.environ) == before


def test_the_settings_are_ones_that_mlflow_reads():
    from mlflow import environment_variables

    for name in {**FIRST_ANSWER, **LATER_ANSWERS}:
        assert getattr(environment_variables, name).name == name
