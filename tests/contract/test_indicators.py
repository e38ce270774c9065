"""What every indicator must keep, found by introspection: a new one fails here until it has a case."""

import inspect
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics import MetricCollection

from collapse_guard.indicators import diversity, likelihood, spread, tails
from collapse_guard.indicators.base import all_indicators
from collapse_guard.indicators.catalogue import FAMILIES, names
from collapse_guard.records import Direction

VOCABULARY, DIMENSION, RARE = 7, 4, (4, 5, 6)
ITEMS = 12
Item = Any


@dataclass(frozen=True)
class Case:
    """How the contract speaks to one indicator: items are what may be split over batches and ranks."""

    metric: Callable[[], Any]
    items: Callable[[np.random.Generator], list[Item]]
    batch: Callable[[list[Item]], tuple[Any, ...]]
    slow: Callable[[list[Item]], float]
    """The definition, without anything of ours."""
    collapse: Callable[[list[Item]], list[Item]]
    """A change of the items whose effect is known: it collapses them."""


# --- likelihood: an item is a document -----------------------------------------------------------------------------


def scored_documents(rng):
    items = []
    for i in range(ITEMS):
        labels = rng.integers(VOCABULARY, size=5)
        labels[5 - i % 3 :] = -100
        logits = rng.normal(size=(5, VOCABULARY)) + 2.0 * np.eye(VOCABULARY)[np.maximum(labels, 0)]
        items.append((torch.tensor(logits, dtype=torch.float32), torch.tensor(labels)))
    return items


def slow_perplexity(items):
    nats = []
    for logits, labels in items:
        for z, y in zip(logits.double().tolist(), labels.tolist(), strict=True):
            if y != -100:
                nats.append(math.log(math.fsum(math.exp(value - z[y]) for value in z)))
    return math.exp(math.fsum(nats) / len(nats))


def documents(rng):
    """(nats, units, whether in the tail)"""
    return [(float(rng.gamma(3.0)), int(rng.integers(1, 9)), bool(i % 3)) for i in range(ITEMS)]


def columns(items):
    nats, units, tail = zip(*items, strict=True)
    return torch.tensor(nats, dtype=torch.float32), torch.tensor(units), torch.tensor(tail)


def harder(items):
    return [(1.5 * nats, units, tail) for nats, units, tail in items]


# --- diversity and tails: an item is a sequence, or a word ----------------------------------------------------------


def sequences(rng):
    return [torch.tensor(rng.integers(VOCABULARY, size=rng.integers(3, 12))) for _ in range(ITEMS)]


def slow_distinct(n):
    def slow(items):
        grams = [tuple(ids[i : i + n]) for ids in map(Tensor.tolist, items) for i in range(len(ids) - n + 1)]
        return len(set(grams)) / len(grams)

    return slow


def words(rng):
    return rng.choice([tails.UNKNOWN, *range(VOCABULARY)], size=ITEMS).tolist()


# --- spread: an item is a vector ------------------------------------------------------------------------------------


def vectors(rng):
    return list(torch.tensor(rng.normal(loc=0.5, size=(ITEMS, DIMENSION)), dtype=torch.float32))


def matrix(items):
    return np.stack([item.double().numpy() for item in items])


def slow_effective_rank(items):
    x = matrix(items)
    s = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    p = s / s.sum()
    return math.exp(-(p * np.log(p)).sum())


def slow_vendi(items):
    unit = [row / np.linalg.norm(row) for row in matrix(items)]
    values = np.linalg.eigvalsh(np.array([[a @ b for b in unit] for a in unit]) / len(unit))
    return math.exp(-sum(value * math.log(value) for value in values if value > 1e-12))


def stacked(items):
    return (torch.stack(items),)


def distinct_case(n):
    return Case(
        metric=lambda: getattr(diversity, f"Distinct{n}")(vocabulary_size=VOCABULARY),
        items=sequences,
        batch=lambda items: (items,),
        slow=slow_distinct(n),
        collapse=lambda items: [items[0]] * len(items),
    )


