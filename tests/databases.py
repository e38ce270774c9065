"""A real PostgreSQL for the tests that need one: made in a folder of its own, and gone with the tests."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg

from waiting import PATIENCE, free_port, wait_until

USER, PASSWORD = "guard", "p/a@s:s w"
_UNSAFE_BUT_FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")


class PostgreSQL:
    """A running server on this machine, which wants a password with letters that a URI escapes."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._made = 0

    def uri(self, database: str = "postgres") -> str:
        """Tracking URI of a database."""
        return f"postgresql://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres"):
        """A connection on which every statement is a transaction."""
        place = {"host": "127.0.0.1", "port": self.port, "dbname": database}
        return psycopg.connect(user=USER, password=PASSWORD, autocommit=True, **place)

    def execute(self, statement: str) -> None:
        connection = self.connect()
        try:
            connection.cursor().execute(statement)
        finally:
            connection.close()

    def empty(self) -> str:
        """Tracking URI of a new database without tables."""
        return self._new("template1")

    def prepared(self) -> str:
        """Tracking URI of a new database with MLflow's tables, copied because MLflow takes seconds to make them."""
        from mlflow import MlflowClient

        if not self._has("mlflow"):
            self.execute("CREATE DATABASE mlflow")
            MlflowClient(tracking_uri=self.uri("mlflow")).search_experiments()
            # A database that somebody is connected to cannot be copied.
            self.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'mlflow'")
        return self._new("mlflow")

    def _has(self, database: str) -> bool:
        connection = self.connect()
        try:
            cursor = connection.cursor()
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,))
            return cursor.fetchone() is not None
        finally:
            connection.close()

    def _new(self, template: str) -> str:
        self._made += 1
        self.execute(f"CREATE DATABASE test_{self._made} TEMPLATE {template}")
        return self.uri(f"test_{self._made}")


def postgresql_programs() -> Path | None:
    """The folder with `initdb` and `postgres`, which Debian keeps off the path; None where they are not installed."""
    on_path = shutil.which("initdb")
    folders = [
        *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),
        *([Path(on_path).parent] if on_path else []),
    ]
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


@contextmanager
def running_postgresql(programs: Path) -> Iterator[PostgreSQL]:
    """A server for the body of a `with`. PostgreSQL refuses to run as root: its own user runs it then."""
    owner = {} if os.getuid() else _as_user("postgres")
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        place, password, log = Path(folder), Path(folder, "password"), Path(folder, "log")
        password.write_text(PASSWORD)
        if owner:
            for path in (place, password):
                os.chown(path, owner["user"], owner["group"])
        settings = ["--auth-local=trust", "--auth-host=scram-sha-256", f"--username={USER}", f"--pwfile={password}"]
        initdb = [
            programs / "initdb",
            "--pgdata",
            place / "data",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
            *settings,
        ]
        subprocess.run(initdb, timeout=PATIENCE, check=True, capture_output=True, cwd=place, **owner)
        server = PostgreSQL(free_port())
        options = [word for setting in _UNSAFE_BUT_FAST for word in ("-c", setting)]
        command = [programs / "postgres", "-D", place / "data", "-k", place, "-p", str(server.port), *options]
        with log.open("w") as lines:
            process = subprocess.Popen(command, stdout=lines, stderr=lines, cwd=place, **owner)
        try:
            assert wait_until(lambda: _answers(server) or process.poll() is not None)
            assert process.poll() is None, log.read_text()
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # it ends connections that are open, where SIGTERM waits for them
            process.wait(PATIENCE)


def _as_user(name: str) -> dict[str, int]:
    entry = pwd.getpwnam(name)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _answers(server: PostgreSQL) -> bool:
    try:
        server.connect().close()
    except psycopg.OperationalError:
        return False
    return True
