"""Documents are read as they were written, in bounded memory, and what is wrong with a file is said."""

from __future__ import annotations

import csv
import json
import re
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from collapse_guard.corpus.reading import read_documents, read_samples
from collapse_guard.errors import CollapseGuardWarning, CorpusError

pytestmark = pytest.mark.filterwarnings("error")

TEXTS = ["Fellow citizens of the Senate", 'Of "peace", and of war', "Ünïcödé, 漢字 and 🐑"]


def write_txt(path: Path, texts: list[str | None]) -> None:
    path.write_text("".join(f"{text or ''}\n" for text in texts), encoding="utf-8")


def write_jsonl(path: Path, texts: list[str | None]) -> None:
    rows = [json.dumps({"id": i, "text": text}, ensure_ascii=i % 2 == 0) for i, text in enumerate(texts)]
    path.write_text("\n".join(rows), encoding="utf-8")


def write_json(path: Path, texts: list[str | None]) -> None:
    rows = [{"id": i, "text": text} for i, text in enumerate(texts)]
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")


def write_csv(path: Path, texts: list[str | None], delimiter: str = ",") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([["id", "text"], *enumerate(texts)])


def write_tsv(path: Path, texts: list[str | None]) -> None:
    write_csv(path, texts, "\t")


def table_of(texts: list[str | None], column_type: pa.DataType | None = None) -> pa.Table:
    return pa.table({"id": range(len(texts)), "text": pa.array(texts, column_type or pa.string())})


def write_parquet(path: Path, texts: list[str | None]) -> None:
    pq.write_table(table_of(texts), path)


def write_feather(path: Path, texts: list[str | None]) -> None:
    feather.write_feather(table_of(texts), path)


def write_arrow_stream(path: Path, texts: list[str | None]) -> None:
    table = table_of(texts)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def write_arrow_file(path: Path, texts: list[str | None]) -> None:
    table = table_of(texts)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


Writer = Callable[[Path, list[str | None]], None]
FORMATS: dict[str, tuple[str, Writer]] = {
    "txt": ("corpus.txt", write_txt),
    "jsonl": ("corpus.jsonl", write_jsonl),
    "ndjson": ("corpus.ndjson", write_jsonl),
    "json": ("corpus.json", write_json),
    "csv": ("corpus.csv", write_csv),
    "tsv": ("corpus.tsv", write_tsv),
    "parquet": ("corpus.parquet", write_parquet),
    "feather": ("corpus.feather", write_feather),
    "arrow stream": ("corpus.arrow", write_arrow_stream),
    "arrow file": ("corpus.ARROW", write_arrow_file),
}
every_format = pytest.mark.parametrize(("name", "write"), FORMATS.values(), ids=FORMATS.keys())
every_text_format = pytest.mark.parametrize("extension", ["txt", "jsonl", "ndjson", "json", "csv", "tsv"])


@every_format
def test_what_was_written_is_read(tmp_path: Path, name: str, write: Writer) -> None:
    write(tmp_path / name, list(TEXTS))
    assert list(read_documents(tmp_path / name)) == TEXTS


@every_format
def test_null_and_blank_documents_are_passed_over(tmp_path: Path, name: str, write: Writer) -> None:
    write(tmp_path / name, [None, TEXTS[0], "", " \t ", TEXTS[1]])
    assert list(read_documents(str(tmp_path / name))) == TEXTS[:2]


@every_format
def test_null_and_blank_samples_are_kept_in_their_rows(tmp_path: Path, name: str, write: Writer) -> None:
    write(tmp_path / name, [None, TEXTS[0], "", " \t ", TEXTS[1]])
    assert read_samples(str(tmp_path / name)) == ["", TEXTS[0], "", "", TEXTS[1]]


@every_format
def test_samples_may_all_be_blank_but_must_be_there(tmp_path: Path, name: str, write: Writer) -> None:
    write(tmp_path / name, [None, " "])
    assert read_samples(tmp_path / name) == ["", ""]
    write(tmp_path / name, [])
    with pytest.raises(CorpusError, match=re.escape(name) + " must hold at least one row, but got none in [0-9]+ b"):
        read_samples(tmp_path / name)


@every_format
def test_a_file_without_documents_is_named(tmp_path: Path, name: str, write: Writer) -> None:
    write(tmp_path / name, [None, " "])
    with pytest.raises(CorpusError, match=re.escape(name) + " must hold at least one document"):
        list(read_documents(tmp_path / name))


