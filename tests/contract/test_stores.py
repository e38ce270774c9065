"""Every store keeps the contract, and MLflow's store does what the store in memory does."""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient

from collapse_guard.errors import CollapseGuardError
from collapse_guard.store import MemoryStore, next_index
from collapse_guard.store.base import OWN_FILES
from collapse_guard.store.mlflow import layout
from collapse_guard.store.mlflow.store import MLflowStore
from collapse_guard.testing import StoreContract, example_assessment


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("contract") / "mlflow.db"
    MLflowStore(f"sqlite:///{path}", experiment="warm-up").append(example_assessment())
    return path


class TestMemoryStore(StoreContract):
    def make_store(self):
        return MemoryStore()


class TestMLflowStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _place(self, database, tmp_path):
        self.uri = f"sqlite:///{shutil.copy(database, tmp_path / 'mlflow.db')}"

    def make_store(self):
        return MLflowStore(self.uri)

    def reopen(self, store):
        return MLflowStore(self.uri)

    def attachments(self, store, lineage, index):
        client = MlflowClient(self.uri)
        experiment = client.get_experiment_by_name(store.experiment).experiment_id
        (run,) = client.search_runs([experiment], f"tags.`{layout.GENERATION}` = '{index:06d}'")
        found = (file.path for file in client.list_artifacts(run.info.run_id))
        paths = [path for path in found if path not in OWN_FILES]
        return {path: Path(client.download_artifacts(run.info.run_id, path)).read_text("utf-8") for path in paths}


def test_the_next_index_follows_the_newest_generation_whatever_was_left_out():
    store = MemoryStore()
    for index in (0, 11, 2):
        store.append(example_assessment(index=index))
    assert next_index(store.history("newsbot")) == 12


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["x", "y"]), st.integers(0, 2), st.sampled_from([1.0, math.nan]), st.sampled_from("ab")),
    min_size=3,
    max_size=7,
)
_experiments = itertools.count()


@pytest.mark.slow
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(operations=OPERATIONS)
def test_mlflow_does_what_memory_does(database, operations):
    oracle, store = MemoryStore(), MLflowStore(f"sqlite:///{database}", experiment=f"oracle {next(_experiments)}")
    for lineage, index, value, letter in operations:
        item = example_assessment(lineage, index, value=value, wild_type=letter * 32)
        assert outcome(lambda: store.append(item)) == outcome(lambda: oracle.append(item))  # noqa: B023
    assert store.lineages() == oracle.lineages()
    for lineage in oracle.lineages():
        stored, expected = ([item.to_dict() for item in one.history(lineage)] for one in (store, oracle))
        assert stored == expected


def outcome(action: Callable[[], None]) -> str:
    """What happened, as text: nothing, or the error with its message."""
    try:
        action()
    except CollapseGuardError as error:
        return f"{type(error).__name__}: {error}"
    return "done"
