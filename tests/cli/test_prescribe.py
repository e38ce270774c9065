"""`prescribe`: how inbred, when it fails, how much real data prevents that; nothing is written to the store."""

import json

import pytest

from collapse_guard.records import Outlook


def test_the_outlook_of_the_newest_generation_is_told(run, world):
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
    assert (
        "of 1,000 documents in each generation, and 3 real documents are at hand: they cannot carry it" in outcome.out
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--documents", 10], "`--documents` and `--archive` must be given together"),
        (["--target", 0], "`--target` must be a finite number above 0"),
        (["--target", 1.5], "`--target` must be a share from 0 to 1, but got 1.5"),
        (["--generation", 9], "`--generation` must be one of lineage `bot` (0, 1, 2), but got 9"),
        (["--json", "/nowhere/x.json"], "`--json` must be in a directory that exists"),
    ],
)
def test_what_cannot_be_done_is_refused(run, world, options, message):
    outcome = run("prescribe", "--lineage", "bot", *options, "--store", world.uri)
    assert outcome.code == 2
    assert message in outcome.err
