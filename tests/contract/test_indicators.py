"""What every indicator must keep, found by introspection: a new one fails here until it has a case."""

import inspect
import math
import pickle

import numpy as np
import pytest
from matplotlib import pyplot as plt
from torchmetrics import MetricCollection

from collapse_guard.assessment import assess, replay
from collapse_guard.indicators.base import DEFINITIONS, KINDS, all_indicators
from collapse_guard.indicators.registry import built_in, names
from collapse_guard.records import Direction, EffectScale
from collapse_guard.testing import IndicatorContract, MetricContract
from contract_cases import CASES, readings

READ = [name for name, metric in all_indicators().items() if metric.evidence not in ("lineage", "learning", "columns")]
EACH = pytest.mark.parametrize("name", all_indicators())


def updated(case, *batches):
    metric = case.metric()
    for items in batches:
        metric.update(*case.batch(items))
    return metric


def value(case, items):
    return updated(case, items).compute().item()


class TestMetrics(MetricContract):
    @pytest.fixture(autouse=True, params=CASES)
    def _case(self, request):
        self.case = CASES[request.param]
        self.tolerance, self.value_without_data = self.case.tolerance, self.case.empty

    def make_metric(self):
        return self.case.metric()

    def make_items(self, rng):
        return self.case.items(rng)

    def batch(self, items):
        return self.case.batch(items)

    def definition(self, items):
        return self.case.slow(items)

    def collapse(self, items):
        return self.case.collapse(items)


@pytest.mark.slow
class TestReadings(IndicatorContract):
    @pytest.fixture(autouse=True, params=READ)
    def _name(self, request):
        self.name = request.param

    def indicator(self):
        return all_indicators()[self.name]

    def make_wild_type(self):
        return readings.wild_type()

    def healthy(self, rng):
        return drawn(readings.healthy, rng)

    def collapsed(self, rng):
        return drawn(readings.COLLAPSES.get(self.name, readings.narrowed), rng)

    def _verdict(self, evidence):
        """What was measured for one indicator is decided on by the others too: the rest is as in the contract."""
        return replay(lineage(evidence), self._policy())[-1].verdict


KEPT = {}


def drawn(make, rng):
    """The same evidence for the same state of the generator."""
    place = make, rng.bit_generator.state["state"]["state"]
    if place not in KEPT:
        KEPT[place] = make(rng)
    return KEPT[place]


def lineage(evidence):
    """A healthy founder, and a generation of which the evidence was collected."""
    if (place := evidence.digest()) not in KEPT:
        founder = assess(readings.wild_type(), drawn(readings.healthy, np.random.default_rng(0)))
        KEPT[place] = founder, assess(readings.wild_type(), evidence, history=[founder])
    return KEPT[place]


def test_the_registry_the_catalogue_and_the_cases_name_the_same_indicators():
    assert tuple(all_indicators()) == names()
    assert list(CASES) == list(all_indicators())


@EACH
def test_declares_its_nature(name):
    metric = all_indicators()[name]
    assert metric.name == name
    assert built_in()[name] == metric.family
    assert metric.unit
    assert metric.undefined
    assert metric.evidence in KINDS
    assert isinstance(metric.scale, EffectScale)
    assert metric.cost.startswith("O(")
    assert metric.misses
    assert metric.definitions
    assert set(metric.definitions) <= set(DEFINITIONS)
    assert metric.value_range[0] < metric.value_range[1]
    assert metric.higher_is_better is {Direction.DOWN: True, Direction.UP: False}.get(metric.direction)
    assert not metric.full_state_update


@EACH
def test_docstrings_of_metric_and_function_say_what_must_be_known_and_show_an_example(name):
    assert ">>> metric.compute()" in inspect.getdoc(all_indicators()[name])
    documentation = inspect.getdoc(CASES[name].pure)
    for part in ("Collapse: ", "Undefined (NaN)", "Range: ", "O(", "Source: ", ">>> "):
        assert part in documentation, part
    assert f"Collapse: {all_indicators()[name].direction}" in documentation


@EACH
def test_a_pickled_metric_goes_on_where_it_was(name):
    case = CASES[name]
    items = case.items(np.random.default_rng(11))
    restored = pickle.loads(pickle.dumps(updated(case, items[:6])))  # noqa: S301
    restored.update(*case.batch(items[6:]))
    assert restored.compute().item() == pytest.approx(case.slow(items), rel=case.tolerance)


@EACH
def test_it_plots_its_value_within_its_range(name):
    case = CASES[name]
    _, axes = updated(case, case.items(np.random.default_rng(14))).plot()
    low, high = all_indicators()[name].value_range
    shown = axes.get_ylim()
    assert shown[0] <= low or not math.isfinite(low)
    assert shown[1] >= high or not math.isfinite(high)
    plt.close("all")


def in_collections():
    """Indicators of which a MetricCollection may be made, because their updates take the same."""
    kinds = {}
    for name, case in CASES.items():
        kinds.setdefault((case.items, case.batch), []).append(name)
    return [chosen for chosen in kinds.values() if len(chosen) > 1]


@pytest.mark.parametrize("chosen", in_collections(), ids=lambda chosen: chosen[0])
def test_in_a_collection_each_indicator_has_the_value_that_it_has_alone(chosen):
    """A MetricCollection shares the state of metrics that look alike after the first update: here, after a poor one."""
    items = CASES[chosen[0]].items(np.random.default_rng(10))
    collection = MetricCollection({name: CASES[name].metric() for name in chosen})
    for part in (items[:1], items[1:]):
        collection.update(*CASES[chosen[0]].batch(part))
    alone = {name: value(CASES[name], items) for name in chosen}
    assert {name: found.item() for name, found in collection.compute().items()} == pytest.approx(alone, rel=1e-12)
    assert len(set(alone.values())) == len(chosen)
