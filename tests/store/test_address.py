import shlex
import traceback
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from collapse_guard.errors import CollapseGuardError, InputError
from collapse_guard.store.mlflow import address
from collapse_guard.store.mlflow.address import (
    absolute,
    default_uri,
    experiment_name,
    is_server,
    mlflow_command,
    other_store,
    shown,
    sqlite_path,
    without_password,
)
from collapse_guard.store.mlflow.store import MLflowStore


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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://ann:s:e@host:5000/x failed", "http://ann:***@host:5000/x failed"),
        ("http://host:5000/a@b", "http://host:5000/a@b"),
        ("http://host/db?user=ann&password=s;e&x=1 failed", "http://host/db?user=ann&password=***&x=1 failed"),
        ("'mssql://h/d?PWD=secret&x=1'", "'mssql://h/d?PWD=***&x=1'"),
        ("http://host/?token=abc", "http://host/?token=***"),
        ("the password=of nobody", "the password=of nobody"),
        ("two mysql://a:b@c and http://d:e@f", "two mysql://a:***@c and http://d:***@f"),
        (
            "http://h/?access_token=s http://h/#refresh_token=s",
            "http://h/?access_token=*** http://h/#refresh_token=***",
        ),
        ("s3://b/k?X-Amz-Signature=s&X-Amz-Date=d", "s3://b/k?X-Amz-Signature=***&X-Amz-Date=d"),
        ("mssql+pyodbc://?odbc_connect=Driver%3D1%3BPWD%3Ds", "mssql+pyodbc://?odbc_connect=***"),
        ("Invalid header value 'Bearer abcdefghijkl\\n'", "Invalid header value 'Bearer ***'"),
        ("Basic English, the bearer of tokens", "Basic English, the bearer of tokens"),
        ("https://token@host/x", "https://***@host/x"),
        ("postgresql://ann@host/db", "postgresql://ann@host/db"),
        ("at postgresql://ann:1/2:3@4@host/db", "at postgresql://ann:***@host/db"),
        ("postgresql:///db?who=a:b@c", "postgresql:///db?who=a:b@c"),
    ],
)
def test_passwords_are_blanked_and_nothing_else(text, shown):
    assert without_password(text) == shown


SECRETS = [
    ("postgresql://ann:hush@127.0.0.1/db", "postgresql://ann:***@127.0.0.1/db"),
    ("postgresql://ann:hu/sh@127.0.0.1/db", "postgresql://ann:***@127.0.0.1/db"),
    ("postgresql://ann:12/34hush@127.0.0.1/db", "postgresql://ann:***@127.0.0.1/db"),
    ("postgresql://ann:p/q@hush@127.0.0.1/db", "postgresql://ann:***@127.0.0.1/db"),
    ("postgresql://ann:a:hush?x#y@127.0.0.1/db", "postgresql://ann:***@127.0.0.1/db"),
    ("postgresql://ann:my hush'@127.0.0.1/db", "postgresql://ann:***@127.0.0.1/db"),
    ("postgresql://ann:p%2Fhush@127.0.0.1/db", "postgresql://ann:***@127.0.0.1/db"),
    (
        "postgresql+psycopg2://ann@127.0.0.1/db?sslpassword=hush",
        "postgresql+psycopg2://ann@127.0.0.1/db?sslpassword=***",
    ),
    ("https://hush@127.0.0.1/x", "https://***@127.0.0.1/x"),
    ("https://ann:p/hush@127.0.0.1/x", "https://ann:***@127.0.0.1/x"),
    ("https://127.0.0.1/x?api_key=hush", "https://127.0.0.1/x?api_key=***"),
    ("ann:hush@127.0.0.1/db", "ann:***@127.0.0.1/db"),
    ("postgresql:ann:hush@127.0.0.1/db", "postgresql:ann:***@127.0.0.1/db"),
    ("postgresql:/ann:hush@127.0.0.1/db", "postgresql:/ann:***@127.0.0.1/db"),
    ("//ann:hush@127.0.0.1/db", "//ann:***@127.0.0.1/db"),
    ("sqlit://ann:hush@127.0.0.1/db", "sqlit://ann:***@127.0.0.1/db"),
    ("sqlite://ann:hush@127.0.0.1/db", "sqlite://ann:***@127.0.0.1/db"),
    ("file://ann:hush@127.0.0.1/db", "file://ann:***@127.0.0.1/db"),
]


@pytest.mark.parametrize(("uri", "seen"), SECRETS)
def test_an_address_is_shown_without_its_secrets(uri, seen):
    assert shown(uri) == seen


@pytest.mark.parametrize("uri", [uri for uri, _ in SECRETS])
def test_whatever_is_wrong_with_an_address_its_secrets_are_not_said(uri, capfd, caplog):
    """Also where it is wrong because of a password that ought to be escaped."""
    with pytest.raises(CollapseGuardError) as caught:
        MLflowStore(uri).lineages()
    told = "".join(traceback.format_exception(caught.value))
    assert "hush" not in told + caplog.text + "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        ("failed to resolve host 'ss@host'", "failed to resolve host '***@host'"),
        ("no port 'hush/q'", "no port '***/q'"),
        ("password is hush/q@ss", "password is ***"),
        ("escaped hush%2Fq%40ss", "escaped ***"),
        ("pushups of ann on host", "pushups of ann on host"),
    ],
)
def test_pieces_of_a_stores_password_are_blanked_in_what_others_say(cause, said):
    assert without_password(cause, "postgresql://ann:hush/q@ss@host/db") == said


def test_a_password_that_is_shown_as_a_name_anyway_spoils_no_sentence():
    uri = "postgresql://postgres:postgres@host/postgres"
    assert without_password('no database "postgres"', uri) == 'no database "postgres"'
    assert shown(uri) == "postgresql://postgres:***@host/postgres"


def test_secrets_of_mlflows_settings_are_blanked(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "hush-hush")
    assert without_password("a header of 'hush-hush'") == "a header of '***'"
