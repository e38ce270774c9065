"""`assess` of samples with prompts: the column is found, told and kept, and what the reasons say rests on prompts."""

import json

import pytest

from collapse_guard.records import Assessment

N_PROMPTS = 25


def lines(path, n):
    return path.read_text(encoding="utf-8").splitlines()[:n]


def written(path, samples, column="prompt", **more):
    rows = [{column: f"question {i % N_PROMPTS}", "text": text, **more} for i, text in enumerate(samples)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(("column", "option"), [("prompt", ()), ("question", ("--prompt-column", "question"))])
def test_the_column_of_prompts_is_found_told_and_kept(run, world, tmp_path, column, option):
    place = ("--wild-type", world.wild_type, "--lineage", "x", "--store", "memory:", "--founder")
    samples = written(tmp_path / "s.jsonl", lines(world.founder, 200), column=column, finish_reason="stop")
    outcome = run("assess", samples, *place, *option, "--json", tmp_path / "x.json")
    assert f"s.jsonl, column `{column}`: 200 prompts, 25 different" in outcome.out
    assert "0% cut before their end" in outcome.out
    assessment = Assessment.from_dict(json.loads((tmp_path / "x.json").read_text(encoding="utf-8")))
    assert len(assessment.readings["distinct_within_prompts"].keys) == 25


def test_rows_without_a_prompt_and_a_column_without_samples_are_told(run, world, tmp_path):
    samples = written(tmp_path / "s.jsonl", lines(world.founder, 40))
    with samples.open("a", encoding="utf-8") as file:
        file.write('{"text": "and one more"}\n')
    place = ("--wild-type", world.wild_type, "--lineage", "x", "--store", "memory:", "--founder")
    outcome = run("assess", samples, *place)
    assert (
        "1 of 41 rows have no prompt in the column `prompt`: they count as answers to one empty prompt" in outcome.err
    )
    outcome = run("assess", "--prompt-column", "prompt", "--scores", f"facts={samples}", *place)
    assert (outcome.code, "`--prompt-column` must be given with samples" in outcome.err) == (2, True)
    outcome = run("assess", samples, "--prompt-column", "promt", *place)
    assert outcome.code == 2
    assert "did you mean `prompt`?" in outcome.err


def test_samples_that_begin_with_their_prompts_are_told(run, world, tmp_path):
    path = tmp_path / "s.jsonl"
    rows = [{"prompt": "Tell me more.", "text": f"Tell me more. {text}"} for text in lines(world.founder, 40)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    place = ("--wild-type", world.wild_type, "--lineage", "x", "--store", "memory:", "--founder")
    assert "40 of 40 samples begin with their prompts" in run("assess", path, *place).err
