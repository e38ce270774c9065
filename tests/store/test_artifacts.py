"""Where the artifacts of a run are looked for and kept, once a database was moved."""

from pathlib import Path

import pytest

from collapse_guard.store.mlflow.artifacts import home, place_for, places

RUN = "0123abcd"
OLD = "file:///old/mlruns/collapse_guard"


def made(folder):
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("uri", ["s3://bucket/mlruns/1/0123abcd/artifacts", "mlflow-artifacts:/1/0123abcd/artifacts"])
def test_what_is_not_local_has_no_folder(uri):
    assert places(uri, RUN, Path("/data/mlflow.db")) == []
    assert place_for(uri, RUN, Path("/data/mlflow.db"), "collapse_guard") is None


@pytest.mark.parametrize("uri", ["file:///old/a%20b/0123abcd/artifacts", "/old/a b/0123abcd/artifacts"])
def test_without_a_database_file_the_recorded_place_is_the_only_one(uri):
    assert places(uri, RUN, None) == [Path("/old/a b/0123abcd/artifacts")]


@pytest.mark.parametrize("folder", ["mlruns/collapse_guard", "mlruns/7", "runs of mine", ""])
def test_the_place_relative_to_the_database_comes_first(tmp_path, folder):
    beside = made(tmp_path / folder / RUN / "artifacts")
    recorded = Path("/old") / folder / RUN / "artifacts"
    assert places(recorded.as_uri(), RUN, tmp_path / "mlflow.db") == [beside, recorded]


def test_the_artifacts_may_lie_beside_the_folder_of_the_database(tmp_path):
    beside = made(tmp_path / "mlruns" / "1" / RUN / "artifacts")
    database = tmp_path / "state" / "mlflow.db"
    assert places(f"file:///old/mlruns/1/{RUN}/artifacts", RUN, database)[0] == beside


def test_a_folder_of_another_run_is_never_taken(tmp_path):
    made(tmp_path / "mlruns" / "1" / "another" / "artifacts")
    made(tmp_path / "artifacts")
    recorded = Path(f"/old/mlruns/1/{RUN}/artifacts")
    assert places(str(recorded), RUN, tmp_path / "mlflow.db") == [tmp_path / "mlruns/1" / RUN / "artifacts", recorded]
    elsewhere = Path(f"/old/1/{RUN}/artifacts")
    assert places(str(elsewhere), RUN, tmp_path / "mlflow.db") == [elsewhere]


def test_where_nothing_was_moved_there_is_one_place(tmp_path):
    place = made(home(tmp_path / "mlflow.db", "collapse_guard") / RUN / "artifacts")
    assert places(place.as_uri(), RUN, tmp_path / "mlflow.db") == [place]
    assert place_for(place.as_uri(), RUN, tmp_path / "mlflow.db", "collapse_guard") is None


@pytest.mark.parametrize("experiment", ["collapse_guard", "a/b ü"])
def test_new_artifacts_of_the_lineages_follow_the_database(tmp_path, experiment):
    old, new = home(Path("/old/mlflow.db"), experiment), home(tmp_path / "mlflow.db", experiment)
    uri = (old / RUN / "artifacts").as_uri()
    assert place_for(uri, RUN, tmp_path / "mlflow.db", experiment) == new / RUN / "artifacts"
    assert place_for(uri, RUN, None, experiment) is None


@pytest.mark.parametrize("folder", ["/old/mlruns/1", "/chosen/by/a/person", "/"])
def test_new_artifacts_stay_where_a_person_put_them(tmp_path, folder):
    uri = Path(folder, RUN, "artifacts").as_uri()
    assert place_for(uri, RUN, tmp_path / "mlflow.db", "collapse_guard") is None
    assert place_for(OLD, RUN, tmp_path / "mlflow.db", "collapse_guard") is None
