"""One name says which text of a row is meant, the same in files with a schema and in objects of JSON."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collapse_guard.corpus.losses import read_losses
from collapse_guard.corpus.reading import read_samples
from collapse_guard.errors import CorpusError, InputError

ASKED = {"role": "user", "content": "Who won?"}
SAID = {"role": "assistant", "content": "Nobody."}
ROWS = [
    {"q": "Who?", "n": 1, "a": {"text": "Me", "more": {"why": "so"}}, "a.b": "x", "chat": [ASKED, SAID], "tags": ["t"]},
    {"q": "Why?", "n": 2, "a": None, "a.b": "y", "chat": [ASKED], "tags": ["u"]},
    {"q": None, "n": 3, "a": {"text": None, "more": None}, "a.b": None, "chat": [], "tags": ["v"]},
]


def write_parquet(path):
    pq.write_table(pa.Table.from_pylist(ROWS), path)


def write_arrow(path):
    table = pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def write_jsonl(path):
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))


def write_json(path):
    path.write_text(json.dumps(ROWS))


NESTED = {"parquet": write_parquet, "arrow": write_arrow, "jsonl": write_jsonl, "json": write_json}
every_nested_format = pytest.mark.parametrize("extension", NESTED)


@pytest.fixture
def path(tmp_path, extension):
    path = tmp_path / f"rows.{extension}"
    NESTED[extension](path)
    return path


TEXTS = {
    "q": ["Who?", "Why?", ""],
    "a.text": ["Me", "", ""],
    "a.more.why": ["so", "", ""],
    "a.b": ["x", "y", ""],
    "{a.b}": ["x", "y", ""],
    "tags.0": ["t", "u", "v"],
    "{q} {a.text}": ["Who? Me", "Why? ", ""],
    "{n}. {q}": ["1. Who?", "2. Why?", "3. "],
    "{{{q}}}\n": ["{Who?}\n", "{Why?}\n", ""],
    "chat": ["user: Who won?\nassistant: Nobody.", "user: Who won?", ""],
    "chat.assistant": ["Nobody.", "", ""],
    "chat.system": ["", "", ""],
    "chat.0.content": ["Who won?", "Who won?", ""],
    "{chat.user} {chat.assistant}": ["Who won? Nobody.", "Who won? ", ""],
}


@every_nested_format
@pytest.mark.parametrize("column", TEXTS)
def test_a_column_is_what_its_name_says(path, column):
    assert read_samples(path, column=column) == TEXTS[column]


FAULTS = {
    "question": r"must have a column `question`.* Known: a, a\.b, chat, n, q, tags\. Name the right one .*`--column`",
    "a.txt": r"must have a column `a\.txt` in every row, but (row|line) 1 .*did you mean `text`\? Known: more, text",
    "a.text.x": r"(row|line) 1 has none of that name: `x` is no part of a str",
    "tags.1": r"(row|line) 1 has none of that name: `1` is no entry of a list of 1",
    "chat.asistant": r"(row|line) 1 has none of that name: did you mean `assistant`\? Known: assistant, user",
    "{q} {aa.text}": r"must have a column `.*aa\.text.*`.*Known: a, ",
    "n": r"column `n` of .* must hold strings, but (row|line) 1 has a int: name another column",
    "a": r"but (row|line) 1 has a dict: name one of its parts behind a dot \((text, more|more, text)\)",
    "tags": r"but (row|line) 1 has a list: name another column",
}


@every_nested_format
@pytest.mark.parametrize("column", FAULTS)
def test_what_a_row_lacks_is_named_with_what_it_has(path, column):
    with pytest.raises(CorpusError, match=FAULTS[column]):
        read_samples(path, column=column)


@pytest.mark.parametrize("template", ["{q", "q}", "{}", "{q!r}", "{q:>8}", "{{q}}"])
def test_what_is_no_template_is_refused_before_anything_is_read(tmp_path, template):
    path = tmp_path / "rows.jsonl"
    write_jsonl(path)
    with pytest.raises(
        InputError, match=r'`column` must be a name, or a template such as "\{question\} \{answer\}", but got'
    ):
        read_samples(path, column=template)


@pytest.mark.parametrize("name", ["{q}", "q.0", "{q} {a}"])
def test_a_column_of_exactly_this_name_comes_first(tmp_path, name):
    (tmp_path / "rows.jsonl").write_text(json.dumps({"q": ["no"], "a": "no", name: "yes"}) + "\n")
    pq.write_table(pa.table({"q": ["no"], "a": ["no"], name: ["yes"]}), tmp_path / "rows.parquet")
    assert read_samples(tmp_path / "rows.jsonl", column=name) == ["yes"]
    assert read_samples(tmp_path / "rows.parquet", column=name) == ["yes"]


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_a_blank_line_is_a_row_where_there_is_one_column(tmp_path, delimiter):
    path = tmp_path / ("rows.csv" if delimiter == "," else "rows.tsv")
    path.write_text("text\none\n\ntwo\n")
    assert read_samples(path) == ["one", "", "two"]
    path.write_text(f"text{delimiter}id\none{delimiter}1\n\ntwo{delimiter}2\n")
    assert read_samples(path) == ["one", "two"]


def test_a_template_is_of_columns_of_csv_too(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("question,answer\nWho?,Me\n,\n", encoding="utf-8")
    assert read_samples(path, column="{question} {answer}") == ["Who? Me", ""]
    with pytest.raises(CorpusError, match=r"must have a column `answr`, .*did you mean `answer`"):
        read_samples(path, column="{question} {answr}")


CHATS = {
    "parts": [{"role": "assistant", "content": [{"type": "text", "text": "No"}, {"type": "image"}, "body."]}],
    "columns": {"role": ["user", "assistant"], "content": ["Who?", "No\nbody."]},
    "sharegpt": [{"from": "human", "value": "Who?"}, {"from": "gpt", "value": "No\nbody."}],
    "tool": [{"role": "assistant", "content": None}, {"role": "assistant", "content": "No\nbody."}],
}


@pytest.mark.parametrize(
    ("kind", "said"),
    [("parts", "No\nbody."), ("columns", "No\nbody."), ("sharegpt", "No\nbody."), ("tool", "\nNo\nbody.")],
)
def test_every_form_of_a_chat_is_read(tmp_path, kind, said):
    path = tmp_path / "chats.jsonl"
    path.write_text(json.dumps({"messages": CHATS[kind]}) + "\n")
    role = "gpt" if kind == "sharegpt" else "assistant"
    assert read_samples(path, column=f"messages.{role}") == [said]
    assert read_samples(path, column="messages")[0].endswith(f"{role}: No\nbody.")


def test_a_chat_in_which_nothing_is_said_is_an_empty_sample(tmp_path):
    path = tmp_path / "chats.jsonl"
    path.write_text(json.dumps({"messages": [{"role": "assistant", "content": " "}]}) + "\n")
    assert read_samples(path, column="messages") == [""]


def test_a_message_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "chats.jsonl"
    path.write_text(json.dumps({"messages": [{"role": "user", "content": 3}]}) + "\n")
    with pytest.raises(CorpusError, match="line 1 has a message whose content is a int"):
        read_samples(path, column="messages")


def twice_in_csv(path, name, delimiter=","):
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([["id", name, name], ["1", "a", "b"]])


def twice_in_parquet(path, name):
    pq.write_table(pa.table([pa.array(["1"]), pa.array(["a"]), pa.array(["b"])], names=["id", name, name]), path)


def twice_in_arrow(path, name):
    table = pa.table([pa.array(["1"]), pa.array(["a"]), pa.array(["b"])], names=["id", name, name])
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


TWICE = {
    "csv": twice_in_csv,
    "tsv": lambda path, name: twice_in_csv(path, name, "\t"),
    "parquet": twice_in_parquet,
    "arrow": twice_in_arrow,
}


@pytest.mark.parametrize("extension", TWICE)
def test_two_columns_of_one_name_are_refused_with_both_places_where_they_are_read(tmp_path, extension):
    path = tmp_path / f"rows.{extension}"
    TWICE[extension](path, "text")
    said = rf"rows\.{extension} must have one column `text`, but columns 2 and 3 have this name: rename one of them"
    for column in ("text", "{id} {text}"):
        with pytest.raises(CorpusError, match=said):
            read_samples(path, column=column)
    assert read_samples(path, column="id") == ["1"]


def test_two_columns_of_losses_of_one_name_are_refused(tmp_path):
    path = tmp_path / "losses.csv"
    path.write_text("document,nll,n_tokens,nll\nd,1,2,3\n")
    with pytest.raises(CorpusError, match="must have one column `nll`, but columns 2 and 4 have this name"):
        read_losses(path)
