"""Losses from files: every format gives the same, and every fault is named with its row."""

import json
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from collapse_guard.corpus.losses import read_losses
from collapse_guard.errors import InputError
from collapse_guard.evidence import Losses

ROWS = {"document": ["001", "b", "c"], "nll": [1.5, math.nan, math.inf], "n_tokens": [3, 4, 5], "n_bytes": [9, 8, 7]}
ROWS["entropy"] = [0.5, math.nan, 2.5]


def _write_csv(path, rows):
    pd.DataFrame(rows).to_csv(path, index=False, na_rep="NaN")


def _write_jsonl(path, rows):
    lines = [json.dumps(dict(zip(rows, values, strict=True))) for values in zip(*rows.values(), strict=True)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


WRITERS = {
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
    ".parquet": lambda path, rows: pyarrow.parquet.write_table(pa.table(rows), path),
    ".arrow": lambda path, rows: pyarrow.feather.write_feather(pa.table(rows), path),
    ".feather": lambda path, rows: pyarrow.feather.write_feather(pa.table(rows), path, compression="zstd"),
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_same_losses_and_keeps_what_is_not_finite(tmp_path, suffix):
    path = tmp_path / f"losses{suffix}"
    WRITERS[suffix](path, ROWS)
    losses = read_losses(path)
    assert losses.documents == ("001", "b", "c")
    np.testing.assert_array_equal(losses.nll, ROWS["nll"])
    assert losses.n_tokens.tolist() == ROWS["n_tokens"]
    assert list(losses.n_bytes) == ROWS["n_bytes"]
    np.testing.assert_array_equal(losses.entropy, ROWS["entropy"])


def test_numbers_of_documents_become_their_names_and_whole_floats_become_counts(tmp_path):
    path = tmp_path / "losses.parquet"
    pyarrow.parquet.write_table(pa.table({"document": [7, 8], "nll": [1, 2], "n_tokens": [3.0, 4.0]}), path)
    losses = read_losses(path)
    assert losses.documents == ("7", "8")
    assert losses.n_tokens.tolist() == [3, 4]
    assert losses.n_bytes is None
    assert losses.entropy is None


def test_a_byte_order_mark_and_other_columns_do_no_harm(tmp_path):
    path = tmp_path / "losses.csv"
    path.write_bytes(b"\xef\xbb\xbfdocument,nll,n_tokens,note\r\na,1,2,x\r\n")
    assert read_losses(path).documents == ("a",)
    path = tmp_path / "losses.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"document": "a", "nll": 1, "n_tokens": 2, "note": [1]}\r\n\r\n')
    assert read_losses(path).documents == ("a",)


FAULTS = {
    "no such column": (
        "document,loss,n_tokens\na,1,2\n",
        r"must have a column `nll`, .*Known: document, loss, n_tokens",
    ),
    "empty": ("", r"must have at least one row, but it has none"),
    "header alone": ("document,nll,n_tokens\n", r"must have at least one row, but it has none"),
    "null loss": ("document,nll,n_tokens\na,1,2\nb,,2\n", r"`nll` is null in row 2: .*pandas"),
    "null document": ("document,nll,n_tokens\n,1,2\n", r"`document` is null in row 1"),
    "word for a number": ("document,nll,n_tokens\na,1,2\nb,much,2\n", r"row 2: `nll` must be a number, but got 'much'"),
    "negative": (
        "document,nll,n_tokens\na,1,2\nb,-3.5,2\n",
        r"row 2: `nll` .* 0 or more, but got -3.5: negate log-likelihoods",
    ),
    "negative entropy": (
        "document,nll,n_tokens,entropy\na,1,2,-3\n",
        r"row 1: `entropy` .* 0 or more, but got -3: entropy is the mean of -ln p",
    ),
    "null entropy": ("document,nll,n_tokens,entropy\na,1,2,\n", r"`entropy` is null in row 1"),
    "no tokens": (
        "document,nll,n_tokens\na,1,0\n",
        r"row 1: `n_tokens` must be a whole number from 1 to 1,000,000,000,000, but got 0",
    ),
    "half a token": (
        "document,nll,n_tokens\na,1,1.5\n",
        r"row 1: `n_tokens` must be a whole number from 1 to 1,000,000,000,000, but got 1.5",
    ),
    "no number of tokens": ("document,nll,n_tokens\na,1,nan\n", r"row 1: `n_tokens` .* from 1 to [0-9,]+, but got nan"),
    "endless tokens": ("document,nll,n_tokens\na,1,1e30\n", r"row 1: `n_tokens` .* from 1 to [0-9,]+, but got 1e\+30"),
    "no bytes": ("document,nll,n_tokens,n_bytes\na,1,2,0\n", r"row 1: `n_bytes` .* from 1 to [0-9,]+, but got 0"),
    "twice": ("document,nll,n_tokens\na,1,2\nb,1,2\na,3,2\n", r"'a' stands in row 1 and row 3"),
    "ragged": (
        "document,nll,n_tokens\na,1\n",
        r"3 cells or more in every row to hold the column `n_tokens`, but line 2 has 2",
    ),
}


@pytest.mark.parametrize(("text", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_in_a_csv_file_is_named_with_its_row(tmp_path, text, message):
    path = tmp_path / "losses.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_losses(path)
    assert str(path) in str(caught.value)


JSON_FAULTS = {
    "not JSON": ('{"document": "a", "nll": 1, "n_tokens": 2}\n{"docu', r"line 2 is not valid"),
    "a list": ("[1, 2]\n", r"line 1 is a list"),
    "a key is missing": (
        '{"document": "a", "nll": 1, "n_tokens": 2}\n{"document": "b", "nll": 1}\n',
        r"`n_tokens` is null in line 2",
    ),
    "a truth value": (
        '{"document": "a", "nll": true, "n_tokens": 2}\n',
        r"line 1: `nll` must be a number, but got True",
    ),
    "a text": (
        '{"document": "a", "nll": "1.0 nats", "n_tokens": 2}\n',
        r"line 1: `nll` must be a number, but got '1.0 nats'",
    ),
    "a list for a number": (
        '{"document": "a", "nll": [1.0], "n_tokens": 2}\n',
        r"line 1: `nll` must be a number, but got \[1.0\]",
    ),
}


@pytest.mark.parametrize(("text", "message"), JSON_FAULTS.values(), ids=JSON_FAULTS)
def test_a_fault_in_a_jsonl_file_is_named_with_its_line(tmp_path, text, message):
    path = tmp_path / "losses.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_losses(path)


def test_bytes_that_are_not_utf8_are_named_with_their_offset(tmp_path):
    path = tmp_path / "losses.csv"
    path.write_bytes(b"document,nll,n_tokens\n\xe9,1,2\n")
    with pytest.raises(InputError, match=r"byte 22 \(0xe9\)"):
        read_losses(path)


def test_a_file_that_is_no_parquet_a_missing_one_and_another_extension_are_named(tmp_path):
    path = tmp_path / "losses.parquet"
    path.write_bytes(b"PAR0")
    with pytest.raises(InputError, match=r"losses\.parquet must be a Parquet file"):
        read_losses(path)
    with pytest.raises(InputError, match=r"gone\.parquet cannot be read: No such file"):
        read_losses(tmp_path / "gone.parquet")
    with pytest.raises(InputError, match=r"gone\.csv cannot be read: No such file"):
        read_losses(tmp_path / "gone.csv")
    with pytest.raises(
        InputError, match=r"losses\.xlsx must be a \.arrow, \.csv, .*, \.parquet or \.tsv file, .* '\.xlsx'"
    ):
        read_losses(tmp_path / "losses.xlsx")


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize(("unit", "size"), [("nats", 1.0), ("bits", math.log(2.0)), ("log10", math.log(10.0))])
@pytest.mark.parametrize("per", ["document", "token"])
def test_losses_in_another_unit_or_means_per_token_are_read_as_sums_of_nats(tmp_path, suffix, unit, size, per):
    path, tokens = tmp_path / f"losses{suffix}", np.array(ROWS["n_tokens"])
    parts = tokens if per == "token" else 1
    given = {name: np.array(ROWS[name]) / size / parts for name in ("nll", "entropy")}
    WRITERS[suffix](path, {**ROWS, **{name: values.tolist() for name, values in given.items()}})
    losses = read_losses(path, unit=unit, per=per)
    np.testing.assert_allclose(losses.nll, ROWS["nll"])
    np.testing.assert_allclose(losses.entropy, ROWS["entropy"])
    assert losses.n_tokens.tolist() == ROWS["n_tokens"]
    assert losses.n_bytes.tolist() == ROWS["n_bytes"]


def test_the_nats_of_tokens_are_converted_from_their_unit_alone():
    bits = Losses(documents=("a",), nll=[3.0], n_tokens=[2], token_nll=(np.array([2.0, 4.0]),))
    losses = bits.as_sums(unit="bits", per="token")
    assert losses.token_nll[0] == pytest.approx([2 * math.log(2.0), 4 * math.log(2.0)])
    assert losses.nll == pytest.approx([losses.token_nll[0].sum()])
    assert losses.entropy is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"unit": "bit"}, "`unit` must be nats, bits, log10, but got 'bit'"),
        ({"unit": ["bits"]}, r"`unit` must be nats, bits, log10, but got \['bits'\]"),
        ({"per": "byte"}, "`per` must be document or"),
    ],
)
def test_a_unit_that_is_not_known_is_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        Losses(documents=("a",), nll=[3.0], n_tokens=[2]).as_sums(**wrong)
