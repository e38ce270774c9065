"""Directories, patterns, streams and saved datasets stand for the files that people mean, and the rest is said."""

import gzip
import io
import json
import os
import sys
import threading
from types import SimpleNamespace

import datasets
import pandas as pd
import pyarrow as pa
import pytest

from collapse_guard.corpus.files import TextFiles
from collapse_guard.corpus.reading import read_documents, read_samples
from collapse_guard.errors import CollapseGuardWarning, CorpusError


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tmp_path):
    """Two texts in order, and what is not meant by the folder."""
    home = tmp_path / "samples"
    files = {
        "b/part-0.jsonl": '{"text": "second"}\n',
        "a/deep/part-0.txt": "first\n",
        "c.TSV": "id\ttext\n1\tthird\n",
        ".cache/part-0.txt": "hidden\n",
        "_tmp/part-0.txt": "unfinished\n",
        "b/_SUCCESS": "",
        "b/.part-0.jsonl.crc": "",
        "README.md": "about it\n",
        "a/plot.png": "",
    }
    for name, body in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(body, encoding="utf-8")
    return home


def names(files):
    return [file.name for file in files.files]


def test_a_directory_is_read_to_its_depth_in_the_order_of_its_names(folder):
    files = TextFiles.of(folder)
    assert names(files) == ["part-0.txt", "part-0.jsonl", "c.TSV"]
    assert read_samples(files) == list(read_documents(files)) == ["first", "second", "third"]
    assert files.name == "samples/ (3 files)"


def test_what_is_left_out_of_a_directory_is_said_with_its_place(folder):
    files = TextFiles.of(folder)
    assert files.left_out == (
        f"4 names that begin with . or _ in {folder}/ (.cache, _tmp, b/.part-0.jsonl.crc, …)",
        f"2 files of other kinds in {folder}/ (README.md, a/plot.png)",
    )


@pytest.mark.parametrize("read", [lambda path: list(read_documents(path)), read_samples])
def test_python_warns_of_what_is_left_out_and_only_where_it_found_the_files(folder, read):
    with pytest.warns(
        CollapseGuardWarning, match=r"^not read: 4 names .*; 2 files of other kinds .*README\.md"
    ) as said:
        read(folder)
    assert said[0].filename == __file__
    read(TextFiles.of(folder))


def test_a_directory_that_is_given_itself_may_have_any_name(tmp_path):
    home = tmp_path / "_hidden"
    home.mkdir()
    (home / "a.txt").write_text("one\n")
    assert TextFiles.of(home).files == (home / "a.txt",)


def test_links_are_followed_once(folder):
    (folder / "b" / "up").symlink_to(folder)
    (folder / "d.tsv").symlink_to(folder / "c.TSV")
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.txt").write_text("fourth\n")
    (folder / "linked").symlink_to(elsewhere)
    files = TextFiles.of(folder)
    assert read_samples(files) == ["first", "second", "third", "fourth"]
    assert f"2 links to what is read already in {folder}/ (b/up, d.tsv)" in files.left_out


PATTERNS = {
    "samples/*/*.jsonl": ["part-0.jsonl"],
    "samples/**/*.t*": ["part-0.txt"],
    "samples/*": ["part-0.txt", "part-0.jsonl", "c.TSV"],
    "samples/**": ["part-0.txt", "part-0.jsonl", "c.TSV"],
    "samples/[ab]": ["part-0.txt", "part-0.jsonl"],
    "samples/_tmp/*": ["part-0.txt"],
    "s?mples/c.TSV": ["c.TSV"],
}


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("absolute", [False, True])
def test_a_pattern_stands_for_what_it_matches(folder, pattern, absolute):
    files = TextFiles.of(str(folder.parent / pattern) if absolute else pattern)
    assert names(files) == PATTERNS[pattern]


