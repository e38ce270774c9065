"""Text is read whatever packs and encodes it, and what cannot be read is named with what it probably is."""

import bz2
import codecs
import gzip
import json
import tracemalloc

import pyarrow as pa
import pytest

from collapse_guard.corpus.losses import read_losses
from collapse_guard.corpus.reading import read_documents, read_samples
from collapse_guard.errors import CorpusError

TEXTS = ["Fellow citizens", "", "Ünïcödé, 漢字 and 🐑"]
BODIES = {
    "txt": "".join(f"{text}\n" for text in TEXTS),
    "jsonl": "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in TEXTS),
    "ndjson": "".join(json.dumps({"text": text}) + "\n" for text in TEXTS),
    "json": json.dumps([{"text": text} for text in TEXTS], ensure_ascii=False, indent=2),
    "csv": "id,text\n" + "".join(f'1,"{text}"\n' for text in TEXTS),
    "tsv": "id\ttext\n" + "".join(f"1\t{text}\n" for text in TEXTS),
}
PACKED = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}
UNICODE = {
    "utf-8": b"",
    "utf-8-sig": b"",  # this and the next two write their mark themselves
    "utf-16": b"",
    "utf-32": b"",
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}
every_text_format = pytest.mark.parametrize("extension", BODIES)
every_compression = pytest.mark.parametrize("packed", PACKED)


@every_text_format
@pytest.mark.parametrize("encoding", UNICODE)
@pytest.mark.parametrize("packed", ["", *PACKED])
def test_every_unicode_is_read_by_its_mark_also_when_it_is_packed(tmp_path, extension, encoding, packed):
    data = UNICODE[encoding] + BODIES[extension].encode(encoding)
    path = tmp_path / (f"samples.{extension}.{packed}" if packed else f"samples.{extension}")
    path.write_bytes(PACKED[packed](data) if packed else data)
    assert read_samples(path) == TEXTS


@every_compression
def test_packed_text_is_known_by_its_first_bytes_and_may_have_several_parts(tmp_path, packed):
    pack = PACKED[packed]
    (tmp_path / "unnamed.txt").write_bytes(pack(b"one\n") + pack(b"two\n"))
    (tmp_path / f"NAMED.TXT.{packed.upper()}").write_bytes(pack(b"one\n") + pack(b"two\n"))
    assert read_samples(tmp_path / "unnamed.txt") == ["one", "two"]
    assert read_samples(tmp_path / f"NAMED.TXT.{packed.upper()}") == ["one", "two"]


@every_compression
def test_damaged_and_empty_packed_files_are_named(tmp_path, packed):
    whole = PACKED[packed](b"".join(b"line %d\n" % i for i in range(1000)))
    damaged = {
        "cut": whole[:-5],
        "overwritten": whole[:60] + bytes(40) + whole[100:] if packed != "zst" else whole[:4] + whole[8:],
        "followed": whole + b"notes",
        "plain": b"never packed\n",
    }
    for name, data in damaged.items():
        path = tmp_path / f"{name}.txt.{packed}"
        path.write_bytes(data)
        with pytest.raises(CorpusError, match=rf"{name}\.txt\.{packed} must be \w+ data, but it cannot be decomp"):
            read_samples(path)
    for data in (b"", PACKED[packed](b"")):
        path = tmp_path / f"empty.txt.{packed}"
        path.write_bytes(data)
        with pytest.raises(CorpusError, match=rf"must hold at least one row, but got none in {len(data)} bytes"):
            read_samples(path)


@every_compression
@pytest.mark.parametrize("extension", ["csv", "tsv", "jsonl", "json"])
def test_losses_are_read_from_packed_tables_too(tmp_path, packed, extension):
    rows = [{"document": f"d{i}", "nll": 2.5, "n_tokens": 3} for i in range(3)]
    separator = {"csv": ",", "tsv": "\t"}.get(extension)
    if separator:
        body = "".join(separator.join(map(str, row)) + "\n" for row in [rows[0], *(row.values() for row in rows)])
    else:
        body = json.dumps(rows) if extension == "json" else "\n".join(map(json.dumps, rows))
    path = tmp_path / f"losses.{extension}.{packed}"
    path.write_bytes(PACKED[packed](body.encode()))
    assert read_losses(path).documents == ("d0", "d1", "d2")


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"], ids=["CR", "LF", "CR LF"])
@pytest.mark.parametrize("extension", ["txt", "jsonl", "csv", "tsv"])
def test_every_end_of_a_line_is_one(tmp_path, extension, end):
    path = tmp_path / f"samples.{extension}"
    path.write_bytes(BODIES[extension].replace("\n", end).encode())
    assert read_samples(path) == TEXTS


