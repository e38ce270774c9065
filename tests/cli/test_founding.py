"""A lost lineage is not a founder: every way to lose one is an error that says where it was looked for."""

import json
import re
import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from collapse_guard.lineage.outbox import PENDING, list_pending
from collapse_guard.store import open_store


@pytest.fixture(autouse=True)
def in_a_directory_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def store(world, tmp_path):
    """A copy of the store with the lineage `bot`, with its artifacts, in another folder."""
    folder = tmp_path / "store"
    folder.mkdir()
    shutil.copy(world.home / "mlflow.db", folder)
    shutil.copytree(world.home / "mlruns", folder / "mlruns")
    return f"sqlite:///{folder}/mlflow.db"


@pytest.fixture
def assess(run, world):
    def call(samples, lineage, *options):
        return run("assess", samples, "--wild-type", world.wild_type, "--lineage", lineage, *options)

    return call


NUMBERS = [[], ["--generation", 3], ["--generation", 3, "--parent", 2]]


@pytest.mark.parametrize("number", NUMBERS, ids=str)
@pytest.mark.parametrize("name", ["bto", "Bot", "bot ", "бот"])
def test_a_mistyped_lineage_is_an_error_with_near_names_and_the_store(assess, world, store, name, number):
    before = open_store(store).lineages()
    outcome = assess(world.collapsed, name, "--store", store, *number)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"`lineage` must be in the store `{store}`, but got {name!r}: " in outcome.err
    assert re.search(r"Known: (.*, )?bot\b", outcome.err)
    assert "`--founder`" in outcome.err
    assert open_store(store).lineages() == before
    assert not PENDING.exists()


def test_so_is_the_right_lineage_in_another_store_which_is_named(assess, world, store, tmp_path):
    other = f"sqlite:///{tmp_path}/other.db"
    outcome = assess(world.collapsed, "bot", "--store", other)
    assert outcome.code == 2
    assert f"must be in the store `{other}`, but got 'bot': there are none" in outcome.err
    assert not (tmp_path / "other.db").exists()


def test_and_the_store_of_the_directory_or_of_the_environment(assess, world, store, tmp_path, monkeypatch):
    outcome = assess(world.collapsed, "bot")
    assert outcome.code == 2
    assert f"the store `sqlite:///{tmp_path}/mlflow.db`" in outcome.err
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/empty.db")
    Path("mlflow.db").touch()
    outcome = assess(world.collapsed, "bot")
    assert outcome.code == 2
    assert f"`sqlite:///{tmp_path}/empty.db`" in outcome.err
    assert f"Another store is in this directory: `--store sqlite:///{tmp_path}/mlflow.db`" in outcome.err


@pytest.mark.slow
def test_a_renamed_experiment_keeps_its_lineages(assess, world, store):
    client = MlflowClient(store)
    client.rename_experiment(client.get_experiment_by_name("collapse_guard").experiment_id, "renamed")
    outcome = assess(world.collapsed, "bot", "--store", store, "--generation", 3)
    assert outcome.code == 1
    assert "COLLAPSED: generation 3 of bot" in outcome.out


@pytest.mark.parametrize("command", ["gate", "prescribe"])
def test_the_gate_on_an_unknown_lineage_names_near_ones_and_the_store(run, store, command):
    outcome = run(command, "--lineage", "bott", "--store", store)
    assert (outcome.code, outcome.out) == (2, "")
    said = f"`lineage` must be in the store `{store}`, but got 'bott': did you mean `bot`? Known: "
    assert said in outcome.err


@pytest.mark.parametrize("option", [["--founder"], ["--generation", 0], ["--founder", "--generation", 0]])
def test_a_lineage_begins_where_that_is_asked_for(assess, world, option, monkeypatch, tmp_path):
    monkeypatch.setenv("CI", "true")
    outcome = assess(world.founder, "new", "--store", "memory:", *option, "--json", tmp_path / "new.json")
    assert outcome.code == 0
    assert "This is the founder of new: later generations are compared with it." in outcome.out
    generation = json.loads((tmp_path / "new.json").read_text("utf-8"))["generation"]
    assert (generation["index"], generation["mixture"]["real"]) == (0, 1.0)


@pytest.mark.slow
def test_a_founder_is_said_with_its_store_and_the_same_evidence_may_be_sent_again(assess, world, store):
    first = assess(world.founder, "new", "--store", store, "--founder")
    assert (first.code, first.err) == (0, "")
    assert f"This is the founder of new of the store {store}" in first.out
    again = assess(world.founder, "new", "--store", store, "--founder")
    assert again.code == 0
    assert "This evidence is already stored as generation 0 of new: nothing was added." in again.out
    second = assess(world.healthy, "new", "--store", store)
    assert "founder of new" not in second.out
    assert len(open_store(store).history("new")) == 2


