"""A wild type of vectors."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from collapse_guard.errors import InputError, WildTypeError
from collapse_guard.evidence import Evidence
from collapse_guard.measurement.measure import measure
from collapse_guard.wildtype import WildType

pytestmark = pytest.mark.filterwarnings("error")


def vectors(n: int = 100) -> np.ndarray:
    return np.random.default_rng(8).normal(size=(n, 3))


def test_rows_are_split_disjointly_and_completely() -> None:
    x = vectors()
    wild_type = WildType.fit_arrays(x, evaluation_fraction=0.3, group_samples=5)
    together = np.concatenate([wild_type.evaluation_vectors, wild_type.pool_vectors])
    assert (wild_type.kind, wild_type.group_samples, len(wild_type.evaluation_vectors)) == ("vectors", 5, 30)
    assert sorted(map(tuple, together)) == sorted(map(tuple, x))
    assert not wild_type.evaluation_vectors.flags.writeable


def test_equal_rows_stay_on_one_side() -> None:
    x = np.repeat(vectors(40), 3, axis=0)
    x[:, 0] = np.where(np.abs(x[:, 0]) < 0.3, np.tile([0.0, -0.0, 0.0], 40), x[:, 0])
    wild_type = WildType.fit_arrays(x)
    left, right = (set(map(tuple, part)) for part in (wild_type.evaluation_vectors, wild_type.pool_vectors))
    assert not left & right
    assert len(wild_type.evaluation_vectors) == 24


def test_the_order_of_rows_and_their_memory_have_no_say(tmp_path: Path) -> None:
    x = vectors()
    wild_type = WildType.fit_arrays(x, seed=2)
    shuffled = np.asfortranarray(np.random.default_rng(0).permutation(x))
    again = WildType.fit_arrays(shuffled, seed=2)
    assert again.fingerprint == wild_type.fingerprint != WildType.fit_arrays(x, seed=3).fingerprint
    assert WildType.fit_arrays(x[:-1], seed=2).fingerprint != wild_type.fingerprint
    loaded = WildType.load(again.save(tmp_path / "wild-type"))
    assert np.array_equal(loaded.evaluation_vectors, wild_type.evaluation_vectors)
    assert np.array_equal(loaded.pool_vectors, wild_type.pool_vectors)
    assert not loaded.pool_vectors.flags.writeable


def test_fitting_copies_the_rows() -> None:
    x = vectors()
    wild_type = WildType.fit_arrays(x)
    before = wild_type.pool_vectors.copy()
    x[:] = 0
    assert np.array_equal(wild_type.pool_vectors, before)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.zeros(30), r"`x` must be an n d array of vectors, or .*, but got shape \(30,\): .*`x\.reshape\(-1, 1\)`"),
        (np.zeros((30, 0)), r"but got shape \(30, 0\)"),
        ([[1.0, 2.0], [3.0]], "`x` must have rows of one length, but "),
        ([["Oslo", 1.0]] * 30, "`x` must hold numbers, but got .*'Oslo'.*: give a table with named columns"),
        ({"age": [1.0]}, r"`x` must hold numbers, but got \{'age'.*such as a pandas\.DataFrame"),
        (np.zeros((30, 2)), "at least 20 distinct finite rows, but got 1"),
        (
            np.where(np.arange(60).reshape(30, 2) == 7, np.nan, 1.0),
            "`x` must be finite, but 1 rows are not, .*; the first is row 3",
        ),
    ],
    ids=["1-d", "no columns", "uneven", "texts", "mapping", "all equal", "NaN"],
)
def test_vectors_that_cannot_be_used_are_refused(x: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        WildType.fit_arrays(x)


def test_changed_vectors_are_noticed(tmp_path: Path) -> None:
    path = WildType.fit_arrays(vectors()).save(tmp_path / "wild-type")
    arrays = load_file(path / "vectors.safetensors")
    arrays["pool"][0, 0] += 1e-9
    save_file(arrays, path / "vectors.safetensors")
    with pytest.raises(WildTypeError, match="was changed after it was saved"):
        WildType.load(path)
    shutil.rmtree(path)


TEXT_ONLY = {
    "evaluation": lambda w: w.evaluation,
    "folds": lambda w: w.folds,
    "pool": lambda w: w.pool,
    "tokenizer": lambda w: w.tokenizer,
    "vocabulary_size": lambda w: w.vocabulary_size,
    "group_tokens": lambda w: w.group_tokens,
    "rare_words": lambda w: w.rare_words,
    "known_words": lambda w: w.known_words,
    "encode": lambda w: w.encode(["a"]),
    "decode": lambda w: w.decode([[3]]),
    "embed": lambda w: w.embed(["a"]),
    "check_training": lambda w: w.check_training(["a"]),
}


@pytest.mark.parametrize("ask", TEXT_ONLY.values(), ids=TEXT_ONLY.keys())
def test_a_wild_type_of_vectors_says_that_it_has_no_texts(ask: object) -> None:
    with pytest.raises(
        InputError, match=r"a wild type of texts is required, but this one holds vectors: .*`WildType\.fit`"
    ):
        ask(WildType.fit_arrays(vectors(25)))  # type: ignore[operator]


def test_a_wild_type_of_texts_says_that_it_has_no_vectors(wild_type: WildType) -> None:
    for name in ("evaluation_vectors", "pool_vectors"):
        with pytest.raises(InputError, match="a wild type of vectors is required, but this one holds texts"):
            getattr(wild_type, name)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_tensors_of_any_type_are_rows_also_with_a_gradient(dtype: torch.dtype) -> None:
    rows = torch.tensor(np.random.default_rng(0).normal(size=(60, 3))).to(dtype).requires_grad_()
    values = rows.detach().double().numpy()
    wild_type = WildType.fit_arrays(rows)
    assert wild_type.fingerprint == WildType.fit_arrays(values).fingerprint
    for samples in (rows, list(rows)):
        readings = measure(wild_type, Evidence(samples=samples), only=("vendi",))
        assert readings == measure(wild_type, Evidence(samples=values), only=("vendi",))
