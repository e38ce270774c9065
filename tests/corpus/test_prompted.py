"""Samples with their prompts, from files of every kind, and what such files may say of the end of a sample."""

import json

import pyarrow as pa
import pyarrow.parquet
import pytest

from collapse_guard.corpus.prompted import PromptedFiles, read_evidence
from collapse_guard.errors import CorpusError, InputError

ROWS = [
    {"prompt": "Who won?", "text": "Nobody.", "finish_reason": "stop"},
    {"prompt": "Who won?", "text": "The other one, or so they", "finish_reason": "length"},
    {"prompt": "Why, then?", "text": "", "finish_reason": "content_filter"},
]


def as_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def as_array(path, rows):
    path.write_text(json.dumps(rows), encoding="utf-8")


def as_cells(path, rows):
    names = list(rows[0])
    cells = [[f'"{row[name]}"' for name in names] for row in rows]
    path.write_text("\n".join(map(",".join, [names, *cells])) + "\n", encoding="utf-8")


def as_parquet(path, rows):
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), path)


@pytest.mark.parametrize(
    ("name", "write"),
    [("s.jsonl", as_lines), ("s.json", as_array), ("s.csv", as_cells), ("s.parquet", as_parquet)],
)
def test_prompts_and_ends_are_read_beside_the_text(tmp_path, name, write):
    write(tmp_path / name, ROWS)
    evidence = read_evidence(tmp_path / name)
    assert evidence.samples == [row["text"] for row in ROWS]
    assert evidence.prompts == [row["prompt"] for row in ROWS]
    assert evidence.truncated == [False, True, None]


def test_files_without_such_columns_have_none(tmp_path):
    as_lines(tmp_path / "s.jsonl", [{"text": "Nobody.", "finish": "length"}])
    (tmp_path / "s.txt").write_text("Nobody.\n", encoding="utf-8")
    evidence = read_evidence([tmp_path / "s.jsonl", tmp_path / "s.txt"])
    assert (evidence.samples, evidence.prompts, evidence.truncated) == (["Nobody."] * 2, None, None)


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"question": "Who won?"}, "question"),
        ({"meta": {"id": 7}}, "meta.id"),
        ({"messages": [{"role": "user", "content": "Who won?"}]}, "messages.user"),
        ({"topic": "war", "n": 3}, "{topic}: {n}"),
        ({"prompt": [{"role": "user", "content": "Who won?"}]}, None),
    ],
)
def test_a_prompt_is_named_as_a_text_is(tmp_path, row, named):
    as_lines(tmp_path / "s.jsonl", [{"text": "Nobody.", **row}])
    prompts = read_evidence(tmp_path / "s.jsonl", prompt_column=named).prompts
    expected = {"question": "Who won?", "meta.id": "7", "messages.user": "Who won?", "{topic}: {n}": "war: 3"}
    assert prompts == [expected.get(named, "user: Who won?")]


@pytest.mark.parametrize(
    ("column", "said", "cut"),
    [
        ("truncated", True, True),
        ("truncated", False, False),
        ("truncated", "True", True),
        ("truncated", 0, False),
        ("stop_reason", "max_tokens", True),
        ("stop_reason", "end_turn", False),
        ("finish_reason", "MAX_TOKENS", True),
        ("finish_reason", "eos_token", False),
    ],
)
def test_the_words_of_interfaces_are_known(tmp_path, column, said, cut):
    as_lines(tmp_path / "s.jsonl", [{"text": "Nobody.", column: said}])
    assert read_evidence(tmp_path / "s.jsonl").truncated == [cut]


def test_words_that_are_not_known_say_nothing(tmp_path):
    as_lines(tmp_path / "s.jsonl", [{"text": "Nobody.", "finish_reason": None}, {"text": "x", "finish_reason": "?"}])
    assert read_evidence(tmp_path / "s.jsonl").truncated is None


def test_rows_without_a_prompt_count_as_answers_to_an_empty_one_and_are_counted(tmp_path):
    as_lines(tmp_path / "s.jsonl", [{"text": "a", "prompt": "b"}, {"text": "c", "prompt": None}, {"text": "d"}])
    files = PromptedFiles(tmp_path / "s.jsonl")
    assert list(files) == ["a", "c", "d"]
    assert files.beside["prompts"] == ["b", "", ""]
    assert files.without_prompt == 2


def test_a_column_that_is_the_text_itself_is_no_prompt(tmp_path):
    as_lines(tmp_path / "s.jsonl", [{"prompt": "Once upon a time"}])
    evidence = read_evidence(tmp_path / "s.jsonl", column="prompt")
    assert (evidence.samples, evidence.prompts) == (["Once upon a time"], None)


@pytest.mark.parametrize(("name", "write"), [("s.jsonl", as_lines), ("s.csv", as_cells)])
def test_a_prompt_that_was_named_must_be_there(tmp_path, name, write):
    write(tmp_path / name, [{"text": "Nobody.", "question": "Who won?"}])
    with pytest.raises(CorpusError, match=r"must have a column `qestion` of prompts .*did you mean `question`\?"):
        read_evidence(tmp_path / name, prompt_column="qestion")


def test_a_prompt_must_be_a_text(tmp_path):
    as_lines(tmp_path / "s.jsonl", [{"text": "Nobody.", "prompt": {"id": 3}}])
    with pytest.raises(CorpusError, match=r"column `prompt` of .*s\.jsonl must hold prompts, but line 1 has a dict"):
        read_evidence(tmp_path / "s.jsonl")


def test_a_template_must_be_one():
    with pytest.raises(InputError, match="must be a name, or a template"):
        PromptedFiles("s.jsonl", prompt_column="{prompt")
