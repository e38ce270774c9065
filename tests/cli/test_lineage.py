"""`lineage` and `report`: what the store remembers, on the terminal and as a page."""

import shutil
from unittest import mock

import pytest
from mlflow import MlflowClient

from collapse_guard.store import open_store
from collapse_guard.testing import example_assessment


@pytest.mark.slow
def test_the_list_shows_every_lineage_with_its_newest_verdict(run, world):
    outcome = run("lineage", "list", "--store", world.uri)
    assert outcome.code == 0
    (line,) = [line for line in outcome.out.splitlines() if line.split()[0] == "bot"]
    assert line.split() == ["bot", "2", "✖", "COLLAPSED", world.store.latest("bot").verdict.wild_type]


def test_an_empty_store_says_so_and_is_not_made(run, tmp_path):
    outcome = run("lineage", "list", "--store", f"sqlite:///{tmp_path}/mlflow.db")
    assert outcome.code == 0
    assert f"`collapse-guard assess --founder --store sqlite:///{tmp_path}/mlflow.db` adds the first" in outcome.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_generation_that_cannot_be_read_keeps_the_others_in_the_list(run, world, tmp_path):
    shutil.copy(world.home / "mlflow.db", tmp_path)
    shutil.copytree(world.home / "mlruns", tmp_path / "mlruns")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    store = open_store(uri)
    for name in ("alpha", "omega"):
        store.append(example_assessment(name))
    client = MlflowClient(uri)
    home = client.get_experiment_by_name("collapse_guard").experiment_id
    query = "tags.`collapse_guard.lineage` = 'alpha' AND tags.`collapse_guard.kind` = '{}'"
    (run_of_alpha,) = client.search_runs([home], query.format("generation"))
    (lineage,) = client.search_runs([home], query.format("lineage"))
    client.set_tag(lineage.info.run_id, "collapse_guard.verdict", "WATCH")  # a wrong tag: only the record can tell
    (file,) = (tmp_path / "mlruns").rglob(f"{run_of_alpha.info.run_id}/artifacts/assessment.json")
    file.unlink()
    outcome = run("lineage", "list", "--store", uri)
    assert outcome.code == 0
    rows = [line.split() for line in outcome.out.splitlines()[1:]]
    shown = {row[0]: "cannot" in row for row in rows}
    assert {name: shown[name] for name in ("alpha", "bot", "omega")} == {"alpha": True, "bot": False, "omega": False}
    assert str(file) in outcome.err
    assert "delete" not in outcome.err
    assert run("lineage", "show", "omega", "--store", uri).code == 0
    assert run("lineage", "show", "alpha", "--store", uri).code == 2


def test_a_lineage_is_shown_newest_first_with_why(run, world):
    outcome = run("lineage", "show", "bot", "--store", world.uri)
    assert outcome.code == 0
    rows = [line.split()[:3] for line in outcome.out.splitlines() if line.strip()[:1].isdigit()]
    assert rows == [["2", "✖", "COLLAPSED"], ["1", "●", "HEALTHY"], ["0", "●", "HEALTHY"]]
    assert world.store.latest("bot").verdict.reasons[0].sentence in outcome.out


@pytest.mark.slow
def test_the_report_is_one_page_of_all_lineages_named(run, world, tmp_path):
    page = tmp_path / "report.html"
    outcome = run("report", "--lineage", "bot", "--lineage", "bot", "--out", page, "--store", world.uri)
    assert outcome.code == 0
    assert f"The report is in {page}." in outcome.out
    assert page.read_text("utf-8").lstrip().lower().startswith(("<!doctype html", "<html"))


@pytest.mark.parametrize(
    "arguments", [["lineage", "show", "bott"], ["report", "--lineage", "bot", "--lineage", "bott"]]
)
def test_an_unknown_lineage_names_near_ones_and_writes_nothing(run, world, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    outcome = run(*arguments, "--store", world.uri)
    assert (outcome.code, outcome.out) == (2, "")
    assert "did you mean `bot`?" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written_is_named(run, world, tmp_path):
    outcome = run("report", "--lineage", "bot", "--out", tmp_path / "no" / "report.html", "--store", world.uri)
    assert outcome.code == 2
    assert "`--out` must be in an existing directory" in outcome.err


def test_the_demo_is_called_with_what_was_asked_for(run, tmp_path):
    from collapse_guard.demo.run import run_demo

    with mock.patch("collapse_guard.demo.run.run_demo", autospec=run_demo) as called:
        options = (
            "--seed",
            4,
            "--sampling",
            "top-k",
            "--generations",
            2,
            "--out",
            tmp_path,
            "--store",
            "sqlite:///x.db",
        )
        assert run("demo", *options).code == 0
    asked = called.call_args.kwargs
    assert asked.pop("console").file is not None
    assert asked == {"seed": 4, "sampling": "top-k", "generations": 2, "out": tmp_path, "store": "sqlite:///x.db"}
    assert run("demo", "--sampling", "greedy").code == 2
