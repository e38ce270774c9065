"""A file that was made to fill all memory is refused before it does; what a collapsed model wrote is read."""

import bz2
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collapse_guard.corpus.limits import LARGEST_ROWS, LARGEST_TEXT, LARGEST_UNPACKED
from collapse_guard.corpus.losses import read_losses
from collapse_guard.corpus.reading import read_documents, read_samples
from collapse_guard.errors import CorpusError, InputError

LONG = LARGEST_TEXT + 1_000_000
LINE = b"the same line again and again, as a model writes that has collapsed\n"
PACKED = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}

HEADS = {"txt": b"one\n", "jsonl": b'{"text": "one"}\n{"text": "', "json": b'["one", "', "csv": b'text\none\n"'}
SAID = {
    "txt": r"line 2 of .* must have at most 64,000,000 characters",
    "jsonl": r"line 2 of .* must have at most 64,000,000 characters",
    "json": r"must be valid JSON, but it is not: Unterminated string starting at in 64,000,000 characters",
    "csv": r"line 3 of .* must have at most 64,000,000 characters",
}


@pytest.mark.slow
@pytest.mark.parametrize("extension", HEADS)
@pytest.mark.parametrize("packed", ["", "zst"])
def test_a_line_that_never_ends_is_refused_where_it_begins(tmp_path, extension, packed):
    path = tmp_path / f"samples.{extension}{'.' if packed else ''}{packed}"
    data = HEADS[extension] + b"a" * LONG * (2 if extension == "json" else 1)
    path.write_bytes(PACKED[packed](data) if packed else data)
    with pytest.raises(CorpusError, match=SAID[extension]):
        read_samples(path)


@pytest.mark.slow
def test_a_cell_of_many_lines_that_never_ends_is_refused(tmp_path):
    path = tmp_path / "samples.csv"
    path.write_bytes(b'text\n"' + LINE * (LONG // len(LINE)))
    with pytest.raises(CorpusError, match=r"must be valid CSV, but line \d+ is not: field larger than field limit"):
        read_samples(path)


@pytest.mark.slow
def test_a_text_of_a_table_is_as_long_as_one_of_a_line(tmp_path):
    path = tmp_path / "samples.parquet"
    pq.write_table(pa.table({"text": ["one", "a" * LONG]}), path)
    with pytest.raises(CorpusError, match=r"row 2 of .*samples\.parquet must have at most 64,000,000 characters"):
        read_samples(path)


@pytest.mark.slow
@pytest.mark.parametrize("packed", ["gz", "zst"])
def test_what_unpacks_to_far_more_than_real_data_do_is_refused(tmp_path, packed):
    path = tmp_path / f"corpus.txt.{packed}"
    long_line = b"a" * 999_999 + b"\n"
    # Packed data may have several parts, which are read as one.
    path.write_bytes(PACKED[packed](long_line) * (LARGEST_UNPACKED // len(long_line) + 2))
    said = r"must unpack to at most 200 times its size, or to 1,000,000,000 bytes, but [\d,]+ bytes of it give 1,0"
    with pytest.raises(CorpusError, match=said):
        for _ in read_documents(path):
            pass


@pytest.mark.slow
def test_one_long_text_in_many_rows_of_a_table_is_refused_in_bounded_memory(tmp_path):
    path = tmp_path / "corpus.parquet"
    alike = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), pa.array(["a" * 10_000_000]))
    pq.write_table(pa.table({"text": alike}), path)
    before, held = pa.total_allocated_bytes(), []
    with pytest.raises(CorpusError, match="must unpack to at most 200 times its size"):
        held.extend(pa.total_allocated_bytes() - before for _ in read_documents(path))
    assert len(held) == LARGEST_UNPACKED // 10_000_000
    assert max(held) < 1 << 30


@pytest.mark.slow
def test_a_table_of_far_more_rows_than_bytes_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "losses.parquet"
    same = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000_000, pa.int8()), pa.array(["a"]))
    with pq.ParquetWriter(path, pa.schema({"document": same.type})) as writer:
        for _ in range(LARGEST_ROWS // len(same) + 1):
            writer.write_table(pa.table({"document": same}))
    for read in (read_losses, lambda path: read_samples(path, column="document")):
        with pytest.raises(InputError, match=r"must have at most 200 rows for each of its bytes, or 16,000,000 rows"):
            read(path)


@pytest.mark.parametrize("packed", PACKED)
def test_samples_of_a_collapsed_model_are_read_however_well_they_pack(tmp_path, packed):
    path = tmp_path / f"samples.txt.{packed}"
    path.write_bytes(PACKED[packed](LINE * 40_000))
    assert path.stat().st_size * 200 < len(LINE) * 40_000
    assert read_samples(path) == [LINE.decode().strip()] * 40_000


@pytest.mark.parametrize("extension", ["jsonl", "json"])
@pytest.mark.parametrize("half", ["\\ud800", "\\udfff and more", "before \\ud83d"])
def test_half_a_character_is_refused_with_its_place(tmp_path, extension, half):
    path = tmp_path / f"samples.{extension}"
    rows = ['{"text": "Fellow citizens"}', f'{{"text": "{half}"}}']
    path.write_text("\n".join(rows) if extension == "jsonl" else f"[{', '.join(rows)}]")
    place = "line 2" if extension == "jsonl" else "row 2"
    with pytest.raises(
        CorpusError, match=rf"must hold Unicode texts, but {place} has '\\ud...' at character \d+, half of"
    ):
        read_samples(path)


def test_both_halves_of_a_character_are_one(tmp_path):
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps({"text": "🐑"}) + "\n")
    assert "\\ud83d" in path.read_text()
    assert read_samples(path) == ["🐑"]


def test_half_a_character_in_a_name_is_refused_or_shown_as_it_is_spelt(tmp_path):
    path = tmp_path / "losses.jsonl"
    path.write_text('{"document": "\\ud800", "nll": 1, "n_tokens": 1}\n')
    with pytest.raises(InputError, match=r"losses\.jsonl, line 1: `document` must have a UTF-8 form"):
        read_losses(path)
    path.write_text('{"text\\ud800": "Fellow citizens"}\n')
    with pytest.raises(CorpusError, match=r"Known: text\\ud800\."):
        read_samples(path)
