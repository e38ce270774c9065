"""Unique samples: against a set, for texts, bytes, ids and rows."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.indicators.diversity.unique_samples import UniqueSamples, unique_samples


def as_metric(contents):
    metric = UniqueSamples()
    metric.update(contents[: len(contents) // 2])
    metric.update(contents[len(contents) // 2 :])
    return metric.compute().item()


BOTH = pytest.mark.parametrize("share", [unique_samples, as_metric])


@BOTH
@given(st.lists(st.text("ab", max_size=2)) | st.lists(st.binary(max_size=1)))
def test_it_is_the_size_of_a_set(share, contents):
    expected = len(set(contents)) / len(contents) if contents else math.nan
    assert share(contents) == pytest.approx(expected, nan_ok=True)


@BOTH
@given(st.lists(st.lists(st.integers(-1, 1) | st.integers(-(2**63), 2**63 - 1), max_size=3), min_size=1))
def test_sequences_of_ids_are_compared_whole(share, contents):
    arrays = [np.array(ids, dtype=np.int64) for ids in contents]
    assert share(arrays) == len(set(map(tuple, contents))) / len(contents)


@BOTH
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_rows_of_floats_are_compared_by_value_whatever_their_type(share, dtype):
    rows = torch.tensor([[1.0, 0.0], [1.0, -0.0], [0.0, 1.0], [math.nan, 1.0], [math.nan, 1.0]], dtype=dtype)
    assert share(rows) == 3 / 5
    assert share([*rows, torch.tensor([0.0, 1.0], dtype=torch.float64)]) == 3 / 6


@BOTH
def test_ids_of_different_integer_types_are_equal(share):
    assert share([np.array([1, 2], dtype=np.int32), torch.tensor([1, 2]), [1, 2]]) == 1 / 3


@BOTH
def test_many_different_samples_are_all_told_apart(share):
    """Hashes of 32 bits would lose about ten of 300,000."""
    texts = [f"sample {i}" for i in range(300_000)]
    assert share(texts) == 1.0
    assert share(texts + texts[:100_000]) == 300_000 / 400_000


def test_without_samples_it_is_undefined():
    assert math.isnan(unique_samples([]))


@BOTH
@pytest.mark.parametrize("contents", [[[[1, 2]]], [3], [None], [["a"]], np.zeros((1, 2, 2))])
def test_what_is_not_a_sample_is_refused(share, contents):
    with pytest.raises(InputError, match="must be a text, bytes or a 1-D array, but got"):
        share(contents)


@BOTH
def test_a_text_without_a_utf_8_form_is_refused(share):
    with pytest.raises(InputError, match="must have a UTF-8 form, but got a lone surrogate at 1"):
        share(["a\ud800"])
