"""What every indicator must keep, found by introspection: a new one fails here until it has a case."""

import inspect
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from torchmetrics import MetricCollection

from collapse_guard.indicators.base import DEFINITIONS, all_indicators
from collapse_guard.indicators.registry import built_in, names
from collapse_guard.records import Direction, EffectScale
from contract_cases import CASES
from contract_cases.case import CHECKS, ITEMS

EACH = pytest.mark.parametrize("name", all_indicators())
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def unless_exempt(check):
    return pytest.mark.parametrize("name", [name for name in all_indicators() if check not in CASES[name].exempt])


def updated(case, *batches):
    metric = case.metric()
    for items in batches:
        metric.update(*case.batch(items))
    return metric


def value(case, items):
    return updated(case, items).compute().item()


def test_the_registry_the_catalogue_and_the_cases_name_the_same_indicators():
    assert tuple(all_indicators()) == names()
    assert list(CASES) == list(all_indicators())


def test_every_exemption_is_of_a_check_that_exists_and_gives_its_reason():
    for name, case in CASES.items():
        for check, reason in case.exempt.items():
            assert check in CHECKS, (name, check)
            assert len(reason.split()) > 4, (name, check)


@EACH
def test_declares_its_nature(name):
    metric = all_indicators()[name]
    assert metric.name == name
    assert built_in()[name] == metric.family
    assert metric.unit
    assert metric.undefined
    assert metric.evidence in ("losses", "outputs", "tokens", "words", "texts", "vectors", "lineage")
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
@pytest.mark.parametrize("seed", range(5))
def test_value_is_the_slow_definition_in_each_batch_and_in_total(name, seed):
    case = CASES[name]
    items = case.items(np.random.default_rng(seed))
    metric, halves = case.metric(), (items[: ITEMS // 2], items[ITEMS // 2 :])
    for half in halves:
        alone = metric(*case.batch(half)).item()
        assert alone == pytest.approx(case.slow(half), rel=case.tolerance) or "batches" in case.exempt
    assert metric.compute().item() == pytest.approx(case.slow(items), rel=case.tolerance)
    assert metric.compute().dtype == torch.float64


@EACH
@settings(max_examples=15)
@given(data=st.data())
def test_splitting_over_batches_and_merging_equals_one_pass(name, data):
    case = CASES[name]
    items = case.items(np.random.default_rng(data.draw(st.integers(0, 99))))
    owners = data.draw(st.lists(st.integers(0, 3), min_size=ITEMS, max_size=ITEMS))
    parts = [[item for item, owner in zip(items, owners, strict=True) if owner == rank] for rank in range(4)]
    metrics = [updated(case, *([part] if part else [])) for part in parts]
    for metric in metrics[1:]:
        metrics[0].merge_state(metric)
    assert metrics[0].compute().item() == pytest.approx(value(case, items), rel=1e-9)
    assert updated(case, *filter(None, parts)).compute().item() == pytest.approx(value(case, items), rel=1e-9)


@EACH
def test_merging_after_a_value_was_read_gives_the_new_value(name):
    case = CASES[name]
    items = case.items(np.random.default_rng(3))
    metric = updated(case, items[:5])
    metric.compute()
    metric.merge_state(updated(case, items[5:]).metric_state)
    assert metric.compute().item() == pytest.approx(case.slow(items), rel=case.tolerance)
    fresh = case.metric()
    fresh.merge_state(metric)
    assert fresh.update_called
    assert fresh.compute() == metric.compute()


@EACH
@settings(max_examples=10)
@given(random=st.randoms(use_true_random=False))
def test_the_order_of_items_does_not_matter(name, random):
    case = CASES[name]
    items = case.items(np.random.default_rng(4))
    assert value(case, random.sample(items, ITEMS)) == pytest.approx(value(case, items), rel=1e-9)


@EACH
def test_a_clone_goes_its_own_way(name):
    case = CASES[name]
    items = case.items(np.random.default_rng(5))
    metric = updated(case, items[:6])
    clone = metric.clone()
    clone.update(*case.batch(items[6:]))
    assert metric.compute().item() == pytest.approx(case.slow(items[:6]), rel=case.tolerance)
    assert clone.compute().item() == pytest.approx(case.slow(items), rel=case.tolerance)


@EACH
def test_reset_forgets_everything_and_without_data_there_is_no_number(name):
    case = CASES[name]
    first, second = (case.items(np.random.default_rng(seed)) for seed in (6, 7))
    metric = updated(case, first)
    metric.compute()
    metric.reset()
    with pytest.warns(UserWarning, match=r"called before the ``update`` method"):
        empty = metric.compute().item()
    assert math.isnan(empty) or "empty" in case.exempt
    metric.update(*case.batch(second))
    assert metric.compute().item() == value(case, second)


@EACH
def test_the_state_survives_a_state_dict_and_is_left_out_unless_asked_for(name):
    case = CASES[name]
    items = case.items(np.random.default_rng(8))
    metric = updated(case, items[:7])
    assert not metric.state_dict()
    metric.persistent(True)
    restored = case.metric()
    restored.persistent(True)
    restored.update(*case.batch(items[9:]))
    restored.compute()
    restored.load_state_dict(metric.state_dict())
    assert restored.compute() == metric.compute()
    restored.update(*case.batch(items[7:]))
    assert restored.compute().item() == pytest.approx(case.slow(items), rel=case.tolerance)


@unless_exempt("half")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_inputs_are_computed_in_more_than_half(name, dtype):
    case = CASES[name]
    batch = case.batch(case.items(np.random.default_rng(9)))
    halved = [part.to(dtype) if part.is_floating_point() else part for part in batch]
    widened = [part.double() if part.is_floating_point() else part for part in halved]
    half, double = case.metric(), case.metric()
    half.update(*halved)
    double.update(*widened)
    assert half.compute().item() == pytest.approx(double.compute().item(), rel=1e-6)


@unless_exempt("range")
@pytest.mark.parametrize("seed", range(20))
def test_values_stay_in_the_declared_range_healthy_or_collapsed(name, seed):
    case = CASES[name]
    low, high = all_indicators()[name].value_range
    items = case.items(np.random.default_rng(seed))
    for chosen in (items, case.collapse(items), case.collapse(case.collapse(items))):
        assert low <= value(case, chosen) <= high


@unless_exempt("collapse")
@pytest.mark.parametrize("seed", range(5))
def test_a_known_collapse_moves_it_the_declared_way(name, seed):
    case = CASES[name]
    items = case.items(np.random.default_rng(seed))
    before, after = value(case, items), value(case, case.collapse(items))
    metric = all_indicators()[name]
    moved = math.log((after + 1e-9) / (before + 1e-9)) if metric.scale == "log_ratio" else after - before
    turned = {Direction.UP: moved, Direction.DOWN: -moved, Direction.BOTH: abs(moved)}
    assert turned[metric.direction] > 0.05


@EACH
def test_a_pickled_metric_goes_on_where_it_was(name):
    case = CASES[name]
    items = case.items(np.random.default_rng(11))
    restored = pickle.loads(pickle.dumps(updated(case, items[:6])))  # noqa: S301
    restored.update(*case.batch(items[6:]))
    assert restored.compute().item() == pytest.approx(case.slow(items), rel=case.tolerance)


@EACH
@pytest.mark.parametrize("device", DEVICES)
def test_states_and_value_are_on_the_device_of_the_metric(name, device):
    case = CASES[name]
    items = case.items(np.random.default_rng(12))
    metric = case.metric().to(device)
    moved = [part.to(device) if isinstance(part, torch.Tensor) else part for part in case.batch(items)]
    metric.update(*moved)
    assert metric.compute().device.type == device
    assert metric.compute().item() == pytest.approx(case.slow(items), rel=case.tolerance)


@EACH
def test_all_states_follow_the_metric_to_another_device(name):
    case = CASES[name]
    metric = updated(case, case.items(np.random.default_rng(13))).to("meta")
    states = metric.metric_state.values()
    assert states
    assert {part.device.type for state in states for part in (state if isinstance(state, list) else [state])} == {
        "meta"
    }


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