@every_text_format
def test_a_file_of_zero_bytes_is_named(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"empty.{extension}"
    path.touch()
    with pytest.raises(CorpusError, match=rf"empty\.{extension} must hold .* got none in 0 bytes"):
        list(read_documents(path))


@pytest.mark.parametrize("extension", ["parquet", "arrow", "feather"])
def test_a_file_of_another_format_than_its_extension_is_named(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"corpus.{extension}"
    path.write_text("This is plain text, whatever it is called.\n" * 3, encoding="utf-8")
    with pytest.raises(CorpusError, match=rf"corpus\.{extension} must be a (Parquet|Arrow IPC) file"):
        list(read_documents(path))


def test_a_directory_stands_for_its_known_files_by_name(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "b.jsonl", ["second"])
    write_txt(tmp_path / "a.TXT", ["first"])
    write_txt(tmp_path / "c.txt", [None])
    (tmp_path / "README.md").write_text("not a document", encoding="utf-8")
    with pytest.warns(CollapseGuardWarning, match=r"not read: 1 file of another kind in .*/ \(README\.md\)$"):
        assert list(read_documents(tmp_path)) == ["first", "second"]


def test_several_paths_are_read_in_their_order(tmp_path: Path) -> None:
    write_txt(tmp_path / "a.txt", ["first"])
    write_csv(tmp_path / "b.csv", ["second"])
    assert list(read_documents([tmp_path / "b.csv", str(tmp_path / "a.txt")])) == ["second", "first"]


def test_what_is_wrong_with_a_path_is_said_before_anything_is_read(tmp_path: Path) -> None:
    write_txt(tmp_path / "corpus.txt", ["a document"])
    (tmp_path / "corpus.docx").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(CorpusError, match=r"it does not exist: did you mean `corpus\.txt`"):
        read_documents([tmp_path / "corpus.txt", tmp_path / "corpuss.txt"])
    with pytest.raises(CorpusError, match=r"must be a \.arrow, \.csv, .* or \.txt file, but its extension is '\.docx'"):
        read_documents(tmp_path / "corpus.docx")
    with pytest.raises(CorpusError, match=r"folder must hold .* files, but it holds none"):
        read_documents(tmp_path / "folder")
    with pytest.raises(CorpusError, match="`paths` must name at least one file"):
        read_documents([])


@every_text_format
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
@pytest.mark.parametrize("n_before", [0, 3])
def test_the_first_byte_that_is_not_utf8_is_named(tmp_path: Path, extension: str, bom: bytes, n_before: int) -> None:
    is_json = extension in ("jsonl", "ndjson", "json")
    head = (b'{"text": "fine"}\n' if is_json else b"text\r\n") * n_before
    line = ('{"text": "schön caf' if is_json else "schön caf").encode()
    path = tmp_path / f"latin.{extension}"
    path.write_bytes(bom + head + line + b"\xe9\n")
    where = len(bom + head + line)
    with pytest.raises(CorpusError, match=rf"latin\.{extension} must be UTF-8, but byte {where} \(0xe9\)"):
        list(read_documents(path))


@every_text_format
def test_a_byte_order_mark_is_not_part_of_the_text(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"corpus.{extension}"
    FORMATS[extension][1](path, ["a document"])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert list(read_documents(path)) == ["a document"]


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "txt"])
def test_a_missing_column_is_answered_with_those_that_exist(tmp_path: Path, name: str) -> None:
    path = tmp_path / FORMATS[name][0]
    FORMATS[name][1](path, list(TEXTS))
    with pytest.raises(
        CorpusError, match=r"must have a column `txt`.* has none of that name: did you mean `text`\? Known: id"
    ):
        list(read_documents(path, column="txt"))


def test_another_column_can_hold_the_text(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"body": "one"}\n\n{"text": "no", "body": "two"}\n{"body": null}\n', encoding="utf-8")
    assert list(read_documents(path, column="body")) == ["one", "two"]


@pytest.mark.parametrize("extension", ["parquet", "feather"])
def test_a_column_of_another_type_is_named(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"corpus.{extension}"
    FORMATS[extension][1](path, list(TEXTS))
    with pytest.raises(CorpusError, match=r"column `id` of .* must hold strings, but row 1 has a int: name another"):
        list(read_documents(path, column="id"))


@pytest.mark.parametrize(
    "column_type", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str
)
def test_every_arrow_type_of_strings_is_read(tmp_path: Path, column_type: pa.DataType) -> None:
    path = tmp_path / "corpus.arrow"
    table = table_of([*TEXTS, None], pa.string()).set_column(1, "text", pa.array([*TEXTS, None]).cast(column_type))
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    assert list(read_documents(path)) == TEXTS


@pytest.mark.parametrize("extension", ["jsonl", "ndjson", "json"])
@pytest.mark.parametrize("read", [read_documents, read_samples])
def test_a_row_without_the_key_is_refused_with_its_place_and_the_keys_that_it_has(
    tmp_path: Path, extension: str, read: Callable[[Path], Iterable[str]]
) -> None:
    path = tmp_path / f"corpus.{extension}"
    path.write_text('{"text": "one"}\n\n{"completion": "two", "id": 2}\n', encoding="utf-8")
    place = "row 2" if extension == "json" else "line 3"
    with pytest.raises(
        CorpusError,
        match=rf"{extension} must have a column `text` in every row, but {place} .*: completion, id.*--column",
    ):
        list(read(path))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{'text': 1}", "is not valid"),
        ("[1, 2]", "is a list"),
        ('{"text": 3}', "has a int"),
        ("[" * 10**5, "is not valid"),
    ],
    ids=["not JSON", "a list", "a number", "too deep"],
)
def test_a_line_that_is_not_an_object_with_a_text_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"text": "fine"}\n\n' + line + "\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=rf"corpus\.jsonl .* line 3 {said}"):
        list(read_documents(path))


