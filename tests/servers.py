"""A real tracking server of MLflow, for as long as a test needs it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from waiting import PATIENCE, answers, free_port, wait_until


@contextmanager
def running_server(folder: Path) -> Iterator[str]:
    """Address of a server whose database and artifacts are in a folder."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    places = [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "artifacts"),
    ]
    with (folder / "server.log").open("w") as log:
        environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
        process = subprocess.Popen([*command, *places], cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            assert wait_until(lambda: answers(address) or process.poll() is not None)
            assert process.poll() is None, "the server ended"
            yield address
        finally:
            process.terminate()
            process.wait(PATIENCE)
