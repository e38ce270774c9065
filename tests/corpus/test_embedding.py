"""Embedders: against scikit-learn and dense linear algebra, frozen to the bit, and leaving modules as they were."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from threadpoolctl import threadpool_limits

from collapse_guard.corpus.embedding import CustomEmbedder, TfidfEmbedder, save_arrays
from collapse_guard.corpus.lexicon import words
from collapse_guard.errors import InputError

pytestmark = pytest.mark.filterwarnings("error")

TOPICS = ["war army navy peace treaty", "tax tariff revenue dollar debt", "land river canal road railway"]


def corpus(n: int = 60) -> list[str]:
    rng = np.random.default_rng(5)
    return [" ".join(rng.choice(TOPICS[i % 3].split(), 8)) + f" a year's end, {1790 + i % 7}" for i in range(n)]


@pytest.fixture(scope="module")
def embedder() -> TfidfEmbedder:
    return TfidfEmbedder.fit(corpus(), dim=6, seed=1)


def test_all_dimensions_keep_the_inner_products_of_tfidf() -> None:
    texts = corpus()
    expected = TfidfVectorizer(analyzer=words, sublinear_tf=True, min_df=2).fit_transform(texts).toarray()
    embeddings = TfidfEmbedder.fit(texts, dim=500)(texts)
    np.testing.assert_allclose(embeddings @ embeddings.T, expected @ expected.T, atol=1e-9)


def test_embeddings_are_those_of_scikit_learn_to_the_last_bit(embedder: TfidfEmbedder) -> None:
    texts = [*corpus(90)[::-1], "", "unheard of", "war " * 300, "peace war peace treaty"]
    vectorizer = TfidfVectorizer(analyzer=words, sublinear_tf=True, min_df=2).fit(corpus())
    assert tuple(vectorizer.get_feature_names_out()) == embedder.terms
    assert np.array_equal(embedder(texts), vectorizer.transform(texts) @ np.ascontiguousarray(embedder.components.T))


def test_a_row_is_the_documented_formula(embedder: TfidfEmbedder) -> None:
    texts = corpus()
    counts = np.array([words("war war peace unheard").count(term) for term in embedder.terms])
    n_with = np.array([sum(term in words(text) for text in texts) for term in embedder.terms])
    tf = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0.0)
    row = tf * (1 + np.log((1 + len(texts)) / (1 + n_with)))
    expected = embedder.components @ (row / np.linalg.norm(row))
    np.testing.assert_allclose(embedder(["war war peace unheard"])[0], expected, rtol=1e-12)


def test_components_are_the_leading_singular_vectors_with_fixed_signs(embedder: TfidfEmbedder) -> None:
    matrix = TfidfVectorizer(analyzer=words, sublinear_tf=True, min_df=2).fit_transform(corpus()).toarray()
    _, values, vectors = np.linalg.svd(matrix, full_matrices=False)
    captured = np.linalg.norm(matrix @ embedder.components.T, axis=0)
    np.testing.assert_allclose(captured, values[:6], rtol=0.02)
    np.testing.assert_allclose(np.abs(np.sum(embedder.components[:3] * vectors[:3], axis=1)), 1.0, atol=1e-3)
    largest = np.abs(embedder.components).argmax(axis=1)
    assert (embedder.components[np.arange(6), largest] > 0).all()


def test_fitting_again_gives_the_same_bits_on_any_number_of_threads(embedder: TfidfEmbedder) -> None:
    with threadpool_limits(2):
        again = TfidfEmbedder.fit(corpus(), dim=6, seed=1)
    assert again.terms == embedder.terms
    assert np.array_equal(again.components, embedder.components)
    assert np.array_equal(again.idf, embedder.idf)


def test_fitting_does_not_touch_the_global_generator() -> None:
    before = np.random.get_state()[1].copy()
    TfidfEmbedder.fit(corpus(), dim=3)
    assert np.array_equal(before, np.random.get_state()[1])


def test_loading_gives_the_same_bits(embedder: TfidfEmbedder, tmp_path: Path) -> None:
    embedder.save(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["embedder.json", "embedder.safetensors"]
    assert json.loads((tmp_path / "embedder.json").read_text(encoding="utf-8"))["terms"] == list(embedder.terms)
    loaded = TfidfEmbedder.load(tmp_path)
    texts = [*corpus(), "", "unheard of", "war"]
    assert np.array_equal(loaded(texts), embedder(texts))


def test_arrays_in_fortran_order_are_saved_as_they_read(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    save_arrays({"array": array}, tmp_path / "arrays.safetensors")
    assert np.array_equal(load_file(tmp_path / "arrays.safetensors")["array"], array)


@given(st.lists(st.sampled_from([*corpus(12), "", "war", "unheard"]), max_size=700))
@settings(max_examples=25)
def test_a_row_depends_on_its_text_alone(embedder: TfidfEmbedder, texts: list[str]) -> None:
    alone = {text: embedder([text])[0] for text in set(texts)}
    rows = embedder(texts)
    assert rows.shape == (len(texts), embedder.dim)
    assert all(np.array_equal(row, alone[text]) for row, text in zip(rows, texts, strict=True))


def test_a_row_has_norm_at_most_one_and_unknown_words_give_zero(embedder: TfidfEmbedder) -> None:
    assert np.linalg.norm(embedder(corpus()), axis=1).max() <= 1 + 1e-12
    assert not embedder(["unheard of", ""]).any()


def test_fewer_terms_than_dimensions_give_fewer_dimensions() -> None:
    assert TfidfEmbedder.fit(["peace and war"] * 5, dim=64)(["war"]).shape == (1, 3)
    assert TfidfEmbedder.fit(["one two", "three four"], dim=64).dim == 2


def test_blank_texts_cannot_be_fitted() -> None:
    with pytest.raises(InputError, match="`texts` must have characters to fit an embedder on, but got 2 blank ones"):
        TfidfEmbedder.fit(["", " \n"])


def names(n: int, seed: int = 0) -> list[str]:
    """Texts of one word each, all different, as names are."""
    rng = np.random.default_rng(seed)
    made = ("".join(rng.choice(["ma", "ri", "lo", "ken", "ta", "sho"], 4)) + str(i) for i in range(n))
    return [name.capitalize() for name in made]


SYMBOLS = str.maketrans("amiorlketnshc0123456789", "><+-.,[]{}#!?%&*~^=/|:;")


@pytest.mark.parametrize("wrap", [str, "[-{}-]".format, lambda name: name.lower().translate(SYMBOLS)])
def test_texts_that_share_no_words_are_told_apart_by_their_characters(
    wrap: Callable[[str], str], tmp_path: Path
) -> None:
    texts = [wrap(name) for name in names(80)]
    embedder = TfidfEmbedder.fit(texts, dim=8)
    assert embedder.unit == "characters"
    unseen = [wrap(name) for name in names(20, seed=1)]
    assert np.linalg.matrix_rank(embedder(unseen)) == 8
    embedder.save(tmp_path)
    loaded = TfidfEmbedder.load(tmp_path)
    assert (loaded.unit, loaded.terms) == (embedder.unit, embedder.terms)
    assert np.array_equal(loaded(unseen), embedder(unseen))


def test_words_are_the_terms_where_half_of_the_texts_share_them(tmp_path: Path) -> None:
    shared = ["peace and war", "war and taxes"] * 10
    assert TfidfEmbedder.fit([*shared, *names(20)]).unit == "words"
    assert TfidfEmbedder.fit([*shared[:18], *names(20)]).unit == "characters"


class Lengths(torch.nn.Module):
    """Embeds a text by its length; records how it was called."""

    def __init__(self, *, failing: bool = False) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
        self.drop = torch.nn.Dropout(0.5)
        self.frozen = torch.nn.BatchNorm1d(2).eval()
        self.failing = failing
        self.batches: list[int] = []

    def forward(self, texts: list[str]) -> torch.Tensor:
        self.batches.append(len(texts))
        assert not torch.is_grad_enabled()
        assert not any(part.training for part in self.modules())
        if self.failing:
            raise RuntimeError("out of memory")
        lengths = torch.tensor([float(len(text)) for text in texts])
        return self.drop(lengths[:, None] * self.scale)


def modes_of(module: torch.nn.Module) -> Iterator[bool]:
    return (part.training for part in module.modules())


@pytest.mark.parametrize("failing", [False, True], ids=["works", "fails"])
def test_a_module_is_called_in_eval_mode_and_left_as_it_was(failing: bool) -> None:
    module = Lengths(failing=failing)
    before = list(modes_of(module))
    embedder = CustomEmbedder(module)
    if failing:
        with pytest.raises(RuntimeError, match="out of memory"):
            embedder(["a"])
    else:
        embeddings = embedder(["a", "abc"])
        assert embeddings.dtype == np.float64
        assert embeddings.tolist() == [[1.0, 2.0], [3.0, 6.0]]
    assert list(modes_of(module)) == before == [True, True, False]
    assert torch.is_grad_enabled()


def test_texts_come_in_batches_and_keep_their_order() -> None:
    module = Lengths()
    texts = ["x" * i for i in range(600)]
    assert CustomEmbedder(module)(texts)[:, 0].tolist() == [float(i) for i in range(600)]
    assert module.batches == [256, 256, 88]


def test_a_function_may_return_tensors_arrays_or_lists() -> None:
    def with_gradient(texts: list[str]) -> torch.Tensor:
        return torch.ones(len(texts), 2, dtype=torch.bfloat16, requires_grad=True)

    for function in (with_gradient, lambda texts: np.ones((len(texts), 2)), lambda texts: [[1, 1] for _ in texts]):
        assert CustomEmbedder(function)(["a", "b", "c"]).tolist() == [[1.0, 1.0]] * 3


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda texts: np.zeros(len(texts)), r"2 rows .* got shape \(2,\)"),
        (lambda texts: np.zeros((1, 4)), r"2 rows .* got shape \(1, 4\)"),
        (lambda texts: np.zeros((2, 0)), r"2 rows .* got shape \(2, 0\)"),
        (lambda texts: [[1.0], [1.0, 2.0]], "2 rows .* got a list"),
        (lambda texts: ["a", "b"], "2 rows .* got a list"),
        (lambda texts: [[0.0], [np.nan]], "must return finite numbers, but row 1 of a batch"),
        (lambda texts: torch.tensor([[float("inf")], [0.0]]), "must return finite numbers, but row 0 of a batch"),
    ],
)
def test_another_output_than_finite_rows_is_refused(function: object, said: str) -> None:
    with pytest.raises(InputError, match=f"`embedder` .*<lambda> {said}" if "finite" in said else said):
        CustomEmbedder(function)(["a", "b"])  # type: ignore[arg-type]


def test_batches_of_different_widths_are_refused() -> None:
    with pytest.raises(InputError, match=r"the same number of dimensions, but got \[88, 256\]"):
        CustomEmbedder(lambda texts: np.zeros((len(texts), len(texts))))(["a"] * 600)


def test_an_embedder_is_named_after_its_function_or_class() -> None:
    assert CustomEmbedder(Lengths()).name == "Lengths"
    assert CustomEmbedder(np.asarray).name == "asarray"


@pytest.mark.slow
def test_embedding_does_not_import_torch() -> None:
    code = (
        "import sys; from collapse_guard.corpus.embedding import CustomEmbedder as E; E(lambda t: [[1.0]])(['a']);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
