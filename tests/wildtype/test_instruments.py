"""The frozen instruments: tokenizer, words, embedders."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from collapse_guard.corpus.embedding import TfidfEmbedder
from collapse_guard.errors import CorpusError, InputError, WildTypeError
from collapse_guard.wildtype import WildType

pytestmark = pytest.mark.filterwarnings("error")

Corpus = Callable[..., list[str]]


any_text = st.text(st.characters(exclude_categories=("Cs",)))


@given(st.lists(any_text, max_size=5))
@example(["", " ", "\r\n", "<|pad|><|bos|>", "🐑\u200d🐑\x00", " leading and trailing "])
def test_decoding_undoes_encoding_for_any_text(wild_type: WildType, texts: list[str]) -> None:
    assert wild_type.decode(wild_type.encode(texts)) == texts


def test_special_tokens_are_never_made_from_text(wild_type: WildType, saved: Path) -> None:
    assert [wild_type.tokenizer.id_to_token(i) for i in (0, 1)] == ["<|bos|>", "<|pad|>"]
    assert min(WildType.load(saved).tokenizer.encode("<|pad|>").ids) > 1
    for reader in (wild_type, WildType.load(saved), copy.deepcopy(wild_type)):
        (ids,) = reader.encode(["a <|pad|> and a <|bos|>"])
        assert ids.dtype == np.int64
        assert ids.min() > 1
        assert reader.decode([[0, *ids.tolist(), 1, 1], np.array([0, 1])]) == ["a <|pad|> and a <|bos|>", ""]


def test_the_tokenizer_has_learned_from_the_pool_alone(corpus: Corpus) -> None:
    secret = "Xylophone quizzically " * 9
    seen: dict[bool, bool] = {}
    for seed in range(20):
        wild_type = WildType.fit([*corpus(60), secret], seed=seed, vocabulary_size=1000)
        seen[secret in wild_type.pool.texts] = "Xylophone" in wild_type.tokenizer.get_vocab()
    assert seen == {True: True, False: False}


def test_the_vocabulary_has_the_wanted_size_where_the_text_allows(wild_type: WildType, corpus: Corpus) -> None:
    small = WildType.fit(corpus(), vocabulary_size=280)
    assert small.vocabulary_size == 280
    assert 280 < wild_type.vocabulary_size <= 2000


def test_known_words_are_counted_in_evaluation_and_pool(wild_type: WildType, corpus: Corpus) -> None:
    expected = Counter(word for text in set(corpus()) for word in wild_type.words(text))
    assert dict(wild_type.known_words) == expected
    assert wild_type.rare_words.items() <= wild_type.known_words.items()
    assert 0 < sum(wild_type.rare_words.values()) <= 0.05 * expected.total()


def test_the_default_embedder_is_fitted_on_the_pool(wild_type: WildType) -> None:
    expected = TfidfEmbedder.fit(wild_type.pool.texts, dim=64, seed=3)
    texts = wild_type.evaluation.texts
    assert np.array_equal(wild_type.embed(texts), expected(texts))
    assert wild_type.embed(texts).dtype == np.float64


def test_one_text_is_not_taken_for_a_list_of_letters(wild_type: WildType) -> None:
    for method in (wild_type.encode, wild_type.embed):
        with pytest.raises(InputError, match="`texts` must be a sequence of texts, but got one str"):
            method("a text")
    with pytest.raises(CorpusError, match="but got one str"):
        WildType.fit("a text")


def lengths(texts: list[str]) -> np.ndarray:
    return np.array([[len(text), text.count("a")] for text in texts], dtype=np.float32)


def halves(texts: list[str]) -> np.ndarray:
    return lengths(texts) / 2


def rounded_lengths(texts: list[str]) -> np.ndarray:
    return lengths(texts) * (1 + 1e-4)


def test_a_custom_embedder_is_given_again_on_loading(tmp_path: Path, corpus: Corpus) -> None:
    wild_type = WildType.fit(corpus(60), embedder=lengths)
    path = wild_type.save(tmp_path / "wild-type")
    texts = ["a", "banana"]
    for reader in (wild_type, *(WildType.load(path, embedder=same) for same in (lengths, rounded_lengths))):
        np.testing.assert_allclose(reader.embed(texts), [[1, 1], [6, 3]], rtol=1e-3)
        assert reader.fingerprint == wild_type.fingerprint


def test_without_its_custom_embedder_everything_but_embed_works(tmp_path: Path, corpus: Corpus) -> None:
    wild_type = WildType.fit(corpus(60), embedder=lengths)
    loaded = WildType.load(wild_type.save(tmp_path / "wild-type"))
    assert loaded.fingerprint == wild_type.fingerprint
    assert loaded.decode(loaded.encode(["war and peace"])) == ["war and peace"]
    with pytest.raises(InputError, match=r"custom embedder lengths, .* `WildType\.load\(path, embedder=\.\.\.\)`"):
        loaded.embed(["a"])
    assert WildType.load(loaded.save(tmp_path / "copy"), embedder=lengths).fingerprint == wild_type.fingerprint


@pytest.mark.parametrize(
    "other", [halves, lambda texts: lengths(texts)[:, [0, 1, 1]]], ids=["other values", "other shape"]
)
def test_another_custom_embedder_is_refused(tmp_path: Path, other: object, corpus: Corpus) -> None:
    path = WildType.fit(corpus(60), embedder=lengths).save(tmp_path / "wild-type")
    with pytest.raises(WildTypeError, match=r"`embedder` must be the one .* \(lengths\), but .* other vectors"):
        WildType.load(path, embedder=other)  # type: ignore[arg-type]


def test_a_changed_check_of_a_custom_embedder_is_noticed(tmp_path: Path, corpus: Corpus) -> None:
    path = WildType.fit(corpus(60), embedder=lengths).save(tmp_path / "wild-type")
    arrays = load_file(path / "embedder.safetensors")
    save_file({"check": arrays["check"] / 2}, path / "embedder.safetensors")
    with pytest.raises(WildTypeError, match="was changed after it was saved"):
        WildType.load(path, embedder=halves)


def test_an_embedder_for_a_wild_type_that_has_its_own_is_refused(saved: Path) -> None:
    with pytest.raises(WildTypeError, match="`embedder` must be left out"):
        WildType.load(saved, embedder=lengths)
