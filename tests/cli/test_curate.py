"""`curate`: files in, kept samples and an audit out."""

import json
import re

import pytest

from collapse_guard.reinjection.curation import RULES
from collapse_guard.wildtype import WildType


@pytest.fixture
def samples(world, tmp_path):
    wild_type = WildType.load(world.wild_type)
    texts = world.healthy.read_text("utf-8").splitlines()[:200]
    texts += [texts[0], wild_type.evaluation[0], "[red]bold[/red]\x1b[31m " * 30]
    path = tmp_path / "samples.txt"
    path.write_text("\n".join(texts) + "\n", "utf-8")
    return path


def test_what_is_fit_is_kept_and_the_audit_is_shown_and_written(run, world, samples, tmp_path):
    out, audit = tmp_path / "kept.jsonl", tmp_path / "audit.json"
    outcome = run("curate", samples, "--wild-type", world.wild_type, "--out", out, "--keep", 150, "--json", audit)
    assert (outcome.code, outcome.err) == (0, "")
    kept = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert len(kept) == 150
    assert {row["weight"] for row in kept} == {1.0}
    evaluation = set(WildType.load(world.wild_type).evaluation)
    assert not evaluation & {row["text"] for row in kept}
    rows = json.loads(audit.read_text("utf-8"))
    assert [row["rule"] for row in rows][:3] == ["evaluation", "exact", "near"]
    assert [row["removed"] for row in rows[:2]] == [1, 1]
    assert rows[-1]["left"] == 150
    assert "150 of 203 samples are in" in outcome.out
    assert "quality: repeated 4-grams" in outcome.out
    assert "[red]" in outcome.out
    assert "\x1b" not in outcome.out


@pytest.mark.slow
def test_without_a_number_all_are_kept_with_weights(run, world, samples, tmp_path):
    out = tmp_path / "kept.jsonl"
    assert run("curate", samples, "--wild-type", world.wild_type, "--out", out).code == 0
    weights = [json.loads(line)["weight"] for line in out.read_text("utf-8").splitlines()]
    assert sum(weights) / len(weights) == pytest.approx(1, abs=1e-4)
    assert len(weights) == 200


def test_losses_leave_out_what_is_too_probable(run, world, samples, tmp_path):
    own, real, out = tmp_path / "own.csv", tmp_path / "real.csv", tmp_path / "kept.jsonl"
    n = len(samples.read_text("utf-8").splitlines())
    rows = [f"{number},{300 if number < 190 else 30},100" for number in reversed(range(n))]
    own.write_text("document,nll,n_tokens\n" + "\n".join(rows))
    real.write_text("document,nll,n_tokens\n" + "\n".join(f"{number},250,100" for number in range(50)))
    given = ["--wild-type", world.wild_type, "--out", out, "--own-losses", own]
    outcome = run("curate", samples, *given, "--real-losses", real)
    assert outcome.code == 0, outcome.err
    texts = samples.read_text("utf-8").splitlines()
    kept = [json.loads(line)["text"] for line in out.read_text("utf-8").splitlines()]
    assert texts[195] not in kept
    assert texts[100] in kept
    assert "given together" in run("curate", samples, *given).err
    own.write_text("document,nll,n_tokens\n0,30,10")
    assert "a row for each of the 203 samples with text" in run("curate", samples, *given, "--real-losses", real).err


def test_a_sample_without_text_is_counted_and_keeps_its_number(run, world, samples, tmp_path):
    own, real, out, blank = tmp_path / "own.csv", tmp_path / "real.csv", tmp_path / "kept.jsonl", tmp_path / "b.jsonl"
    texts = samples.read_text("utf-8").splitlines()
    blank.write_text("".join(json.dumps({"text": text}) + "\n" for text in [None, *texts[:100], " ", *texts[100:]]))
    rows = [f"{number},{300 if number < 191 else 30},100" for number in range(1, len(texts) + 2) if number != 101]
    own.write_text("document,nll,n_tokens\n" + "\n".join(rows))
    real.write_text("document,nll,n_tokens\n" + "\n".join(f"{number},250,100" for number in range(50)))
    given = ["--wild-type", world.wild_type, "--out", out, "--own-losses", own, "--real-losses", real]
    outcome = run("curate", blank, *given)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("Read b.jsonl: 205 rows, 2 blank, 203 texts, ")
    assert re.search(r"of 205 samples are in .*kept\.jsonl\.", outcome.out)
    kept = [json.loads(line)["text"] for line in out.read_text("utf-8").splitlines()]
    assert texts[188] in kept
    assert not {texts[189], "", " "} & set(kept)


def test_what_cannot_be_done_is_said_and_nothing_is_written(run, world, samples, tmp_path):
    out = tmp_path / "kept.jsonl"
    outcome = run("curate", samples, "--wild-type", world.wild_type, "--out", out, "--keep", 203)
    assert (outcome.code, "must have 203 samples that are fit" in outcome.err) == (2, True)
    outcome = run("curate", samples, "--wild-type", world.wild_type, "--out", out, "--keep", 204)
    assert "`--keep` must be at most the 203 samples with text, but got 204" in outcome.err
    assert run("curate", samples, "--wild-type", world.wild_type, "--out", tmp_path).code == 2
    assert run("curate", tmp_path / "none.txt", "--wild-type", world.wild_type, "--out", out).code == 2
    assert not out.exists()


def test_rules_can_be_left_out_and_are_those_of_the_library(run, world, samples, tmp_path):
    audit, out = tmp_path / "audit.json", tmp_path / "kept.jsonl"
    given = [argument for rule in RULES if rule != "quality" for argument in ("--without", rule)]
    outcome = run("curate", samples, "--wild-type", world.wild_type, "--out", out, "--json", audit, *given)
    assert outcome.code == 0
    rules = {row["rule"].split(":")[0] for row in json.loads(audit.read_text("utf-8"))}
    assert rules == {"evaluation", "quality"}