def test_what_a_pattern_matches_with_its_directory_is_read_and_said_once(folder):
    files = TextFiles.of("samples/**/*")
    assert names(files) == ["part-0.txt", "part-0.jsonl", "c.TSV"]
    assert not any("read already" in phrase for phrase in files.left_out)


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path):
    path = tmp_path / "run[1].txt"
    path.write_text("one\n")
    assert read_samples(path) == ["one"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("samples/*.parquet", r"pattern samples/\*\.parquet must hold .* files, but it holds none of them"),
        ("samples/*.md", r"pattern samples/\*\.md must hold .* files, but 1 file of another kind .*README\.md"),
        ("samples/a**b/c", "must be a pattern such as"),
        ("samples/c.TSVS", r"it does not exist: did you mean `c\.TSV`"),
        ("https://host/real.jsonl", "must be on this machine, but it is an address: download it"),
        ("x" * 300, "cannot be read: File name too long"),
    ],
)
def test_what_stands_for_nothing_is_said(folder, path, said):
    with pytest.raises(CorpusError, match=said):
        TextFiles.of(path)


def test_names_are_short(folder):
    one = TextFiles.of(folder / "c.TSV")
    two = TextFiles.of(["-", folder / "c.TSV"])
    three = TextFiles.of([folder, folder / "c.TSV", "samples/a/*"])
    assert (one.name, two.name) == ("c.TSV", "standard input and c.TSV")
    assert three.name == "samples/ (3 files) and 2 more"


STREAMS = {
    "text a line": b"one\n\ntwo\n",
    "objects a line": b'{"text": "one"}\n{"text": null}\n{"text": "two"}\n',
    "an array": b'[ {"text": "one"}, {"text": ""}, {"text": "two"}]',
    "an array of texts": b'["one", null, "two"]',
    "packed": gzip.compress(b"one\n\ntwo\n"),
    "UTF-16": "one\n\ntwo\n".encode("utf-16"),
}


@pytest.mark.parametrize("data", STREAMS.values(), ids=STREAMS)
def test_standard_input_is_read_as_what_it_begins_as(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(data))))
    assert read_samples("-") == ["one", "", "two"]


@pytest.mark.parametrize("data", STREAMS.values(), ids=STREAMS)
def test_a_pipe_of_the_shell_is_read_as_standard_input_is(tmp_path, data):
    pipe = tmp_path / "63"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    assert read_samples(pipe) == ["one", "", "two"]
    writer.join()


def test_a_stream_is_given_once_and_named(monkeypatch):
    with pytest.raises(CorpusError, match="standard input must be given once, but got it 2 times"):
        TextFiles.of(["-", "-"])
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(b'{"a": 1}\n'))))
    with pytest.raises(CorpusError, match="standard input must have a column `text` in every row, but line 1 has none"):
        read_samples("-")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(b""))))
    with pytest.raises(CorpusError, match=r"standard input must hold at least one row, but got none$"):
        read_samples("-")


def test_a_partitioned_table_is_read_without_its_marks(tmp_path):
    home = tmp_path / "real"
    pd.DataFrame({"text": ["one", "two", "three"], "lang": ["en", "de", "en"]}).to_parquet(
        home, partition_cols=["lang"]
    )
    (home / "_SUCCESS").touch()
    files = TextFiles.of(home)
    assert sorted(read_documents(files)) == ["one", "three", "two"]
    assert files.left_out == (f"1 name that begins with . or _ in {home}/ (_SUCCESS)",)


def saved(path, texts=("a", "b", "c", "d"), **options):
    datasets.Dataset.from_dict({"text": list(texts)}).save_to_disk(str(path), **options)
    return path


def test_a_saved_dataset_is_the_files_that_it_names_and_its_caches_are_said(tmp_path):
    path = saved(tmp_path / "saved", num_shards=3)
    datasets.load_from_disk(str(path)).map(lambda row: {"text": row["text"] * 2})
    datasets.load_from_disk(str(path)).shuffle(seed=0)
    (path / "README.md").touch()
    files = TextFiles.of(path)
    assert read_samples(files) == ["a", "b", "c", "d"]
    assert files.name == "saved/ (3 files)"
    assert len(files.left_out) == 2
    assert f"1 file of another kind in {path}/ (README.md)" in files.left_out
    assert any(phrase.startswith("2 caches of `datasets`") for phrase in files.left_out)


@pytest.mark.parametrize("within", [".", "data", "data/more"])
def test_a_saved_dataset_is_found_within_a_directory(tmp_path, within):
    saved(tmp_path / "home" / within / "saved")
    (tmp_path / "home" / "z.txt").write_text("e\n")
    assert read_samples(tmp_path / "home") == ["a", "b", "c", "d", "e"]


