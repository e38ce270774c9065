"""What every indicator keeps as a metric: batches, ranks and files may be split in any way."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from collapse_guard.indicators.base import Indicator
from collapse_guard.records import Direction, EffectScale
from collapse_guard.testing.requirements import require

ROUNDING = 1e-9
"""Relative difference that another order of summation may make in float64."""
LEAST_MOVE = 0.05
"""How far a known collapse must move a value at least: as a ratio, or in its unit."""


class MetricContract(ABC):
    """What every `Indicator` keeps that can be updated: subclass it in a test file and say how it is fed.

    An item is what may be given to one batch or rank or another: a document, a sample, a row.
    """

    tolerance: float = 1e-5
    """Largest relative difference from `definition`; looser than rounding only for float32 inputs."""
    value_without_data: float = math.nan
    """Value before the first update."""

    @abstractmethod
    def make_metric(self) -> Indicator:
        """Return a metric without data."""

    @abstractmethod
    def make_items(self, rng: np.random.Generator) -> list[Any]:
        """Return a dozen items; the same ones for the same state of the generator."""

    @abstractmethod
    def batch(self, items: list[Any]) -> tuple[Any, ...]:
        """Return the arguments of `update` for one or more items."""

    @abstractmethod
    def definition(self, items: list[Any]) -> float:
        """Return the value by the definition, written out plainly, without the code that is tested."""

    @abstractmethod
    def collapse(self, items: list[Any]) -> list[Any]:
        """Return items that have collapsed, by a change whose effect is known."""

    def test_the_value_is_the_definition_in_each_batch_and_in_total(self) -> None:
        """`metric(...)` returns the value of the batch, `compute()` of all, in float64."""
        for seed in range(5):
            items, metric = self._items(seed), self.make_metric()
            half = len(items) // 2
            for part in (items[:half], items[half:]):
                self._require_definition(metric(*self.batch(part)), part, "the value of a batch")
            self._require_definition(metric.compute(), items, "`compute()`")
            require(metric.compute().dtype == torch.float64, "the value must be float64", metric.compute().dtype)

    def test_splitting_over_batches_and_merging_equals_one_pass(self) -> None:
        """Four ranks, some of which may be without data."""
        for seed in range(15):
            items, owners = self._items(seed), np.random.default_rng(seed).integers(4, size=100)
            parts = [[item for item, owner in zip(items, owners, strict=False) if owner == rank] for rank in range(4)]
            filled = [part for part in parts if part]
            merged, whole = self._updated(*parts[0:1]) if parts[0] else self.make_metric(), self._value(items)
            for part in parts[1:]:
                merged.merge_state(self._updated(part) if part else self.make_metric())
            _require_close(merged.compute(), whole, ROUNDING, "merged states must give the value of one pass")
            _require_close(self._updated(*filled).compute(), whole, ROUNDING, "batches must give the value of one pass")

    def test_merging_after_a_value_was_read_gives_the_new_value(self) -> None:
        """`compute()` remembers its value; merging must make it forget."""
        items, fresh = self._items(3), self.make_metric()
        metric = self._updated(items[:5])
        metric.compute()
        metric.merge_state(self._updated(items[5:]).metric_state)
        self._require_definition(metric.compute(), items, "`compute()` after `merge_state`")
        fresh.merge_state(metric)
        require(fresh.update_called, "a metric must know that it has data once it is merged with one that has", False)
        _require_close(fresh.compute(), metric.compute().item(), 0.0, "a fresh metric must take over the merged state")

    def test_the_order_of_items_does_not_matter(self) -> None:
        """Samples come in any order, and from any rank."""
        items = self._items(4)
        for seed in range(10):
            shuffled = [items[place] for place in np.random.default_rng(seed).permutation(len(items))]
            rule = "another order of the items must give the same value"
            _require_close(self._updated(shuffled).compute(), self._value(items), ROUNDING, rule)

    def test_a_clone_goes_its_own_way(self) -> None:
        """Updating a clone leaves the original alone."""
        items = self._items(5)
        metric = self._updated(items[:6])
        clone = metric.clone()
        clone.update(*self.batch(items[6:]))
        self._require_definition(metric.compute(), items[:6], "the value of the original")
        self._require_definition(clone.compute(), items, "the value of the clone")

    def test_reset_forgets_everything(self) -> None:
        """Without data there is no number, and what comes later is not mixed with what was before."""
        metric, later = self._updated(self._items(6)), self._items(7)
        metric.compute()
        metric.reset()
        with warnings.catch_warnings(action="ignore"):  # torchmetrics says that there was no update
            empty = metric.compute().item()
        expected = self.value_without_data
        same = empty == expected or (math.isnan(empty) and math.isnan(expected))
        require(same, f"the value without data must be {expected}", empty)
        metric.update(*self.batch(later))
        _require_close(metric.compute(), self._value(later), 0.0, "`reset` must forget what was before")

    def test_the_state_survives_a_state_dict(self) -> None:
        """It is left out of checkpoints unless `persistent(True)` puts it in."""
        items, restored = self._items(8), self.make_metric()
        metric = self._updated(items[:7])
        require(not metric.state_dict(), "a state must be left out of checkpoints at first", list(metric.state_dict()))
        metric.persistent(True)
        restored.persistent(True)
        restored.update(*self.batch(items[9:]))
        restored.compute()
        restored.load_state_dict(metric.state_dict())
        rule = "a state that was loaded must take the place of the one before"
        _require_close(restored.compute(), metric.compute().item(), 0.0, rule)
        restored.update(*self.batch(items[7:]))
        self._require_definition(restored.compute(), items, "the value after a state was loaded and updated")

    def test_half_precision_inputs_are_computed_in_more_than_half(self) -> None:
        """float16 and bfloat16 hold three digits: sums over them must be float64. Inputs of integers or texts pass."""
        batch = self.batch(self._items(9))
        for dtype in (torch.float16, torch.bfloat16):
            half, double = self.make_metric(), self.make_metric()
            half.update(*(part.to(dtype) if _is_float(part) else part for part in batch))
            double.update(*(part.to(dtype).double() if _is_float(part) else part for part in batch))
            rule = f"{dtype} inputs must be accumulated in float64"
            _require_close(half.compute(), double.compute().item(), 1e-6, rule)

    def test_values_stay_in_the_declared_range(self) -> None:
        """Healthy, collapsed, and collapsed twice."""
        low, high = self.make_metric().value_range
        for seed in range(20):
            items = self._items(seed)
            for chosen in (items, self.collapse(items), self.collapse(self.collapse(items))):
                value = self._value(chosen)
                require(low <= value <= high, f"a value must be in the declared range, {low:g} to {high:g}", value)

    def test_a_known_collapse_moves_it_the_declared_way(self) -> None:
        """By more than a twentieth, as a ratio or in the unit."""
        metric = self.make_metric()
        for seed in range(5):
            items = self._items(seed)
            before, after = self._value(items), self._value(self.collapse(items))
            require_collapse(metric, before, after)

    def test_states_and_value_are_on_the_device_of_the_metric(self) -> None:
        """On the CPU and, where there is one, on a GPU."""
        items = self._items(12)
        for device in ("cpu", *(["cuda"] if torch.cuda.is_available() else [])):
            metric = self.make_metric().to(device)
            metric.update(*(part.to(device) if isinstance(part, torch.Tensor) else part for part in self.batch(items)))
            where = metric.compute().device.type
            require(where == device, f"the value of a metric on {device} must be there", where)
            self._require_definition(metric.compute(), items, f"the value on {device}")

    def test_all_states_follow_the_metric_to_another_device(self) -> None:
        """Whatever a metric counts in is declared with `add_state`."""
        states = list(self._updated(self._items(13)).to("meta").metric_state.values())
        require(bool(states), "a metric must declare its state with `add_state`", states)
        devices = {tensor.device.type for state in states for tensor in _tensors(state)}
        require(devices == {"meta"}, "every state must follow `metric.to(device)`", devices)

    def _items(self, seed: int) -> list[Any]:
        items = self.make_items(np.random.default_rng(seed))
        require(len(items) >= 12, "`make_items` must return at least 12 items", len(items))
        return items

    def _updated(self, *batches: list[Any]) -> Indicator:
        metric = self.make_metric()
        for items in batches:
            metric.update(*self.batch(items))
        return metric

    def _value(self, items: list[Any]) -> float:
        return float(self._updated(items).compute())

    def _require_definition(self, value: torch.Tensor, items: list[Any], what: str) -> None:
        rule = f"{what} must be the value of the definition"
        _require_close(value, self.definition(items), self.tolerance, rule)


def require_collapse(indicator: Indicator | type[Indicator], before: float, after: float) -> None:
    """A value must have gone towards collapse: as a log ratio, or as a difference, as the indicator is compared."""
    is_ratio = EffectScale(indicator.scale).is_relative
    change = math.log((after + ROUNDING) / (before + ROUNDING)) if is_ratio else after - before
    move = {Direction.UP: change, Direction.DOWN: -change, Direction.BOTH: abs(change)}[indicator.direction]
    rule = f"a collapse must move {indicator.name} {indicator.direction} by more than {LEAST_MOVE}"
    require(move > LEAST_MOVE, rule, (before, after))


def _require_close(value: torch.Tensor, expected: float, tolerance: float, rule: str) -> None:
    got = float(value)
    close = abs(got - expected) <= max(tolerance * abs(expected), 1e-12)
    require(got == expected or close, f"{rule}, {expected!r}", got)


def _is_float(part: Any) -> bool:
    return isinstance(part, torch.Tensor) and part.is_floating_point()


def _tensors(state: torch.Tensor | Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
    yield from [state] if isinstance(state, torch.Tensor) else state
