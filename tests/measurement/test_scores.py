"""Scores of tasks: read, compared with the founder item by item, and able to decide."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_ind, ttest_rel

from collapse_guard import Evidence, Policy, Severity, WildType, assess, register
from collapse_guard.errors import InputError, PolicyError
from collapse_guard.evidence import Scores
from collapse_guard.indicators import Indicator, unregister
from collapse_guard.measurement.measure import measure
from collapse_guard.records import Direction
from collapse_guard.store.mlflow import layout

FACTS = Policy(tasks={"facts": {}})


@pytest.fixture(scope="module")
def wild_type():
    return WildType.fit_arrays(np.random.default_rng(0).normal(size=(100, 2)), group_samples=10)


def answers(rng, n, share):
    return {f"q{i}": float(rng.random() < share) for i in range(n)}


def read(wild_type, scores):
    return measure(wild_type, Evidence(scores={"facts": scores}))["facts"]


def test_a_task_is_a_reading_of_its_name_with_an_item_for_each_replicate(wild_type):
    reading = read(wild_type, {f"q{i}": i % 3 / 2 for i in range(90)})
    assert (reading.indicator, reading.family, reading.group, reading.scale) == ("facts", "tasks", "item", "share")
    assert reading.value == pytest.approx(0.5)
    assert reading.keys == tuple(f"q{i}" for i in range(90))
    assert reading.replicates == tuple(i % 3 / 2 for i in range(90))
    assert reading.direction is Direction.DOWN
    assert reading.is_usable
    assert read(wild_type, [0.5] * 90).keys == ()
    assert read(wild_type, Scores(values=[1] * 60, lower_is_better=True)).direction is Direction.UP


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_k_correct_of_n_is_that_share(counts):
    correct, total = counts
    scores = Scores.of_counts(correct=correct, total=total)
    assert len(scores) == total
    assert scores.values.mean() == pytest.approx(correct / total)
    assert set(scores.values) <= {0.0, 1.0}


def test_sixty_items_are_needed_and_a_score_that_is_no_number_never_passes(wild_type):
    assert read(wild_type, [1.0] * 60).is_usable
    few = read(wild_type, [1.0] * 59)
    assert few.problem == "59 items were scored, 60 are needed"
    broken = {f"q{i}": 1.0 for i in range(80)} | {"q7": math.nan}
    reading = read(wild_type, broken)
    assert math.isnan(reading.value)
    assert reading.problem == "1 of 80 scores are not finite (first: item 'q7')"
    founder = assess(wild_type, Evidence(scores={"facts": dict.fromkeys(broken, 1.0)}), policy=FACTS)
    child = assess(wild_type, Evidence(scores={"facts": broken}), history=[founder], policy=FACTS)
    assert child.verdict.severity is Severity.UNDECIDED


@pytest.mark.parametrize(("share", "severity"), [(0.9, Severity.HEALTHY), (0.5, Severity.COLLAPSED)])
def test_a_task_of_the_policy_decides_by_its_margin(wild_type, rng, share, severity):
    founder = answers(rng, 2000, 0.9)
    kept = {item: score * (rng.random() < share / 0.9) for item, score in founder.items()}
    first = assess(wild_type, Evidence(scores={"facts": founder}), policy=FACTS)
    child = assess(wild_type, Evidence(scores={"facts": kept}), history=[first], policy=FACTS)
    assert first.verdict.severity is Severity.HEALTHY
    assert child.verdict.severity is severity
    (comparison,) = child.comparisons
    assert (comparison.margin, comparison.watch, comparison.decides) == (0.05, 0.02, True)
    assert comparison.method == "bets on paired items; interval: paired t on items"
    assert layout.metrics(child)["tasks/facts"] == pytest.approx(sum(kept.values()) / 2000)


def test_a_task_that_the_policy_does_not_name_is_shown_and_decides_nothing(wild_type, rng):
    first, second = ({"facts": answers(rng, 200, share)} for share in (0.9, 0.1))
    founder = assess(wild_type, Evidence(scores=first))
    child = assess(wild_type, Evidence(scores=second), history=[founder])
    assert [comparison.decides for comparison in child.comparisons] == [False]
    assert child.verdict.severity is Severity.UNDECIDED


@pytest.mark.parametrize("paired", [True, False])
def test_the_interval_is_that_of_students_test_paired_where_items_have_ids(wild_type, rng, paired):
    one, two = answers(rng, 150, 0.8), answers(rng, 150, 0.7)
    x, y = np.array(list(one.values())), np.array(list(two.values()))
    given = (one, two) if paired else (list(one.values()), list(two.values())[:120])
    founder = assess(wild_type, Evidence(scores={"facts": given[0]}))
    (comparison,) = assess(wild_type, Evidence(scores={"facts": given[1]}), history=[founder]).comparisons
    expected = ttest_rel(y, x) if paired else ttest_ind(y[:120], x, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert (comparison.low, comparison.high) == pytest.approx((interval.low, interval.high))


def test_items_of_the_founder_that_are_missing_are_an_obstacle_and_never_dropped(wild_type, rng):
    founder = assess(wild_type, Evidence(scores={"facts": answers(rng, 200, 0.5)}), policy=FACTS)
    rest = dict.fromkeys([f"q{i}" for i in range(150)], 1.0)
    child = assess(wild_type, Evidence(scores={"facts": rest}), history=[founder], policy=FACTS)
    assert child.verdict.severity is Severity.UNDECIDED
    sentence = child.verdict.reasons[0].sentence
    assert "lacks 50 of its baseline's 200 items (first: q150); score the same items in every generation" in sentence


@pytest.mark.parametrize("with_ids", ["this generation", "the baseline"])
def test_ids_of_items_in_one_generation_only_are_an_obstacle(wild_type, rng, with_ids):
    named = answers(rng, 100, 0.5)
    scores = [named, list(named.values())] if with_ids == "the baseline" else [list(named.values()), named]
    founder = assess(wild_type, Evidence(scores={"facts": scores[0]}), policy=FACTS)
    child = assess(wild_type, Evidence(scores={"facts": scores[1]}), history=[founder], policy=FACTS)
    assert child.verdict.severity is Severity.UNDECIDED
    assert f"facts has ids of items only in {with_ids}: give them in every" in child.verdict.reasons[0].sentence


def test_a_rise_is_harm_where_lower_is_better(wild_type, rng):
    items = [f"q{i}" for i in range(400)]
    refusals = [Scores(items=items, values=rng.random(400) < p, lower_is_better=True) for p in (0.05, 0.6)]
    founder = assess(wild_type, Evidence(scores={"facts": refusals[0]}), policy=FACTS)
    child = assess(wild_type, Evidence(scores={"facts": refusals[1]}), history=[founder], policy=FACTS)
    assert child.verdict.severity is Severity.COLLAPSED


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({"facts": [0.5, 1.5]}, "from 0 to 1, but got 1.5: divide by the most"),
        ({"facts": {"a": -0.1}}, "from 0 to 1, but got -0.1"),
        ({"facts": ["yes"]}, r"numbers from 0 to 1, but got \['yes'\]"),
        ({"facts": []}, r"one number for each item, but got an array of shape \(0,\)"),
        ({"facts": [[1.0]]}, r"shape \(1, 1\)"),
        ({"my facts": [1.0]}, "names of letters, .* but got 'my facts'"),
        ({"../facts": [1.0]}, "but got '../facts'"),
        ({3: [1.0]}, "but got 3"),
    ],
)
def test_scores_that_cannot_be_are_refused(scores, message):
    with pytest.raises(InputError, match=f"`scores` must .*{message}"):
        Evidence(scores=scores)


def test_items_must_be_unique_and_as_many_as_scores():
    with pytest.raises(InputError, match="one id for each of 2 scores, but got 1"):
        Scores(values=[1, 0], items=["a"])
    with pytest.raises(InputError, match="'a' stands twice"):
        Scores(values=[1, 0], items=["a", "a"])
    with pytest.raises(InputError, match=r"`correct` must be at most `total` \(3\), but got 4"):
        Scores.of_counts(correct=4, total=3)


def test_the_name_of_an_indicator_is_refused(wild_type):
    with pytest.raises(InputError, match="names that no indicator has, but got 'vendi': rename it"):
        measure(wild_type, Evidence(scores={"vendi": [1.0] * 60}))


def test_only_some_tasks_are_read(wild_type):
    evidence = Evidence(scores={"facts": [1.0] * 60, "code": [0.0] * 60})
    assert list(measure(wild_type, evidence)) == ["facts", "code"]
    assert list(measure(wild_type, evidence, only=["code"])) == ["code"]
    with pytest.raises(InputError, match=r"`only` must .* did you mean `facts`"):
        measure(wild_type, evidence, only=["fact"])


def test_a_policy_knows_the_tasks_that_it_names_and_refuses_misspelt_indicators():
    policy = Policy.from_dict({"tasks": {"facts": {"margin": 0.1}}, "required": ["facts"], "decides": ["vendi"]})
    assert policy.decides == ("vendi", "facts")
    assert policy.margin("facts", "founder").margin == 0.1
    assert Policy.model_validate(policy.model_dump(mode="json")) == policy
    assert policy.fingerprint != Policy.from_dict({"decides": ["vendi"]}).fingerprint
    with pytest.raises(PolicyError, match=r"unknown indicator `fact`: .*name task scores in `tasks`"):
        Policy.from_dict({"decides": ["fact"]})
    with pytest.raises(PolicyError, match="margins of task scores stand in `tasks`"):
        Policy.from_dict({"tasks": {"facts": {}}, "drift": {"facts": {"margin": 0.1, "watch": 0.1}}})
    with pytest.raises(PolicyError, match=r"`tasks` must have names of .*`vendi`"):
        Policy.from_dict({"tasks": {"vendi": {}}})


def test_an_indicator_of_ones_own_may_be_computed_from_scores(wild_type, request):
    request.addfinalizer(partial(unregister, "worst_task"))

    @register
    class Worst(Indicator):
        """The worst of all tasks, item by item."""

        name, family, unit, direction = "worst_task", "tasks", "share of points", "down"
        value_range, minimum_n, evidence, scale = (0.0, 1.0), 60, "scores", "absolute"

        @classmethod
        def read(cls, scores):
            both = np.minimum(*(task.values for task in scores.values())) if len(scores) == 2 else None
            return None if both is None else Scores(values=both)

    one, other = [1.0, 0.0] * 30, [1.0, 1.0, 0.0] * 20
    readings = measure(wild_type, Evidence(scores={"one": one, "other": other}))
    assert readings["worst_task"].value == pytest.approx(np.minimum(one, other).mean())
    assert "worst_task" not in measure(wild_type, Evidence(scores={"one": one}))