def words_case(metric, slow):
    return Case(
        metric=lambda: metric(rare=RARE, n_types=VOCABULARY),
        items=words,
        batch=lambda items: (torch.tensor(items),),
        slow=slow,
        collapse=lambda items: [0 if item in RARE else item for item in items],
    )


CASES = {
    "perplexity": Case(
        likelihood.Perplexity,
        scored_documents,
        lambda items: tuple(map(torch.stack, zip(*items, strict=True))),
        slow_perplexity,
        lambda items: [(0.2 * logits, labels) for logits, labels in items],
    ),
    "bits_per_byte": Case(
        likelihood.BitsPerByte,
        documents,
        lambda items: columns(items)[:2],
        lambda items: math.fsum(nats / math.log(2) for nats, *_ in items) / sum(units for _, units, _ in items),
        harder,
    ),
    "tail_loss": Case(
        likelihood.TailLoss,
        documents,
        columns,
        lambda items: math.fsum(n for n, _, tail in items if tail) / sum(u for _, u, tail in items if tail),
        harder,
    ),
    "tail_token_loss": Case(
        likelihood.TailTokenLoss,
        documents,
        lambda items: (columns(items)[0], columns(items)[2]),
        lambda items: math.fsum(n for n, _, tail in items if tail) / sum(tail for *_, tail in items),
        harder,
    ),
    **{f"distinct_{n}": distinct_case(n) for n in (1, 2, 3, 4)},
    "rare_coverage": words_case(tails.RareCoverage, lambda items: len(set(items) & set(RARE)) / len(RARE)),
    "rare_mass": words_case(tails.RareMass, lambda items: sum(Counter(items)[r] for r in RARE) / len(items)),
    "total_variance": Case(
        lambda: spread.TotalVariance(DIMENSION),
        vectors,
        stacked,
        lambda items: float(np.trace(np.cov(matrix(items).T))),
        lambda items: [0.7 * item for item in items],
    ),
    "effective_rank": Case(
        lambda: spread.EffectiveRank(DIMENSION),
        vectors,
        stacked,
        slow_effective_rank,
        lambda items: [item * torch.tensor([1.0, 0.1, 0.1, 0.1]) for item in items],
    ),
    "vendi": Case(
        lambda: spread.Vendi(DIMENSION),
        vectors,
        stacked,
        slow_vendi,
        lambda items: [items[i % 2] for i in range(len(items))],
    ),
}

EXEMPT = {
    ("distinct_1", "half"): "token ids are integers: there is no half precision of them",
    ("distinct_2", "half"): "token ids are integers: there is no half precision of them",
    ("distinct_3", "half"): "token ids are integers: there is no half precision of them",
    ("distinct_4", "half"): "token ids are integers: there is no half precision of them",
    ("rare_coverage", "half"): "type ids are integers: there is no half precision of them",
    ("rare_mass", "half"): "type ids are integers: there is no half precision of them",
    ("rare_coverage", "empty"): "no word at all covers no rare word: that is 0, and it is defined",
}
PURE = {
    name: getattr(module, "distinct_n" if name.startswith("distinct") else name)
    for module in (likelihood, diversity, tails, spread)
    for name in FAMILIES[module.__name__.rsplit(".", 1)[1]]
}
EACH = pytest.mark.parametrize("name", all_indicators())


def updated(case, *batches):
    metric = case.metric()
    for items in batches:
        metric.update(*case.batch(items))
    return metric


def value(case, items):
    return updated(case, items).compute().item()


def test_the_registry_the_catalogue_and_the_cases_name_the_same_indicators():
    assert tuple(all_indicators()) == names()
    assert set(CASES) == set(all_indicators()) == set(PURE)


def test_every_exemption_is_of_an_indicator_and_a_check_that_exist_and_gives_its_reason():
    checks = {"half", "empty"}
    for (name, check), reason in EXEMPT.items():
        assert name in all_indicators(), name
        assert check in checks, check
        assert len(reason.split()) > 4, (name, check)


