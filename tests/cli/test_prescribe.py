"""`prescribe`: how inbred, when it fails, how much real data prevents that; nothing is written to the store."""

import json

import pytest

from collapse_guard.corpus.lexicon import words
from collapse_guard.records import Outlook
from collapse_guard.wildtype import WildType


def test_the_outlook_of_the_newest_generation_is_shown(run, world):
    outcome = run("prescribe", "--lineage", "bot", "--store", world.uri)
    assert (outcome.code, outcome.err) == (0, "")
    assert "COLLAPSED: generation 2 of bot" in outcome.out
    assert "fixation index" in outcome.out
    assert "If nothing changes" in outcome.out
    assert "If each generation from 3 on had this much real data" in outcome.out
    assert world.store.history("bot")[-1].generation.index == 2


def test_a_founder_has_nothing_to_learn_from(run, world):
    outcome = run("prescribe", "--lineage", "bot", "--generation", 0, "--store", world.uri)
    assert outcome.code == 0
    assert "needs the founder and at least one generation" in outcome.out


def test_documents_are_chosen_for_a_founder_too(run, world, tmp_path):
    path = tmp_path / "chosen.jsonl"
    asked = ["--generation", 0, "--select", 7, "--out", path, "--wild-type", world.wild_type]
    assert run("prescribe", "--lineage", "bot", *asked, "--store", world.uri).code == 0
    assert len(path.read_text("utf-8").splitlines()) == 7


def test_the_numbers_are_written_as_json(run, world, tmp_path):
    path = tmp_path / "outlook.json"
    assert run("prescribe", "--lineage", "bot", "--json", path, "--store", world.uri).code == 0
    found = Outlook.from_dict(json.loads(path.read_text()))
    assert found == world.store.latest("bot").outlook
    assert found.prescription is not None


def test_a_policy_of_ones_own_moves_the_margins_and_so_the_share(run, world, tmp_path):
    shares = {}
    for name, margin in (("narrow", 0.02), ("wide", 0.9)):
        policy, path = tmp_path / f"{name}.toml", tmp_path / f"{name}.json"
        policy.write_text(
            "".join(f"[drift.{of}]\nmargin = {margin}\nwatch = {margin}\n" for of in ("default", "vendi"))
        )
        run("prescribe", "--lineage", "bot", "--policy", policy, "--json", path, "--store", world.uri)
        shares[name] = json.loads(path.read_text())["prescription"]["real_share"]
    assert shares["wide"] is not None
    assert shares["narrow"] is None or shares["narrow"] > shares["wide"]


def test_an_archive_is_counted(run, world):
    outcome = run("prescribe", "--lineage", "bot", "--documents", 1000, "--archive", 3, "--store", world.uri)
    assert "of 1,000 documents in each generation, but you have 3 real documents: not enough" in outcome.out


def test_documents_that_carry_what_was_lost_are_chosen_from_the_pool(run, world, tmp_path):
    path, newest = tmp_path / "chosen.jsonl", world.store.latest("bot")
    asked = ["--select", 20, "--strategy", "tail", "--out", path, "--wild-type", world.wild_type]
    outcome = run("prescribe", "--lineage", "bot", *asked, "--store", world.uri)
    assert (outcome.code, outcome.err) == (0, "")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert len(rows) == 20
    assert sum(row["weight"] for row in rows) == pytest.approx(20, abs=1e-3)
    phrases = [item.what for item in newest.lost if item.kind in ("word", "2-gram", "3-gram")]
    carrying = [row for row in rows if row["reason"] != "at random"]
    assert 0 < len(carrying) <= 10
    assert all(any(phrase in " ".join(words(row["text"])) for phrase in phrases) for row in carrying)
    assert f"{len(carrying)} of them because they carry what was lost" in outcome.out


def test_a_pool_of_another_wild_type_is_refused(run, world, tmp_path):
    other = WildType.fit([f"word{i} word{i + 1} and more words {i % 7}" for i in range(200)], vocabulary_size=300)
    other.save(tmp_path / "other")
    asked = ["--select", 5, "--out", tmp_path / "x.jsonl", "--wild-type", tmp_path / "other"]
    outcome = run("prescribe", "--lineage", "bot", *asked, "--store", world.uri)
    assert outcome.code == 2
    assert "give the wild type of the lineage" in outcome.err
    assert not (tmp_path / "x.jsonl").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--select", 5], "`--select` needs `--out` and `--wild-type`"),
        (["--out", "x.jsonl"], "`--out` goes with `--select`, but got no number"),
        (["--documents", 10], "`--documents` and `--archive` must be given together"),
        (["--target", 0], "`--target` must be a finite number above 0"),
        (["--target", 1.5], "`--target` must be a share from 0 to 1, but got 1.5"),
        (["--generation", 9], "`--generation` must be one of lineage `bot` (0, 1, 2), but got 9"),
        (["--json", "/nowhere/x.json"], "`--json` must be in an existing directory"),
    ],
)
def test_what_cannot_be_done_is_refused(run, world, options, message):
    outcome = run("prescribe", "--lineage", "bot", *options, "--store", world.uri)
    assert outcome.code == 2
    assert message in outcome.err
