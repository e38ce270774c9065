"""What a real share costs in documents."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.prescription.supply import supply


def test_an_archive_lasts_as_long_as_it_has_documents_that_were_not_used():
    needs = supply(0.25, documents=1000, archive=600, horizon=10)
    assert (needs.per_generation, needs.fresh_generations, needs.is_carried) == (250, 2, True)
    assert needs.uses == pytest.approx(2500 / 600)
    assert supply(0.25, documents=1000, archive=9999, horizon=10).fresh_generations == 10


def test_an_archive_that_is_too_small_for_one_training_set_does_not_carry_it():
    assert not supply(0.25, documents=1000, archive=249, horizon=1).is_carried
    assert supply(0.25, documents=1000, archive=250, horizon=1).is_carried
    empty = supply(0.25, documents=1000, archive=0, horizon=3)
    assert math.isinf(empty.uses)
    assert empty.fresh_generations == 0


def test_the_weight_is_the_golden_one_at_equal_sizes_and_none_where_nothing_mixes():
    assert supply(0.5, documents=1000, archive=999, horizon=1).weight == pytest.approx((math.sqrt(5) - 1) / 2)
    assert supply(0.0, documents=1000, archive=0, horizon=4).weight is None
    assert supply(1.0, documents=1000, archive=0, horizon=4).weight is None
    nothing = supply(0.0, documents=1000, archive=0, horizon=4)
    assert (nothing.fresh_generations, nothing.uses, nothing.is_carried) == (4, 0.0, True)


@given(st.floats(0, 1), st.integers(1, 10**6), st.integers(0, 10**6), st.integers(1, 50))
def test_as_many_documents_as_the_share_at_least_and_less_than_one_more(share, documents, archive, horizon):
    needs = supply(share, documents=documents, archive=archive, horizon=horizon)
    assert share * documents - 1e-6 <= needs.per_generation < share * documents + 1
    assert needs.per_generation * needs.fresh_generations <= max(archive, 0) or needs.per_generation == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"documents": 0}, "`documents` must be a whole number of at least 1, but got 0"),
        ({"archive": -1}, "`archive` must be a whole number of at least 0, but got -1"),
        ({"horizon": 0}, "`horizon` must be a whole number of at least 1, but got 0"),
        ({"real_share": 1.2}, "`real_share` must be a share from 0 to 1, but got 1.2"),
    ],
)
def test_what_is_out_of_range_is_refused(changes, message):
    arguments = {"real_share": 0.5, "documents": 10, "archive": 10, "horizon": 1, **changes}
    with pytest.raises(InputError) as error:
        supply(arguments.pop("real_share"), **arguments)
    assert message in str(error.value)
