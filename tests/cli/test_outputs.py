"""What a command writes is written whole or not at all, and is never what it reads."""

import json
import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from waiting import PATIENCE

SIMULATE = ("simulate", "regression", "--generations", 1, "--lineages", 2)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "wild-type").mkdir()
    (tmp_path / "folder").mkdir()
    for name in ("wild-type/words.parquet", "folder/a.txt", "real.txt", "other.txt", "losses.csv", "mlflow.db"):
        (tmp_path / name).write_text("We the people\n")
    (tmp_path / "policy.toml").write_text("alpha = 0.05\n")
    (tmp_path / "soft.txt").symlink_to("real.txt")
    os.link(tmp_path / "real.txt", tmp_path / "hard.txt")


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


CURATE = "curate real.txt --wild-type wild-type"
ASSESS = "assess real.txt --wild-type wild-type --lineage bot"
READ = {
    f"{CURATE} --out real.txt": "--out",
    f"{CURATE} --out ./folder/../real.txt": "--out",
    f"{CURATE} --out soft.txt": "--out",
    f"{CURATE} --out hard.txt": "--out",
    "curate soft.txt --wild-type wild-type --out real.txt": "--out",
    "curate *.txt --wild-type wild-type --out other.txt": "--out",
    "curate folder --wild-type wild-type --out folder/a.txt": "--out",
    "curate folder --wild-type wild-type --out folder/kept.jsonl": "--out",
    f"{CURATE} --out wild-type/words.parquet": "--out",
    f"{CURATE} --out kept.jsonl --own-losses losses.csv --real-losses losses.csv --json losses.csv": "--json",
    f"{ASSESS} --json real.txt": "--json",
    f"{ASSESS} --losses losses.csv --junit losses.csv": "--junit",
    f"{ASSESS} --scores facts=losses.csv --summary losses.csv": "--summary",
    f"{ASSESS} --policy policy.toml --json policy.toml": "--json",
    f"{ASSESS} --json mlflow.db": "--json",
    "gate --lineage bot --policy policy.toml --json policy.toml": "--json",
    "gate --lineage bot --junit mlflow.db": "--junit",
    "gate --lineage bot --store sqlite:///losses.csv --summary losses.csv": "--summary",
    "prescribe --lineage bot --policy policy.toml --json policy.toml": "--json",
    "prescribe --lineage bot --select 1 --wild-type wild-type --out wild-type/words.parquet": "--out",
    "prescribe --lineage bot --json mlflow.db": "--json",
    "report --lineage bot --out mlflow.db": "--out",
    "simulate gaussian --judge 1 --policy policy.toml --json policy.toml": "--json",
}


@pytest.mark.parametrize("command", READ)
def test_an_output_that_is_an_input_is_refused_and_left_as_it_is(run, tmp_path, command):
    before = contents(tmp_path)
    outcome = run(*command.split())
    assert outcome.code == 2
    assert f"error: `{READ[command]}` must not be what is read, but got " in outcome.err
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (f"{CURATE} --out a.jsonl --json a.jsonl", "`--json` must be another file than `--out`"),
        (f"{CURATE} --out a.jsonl --json folder/../a.jsonl", "`--json` must be another file than `--out`"),
        ("gate --lineage bot --junit a --json a", "`--junit` must be another file than `--json`"),
        ("gate --lineage bot --json -", "`--json` must be a file, but got '-': give /dev/stdout"),
        ("gate --lineage bot --json folder", "`--json` must be a file, but got the directory 'folder'"),
        ("gate --lineage bot --json nowhere/a.json", "must be in an existing directory, but got 'nowhere/a.json'"),
        ("profile folder --out folder", "`--out` must not be in a directory that is read"),
        ("profile folder --out folder/wild-type", "`--out` must not be in a directory that is read"),
        ("profile real.txt --out real.txt", "`--out` must be a directory, but got the file 'real.txt'"),
        ("calibrate --lineage bot --policy policy.toml --out policy.toml", "`--out` must not exist yet"),
    ],
)
def test_what_cannot_be_an_output_is_said_before_anything_is_read(run, tmp_path, command, said):
    before = contents(tmp_path)
    outcome = run(*command.split())
    assert outcome.code == 2
    assert said in outcome.err
    assert contents(tmp_path) == before


@contextmanager
def room_for(n_bytes):
    """A disk that takes no more of one file."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("old", ["the last report", None])
def test_a_report_that_there_is_no_room_for_leaves_what_was_there(run, tmp_path, old):
    path = tmp_path / "folder" / "simulation.json"
    if old:
        path.write_text(old)
    with room_for(512):
        outcome = run(*SIMULATE, "--json", path)
    assert outcome.code == 2
    assert f"error: '{path}' cannot be written: File too large" in outcome.err
    assert (path.read_text() if old else path.exists()) == (old or False)
    assert {file.name for file in path.parent.iterdir()} <= {"a.txt", path.name}


def test_a_report_may_go_to_standard_output(run_process, tmp_path):
    outcome = run_process(*SIMULATE, "--json", "/dev/stdout", cwd=tmp_path)
    assert outcome.code == 0
    body, _, table = outcome.out.partition("\n}\n")
    assert json.loads(body + "}")["world"] == "regression"
    assert "generation" in table


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("lineage list --store memory: 1>/dev/full", 2),
        ("lineage list --store memory: 1>&- 2>&-", 0),
        ("--version 1>/dev/full 2>/dev/full", 2),
        ("gate 1>/dev/full 2>/dev/full", 2),
        ("--help 1>/dev/full", 2),
    ],
)
def test_what_cannot_be_printed_is_never_taken_for_a_collapse(command, code):
    program = Path(sys.executable).with_name("collapse-guard")
    done = subprocess.run(["bash", "-c", f'"{program}" {command}'], capture_output=True, timeout=PATIENCE, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (code, False)


def test_a_name_of_a_file_in_another_encoding_is_no_end(run, tmp_path):
    name = os.fsdecode(b"caf\xe9.jsonl")
    (tmp_path / name).write_text('{"text": "one"}\n{"txt": "two"}\n')
    outcome = run("curate", name, "--wild-type", "wild-type", "--out", "kept.jsonl")
    assert outcome.code == 2
    assert "must be a wild type" in outcome.err
