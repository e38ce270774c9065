"""JSON is read as Python's parser reads the whole of it, in every shape in which tables are written."""

import io
import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.corpus.json_rows import stream_json
from collapse_guard.corpus.losses import read_losses
from collapse_guard.corpus.reading import read_samples
from collapse_guard.errors import CorpusError, InputError

TEXTS = ["We the people", "", 'of the "United" States']

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
rows = st.dictionaries(texts, texts | st.none() | st.floats(allow_nan=False) | st.lists(texts, max_size=2), max_size=3)


class Trickle(io.StringIO):
    """Text that comes a few characters at a time."""

    def read(self, size=-1):
        return super().read(min(size, 3) if size >= 0 else 3)


@given(values=st.lists(rows | texts | st.none(), max_size=4), indent=st.sampled_from([None, 1]), plain=st.booleans())
def test_an_array_is_the_same_in_parts_as_at_once(values, indent, plain):
    body = json.dumps(values, indent=indent, ensure_ascii=plain)
    assert list(stream_json(Trickle(f" {body}\n"))) == values


@given(values=st.lists(rows, min_size=2, max_size=4))
def test_objects_that_follow_each_other_are_rows(values):
    assert list(stream_json(Trickle("\n".join(map(json.dumps, values))))) == values


@given(body=st.text('[]{},:"a1 \n', max_size=12))
def test_what_is_no_json_is_refused_and_nothing_else_is(body):
    try:
        expected = json.loads(body)
    except ValueError:
        expected = None
    if isinstance(expected, list):
        assert list(stream_json(Trickle(body))) == expected
    elif body.lstrip().startswith("["):
        with pytest.raises(InputError, match="must be valid JSON"):
            list(stream_json(Trickle(body)))


SHAPES = {
    "array of objects": json.dumps([{"text": text} for text in TEXTS]),
    "array of texts": json.dumps(TEXTS),
    "columns": json.dumps({"id": [1, 2, 3], "text": TEXTS}),
    "pandas": pd.DataFrame({"text": TEXTS, "id": 1}).to_json(),
    "pandas records": pd.DataFrame({"text": TEXTS}).to_json(orient="records"),
    "objects on lines": "\n".join(json.dumps({"text": text}) for text in TEXTS),
    "objects over lines": "\n".join(json.dumps({"text": text}, indent=2) for text in TEXTS),
}


@pytest.mark.parametrize("body", SHAPES.values(), ids=SHAPES)
def test_every_shape_of_a_table_is_read(tmp_path, body):
    path = tmp_path / "samples.json"
    path.write_text(body, encoding="utf-8")
    assert read_samples(path) == TEXTS


@pytest.mark.parametrize("row", [{"text": "only"}, {"text": "only", "tags": ["a"]}, {"text": "only", "meta": {}}])
def test_one_object_alone_is_a_row(tmp_path, row):
    path = tmp_path / "samples.json"
    path.write_text(json.dumps(row), encoding="utf-8")
    assert read_samples(path) == ["only"]


def test_one_object_with_a_chat_is_a_row(tmp_path):
    path = tmp_path / "samples.json"
    path.write_text(json.dumps({"messages": [{"role": "assistant", "content": "Nobody."}]}), encoding="utf-8")
    assert read_samples(path, column="messages.assistant") == ["Nobody."]


def test_what_stands_for_nothing_is_an_empty_sample(tmp_path):
    path = tmp_path / "samples.json"
    path.write_text('["a", null, {"text": null}, {"text": NaN}]', encoding="utf-8")
    assert read_samples(path) == ["a", "", "", ""]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('["a", 3]', "must hold JSON objects, but row 2 is a int"),
        ('[["a"]]', "must hold JSON objects, but row 1 is a list"),
        ('[{"text": "a"}', "where `]` must stand it has its end"),
        ('[{"text": "a"} {"text": "b"}]', r"where `\]` must stand it has '\{'"),
        ('["a"] "b"', "something follows its array"),
        ('[{"text": "a\n"}]', "must be valid JSON, but it is not: Invalid control character"),
        ("[" * 10**5, "must be valid JSON, but maximum recursion"),
        ('{"version": "1", "data": [{"text": "a"}]}', "row 1 has none of that name: .*Known: data, version"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, body, said):
    path = tmp_path / "samples.json"
    path.write_text(body, encoding="utf-8")
    with pytest.raises(CorpusError, match=said):
        read_samples(path)


@pytest.mark.parametrize("extension", ["json", "jsonl", "ndjson"])
def test_a_key_that_stands_twice_in_one_object_is_refused(tmp_path, extension):
    path = tmp_path / f"samples.{extension}"
    path.write_text('{"text": "one", "id": 1, "text": "other"}\n', encoding="utf-8")
    with pytest.raises(CorpusError, match=rf"samples\.{extension} must .*the key 'text' stands twice in one object"):
        read_samples(path)


def test_a_table_of_texts_alone_has_no_columns(tmp_path):
    path = tmp_path / "losses.json"
    path.write_text('["a"]', encoding="utf-8")
    with pytest.raises(CorpusError, match="must hold rows with columns, but row 1 is a str"):
        read_losses(path)
