import os
import shlex
import sqlite3
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from collapse_guard.errors import InputError, StoreUnreachableError
from collapse_guard.store.mlflow import address
from collapse_guard.store.mlflow.address import (
    absolute,
    check_reachable,
    default_uri,
    experiment_name,
    is_server,
    mlflow_command,
    mlflow_settings,
    other_store,
    sqlite_path,
    without_password,
)


def test_an_sqlite_path_is_made_absolute_and_everything_else_is_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute("sqlite:///a b/mlflow.db?timeout=9") == f"sqlite:///{tmp_path}/a b/mlflow.db?timeout=9"
    assert sqlite_path(absolute("sqlite+pysqlite:///x.db")) == tmp_path / "x.db"
    for uri in (
        "sqlite:////data/mlflow.db",
        "https://ml.example:5000/x",
        "postgresql://ann:pw@host/db",
        "databricks://p",
        "databricks",
        "mysql+pymysql://ann:pw@host/db",
    ):
        assert absolute(uri) == uri


@pytest.mark.parametrize("uri", ["plugged:/data/runs", "plugged://ann:pw@host/db", "plugged+x:y"])
def test_the_scheme_of_a_plugin_of_mlflow_is_taken(uri, monkeypatch):
    plugin = EntryPoint(name="plugged", value="nothing:here", group="mlflow.tracking_store")
    known = EntryPoints([plugin])
    monkeypatch.setattr(address, "entry_points", lambda **where: known.select(**where))
    assert absolute(uri) == uri


@pytest.mark.parametrize(
    ("uri", "scheme"),
    [
        ("sqlit:///mlflow.db", "did you mean `sqlite`"),
        ("postgres://ann:secret@host/db", "did you mean `postgresql`"),
        ("htps://ml.example", "did you mean `https`"),
        ("databrick://p", "did you mean `databricks`"),
        ("plugged:/data", "Known: "),
    ],
)
def test_a_scheme_that_nobody_knows_is_refused_with_near_ones_and_no_password(uri, scheme):
    with pytest.raises(InputError, match=r"must begin with a scheme that MLflow or a plugin of it knows") as caught:
        absolute(uri)
    assert scheme in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_server_and_a_workspace_show_themselves():
    shown = ["http://ml:5000", "HTTPS://ml", "databricks", "databricks://profile"]
    assert [is_server(uri) for uri in shown] == [True] * 4
    assert not any(map(is_server, ["sqlite:///x.db", "postgresql://host/db", "databricks/mlflow", "plugged:/x"]))


def test_an_experiment_in_a_workspace_has_a_path():
    assert experiment_name("databricks://profile", "collapse_guard") == "/Shared/collapse_guard"
    assert experiment_name("databricks", "/Users/ann/guard") == "/Users/ann/guard"
    assert experiment_name("https://ml", "collapse_guard") == "collapse_guard"


def test_a_command_is_for_the_store_and_a_shell_takes_it_apart_again():
    command = mlflow_command("postgresql://ann:secret@host/my db", "experiments", "restore", "--experiment-id", "1 2")
    setting, *words = shlex.split(command)
    assert setting == "MLFLOW_TRACKING_URI=postgresql://ann:***@host/my db"
    assert words == ["mlflow", "experiments", "restore", "--experiment-id", "1 2"]


@pytest.mark.parametrize(
    ("uri", "source"), [("file:///data/my runs", "/data/my runs"), ("file:mlruns", "mlruns"), ("./mlruns", "./mlruns")]
)
def test_the_command_that_moves_old_runs_names_their_folder(uri, source):
    with pytest.raises(InputError) as caught:
        absolute(uri)
    command = str(caught.value).split("`")[-2]
    arguments = ["mlflow", "migrate-filestore", "--source", source, "--target", "sqlite:///mlflow.db"]
    assert shlex.split(command) == arguments


def test_the_store_of_the_working_directory_is_hinted_at_unless_it_is_the_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert other_store("http://ml:5000") == ""
    (tmp_path / "mlflow.db").touch()
    assert f"`--store sqlite:///{tmp_path}/mlflow.db`" in other_store("http://ml:5000")
    assert other_store(default_uri()) == ""


@pytest.mark.parametrize(
    "uri", ["file:///data/mlruns", "file:mlruns", "mlruns", "./mlruns", "/data/mlruns", "", "C:\\mlruns"]
)
def test_a_directory_is_refused_and_sqlite_is_recommended(uri):
    with pytest.raises(InputError, match=r"`tracking_uri` must be a database or a server, .* use sqlite:///mlflow.db"):
        absolute(uri)


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:mlflow.db"])
def test_a_database_in_memory_is_refused(uri):
    with pytest.raises(InputError, match="`tracking_uri` must name an sqlite file"):
        absolute(uri)


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(
        StoreUnreachableError, match=f"sqlite:///{tmp_path}/no/mlflow.db.*the directory {tmp_path}/no does not exist"
    ):
        check_reachable(f"sqlite:///{tmp_path}/no/mlflow.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused_and_left(tmp_path):
    path = tmp_path / "mlflow.db"
    path.write_text("not a database, " * 100)
    with pytest.raises(StoreUnreachableError, match="file is not a database"):
        check_reachable(f"sqlite:///{path}")
    assert path.read_text().startswith("not a database")


def test_a_database_that_is_there_or_is_to_be_made_is_reachable(tmp_path):
    check_reachable(f"sqlite:///{tmp_path}/new.db")
    assert not (tmp_path / "new.db").exists()
    sqlite3.connect(tmp_path / "old ü.db").close()
    check_reachable(f"sqlite:///{tmp_path}/old ü.db")


def test_a_database_host_that_does_not_answer_is_found_out_without_its_driver_and_its_password_is_not_shown():
    with pytest.raises(StoreUnreachableError, match=r"postgresql://ann:\*\*\*@127.0.0.1:1/db.*refused") as caught:
        check_reachable("postgresql://ann:secret@127.0.0.1:1/db")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://ann:s:e@host:5000/x failed", "http://ann:***@host:5000/x failed"),
        ("http://host:5000/a@b", "http://host:5000/a@b"),
        ("http://host/db?user=ann&password=s;e failed", "http://host/db?user=ann&password=***;e failed"),
        ("'mssql://h/d?PWD=secret&x=1'", "'mssql://h/d?PWD=***&x=1'"),
        ("http://host/?token=abc", "http://host/?token=***"),
        ("the password=of nobody", "the password=of nobody"),
        ("two mysql://a:b@c and http://d:e@f", "two mysql://a:***@c and http://d:***@f"),
    ],
)
def test_passwords_are_blanked_and_nothing_else(text, shown):
    assert without_password(text) == shown


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

    from collapse_guard.store.mlflow.address import FIRST_ANSWER, LATER_ANSWERS

    for name in {**FIRST_ANSWER, **LATER_ANSWERS}:
        assert getattr(environment_variables, name).name == name
