"""A process that is killed while the tables of a new store are made."""

import errno
import json
import os
import subprocess
import sys

import pytest

from collapse_guard.store import open_store
from waiting import PATIENCE

KILLED = """
import json, os, sys
from alembic.ddl.impl import DefaultImpl
from collapse_guard.records import Assessment
from collapse_guard.store import open_store

add, added = DefaultImpl.add_column, []

def killed(self, *arguments, **settings):
    added.append(arguments)
    return os._exit(9) if len(added) == 20 else add(self, *arguments, **settings)

DefaultImpl.add_column = killed
open_store(sys.argv[1]).append(Assessment.from_dict(json.loads(sys.argv[2])))
"""


def refuse_hard_links(*_):
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite where files have no hard links", "postgresql"])
def test_leaves_no_store_that_nobody_can_open(kind, request, tmp_path, make, monkeypatch):
    path = tmp_path / "mlflow.db"
    uri = request.getfixturevalue("postgresql").empty() if kind == "postgresql" else f"sqlite:///{path}"
    command = [sys.executable, "-c", KILLED, uri, json.dumps(make().to_dict())]
    assert subprocess.run(command, timeout=PATIENCE, check=False).returncode == 9
    if "no hard links" in kind:
        monkeypatch.setattr(os, "link", refuse_hard_links)
    store = open_store(uri)
    store.append(make())
    assert [past.to_dict() for past in store.history("newsbot")] == [make().to_dict()]
    assert not [path for path in tmp_path.iterdir() if "unfinished" in path.name]
