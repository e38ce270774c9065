"""The contract of metrics fails where a metric is broken, and its message says what is required."""

import math

import pytest
import torch

from collapse_guard.indicators.base import Indicator
from collapse_guard.records import Direction
from collapse_guard.testing import MetricContract
from contract_failures import failures


class Spread(Indicator):
    """Mean square of rows: sound."""

    unit, direction, value_range = "square units", Direction.DOWN, (0.0, math.inf)
    family, minimum_n, evidence, undefined = "mine", 5, "vectors", "there are no rows"

    def __init__(self, **settings):
        super().__init__(**settings)
        self._add_sum("squares")
        self._add_sum("rows")

    def update(self, rows):
        self.squares += rows.double().square().sum()
        self.rows += len(rows)

    def compute(self):
        return self.squares / self.rows  # NaN without rows


def contract_of(metric, **methods):
    metric.name = "mean_square"

    class Contract(MetricContract):
        def make_metric(self):
            return metric()

        def make_items(self, rng):
            return list(torch.tensor(rng.normal(size=(12, 3)), dtype=torch.float32))

        def batch(self, items):
            return (torch.stack(items),)

        def definition(self, items):
            return math.fsum(value**2 for item in items for value in item.tolist()) / len(items)

        def collapse(self, items):
            return [0.5 * item for item in items]

    return type("Broken", (Contract,), methods)


class Smoothed(Spread):
    """A running mean of batches, which depends on where they are cut."""

    def update(self, rows):
        self.squares += rows.double().square().sum() / len(rows)
        self.rows += 1


class MergesTheLargest(Spread):
    def merge_state(self, incoming):
        other = incoming.metric_state if isinstance(incoming, Indicator) else incoming
        self.squares = torch.maximum(self.squares, other["squares"])
        self.rows = torch.maximum(self.rows, other["rows"])
        self._note_state_from_elsewhere(1)


class RemembersTheValue(Spread):
    def _note_state_from_elsewhere(self, updates):
        self._update_count += updates


class DependsOnOrder(Spread):
    """Weighs later rows more."""

    def update(self, rows):
        weights = 1.0 + 1e-3 * (self.rows + torch.arange(len(rows)))
        self.squares += (weights * rows.double().square().sum(-1)).sum()
        self.rows += len(rows)


class KeepsAnAttribute(Spread):
    """Counts where torchmetrics does not look: `reset`, `to` and ranks pass it by."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.seen = torch.zeros(())

    def update(self, rows):
        super().update(rows)
        self.seen = self.seen + len(rows)

    def compute(self):
        return self.squares / self.seen


class ResetsInPart(Spread):
    def reset(self):
        squares = self.squares
        super().reset()
        self.squares = squares

    def compute(self):
        return super().compute() if self.rows else torch.tensor(math.nan)


class SharesWithItsClone(Spread):
    def clone(self):
        return self


class SingleReadings(Spread):
    def compute(self):
        return super().compute().float()


class SumsInHalf(Spread):
    def update(self, rows):
        self.squares += rows.square().sum().double()
        self.rows += len(rows)


class ZeroWithoutData(Spread):
    def compute(self):
        return self.squares / self.rows.clamp(min=1)


class OutOfRange(Spread):
    value_range = (0.0, 0.5)


class TheOtherWay(Spread):
    direction = Direction.UP


class Unmoved(Spread):
    def compute(self):
        return torch.where(self.rows > 0, 1.0, math.nan).double()


class Persistent(Spread):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.persistent(True)


class Stateless(Spread):
    def __init__(self, **settings):
        Indicator.__init__(self, **settings)
        self.squares = self.rows = torch.zeros((), dtype=torch.float64)


class Misplaced(Spread):
    def compute(self):
        return super().compute().to("meta")


SPLIT = "splitting_over_batches_and_merging_equals_one_pass"
BROKEN = {
    Smoothed: (SPLIT, "must give the value of one pass"),
    MergesTheLargest: (SPLIT, "merged states must give the value of one pass"),
    RemembersTheValue: (
        "merging_after_a_value_was_read_gives_the_new_value",
        "`compute()` after `merge_state` must be",
    ),
    DependsOnOrder: ("the_order_of_items_does_not_matter", "another order of the items must give the same value"),
    KeepsAnAttribute: ("reset_forgets_everything", "the value without data must be nan, but got 0.0"),
    ResetsInPart: ("reset_forgets_everything", "`reset` must forget what was before"),
    SharesWithItsClone: ("a_clone_goes_its_own_way", "the value of the original must be the value of the definition"),
    SingleReadings: ("the_value_is_the_definition_in_each_batch_and_in_total", "the value must be float64"),
    SumsInHalf: ("half_precision_inputs_are_computed_in_more_than_half", "must be accumulated in float64"),
    ZeroWithoutData: ("reset_forgets_everything", "the value without data must be nan, but got 0.0"),
    OutOfRange: ("values_stay_in_the_declared_range", "a value must be in the declared range, 0 to 0.5"),
    TheOtherWay: ("a_known_collapse_moves_it_the_declared_way", "a collapse must move mean_square up by more than"),
    Unmoved: ("a_known_collapse_moves_it_the_declared_way", "a collapse must move mean_square down by more than"),
    Persistent: ("the_state_survives_a_state_dict", "a state must be left out of checkpoints at first"),
    Stateless: ("all_states_follow_the_metric_to_another_device", "a metric must declare its state with `add_state`"),
    Misplaced: ("states_and_value_are_on_the_device_of_the_metric", "the value of a metric on cpu must be there"),
}


def test_a_metric_that_keeps_the_contract_passes_every_check():
    assert failures(contract_of(Spread)) == {}


@pytest.mark.parametrize("metric", BROKEN, ids=lambda metric: metric.__name__)
def test_a_broken_metric_is_caught_and_the_error_says_what_is_required(metric):
    check, rule = BROKEN[metric]
    assert rule in failures(contract_of(metric))[check]


def test_another_definition_is_caught():
    found = failures(contract_of(Spread, definition=lambda self, items: 1.0))
    assert (
        "the value of a batch must be the value of the definition, 1.0, but got"
        in found["the_value_is_the_definition_in_each_batch_and_in_total"]
    )


def test_too_few_items_are_refused():
    found = failures(contract_of(Spread, make_items=lambda self, rng: [torch.ones(3)] * 4))
    assert set(found.values()) == {"`make_items` must return at least 12 items, but got 4"}