@pytest.mark.parametrize("option", [["--founder"], ["--generation", 0]])
def test_a_second_founder_is_an_error_that_says_so(assess, world, store, option):
    outcome = assess(world.collapsed, "bot", "--store", store, *option)
    assert (outcome.code, outcome.out) == (2, "")
    assert "generation 0 of lineage `bot` is stored and is never changed" in outcome.err
    assert "the lineage has a founder. Leave out `--founder`" in outcome.err
    assert len(open_store(store).history("bot")) == 3


def test_a_founder_of_another_number_is_wrong_usage(assess, world):
    outcome = assess(world.founder, "new", "--store", "memory:", "--founder", "--generation", 3)
    assert outcome.code == 2
    assert "`--founder` is generation 0, but got `--generation 3` too: leave out one of them" in outcome.err


NOWHERE = "sqlite:////nowhere/mlflow.db"


@pytest.mark.slow
def test_what_waited_for_a_lineage_that_is_not_there_stays_until_it_is_founded(assess, run, world, store):
    for samples in (world.founder, world.healthy):
        assert assess(samples, "later", "--store", NOWHERE).code == 2
    refused = run("assess", "--resume", "--store", store)
    assert refused.code == 2
    assert re.search("stays: `lineage` must be in the store .* but got 'later'.*--founder", refused.err)
    assert len(list_pending(PENDING)) == 2
    sent = run("assess", "--resume", "--founder", "--store", store)
    assert sent.code == 0, sent.err
    assert [past.generation.index for past in open_store(store).history("later")] == [0, 1]
    assert list_pending(PENDING) == []


def test_the_command_in_the_error_names_the_store_that_was_meant(assess, world, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOWHERE)
    outcome = assess(world.few, "bot")
    assert f"collapse-guard assess --resume --store {NOWHERE}" in outcome.err


class TestFoundedAnew:
    REASON = ("--founder", "--reason", "new base model")

    @pytest.mark.slow
    def test_is_judged_as_a_founder_and_what_follows_is_compared_with_it(self, assess, run, world, store):
        """Its evidence may be that of a generation before, which founded nothing."""
        outcome = assess(world.healthy, "bot", "--store", store, *self.REASON)
        assert outcome.code == 0
        assert "the lineage is founded anew with generation 3: new base model." in outcome.out
        assert "generation 2 before it was COLLAPSED" in outcome.out
        assert f"the founder of bot of the store {store} from generation 3 on: later generations are" in outcome.out
        assert assess(world.collapsed, "bot", "--store", store, "--generation", 4).code == 1
        assert [(past.generation.index, past.generation.founder) for past in open_store(store).history("bot")] == [
            (0, 0),
            (1, 0),
            (2, 0),
            (3, 3),
            (4, 3),
        ]
        shown = run("lineage", "show", "bot", "--store", store).out
        assert "Founded anew with generation 3: new base model." in shown
        assert re.search(r"3 \(founded anew\) +● HEALTHY", shown)
        assert run("gate", "--lineage", "bot", "--generation", 3, "--store", store, "--policy", "strict").code == 0

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (
                ("--reason", "x"),
                "`--reason` is why a lineage is founded anew, but got no `--founder`: give both or none",
            ),
            (("--founder", "--reason", " "), "`--reason` must be a text of 1 to 1,000 characters, but got ' '"),
            (("--founder", "--reason", "x" * 1001), "`--reason` must be a text of 1 to 1,000 characters"),
            (("--founder",), "the lineage has a founder.* or found the lineage anew, with the reason"),
        ],
        ids=str,
    )
    def test_what_is_refused_says_what_to_do(self, assess, world, store, options, said):
        outcome = assess(world.few, "bot", "--store", store, *options)
        assert (outcome.code, outcome.out) == (2, "")
        assert re.search(said, outcome.err)
        assert len(open_store(store).history("bot")) == 3

    def test_evidence_that_waits_keeps_its_reason(self, assess, run, world, store):
        assess(world.founder, "bot", "--store", "sqlite:////nowhere/mlflow.db", *self.REASON)
        assert run("assess", "--resume", "--store", store).code == 0
        assert open_store(store).latest("bot").generation.founding == "new base model"
