"""When equal values say nothing: the same in every group of both sides, unless they count faults and there is none."""

import pytest

from building import make_reading
from collapse_guard.decision.saturation import says_nothing


class TestSaysNothing:
    def pair(self, values, others, name="mine", **changes):
        fields = {"group": "64 samples", "value": 1.0, **changes}
        made = [make_reading(name, fields["value"], replicates=tuple(part), **changes) for part in (values, others)]
        return says_nothing(*made)

    @pytest.mark.parametrize("value", [0.0, 0.3, 1.0, 7.0])
    def test_one_value_in_every_group_of_both(self, value):
        assert self.pair([value] * 5, [value] * 7)
        assert self.pair([value] * 5, [value * (1 + 1e-15)] * 7), "but for rounding"

    @pytest.mark.parametrize(
        ("values", "others"), [([1.0] * 5, [0.999] * 5), ([1.0] * 4 + [0.999], [1.0] * 5), ([1.0] * 5, [1.0, 0.9])]
    )
    def test_not_two_values(self, values, others):
        assert not self.pair(values, others)

    def test_not_documents_or_items_of_which_none_changed(self):
        assert not self.pair([1.0] * 3, [1.0] * 3, keys=("a", "b", "c"), group="document")
        assert not self.pair([1.0] * 3, [1.0] * 3, group="item")
        assert not self.pair([], [])

    @pytest.mark.parametrize(
        ("here", "there", "is_empty"),
        [
            (((1, 90),), ((1, 80),), False),
            (((90, 1),), ((80, 1),), True),
            (((90, 1),), ((1, 80),), False),
            (((45, 2),), ((40, 2),), False),
        ],
    )
    def test_one_sample_again_and_again_on_both_sides(self, here, there, is_empty):
        sides = [make_reading("unique_samples", 1.0, census=census, group="sample") for census in (here, there)]
        assert says_nothing(*sides) == is_empty

    @pytest.mark.parametrize(
        ("name", "value", "is_empty"),
        [
            ("empty_samples", 0.0, False),
            ("empty_samples", 1.0, True),
            ("copied_ngrams", 0.0, False),
            ("copied_ngrams", 1.0, True),
            ("near_duplicates", 0.0, False),
            ("distinct_2", 1.0, True),
        ],
    )
    def test_that_no_sample_has_a_fault_says_much(self, name, value, is_empty):
        assert self.pair([value] * 5, [value] * 5, name) == is_empty
