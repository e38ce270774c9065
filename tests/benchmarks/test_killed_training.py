"""The benchmark of trainings that are killed and run again, at a reduced size."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from waiting import PATIENCE

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "killed_training.py"

pytestmark = [pytest.mark.slow]


def test_a_training_that_is_killed_and_run_again_is_one_generation(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), "--trials", "3", "--seed", "2"]
    with (tmp_path / "errors.txt").open("w") as stream:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=stream, text=True, start_new_session=True
        )
        try:
            told, _ = process.communicate(timeout=PATIENCE)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, told + (tmp_path / "errors.txt").read_text()[-4000:]
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in told.splitlines() if line.startswith("│")]
    ways = ["from the beginning", "from its checkpoint", "as the founder"]
    assert [[row[0], row[1], row[3]] for row in rows] == [*([way, "1", "0"] for way in ways), ["all", "3", "0"]]
    assert not list(tmp_path.glob("killed-*"))
