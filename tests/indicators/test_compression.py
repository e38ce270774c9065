"""Compression ratio: against gzip, the bug of compressing twice, and its invariance to order."""

import gzip
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.indicators.diversity.compression import CompressionRatio, compression_ratio

SENTENCE = "The cat sat on the mat. "
GZIP_EXTRA = 12
"""gzip puts 18 bytes around the same DEFLATE stream, zlib 6."""


def gzip_ratio(text):
    """What `gzip -9` of the bytes gives."""
    return len(text.encode()) / len(gzip.compress(text.encode(), 9))


def test_it_is_the_ratio_of_gzip_but_for_the_bytes_around_the_stream():
    texts = ["the war and the peace and the tax"] * 7
    text = "\n".join(texts)
    size = len(text.encode())
    assert size / compression_ratio(texts) == pytest.approx(size / gzip_ratio(text) - GZIP_EXTRA, abs=1e-9)


def test_200_times_a_sentence_of_24_bytes_is_compressed_once_not_twice():
    """science.md section 4: 64.865 for plain gzip; the diversity package 0.3.0 compresses the result again."""
    text = SENTENCE * 200
    once = 4800 / (4800 / compression_ratio([text]) + GZIP_EXTRA)
    assert once == pytest.approx(64.865, abs=5e-4)
    assert 4800 / len(gzip.compress(gzip.compress(text.encode()))) < 0.85 * once


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=12), st.randoms())
def test_the_order_of_texts_does_not_matter(texts, random):
    assert compression_ratio(random.sample(texts, len(texts))) == pytest.approx(
        compression_ratio(texts), rel=0, abs=0, nan_ok=True
    )


def test_copies_raise_it_and_different_texts_do_not(rng):
    different = [" ".join(map(str, rng.integers(1000, size=30))) for _ in range(60)]
    assert compression_ratio(different[:2] * 30) > 5 * compression_ratio(different)
    assert 1.5 < compression_ratio(different) < 4.0


def test_bytes_of_utf_8_are_counted_not_characters():
    """512 different letters: two bytes each, and the second of them hardly compresses."""
    text = "".join(map(chr, range(0x100, 0x300)))
    assert len(text.encode()) == 2 * len(text)
    assert compression_ratio([text]) * (len(gzip.compress(text.encode(), 9)) - GZIP_EXTRA) == pytest.approx(1024)


def test_the_largest_ratio_is_below_that_of_the_format():
    assert 900 < compression_ratio(["a" * 5_000_000]) < 1032


@pytest.mark.parametrize("texts", [[], [""], ["", "", ""]])
def test_without_a_character_it_is_undefined(texts):
    assert math.isnan(compression_ratio(texts))


@pytest.mark.parametrize("texts", ["one text", [b"bytes"], [["nested"]], [1]])
def test_what_is_not_a_list_of_texts_is_refused(texts):
    with pytest.raises(InputError, match="`texts` must be a sequence of strings, but got"):
        compression_ratio(texts)


def test_a_text_without_a_utf_8_form_is_refused():
    with pytest.raises(InputError, match="must have a UTF-8 form, but got a lone surrogate at 2"):
        compression_ratio(["ok", "ab\ud800"])


def test_the_metric_cuts_its_bytes_where_the_texts_end():
    """Were the borders lost, texts of the same bytes in all would have the same value."""
    one, other = CompressionRatio(), CompressionRatio()
    for text in ("öab", "", "ab" * 40):
        one.update([text])
    other.update(["öabab", "", "ab" * 39])
    assert one.text_bytes.tolist() == other.text_bytes.tolist()
    assert one.compute().item() == compression_ratio(["öab", "", "ab" * 40])
    assert other.compute().item() == compression_ratio(["öabab", "", "ab" * 39])


def test_the_metric_refuses_more_bytes_than_it_keeps():
    metric = CompressionRatio()
    metric.most_bytes = 5
    metric.update(["abc"])
    with pytest.raises(InputError, match="at most 5 bytes over all updates, but got 7: measure groups of samples"):
        metric.update(["öö"])
    assert metric.compute().item() == compression_ratio(["abc"])