@pytest.mark.parametrize("before", range(65530, 65540))
def test_an_end_of_two_characters_is_one_wherever_a_chunk_ends(tmp_path, before):
    path = tmp_path / "samples.txt"
    path.write_bytes(b"a" * before + b"\r\nb\r\n\r\nc")
    assert read_samples(path) == ["a" * before, "b", "", "c"]


def test_only_ends_of_lines_end_a_line(tmp_path):
    path = tmp_path / "samples.txt"
    path.write_text("one\u2028line\x0band\x0cone\x85more\n", encoding="utf-8")
    assert read_samples(path) == ["one\u2028line\x0band\x0cone\x85more"]


@pytest.mark.parametrize("encoding", ["UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE"])
@every_text_format
def test_unicode_without_a_mark_is_refused_by_its_name_and_never_read_with_nuls(tmp_path, extension, encoding):
    path = tmp_path / f"samples.{extension}"
    path.write_bytes(BODIES[extension].encode(encoding))
    said = rf"must be UTF-8 text, but byte [0-3] is NUL: it looks like {encoding} .*iconv -f {encoding} -t UTF-8"
    with pytest.raises(CorpusError, match=said):
        read_samples(path)


@pytest.mark.parametrize("encoding", ["UTF-16LE", "UTF-16BE"])
def test_unicode_without_a_mark_is_known_by_its_line_ends_where_no_letter_has_a_nul(tmp_path, encoding):
    path = tmp_path / "samples.txt"
    path.write_bytes("政府工作報告\n國家財政收入\n".encode(encoding))
    with pytest.raises(CorpusError, match=rf"it looks like {encoding} without"):
        read_samples(path)


def test_a_stray_nul_is_refused_with_its_place_in_any_chunk(tmp_path):
    path = tmp_path / "samples.txt"
    path.write_bytes(b"line of text\n" * 10_000 + b"a\0b\n")
    with pytest.raises(CorpusError, match=r"byte 130001 is NUL: it is no file of text, or is damaged"):
        read_samples(path)


def test_bytes_that_are_not_what_the_mark_says_are_named(tmp_path):
    path = tmp_path / "samples.txt"
    path.write_bytes("abc".encode("utf-16") + b"x")
    with pytest.raises(CorpusError, match=r"must be UTF-16, as its byte order mark says, but byte 8 \(0x78\) is not"):
        read_samples(path)


@pytest.mark.parametrize("beginning", [b"PAR1", b"ARROW1", b"PK\x03\x04", b"\xfd7zXZ"])
def test_what_is_no_text_at_all_is_named(tmp_path, beginning):
    path = tmp_path / "samples.jsonl"
    path.write_bytes(beginning + bytes(100))
    with pytest.raises(CorpusError, match=r"must be text, but it is a (Parquet|Arrow|zip|xz) file"):
        read_samples(path)


@pytest.mark.parametrize("name", ["samples.gz", "samples.parquet.gz", "samples.tar.zst"])
def test_a_compression_of_something_else_than_text_is_refused(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(CorpusError, match=rf"{name} must be a .*: unpack it, or name it after what it holds"):
        read_documents(tmp_path / name)


@pytest.mark.slow
@every_compression
def test_memory_does_not_grow_with_what_is_packed(tmp_path, packed, rng):
    path = tmp_path / f"corpus.jsonl.{packed}"
    lines = "".join(json.dumps({"text": rng.bytes(400).hex()}) + "\n" for _ in range(8000)).encode()
    path.write_bytes(PACKED[packed](lines))
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    held = max(pa.total_allocated_bytes() - before for _ in read_documents(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held + peak < len(lines) / 4


@every_compression
def test_a_damaged_file_leaves_nothing_in_memory(tmp_path, packed):
    path = tmp_path / f"a.txt.{packed}"
    path.write_bytes(PACKED[packed](b"".join(b"line %d\n" % i for i in range(1000)))[:-5])
    tracemalloc.start()
    for _ in range(60):
        with pytest.raises(CorpusError, match="cannot be decompressed"):
            read_samples(path)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 1 << 20