def test_a_quoted_cell_may_hold_newlines_and_quotes(tmp_path: Path) -> None:
    path = tmp_path / "corpus.csv"
    path.write_bytes(b'id,text\r\n1,"two\r\nlines, ""quoted"""\r\n2,plain\r\n')
    assert list(read_documents(path)) == ['two\r\nlines, "quoted"', "plain"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('id,text\n1,"never closed\n', "(CSV|TSV), but line 2 is not: unexpected end"),
        ("id,text\n1,a\n2\n", "line 3 has 1"),
    ],
)
@pytest.mark.parametrize(("extension", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_a_broken_table_is_named_with_the_line(
    tmp_path: Path, body: str, said: str, extension: str, delimiter: str
) -> None:
    path = tmp_path / f"corpus.{extension}"
    path.write_text(body.replace(",", delimiter), encoding="utf-8")
    with pytest.raises(CorpusError, match=said):
        list(read_documents(path))


@pytest.mark.slow
@every_text_format
def test_a_line_of_fifty_megabytes_is_read(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"corpus.{extension}"
    long = "0123456789abcdef" * (50 * 2**16)
    FORMATS[extension][1](path, ["before", long, "after"])
    assert list(map(hash, read_documents(path))) == list(map(hash, ["before", long, "after"]))


def test_reading_csv_leaves_the_limit_of_other_readers_alone(tmp_path: Path) -> None:
    before = csv.field_size_limit(1234)
    write_csv(tmp_path / "corpus.csv", ["one" * 1000, "two"])
    try:
        assert next(read_documents(tmp_path / "corpus.csv")) == "one" * 1000
        assert csv.field_size_limit() == 1234
    finally:
        csv.field_size_limit(before)


@every_text_format
def test_memory_does_not_grow_with_the_file(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"corpus.{extension}"
    FORMATS[extension][1](path, [f"{i} " + "word " * 200 for i in range(8000)])
    tracemalloc.start()
    n = sum(1 for _ in read_documents(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n == 8000
    assert peak < path.stat().st_size / 8


def test_arrow_memory_does_not_grow_with_a_parquet_file(tmp_path: Path, rng: np.random.Generator) -> None:
    path = tmp_path / "corpus.parquet"
    # Of random letters: a file that is hardly smaller than its text, whichever of both were held.
    pq.write_table(table_of([rng.bytes(500).hex() for _ in range(40_000)]), path, row_group_size=1000)
    before = pa.total_allocated_bytes()
    held = max(pa.total_allocated_bytes() - before for _ in read_documents(path))
    assert held < path.stat().st_size / 4
