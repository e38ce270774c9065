"""Documents are identified by their content and behave like a list of texts."""

from __future__ import annotations

import copy
import hashlib
import unicodedata
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.corpus import unique
from collapse_guard.corpus.documents import Documents, content_hash
from collapse_guard.errors import CorpusError

pytestmark = pytest.mark.filterwarnings("error")


@given(st.text(st.characters(exclude_categories=("Cs",))), st.sampled_from([" ", "\t", "\n\n", "  ", "\u00a0"]))
def test_the_hash_sees_neither_white_space_nor_unicode_composition(text: str, space: str) -> None:
    spaced = space + unicodedata.normalize("NFD", text).replace(" ", space) + space
    assert content_hash(spaced) == content_hash(text)


@given(st.text(), st.text())
def test_the_hash_tells_other_contents_apart(one: str, other: str) -> None:
    def canonical(text: str) -> list[str]:
        return unicodedata.normalize("NFC", text).split()

    assert (content_hash(one) == content_hash(other)) == (canonical(one) == canonical(other))


def test_the_hash_is_the_one_that_is_documented() -> None:
    canonical = "Café au lait".encode()
    assert content_hash(" Cafe\u0301  au\nlait ") == hashlib.blake2b(canonical, digest_size=16).hexdigest()


texts_lists = st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=20), max_size=30)


@given(texts_lists, st.slices(30))
def test_documents_behave_like_a_list_of_their_texts(texts: list[str], part: slice) -> None:
    documents = Documents.from_texts(iter(texts))
    assert documents.texts == list(documents) == texts
    assert documents.hashes == tuple(map(content_hash, texts))
    assert documents[part].texts == texts[part]
    assert documents[part].hashes == documents.hashes[part]
    assert documents.select(range(len(texts))[part]).texts == texts[part]
    assert [documents[i] for i in range(-len(texts), len(texts))] == texts + texts
    assert (documents[part] == documents) == (documents[part].hashes == documents.hashes)


def test_documents_over_several_batches_keep_their_order() -> None:
    texts = [str(i) for i in range(3000)]
    documents = Documents.from_texts(texts)
    assert documents.texts == list(documents) == texts
    assert copy.deepcopy(documents) == documents
    assert documents[1000:2500].texts == texts[1000:2500]


def test_documents_refuse_an_index_beyond_the_end() -> None:
    documents = Documents.from_texts(["only one"])
    with pytest.raises(IndexError):
        documents[1]
    with pytest.raises(IndexError):
        documents.select([0, 1])


def test_equal_documents_hash_alike_and_other_ones_are_not_equal() -> None:
    documents = Documents.from_texts(["a  b", "c"])
    assert documents == Documents.from_texts(["a b", "c"])
    assert hash(documents) == hash(Documents.from_texts(["a b", "c"]))
    assert documents != Documents.from_texts(["c", "a b"])
    assert documents != ["a  b", "c"]


def unique_documents(texts: object) -> Documents:
    """All unique texts, in their order."""
    with unique.UniqueTexts(texts) as found:
        documents = found.select(np.arange(len(found)))
        assert (documents.texts, list(documents.hashes)) == (list(found), list(found.hashes))
        assert [found[i] for i in range(len(found))] == documents.texts
    return documents


def test_unique_texts_are_the_same_when_they_are_not_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{i % 700}  é\n" + " " * (i % 3) for i in range(2000)]
    held = unique_documents(texts)
    monkeypatch.setattr(unique, "_BYTES_IN_MEMORY", 100)
    assert unique_documents(texts[::-1]).texts == held.texts
    by_hash: dict[str, str] = {}
    for text in texts:
        by_hash[content_hash(text)] = min(text, by_hash.get(content_hash(text), text))
    assert dict(zip(held.hashes, held.texts, strict=True)) == by_hash


@given(texts_lists | st.lists(st.text(alphabet="a \n", max_size=4)), st.randoms())
def test_unique_documents_do_not_depend_on_the_order(texts: list[str], random: object) -> None:
    shuffled = list(texts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = unique_documents(shuffled)
    assert found.texts == unique_documents(texts).texts
    assert set(found.hashes) == {content_hash(text) for text in texts if text.strip()}
    assert list(found.hashes) == sorted(set(found.hashes))


@pytest.mark.parametrize("make", [Documents.from_texts, unique_documents])
@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (3, "document 1500 is a int"),
        (None, "document 1500 is a NoneType"),
        ("a\ud800", "document 1500 has a lone surr"),
    ],
)
def test_a_document_that_is_no_text_is_named_by_its_number(
    make: Callable[[object], Documents], bad: object, said: str
) -> None:
    with pytest.raises(CorpusError, match=said):
        make([str(i) for i in range(1500)] + [bad])


def test_one_text_is_not_taken_for_a_list_of_letters() -> None:
    with pytest.raises(CorpusError, match="but got one str: wrap it in a list"):
        Documents.from_texts("a text")