def test_the_splits_of_a_saved_dictionary_are_read_in_its_order(tmp_path):
    path = tmp_path / "splits"
    train, test = (datasets.Dataset.from_dict({"text": texts}) for texts in (["one", "two"], ["three"]))
    datasets.DatasetDict({"train": train, "test": test}).save_to_disk(str(path))
    saved(path / "old")
    files = TextFiles.of(path)
    assert read_samples(files) == ["one", "two", "three"]
    assert files.left_out == (f"1 file of another kind in {path}/ (old)",)


def with_indices(path, numbers, name="indices"):
    """As `datasets` saved what was shuffled or selected, before it wrote the rows anew."""
    table = pa.table({name: pa.array(numbers, pa.uint64())})
    with pa.OSFile(str(path / "indices.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return change_state(path, _indices_data_files=[{"filename": "indices.arrow"}])


def change_state(path, **changes):
    state = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps({**state, **changes}))
    return path


def test_the_indices_of_a_saved_dataset_choose_and_order_its_rows(tmp_path):
    path = with_indices(saved(tmp_path / "saved", num_shards=2), [3, 0, 3])
    assert read_samples(path) == ["d", "a", "d"]
    with pytest.raises(CorpusError, match=r"saved must have a column `txt`, .*did you mean `text`"):
        read_samples(path, column="txt")
    for wrong in (4, None):
        with pytest.raises(
            CorpusError, match=rf"indices\.arrow must have numbers of the 4 rows, from 0, but got {wrong}"
        ):
            read_samples(with_indices(path, [0, wrong]))
    with pytest.raises(CorpusError, match=r"saved must have a column `indices` .*: Known: places"):
        read_samples(with_indices(path, [0], name="places"))


def test_a_saved_dataset_without_indices_may_say_so(tmp_path):
    assert read_samples(change_state(saved(tmp_path / "saved"), _indices_data_files=None)) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("name", ["../real.arrow", "/etc/real.arrow", "..", "", 3])
def test_a_state_that_names_files_elsewhere_is_refused(tmp_path, name):
    path = change_state(saved(tmp_path / "saved"), _data_files=[{"filename": name}])
    with pytest.raises(CorpusError, match=r"state\.json must name files of its folder, but `_data_files\.0\.filename`"):
        read_samples(path)


def test_a_saved_dataset_that_is_not_whole_is_named(tmp_path):
    path = saved(tmp_path / "saved", num_shards=2)
    (path / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(CorpusError, match=r"state\.json names data-00001-of-00002\.arrow, but that is not there"):
        read_samples(path)
    (path / "state.json").write_text("{")
    with pytest.raises(CorpusError, match=r"state\.json must be JSON, but it is not"):
        read_samples(path)
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    with pytest.raises(CorpusError, match=r"dataset_dict\.json names train, but that is not there"):
        read_samples(tmp_path / "splits")


def test_a_state_of_something_else_is_a_file_as_any_other(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "state.json").write_text('[{"text": "not of datasets"}]')
    assert read_samples(tmp_path / "home") == ["not of datasets"]


def test_the_cache_of_datasets_is_read_without_what_was_computed_of_it(tmp_path):
    builder = datasets.Dataset.from_dict({"text": ["one", "two"]})
    path = saved(tmp_path / "cached", ["one", "two"])
    (path / "data-00000-of-00001.arrow").rename(path / "text-train.arrow")
    (path / "state.json").unlink()
    builder.map(lambda row: {"text": row["text"] * 2}, cache_file_name=str(path / "cache-0123456789abcdef.arrow"))
    files = TextFiles.of(path)
    assert read_samples(files) == ["one", "two"]
    assert files.left_out == (
        f"1 file of another kind in {path}/ (dataset_info.json)",
        f"1 cache of `datasets` in {path}/ (cache-0123456789abcdef.arrow)",
    )


def test_a_file_in_a_folder_that_has_no_texts_may_be_left_out_by_a_pattern(folder):
    (folder / "config.json").write_text('{"temperature": 1.0}')
    with pytest.raises(
        CorpusError, match=r"config\.json must have a column `text` .*, or leave the file out with a pattern"
    ):
        read_samples(TextFiles.of(folder))