@EACH
def test_declares_its_nature(name):
    metric = all_indicators()[name]
    assert metric.name == name
    assert name in FAMILIES[metric.family]
    assert metric.unit
    assert metric.undefined
    assert metric.evidence in ("losses", "tokens", "words", "vectors")
    assert metric.scale in ("log_ratio", "difference")
    assert metric.value_range[0] < metric.value_range[1]
    assert metric.higher_is_better is {Direction.DOWN: True, Direction.UP: False}.get(metric.direction)
    assert not metric.full_state_update


@EACH
def test_docstrings_of_metric_and_function_say_what_must_be_known_and_show_an_example(name):
    assert ">>> metric.compute()" in inspect.getdoc(all_indicators()[name])
    documentation = inspect.getdoc(PURE[name])
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
        assert metric(*case.batch(half)).item() == pytest.approx(case.slow(half), rel=1e-5)
    assert metric.compute().item() == pytest.approx(case.slow(items), rel=1e-5)
    assert metric.compute().dtype == torch.float64


@EACH
@settings(deadline=None, max_examples=15)
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
    assert metric.compute().item() == pytest.approx(case.slow(items), rel=1e-5)
    fresh = case.metric()
    fresh.merge_state(metric)
    assert fresh.update_called
    assert fresh.compute() == metric.compute()


@EACH
@settings(deadline=None, max_examples=10)
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
    assert metric.compute().item() == pytest.approx(case.slow(items[:6]), rel=1e-5)
    assert clone.compute().item() == pytest.approx(case.slow(items), rel=1e-5)


@EACH
def test_reset_forgets_everything_and_without_data_there_is_no_number(name):
    case = CASES[name]
    first, second = (case.items(np.random.default_rng(seed)) for seed in (6, 7))
    metric = updated(case, first)
    metric.compute()
    metric.reset()
    with pytest.warns(UserWarning, match=r"called before the ``update`` method"):
        empty = metric.compute().item()
    assert math.isnan(empty) or (name, "empty") in EXEMPT
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
    assert restored.compute().item() == pytest.approx(case.slow(items), rel=1e-5)


@pytest.mark.parametrize("name", [name for name in all_indicators() if (name, "half") not in EXEMPT])
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


@EACH
@pytest.mark.parametrize("seed", range(20))
def test_values_stay_in_the_declared_range_healthy_or_collapsed(name, seed):
    case = CASES[name]
    low, high = all_indicators()[name].value_range
    items = case.items(np.random.default_rng(seed))
    for chosen in (items, case.collapse(items), case.collapse(case.collapse(items))):
        assert low <= value(case, chosen) <= high


@EACH
@pytest.mark.parametrize("seed", range(5))
def test_a_known_collapse_moves_it_the_declared_way(name, seed):
    case = CASES[name]
    items = case.items(np.random.default_rng(seed))
    moved = math.log((value(case, case.collapse(items)) + 1e-9) / value(case, items))
    assert {Direction.UP: moved, Direction.DOWN: -moved}[all_indicators()[name].direction] > 0.05


@pytest.mark.parametrize("evidence", ["tokens", "words", "vectors"])
def test_in_a_collection_each_indicator_has_the_value_that_it_has_alone(evidence):
    """A MetricCollection shares the state of metrics that look alike after the first update: here, after a poor one."""
    chosen = [name for name, metric in all_indicators().items() if metric.evidence == evidence]
    items = CASES[chosen[0]].items(np.random.default_rng(10))
    collection = MetricCollection({name: CASES[name].metric() for name in chosen})
    for part in (items[:1], items[1:]):
        collection.update(*CASES[chosen[0]].batch(part))
    alone = {name: value(CASES[name], items) for name in chosen}
    assert {name: found.item() for name, found in collection.compute().items()} == pytest.approx(alone, rel=1e-12)
    assert len(set(alone.values())) == len(chosen)
