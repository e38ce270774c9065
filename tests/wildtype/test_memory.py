"""A wild type of much text is in memory once, also while it is written, read and identified."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pytest

from collapse_guard.corpus.documents import Documents
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.contents import TextContents, fingerprint

T = TypeVar("T")

SIZE = 16_000_000
"""Bytes of text."""
POOLS: list[pa.MemoryPool] = []
"""They must outlive what was made in them."""


def peak_of(do: Callable[[], T]) -> tuple[T, int]:
    """What a function returns, and the most bytes that it had of Python and of Arrow meanwhile."""
    usual = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(usual)
    POOLS.append(pool)
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        return do(), tracemalloc.get_traced_memory()[1] + pool.max_memory()
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(usual)


@pytest.fixture(scope="module")
def much() -> list[str]:
    """Long texts, so that little but text is in memory."""
    return [f"{number} " + "the senate and the house of representatives " * 90 for number in range(SIZE // 4000)]


@pytest.fixture(scope="module")
def large(wild_type: WildType, much: list[str]) -> WildType:
    """A wild type whose pool is replaced by much more text."""
    assert isinstance(wild_type.contents, TextContents)
    contents = replace(wild_type.contents, pool=Documents.from_texts(much))
    return replace(wild_type, contents=contents, fingerprint=fingerprint(wild_type.settings, contents))


def test_texts_become_documents_in_the_memory_of_one_copy(much: list[str]) -> None:
    documents, peak = peak_of(lambda: Documents.from_texts(iter(much)))
    assert documents.texts == much
    assert peak < 1.3 * SIZE


def test_the_fingerprint_takes_a_part_of_the_text_at_a_time(large: WildType) -> None:
    again, peak = peak_of(lambda: fingerprint(large.settings, large.contents))
    assert again == large.fingerprint
    assert peak < 0.5 * SIZE


def test_a_wild_type_is_read_in_the_memory_of_two_copies(tmp_path: Path, large: WildType) -> None:
    large.save(tmp_path / "wild-type")
    loaded, peak = peak_of(lambda: WildType.load(tmp_path / "wild-type"))
    assert loaded.pool == large.pool
    assert peak < 2.5 * SIZE
