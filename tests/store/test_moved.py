"""Stores as people move, rename, copy and damage them: on real MLflow databases, and behind a server."""

import re
import shutil

import pytest

from collapse_guard.errors import LineageError, LineageNotFoundError
from collapse_guard.store import dashboard_link, open_store
from collapse_guard.store.mlflow import layout
from collapse_guard.store.mlflow.store import MLflowStore


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def indices(store, lineage="newsbot"):
    return [past.generation.index for past in store.history(lineage)]


def moved(database, to):
    """The database with its artifacts in another place; nothing is left behind."""
    shutil.move(database.parent, to)
    return MLflowStore(f"sqlite:///{to / database.name}")


class TestAMovedStore:
    def test_reads_its_artifacts_beside_it_and_keeps_new_ones_there(self, store, make, database, tmp_path):
        store.append(make())
        there = tmp_path / "another place"
        after = moved(database, there)
        assert indices(after) == [0]
        assert after.latest("newsbot").to_dict() == make().to_dict()
        after.append(make(index=1))
        after.attach("newsbot", 1, {"report.html": "<p>"})
        assert indices(MLflowStore(after.tracking_uri)) == [0, 1]
        assert not database.parent.exists()
        assert len(list(there.rglob("assessment.json"))) == len(list(there.rglob("report.html"))) + 1 == 2

    def test_may_be_moved_again_and_renamed(self, store, make, database, tmp_path):
        store.append(make())
        after = moved(database, tmp_path / "second")
        after.append(make(index=1))
        last = tmp_path / "third"
        shutil.move(tmp_path / "second", last)
        (last / "mlflow.db").rename(last / "lineages.db")
        assert indices(MLflowStore(f"sqlite:///{last}/lineages.db")) == [0, 1]

    def test_finds_the_runs_of_trainings_too(self, store, client, make, database, tmp_path):
        location = (database.parent / "mlruns" / "trainings").as_uri()
        home = client.create_experiment("trainings", artifact_location=location)
        store.in_run(client.create_run(home).info.run_id).append(make())
        assert indices(moved(database, tmp_path / "second")) == [0]

    def test_that_was_copied_never_touches_the_first_one(self, store, make, database, tmp_path):
        store.append(make())
        shutil.copytree(database.parent, tmp_path / "copy")
        copied = MLflowStore(f"sqlite:///{tmp_path}/copy/mlflow.db")
        copied.append(make(index=1))
        assert len(list(database.parent.rglob("assessment.json"))) == 1
        assert (indices(store), indices(copied)) == ([0], [0, 1])

    def test_without_its_artifacts_says_both_places_and_what_to_do(self, store, client, make, database, tmp_path):
        store.append(make())
        (run,) = client.search_runs(["1"], "tags.`collapse_guard.kind` = 'generation'")
        copy = tmp_path / "copied" / "mlflow.db"
        copy.parent.mkdir()
        shutil.move(database, copy)
        shutil.rmtree(database.parent)
        with pytest.raises(LineageError) as caught:
            MLflowStore(f"sqlite:///{copy}").history("newsbot")
        end = f"mlruns/collapse_guard/{run.info.run_id}/artifacts/assessment.json"
        assert f"no file is {copy.parent}/{end}, nor {database.parent}/{end}. Put it back" in str(caught.value)


class TestAnExperiment:
    def test_that_was_renamed_is_found_and_goes_on(self, store, client, make, uri):
        store.append(make())
        home = client.get_experiment_by_name("collapse_guard").experiment_id
        client.rename_experiment(home, "newsroom: do not touch")
        after = MLflowStore(uri)
        assert indices(after) == [0]
        after.append(make(index=1))
        after.append(make("weatherbot"))
        assert client.get_experiment_by_name("collapse_guard") is None
        assert (MLflowStore(uri).lineages(), indices(MLflowStore(uri))) == (["newsbot", "weatherbot"], [0, 1])
        assert f"/experiments/{home}/" in dashboard_link(after)

    def test_of_the_old_name_beside_a_renamed_one_hides_no_lineage(self, store, client, make, uri):
        """As where a trainer's logger made an experiment of that name, or an older version of this package did."""
        store.append(make())
        client.rename_experiment(client.get_experiment_by_name("collapse_guard").experiment_id, "renamed")
        second = client.create_experiment("collapse_guard")
        tags = {layout.KIND: "lineage", layout.LINEAGE: "weatherbot"}
        client.create_run(second, tags=tags)
        MLflowStore(uri).in_run(client.create_run(second).info.run_id).append(make("weatherbot"))
        after = MLflowStore(uri)
        assert after.lineages() == ["newsbot", "weatherbot"]
        after.append(make("newsbot", 1))
        after.append(make("weatherbot", 1))
        assert (indices(MLflowStore(uri)), indices(MLflowStore(uri), "weatherbot")) == ([0, 1], [0, 1])

    def test_with_a_lineage_in_each_of_two_that_carry_the_tag_is_read_whole(self, store, client, make, uri):
        store.append(make())
        client.rename_experiment(client.get_experiment_by_name("collapse_guard").experiment_id, "first")
        MLflowStore(uri, "second").append(make("weatherbot"))
        client.set_experiment_tag(
            client.get_experiment_by_name("second").experiment_id, layout.EXPERIMENT, "collapse_guard"
        )
        assert MLflowStore(uri).lineages() == ["newsbot", "weatherbot"]

    def test_that_a_person_or_a_logger_made_before_is_taken_and_marked(self, store, client, make, uri):
        home = client.create_experiment("collapse_guard")
        store.append(make())
        client.rename_experiment(home, "renamed")
        assert indices(MLflowStore(uri)) == [0]

    def test_of_another_store_in_the_same_database_stays_apart(self, store, client, make, uri):
        store.append(make())
        MLflowStore(uri, "theirs").append(make("weatherbot"))
        client.rename_experiment(client.get_experiment_by_name("theirs").experiment_id, "renamed")
        assert MLflowStore(uri).lineages() == ["newsbot"]
        assert MLflowStore(uri, "theirs").lineages() == ["weatherbot"]

    def test_that_was_renamed_and_deleted_is_named_with_a_command_that_reaches_the_store(
        self, store, client, make, uri
    ):
        store.append(make())
        home = client.get_experiment_by_name("collapse_guard").experiment_id
        client.rename_experiment(home, "renamed")
        client.delete_experiment(home)
        with pytest.raises(LineageError) as caught:
            MLflowStore(uri).history("newsbot")
        command = f"MLFLOW_TRACKING_URI='{uri}' mlflow experiments restore --experiment-id {home}"
        assert (
            str(caught.value) == f"experiment `renamed` must be active, but it was deleted: `{command}` brings it back"
        )


