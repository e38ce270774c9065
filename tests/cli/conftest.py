"""A small world of generated text, profiled and assessed through the command line itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from typer.testing import CliRunner

from collapse_guard.cli.app import app
from collapse_guard.store import LineageStore, open_store
from waiting import PATIENCE

_SYLLABLES = ["ba", "co", "du", "fe", "gi", "lo", "mu", "ne", "pi", "ra"]
_MIDDLES = ["ban", "cor", "dun", "fel", "gim", "lor", "mun", "nep", "pil", "ras", "sta", "tro", "vul", "wes", "xan"]
_ENDS = ["a", "e", "i", "o", "u", "y", "an", "en", "in", "on"]
LEXICON = np.array([a + b + c for a in _SYLLABLES for b in _MIDDLES for c in _ENDS])


def sentences(n: int, *, seed: int, words: int = 30) -> list[str]:
    """Independent draws from Zipf's law: the same distribution for every seed."""
    weights = 1.0 / np.arange(1, len(LEXICON) + 1)
    drawn = np.random.default_rng(seed).choice(len(LEXICON), size=(n, words), p=weights / weights.sum())
    return [" ".join(row) for row in LEXICON[drawn]]


@dataclass(frozen=True)
class Files:
    """Real text, and samples of a founder, of a healthy generation, and of one that repeats itself."""

    home: Path
    real: Path
    founder: Path
    healthy: Path
    collapsed: Path
    few: Path


@dataclass(frozen=True)
class World(Files):
    """The lineage `bot` in a store: healthy at t = 0 and 1, collapsed at t = 2."""

    wild_type: Path
    uri: str

    @property
    def store(self) -> LineageStore:
        return open_store(self.uri)


@dataclass(frozen=True)
class Outcome:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


def run_here(*arguments: object) -> Outcome:
    piped = {"COLUMNS": None, "FORCE_COLOR": None}  # pytest-xdist sets a width of 80
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env=piped)
    return Outcome(result.exit_code, result.stdout, result.stderr)


def run_quickly(*arguments: object) -> Outcome:
    with mock.patch("collapse_guard.lineage.enrol.attachments", return_value={"report.html": "<!doctype html>"}):
        return run_here(*arguments)


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a command in this process, all but the drawing of the page that is stored with a generation."""
    return run_quickly


@pytest.fixture(scope="session")
def run_whole() -> Run:
    """Run a command in this process, with everything that it does."""
    return run_here


@pytest.fixture(scope="session")
def run_process() -> Run:
    """Run a command as a shell would; its output is piped."""

    def run(
        *arguments: object, cwd: Path | None = None, env: Mapping[str, str] = {}, program: Sequence[str] = ()
    ) -> Outcome:
        command = [*(program or [Path(sys.executable).with_name("collapse-guard")]), *map(str, arguments)]
        clean = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR")}
        done = subprocess.run(
            command, cwd=cwd, env={**clean, **env}, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


def write_lines(path: Path, texts: Sequence[str]) -> Path:
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    home = tmp_path_factory.mktemp("world")
    texts = {
        "real": sentences(1400, seed=0),
        "founder": sentences(700, seed=1),
        "healthy": sentences(700, seed=2),
        "collapsed": sentences(20, seed=3) * 35,
        "few": sentences(40, seed=4),
    }
    return Files(home=home, **{name: write_lines(home / f"{name}.txt", lines) for name, lines in texts.items()})


@pytest.fixture(scope="session")
def world(files: Files) -> World:
    made = World(**vars(files), wild_type=files.home / "wild-type", uri=f"sqlite:///{files.home / 'mlflow.db'}")
    options = ("--evaluation-fraction", 0.5, "--group-tokens", 512)
    assert run_quickly("profile", made.real, "--out", made.wild_type, *options).code == 0
    for samples in (made.founder, made.healthy, made.collapsed):
        common = ("--wild-type", made.wild_type, "--lineage", "bot", "--store", made.uri)
        outcome = run_quickly("assess", samples, *common, *(["--founder"] if samples is made.founder else []))
        assert outcome.code == (1 if samples is made.collapsed else 0), outcome.err
    return made
