"""The store on a real PostgreSQL: found out at once where it cannot be used, and made by one of many who begin."""

import contextvars
import json
import subprocess
import sys
from contextlib import closing

import pytest

from collapse_guard.errors import StoreUnreachableError
from collapse_guard.store.mlflow.connection import Connection
from collapse_guard.store.mlflow.deadline import SETTING
from collapse_guard.store.mlflow.store import MLflowStore
from databases import PASSWORD, USER
from faulty import failing
from waiting import PATIENCE

pytestmark = pytest.mark.slow
WRITERS = 8

WRITE = """
import os, sys

from collapse_guard.records import Assessment
from collapse_guard.store.mlflow.store import MLflowStore
import json, mlflow.store.tracking.sqlalchemy_store

uri, *texts = sys.argv[1:]
writers = []
for text in texts:
    if (writer := os.fork()) == 0:
        try:
            MLflowStore(uri).append(Assessment.from_dict(json.loads(text)))
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\\n")
            os._exit(1)
        os._exit(0)
    writers.append(writer)
sys.exit(sum(os.waitpid(writer, 0)[1] != 0 for writer in writers))
"""
"""Processes that have all imported the same begin at once; the exit code is how many failed."""


def write_at_once(uri, texts):
    command = [sys.executable, "-W", "ignore", "-c", WRITE, uri, *texts]
    return subprocess.run(command, timeout=PATIENCE, check=False, capture_output=True, text=True)


def test_many_first_writers_at_once_all_succeed(postgresql, make):
    uri, lineages = postgresql.empty(), [f"bot {number}" for number in range(WRITERS)]
    written = write_at_once(uri, [json.dumps(make(name).to_dict()) for name in lineages])
    assert written.returncode == 0, written.stderr
    assert MLflowStore(uri).lineages() == lineages


def test_a_wrong_password_is_said_at_once_and_not_shown(postgresql, monkeypatch):
    monkeypatch.setenv(SETTING, str(PATIENCE))
    uri = postgresql.prepared().replace(f"{USER}:", f"{USER}:hush%2Fhush-")
    with pytest.raises(StoreUnreachableError, match=f'password authentication failed for user "{USER}"') as caught:
        MLflowStore(uri).lineages()
    assert "hush" not in str(caught.value)
    assert str(caught.value).startswith(f"the lineage store `postgresql://{USER}:***@127.0.0.1:{postgresql.port}/")


def test_a_database_that_is_not_there_is_named(postgresql):
    with pytest.raises(StoreUnreachableError, match='database "nowhere" does not exist') as caught:
        MLflowStore(postgresql.uri("nowhere")).lineages()
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("fault", ["stall", "stall_after_the_request", "drip", "hang_up", "reset", "say_noise"])
def test_what_is_no_database_does_not_answer(fault, monkeypatch):
    monkeypatch.setenv(SETTING, "1")
    with failing(fault) as port, pytest.raises(StoreUnreachableError, match="does not answer"):
        MLflowStore(f"postgresql://ann:hush@127.0.0.1:{port}/db").lineages()


def test_a_database_that_stalls_in_the_middle_does_not_answer(postgresql, make, monkeypatch):
    """Another session locks a table for as long as it likes."""
    uri = postgresql.prepared()
    store = MLflowStore(uri)
    store.append(make())
    with closing(postgresql.connect(uri.rpartition("/")[2])) as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE tags IN ACCESS EXCLUSIVE MODE")
        with monkeypatch.context() as patch:
            patch.setenv(SETTING, "1")
            with pytest.raises(StoreUnreachableError, match="did not answer within 1 s"):
                store.append(make(index=1))
        other.execute("ROLLBACK")
    store.append(make(index=1))
    assert [item.to_dict() for item in MLflowStore(uri).history("newsbot")] == [
        make().to_dict(),
        make(index=1).to_dict(),
    ]


def test_the_lock_of_the_store_is_held_by_one_and_waited_for_until_the_deadline(postgresql, monkeypatch):
    uri = postgresql.prepared()
    holder, other = Connection(uri), Connection(uri)
    with holder.reaching(), other.reaching(), holder.locked():
        pass
    with holder.reaching(), holder.locked():
        monkeypatch.setenv(SETTING, "1")

        def wait():
            with other.reaching(), other.locked():
                raise AssertionError("two hold it")

        with pytest.raises(StoreUnreachableError, match=r"did not answer within 1 s|lock timeout"):
            in_another_context(wait)
    with other.reaching(), other.locked():
        pass


def in_another_context(function):
    """An operation of its own, not one inside that of the caller."""
    return contextvars.Context().run(function)