class TestALineageThatIsNotThere:
    def test_is_named_with_the_store_and_near_names(self, store, make, uri):
        store.append(make())
        for read in (store.history, store.latest):
            with pytest.raises(LineageNotFoundError) as caught:
                read("newsbto")
            assert str(caught.value) == (
                f"`lineage` must be in the store `{uri}`, but got 'newsbto': did you mean `newsbot`? Known: newsbot"
            )

    def test_but_in_another_experiment_is_said_to_be_there(self, store, make, uri):
        MLflowStore(uri, "of another team").append(make("weatherbot"))
        store.append(make())
        with pytest.raises(LineageNotFoundError, match="in the experiment `of another team` of this store"):
            store.history("weatherbot")

    def test_has_a_hint_to_the_store_of_the_working_directory(self, store, make, tmp_path):
        store.append(make())
        (tmp_path / "mlflow.db").touch()
        with pytest.raises(LineageNotFoundError, match=re.escape(f"`--store sqlite:///{tmp_path}/mlflow.db`")):
            store.history("weatherbot")
        with pytest.raises(LineageNotFoundError) as caught:
            MLflowStore(f"sqlite:///{tmp_path}/none.db").history("weatherbot")
        assert "there are none. Another store is in this directory" in str(caught.value)
        assert not (tmp_path / "none.db").exists()


def damage(client, database, lineage, how):
    """Damage the newest generation of a lineage."""
    home = client.get_experiment_by_name("collapse_guard").experiment_id
    query = f"tags.`collapse_guard.kind` = 'generation' AND tags.`collapse_guard.lineage` = '{lineage}'"
    run = client.search_runs([home], query)[0]
    (file,) = (database.parent / "mlruns").rglob(f"{run.info.run_id}/artifacts/assessment.json")
    if how == "missing":
        file.unlink()
    elif how == "damaged":
        file.write_bytes(b"\xff{")
    elif how == "a folder":
        file.unlink()
        file.mkdir()
    elif how == "no number":
        client.set_tag(run.info.run_id, layout.GENERATION, "first")
    else:
        client.create_run(home, tags=run.data.tags)
    return run


DAMAGES = ("missing", "damaged", "a folder", "no number", "twice")


@pytest.mark.parametrize("how", DAMAGES)
class TestAGenerationThatCannotBeRead:
    def test_keeps_no_other_lineage_from_working_and_nobody_is_told_to_delete(
        self, store, client, make, uri, database, how
    ):
        store.append(make("broken"))
        store.append(make("sound"))
        run = damage(client, database, "broken", how)
        after = MLflowStore(uri)
        assert after.lineages() == ["broken", "sound"]
        assert (indices(after, "sound"), after.has("broken")) == ([0], True)
        after.append(make("sound", 1))
        for read in (after.history, after.latest):
            with pytest.raises(LineageError, match=f"{run.info.run_id}.*broken|broken.*{run.info.run_id}") as caught:
                read("broken")
            assert not re.search("delet|remov(?!ed)", str(caught.value))
            assert "tag `collapse_guard." in str(caught.value)

    def test_counts_no_more_once_its_tag_says_so_and_may_be_appended_again(
        self, store, client, make, uri, database, how
    ):
        store.append(make())
        run = damage(client, database, "newsbot", how)
        client.set_tag(run.info.run_id, layout.COMPLETE, "false")
        after = MLflowStore(uri)
        for other in client.search_runs([run.info.experiment_id], "tags.`collapse_guard.complete` = 'true'"):
            client.set_tag(other.info.run_id, layout.COMPLETE, "false")
        after.append(make(vendi=3.0))
        assert MLflowStore(uri).latest("newsbot").readings["vendi"].value == 3.0


def test_an_older_generation_that_cannot_be_read_does_not_hide_the_newest(store, client, make, uri, database):
    store.append(make())
    damage(client, database, "newsbot", "missing")
    run = client.create_run(client.get_experiment_by_name("collapse_guard").experiment_id)
    files = layout.files(make(index=1))
    client.log_text(run.info.run_id, files["assessment.json"], "assessment.json")
    unshown = {layout.SHOWN_BY: layout.NOT_SHOWN, layout.COMPLETE: "true"}
    for name, value in {**layout.tags(make(index=1)), **unshown}.items():
        client.set_tag(run.info.run_id, name, value)
    assert MLflowStore(uri).latest("newsbot").generation.index == 1


def test_the_address_opens_the_store_again(store, make):
    store.append(make())
    assert indices(open_store(store.address)) == [0]
