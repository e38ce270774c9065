"""`assess` that is killed by SIGKILL, and that runs several times at once, at a reduced size."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from waiting import PATIENCE

FOLDER = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.slow


def run(*arguments):
    """Exit status, rows of the table, and what is told of faults."""
    command = [sys.executable, str(FOLDER / "killed.py"), "--samples", "40", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, env=os.environ)
    assert done.returncode in (0, 1), done.stderr[-4000:]
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]
    return done.returncode, rows, done.stdout


def test_no_generation_is_lost_or_counted_twice_wherever_assess_is_killed_and_whoever_is_faster():
    status, rows, told = run("--ways", 2, "--points", 1, "--seed", 4, "--writers", 3)
    assert status == 0, told
    assert len(rows) == 2
    assert all(int(row[1]) > 100 for row in rows), "moments at which a process can be killed"
    assert {(row[2], row[4]) for row in rows} == {("1", "0")}
