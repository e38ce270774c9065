"""Labels beside texts are read from files of every format, and a column that is not there is named with the nearest."""

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest

from collapse_guard.corpus.labelled import stream_labelled
from collapse_guard.errors import CorpusError

TEXTS = ["We the people", "Nosotros", "", "of the United States"]
LANGUAGES = ["en", "es", "en", None]
EXPECTED = [("We the people", "en"), ("Nosotros", "es"), ("", "en"), ("of the United States", "")]
FRAME = pd.DataFrame({"text": TEXTS, "language": LANGUAGES, "year": [1787, 1812, 1787, 1787]})


def write(path: Path) -> Path:
    rows = FRAME.to_dict("records")
    writers = {
        ".jsonl": lambda: path.write_text("\n".join(map(json.dumps, rows)), "utf-8"),
        ".gz": lambda: path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode())),
        ".json": lambda: path.write_text(json.dumps(rows), "utf-8"),
        ".csv": lambda: FRAME.to_csv(path, index=False),
        ".tsv": lambda: FRAME.to_csv(path, index=False, sep="\t"),
        ".parquet": lambda: FRAME.to_parquet(path),
        ".feather": lambda: FRAME.to_feather(path),
    }
    writers[path.suffix]()
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.json", "a.csv", "a.tsv", "a.parquet", "a.feather"])
def test_every_format_gives_the_same_labels(tmp_path, name):
    path = write(tmp_path / name)
    assert list(stream_labelled(path, slices="language")) == EXPECTED
    assert [label for _, label in stream_labelled(path, slices="year")] == ["1787", "1812", "1787", "1787"]
    with pytest.raises(CorpusError, match=r"must have a column `langage` .*did you mean `language`"):
        list(stream_labelled(path, slices="langage"))


def test_parts_of_objects_templates_and_several_files(tmp_path):
    rows = [{"text": "a", "meta": {"lang": "en", "of": "law"}}, {"text": "b", "meta": {"lang": "es", "of": "sea"}}]
    for number in (1, 2):
        (tmp_path / f"{number}.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    assert [label for _, label in stream_labelled(tmp_path, slices="meta.lang")] == ["en", "es"] * 2
    both = stream_labelled(tmp_path, slices="{meta.lang} {meta.of}")
    assert [label for _, label in both] == ["en law", "es sea"] * 2


@pytest.mark.parametrize(
    ("name", "text", "slices", "message"),
    [
        ("a.txt", "We the people\n", "language", "a.txt must have a column `language` .*: its rows are texts"),
        ("a.jsonl", '{"text": "a", "tags": ["x"]}', "tags", "column `tags` of .*a.jsonl, line 1: a label must be"),
        ("a.jsonl", '{"text": "a", "body": "%s"}' % ("x" * 300), "body", "line 1: a label must have at most 200"),
    ],
)
def test_what_holds_no_labels_is_refused(tmp_path, name, text, slices, message):
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(CorpusError, match=message):
        list(stream_labelled(tmp_path / name, slices=slices))
