"""MLflow tells nobody of what is done here, unless the user has turned that on."""

import os
import subprocess
import sys

import pytest

from waiting import PATIENCE

ASK = """
import os
import collapse_guard.cli.app, collapse_guard.store
store = collapse_guard.store.open_store("sqlite:///mlflow.db")
from mlflow.telemetry import get_telemetry_client
from mlflow.telemetry.utils import is_telemetry_disabled
print(is_telemetry_disabled(), get_telemetry_client() is None, os.environ["MLFLOW_DISABLE_TELEMETRY"])
"""
"""The last word is what the server that `collapse-guard ui` starts is given."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "seen"), [({}, "True True true\n"), ({"MLFLOW_DISABLE_TELEMETRY": "false"}, "False False false\n")]
)
def test_it_is_off_unless_the_user_has_turned_it_on(setting, seen, tmp_path):
    """Where MLflow sees CI or pytest at work it sends nothing anyway, so that they are kept from it here."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}
    environment = kept | {"HOME": str(tmp_path)} | setting
    command = [sys.executable, "-c", ASK]
    asked = subprocess.run(command, env=environment, timeout=PATIENCE, check=True, capture_output=True, cwd=tmp_path)
    assert asked.stdout.decode() == seen
