"""Assessments made by hand, and MLflow stores on sqlite files that do not pay for MLflow's migrations every time."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from mlflow import MlflowClient

from building import make_assessment, make_reading
from collapse_guard.records import Assessment, Reason, ReasonKind, Severity
from collapse_guard.store.mlflow.connection import Connection
from collapse_guard.store.mlflow.store import MLflowStore

WILD_TYPE = "9f2c4be0d17a44e1a6b8c0d2e4f60718"
COURSE = {
    "perplexity": (92.1, 348.2, 577.9, 684.4, 760.3),
    "distinct_2": (0.0782, 0.0603, 0.0531, 0.0502, 0.0487),
    "rare_coverage": (0.431, 0.262, 0.201, 0.177, 0.158),
    "vendi": (21.4, 17.9, 15.8, 14.9, 14.2),
}


def make_generation(
    lineage: str = "newsbot",
    index: int = 0,
    *,
    severity: Severity = Severity.HEALTHY,
    wild_type: str = WILD_TYPE,
    real: float | None = 1.0,
    sentence: str = "perplexity is within its margin",
    **values: float,
) -> Assessment:
    """One generation; a keyword argument is the value of an indicator."""
    course = {name: numbers[min(index, 4)] for name, numbers in COURSE.items()} | values
    readings = {
        name: make_reading(
            name,
            value,
            replicates=(value, math.nan, 1 / 3),
            problem="" if math.isfinite(value) else "the model overflowed",
        )
        for name, value in course.items()
    }
    reason = Reason(kind=ReasonKind.WITHIN_MARGIN, severity=severity, sentence=sentence)
    fields = {"real": real, "wild_type": wild_type, "policy": "5d1e0c9a"}
    return make_assessment(lineage, index, readings, severity=severity, reasons=(reason,), **fields)


@pytest.fixture
def make() -> Callable[..., Assessment]:
    return make_generation


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sqlite file with MLflow's tables and no experiment of ours: copied, it saves seconds of migrations."""
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> Path:
    """A copy in a directory whose name needs escaping."""
    folder = tmp_path / "my störe"
    folder.mkdir()
    return Path(shutil.copy(empty_database, folder / "mlflow.db"))


@pytest.fixture
def uri(database: Path) -> str:
    return f"sqlite:///{database}"


@pytest.fixture
def store(uri: str) -> MLflowStore:
    return MLflowStore(uri)


@pytest.fixture
def client(uri: str) -> MlflowClient:
    """MLflow's own client, for what a person or another program does to the store."""
    return MlflowClient(tracking_uri=uri)


@pytest.fixture
def no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """As behind a server, where writers cannot keep each other waiting."""
    monkeypatch.setattr(Connection, "locked", lambda _: nullcontext(False))
