"""Every store passes every check, and MLflow's store does what the store in memory does."""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from building import make_assessment, make_reading
from collapse_guard.errors import CollapseGuardError, FingerprintMismatchError, InputError, LineageError
from collapse_guard.records import Assessment
from collapse_guard.store import LineageStore, MemoryStore, next_index
from collapse_guard.store.mlflow.store import MLflowStore

WILD_TYPE, OTHER_WILD_TYPE = "a" * 32, "b" * 32


def assessment(
    lineage: str = "newsbot",
    index: int = 0,
    *,
    value: float = 92.1,
    wild_type: str = WILD_TYPE,
    policy: str = "5d1e0c9a",
) -> Assessment:
    reading = make_reading("perplexity", value, replicates=(1 / 3, math.nan, -math.inf))
    fields = {"parents": range(index), "wild_type": wild_type, "policy": policy}
    return make_assessment(lineage, index, [reading], **fields)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("contract") / "mlflow.db"
    MLflowStore(f"sqlite:///{path}", experiment="warm-up").append(assessment())
    return path


@pytest.fixture(params=["memory", "mlflow"])
def store(request: pytest.FixtureRequest, database: Path, tmp_path: Path) -> LineageStore:
    """A store with nothing in it."""
    if request.param == "memory":
        return MemoryStore()
    return MLflowStore(f"sqlite:///{shutil.copy(database, tmp_path / 'mlflow.db')}")


def same(left: list[Assessment], right: list[Assessment]) -> bool:
    """Equal as JSON: NaN equals NaN."""
    return [item.to_dict() for item in left] == [item.to_dict() for item in right]


def test_a_new_store_has_no_lineage(store):
    assert store.lineages() == []
    assert not store.has("newsbot")
    assert store.history_so_far("newsbot") == []


def test_what_is_appended_is_read_back_whole(store):
    founder = assessment(value=math.inf)
    store.append(founder, attachments={"report.html": "<html>ü</html>"})
    assert same(store.history("newsbot"), [founder])
    assert same(store.history_so_far("newsbot"), [founder])
    assert same([store.latest("newsbot")], [founder])
    assert store.has("newsbot")


def test_history_is_by_index_whatever_the_order_of_appending(store):
    for index in (0, 11, 2, 1):
        store.append(assessment(index=index))
    assert [item.generation.index for item in store.history("newsbot")] == [0, 1, 2, 11]
    assert store.latest("newsbot").generation.index == 11
    assert next_index(store.history("newsbot")) == 12


def test_lineages_do_not_mix(store):
    names = [
        "newsbot",
        "newsbot 2",
        "Newsbot",
        "日本語 モデル",
        "100% x = no",
        "a AND b -- c",
        " padded ",
    ]
    for number, name in enumerate(names):
        store.append(assessment(name, value=float(number)))
    assert store.lineages() == sorted(names)
    for number, name in enumerate(names):
        assert [item.readings["perplexity"].value for item in store.history(name)] == [float(number)]


def test_a_generation_is_never_changed(store):
    store.append(assessment(value=92.1))
    with pytest.raises(LineageError, match="generation 0 of lineage `newsbot` is stored and is never changed"):
        store.append(assessment(value=92.2))
    assert same(store.history("newsbot"), [assessment(value=92.1)])


def test_appending_the_same_again_changes_nothing_even_where_it_is_not_a_number(store):
    for _ in range(2):
        store.append(assessment(value=math.nan))
    assert same(store.history("newsbot"), [assessment(value=math.nan)])


def test_another_wild_type_is_refused_and_both_are_named(store):
    store.append(assessment())
    with pytest.raises(
        FingerprintMismatchError, match=f"{WILD_TYPE}, but got generation 1 measured against {OTHER_WILD_TYPE}"
    ):
        store.append(assessment(index=1, wild_type=OTHER_WILD_TYPE))
    store.append(assessment("another lineage", wild_type=OTHER_WILD_TYPE))
    assert len(store.history("newsbot")) == 1


@pytest.mark.parametrize("name", ["newsbod", "x' OR 'a' = 'a", "`", "\\", '"', "a/b", "", "new\nsbot"])
def test_an_unknown_lineage_is_not_found_and_near_names_are_said(store, name):
    store.append(assessment())
    with pytest.raises(LineageError, match=r"must be in the store, but got .*Known: newsbot"):
        store.history(name)
    with pytest.raises(LineageError, match="must be in the store"):
        store.latest(name)


@pytest.mark.parametrize("name", ["../report.html", "a/b.html", "assessment.json", "", ".hidden", "/etc/x"])
def test_an_attachment_must_be_a_plain_file(store, name):
    with pytest.raises(InputError, match="`attachments` must be named by plain file names"):
        store.append(assessment(), attachments={name: "text"})
    assert store.lineages() == []


def test_a_record_does_not_change_with_what_the_caller_holds(store):
    founder = assessment()
    store.append(founder)
    founder.readings.clear()
    store.latest("newsbot").readings.clear()
    assert set(store.history("newsbot")[0].readings) == {"perplexity"}


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["x", "y"]), st.integers(0, 2), st.sampled_from([1.0, math.nan]), st.sampled_from("ab")),
    min_size=3,
    max_size=7,
)
_experiments = itertools.count()


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(operations=OPERATIONS)
def test_mlflow_does_what_memory_does(database, operations):
    oracle, store = MemoryStore(), MLflowStore(f"sqlite:///{database}", experiment=f"oracle {next(_experiments)}")
    for lineage, index, value, letter in operations:
        item = assessment(lineage, index, value=value, wild_type=letter * 32)
        assert outcome(lambda: store.append(item)) == outcome(lambda: oracle.append(item))  # noqa: B023
    assert store.lineages() == oracle.lineages()
    for lineage in oracle.lineages():
        assert same(store.history(lineage), oracle.history(lineage))


def outcome(action: Callable[[], None]) -> str:
    """What happened, as text: nothing, or the error with its message."""
    try:
        action()
    except CollapseGuardError as error:
        return f"{type(error).__name__}: {error}"
    return "done"
