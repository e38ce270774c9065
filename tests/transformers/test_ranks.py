"""Two processes, as `accelerate launch` starts them, come to the record of one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.ddp
@pytest.mark.slow
def test_two_processes_come_to_the_record_of_one(tmp_path):
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here.parent), *sys.path]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(here / "two_ranks.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-4000:]
    alone, first, second = (
        json.loads((tmp_path / f"rank {rank}.json").read_text()) for rank in ("0 of 1", "0 of 2", "1 of 2")
    )
    assert first["samples"] == alone["samples"]
    assert second["samples"] is None
    assert first["readings"] == second["readings"] == pytest.approx(alone["readings"], rel=1e-5, nan_ok=True)
    assert first["verdict"] == second["verdict"] == alone["verdict"]
    assert first["looks"] == second["looks"] == alone["looks"]
    assert [one["stored"] for one in (alone, first, second)] == [1, 1, 0]
