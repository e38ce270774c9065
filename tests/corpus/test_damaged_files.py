"""Whatever is damaged in a file: it is read, or refused in words of ours, and never ends the process."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from collapse_guard.corpus.reading import read_documents, read_samples
from collapse_guard.errors import CorpusError
from collapse_guard.reinjection import ArrowItems
from waiting import PATIENCE

SCRIPTS = Path(__file__).parents[2] / "scripts"


def fuzz(*arguments, code="import sys, fuzz; sys.exit(fuzz.main(sys.argv[1:]))"):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(SCRIPTS), *sys.path])},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_a_thousand_damaged_files_for_each_reader_are_read_or_refused():
    code, said = fuzz("--mutations", 1000)
    assert (code, "FAULT" in said) == (0, False), said


@pytest.mark.slow
def test_a_reader_that_dies_raises_warns_asks_for_all_memory_or_never_ends_is_found():
    code, said = fuzz(
        code="""if True:
            import os, signal, sys, warnings
            import fuzz
            from fuzzing.readers import READERS, Reader

            faults = {
                b"d": lambda: os.kill(os.getpid(), signal.SIGSEGV),
                b"r": lambda: [][0],
                b"w": lambda: warnings.warn("overflow", RuntimeWarning),
                b"m": lambda: bytearray(1 << 40),
                b"e": lambda: [None for _ in iter(int, 1)],
            }
            fuzz.SECONDS = 1
            for name, fault in faults.items():
                def read(path, name=name, fault=fault):
                    path.read_bytes() == name or fault()

                def make(folder, name=name):
                    (folder / "file").write_bytes(name)
                    return folder / "file"

                READERS[name.decode()] = Reader(make, read)
            sys.exit(fuzz.main(["--mutations", "2", "--only", *map(bytes.decode, faults)]))
        """
    )
    assert code == 1, said
    for name, fault in {
        "d": "the process died of SIGSEGV",
        "r": "IndexError",
        "w": "RuntimeWarning",
        "m": "MemoryError",
        "e": "the process died of SIGALRM",
    }.items():
        assert re.search(rf"^{name}: 0 read, 0 refused\n  FAULT, 2 times, such as \[0, 1\]: {fault}", said, re.M), said


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_an_arrow_file_whose_offsets_lead_out_of_it_is_refused(tmp_path, compression):
    path = tmp_path / "a.feather"
    offsets = pa.array([0, 2**30, 8], pa.int32()).buffers()[1]
    texts = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"abcdefgh")])
    pyarrow.feather.write_feather(pa.table({"text": texts}), str(path), compression=compression)
    with pytest.raises(CorpusError, match=r"a\.feather must be a Arrow IPC file, but it cannot be read as one"):
        read_samples(path)


def test_an_arrow_file_that_is_cut_while_it_is_read_is_no_end_of_the_process(tmp_path):
    path = tmp_path / "a.arrow"
    table = pa.table({"text": [f"{number} " + "word " * 200 for number in range(4000)]})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=100)
    documents = read_documents(path)
    assert next(documents).startswith("0 word")
    os.truncate(path, 4096)
    with pytest.raises(CorpusError, match="cannot be read as one"):
        list(documents)


@pytest.mark.parametrize("take", [lambda path: list(read_documents(path)), ArrowItems], ids=["documents", "items"])
def test_a_parquet_file_that_says_it_has_less_than_no_rows_is_refused(tmp_path, take):
    path = tmp_path / "a.parquet"
    pa.parquet.write_table(pa.table({"text": ["war", "peace"] * 25}), path)
    # 50 and -50 as Thrift writes the third field of a footer.
    whole = path.read_bytes()
    assert whole.count(b"\x16\x64") >= 2
    path.write_bytes(whole.replace(b"\x16\x64", b"\x16\x63"))
    with pytest.raises(CorpusError, match=r"a\.parquet must have no rows or more, but it says -50: it is damaged"):
        take(path)
