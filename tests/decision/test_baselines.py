"""Which baseline decides, and on which documents."""

import math

import numpy as np
import pytest

from building import make_reading
from collapse_guard.comparison.compare import compare
from collapse_guard.decision.baselines import SMALLEST_FOLD, comparisons_of, on_fold
from collapse_guard.decision.margins import SeedNoise
from collapse_guard.decision.policy import Policy
from collapse_guard.records import Direction, Generation

POLICY = Policy(decides=("distinct_2", "vendi"))
FIRST, SECOND = Generation(lineage="newsbot", index=0), Generation(lineage="newsbot", index=2, parents=(1,))
VALUES = (0.6, 0.62, 0.58, 0.61, 0.59, 0.6)


def reading(indicator="distinct_2", values=VALUES, **changes):
    value = float(np.mean(values)) if len(values) else math.nan
    fields = {"direction": Direction.DOWN, "scale": "log_ratio", "n": 384, "n_minimum": 320, "group": "64 samples"}
    return make_reading(indicator, value, replicates=tuple(values), **{**fields, **changes})


def on_documents(n, indicator="perplexity", **changes):
    rates = np.linspace(4.0, 5.0, n)
    keys = tuple(f"document {i}" for i in range(n))
    weights = tuple(np.linspace(10.0, 20.0, n))
    return reading(indicator, rates, keys=keys, weights=weights, direction=Direction.UP, group="document", **changes)


def compared(readings, reference=(), *, drift=(), generation=SECOND, policy=POLICY, look=None):
    given = [{one.indicator: one for one in several} for several in (readings, reference, drift)]
    return comparisons_of(generation, given[0], given[1], drift=given[2], policy=policy, look=look)


class TestWhatDecides:
    def test_the_founder_on_later_generations_and_the_wild_type_on_the_founder(self):
        both = [reading(), reading("vendi"), reading("distinct_4")]
        found = compared(both, both, drift=[reading(), reading("distinct_4")])
        assert {(one.indicator, one.baseline): one.decides for one in found} == {
            ("distinct_2", "founder"): True,
            ("distinct_2", "wild_type"): False,
            ("vendi", "wild_type"): False,  # its margins of distance are much wider
            ("distinct_4", "founder"): False,  # the policy does not decide on it
            ("distinct_4", "wild_type"): False,
        }
        assert {one.baseline: one.baseline_generation for one in found} == {"founder": 0, "wild_type": None}
        assert {one.indicator: one.decides for one in compared(both, both, generation=FIRST)} == {
            "distinct_2": True,
            "vendi": True,
            "distinct_4": False,
        }

    def test_by_the_limits_of_its_baseline_and_the_confidence_of_the_policy(self):
        noise = {"distinct_2": SeedNoise(controls=8, mean=0.0, sd=0.2)}
        policy = POLICY.model_copy(update={"seed_noise": noise, "confidence": 0.9})
        for one in compared([reading()], [reading()], drift=[reading()], policy=policy):
            limits = policy.limits("distinct_2", one.baseline, direction=Direction.DOWN)
            assert (one.margin, one.watch, one.seed_limit, one.level) == (*limits, 0.9)

    def test_by_a_margin_in_its_unit_where_it_may_be_0(self):
        [found] = compared([reading("vendi", scale="absolute")], drift=[reading("vendi", scale="absolute")])
        assert (found.margin, found.watch) == (0.15, 0.075)

    @pytest.mark.parametrize("look", [None, 0, 3])
    @pytest.mark.parametrize("decides", [("distinct_2",), ("distinct_2", "vendi")])
    def test_its_power_is_that_of_the_part_of_alpha_that_it_has(self, look, decides):
        policy, other = Policy(decides=(*decides, "distinct_4")), reading(values=VALUES[::-1])
        drift = [other, reading("vendi")][: len(decides)]  # shared among what the founder has, not what it might have
        for found in compared([reading()], [other], drift=drift, look=look, policy=policy):
            alone = compare(
                reading(),
                other,
                baseline=found.baseline,
                margin=found.margin,
                watch=found.watch,
                alert_level=policy.alert_level(2, look) / len(decides),
            )
            assert found.detectable == alone.detectable

    def test_not_a_value_that_is_the_same_everywhere(self):
        same = [reading(values=(0.5,) * 6), reading("vendi")]
        found = compared(same, same, drift=same)
        assert {(one.indicator, one.baseline) for one in found if one.decides} == {("vendi", "founder")}
        assert len(found) == 4, "all are shown"

    def test_not_losses_that_do_not_look_like_losses(self):
        policy = Policy(decides=("perplexity", "tail_loss", "vendi"))
        given = [on_documents(90), on_documents(90, "tail_loss"), reading("vendi")]
        means = [one.model_copy(update={"replicates": tuple(x / 50 for x in one.replicates)}) for one in given]
        for here, there in ((means, means), (means, given), (given, means)):
            found = compared(here, drift=there, policy=policy)
            assert {one.indicator for one in found} == {"perplexity", "tail_loss", "vendi"}
            assert {one.indicator for one in found if one.decides} == {"vendi"}
        assert all(one.decides for one in compared(given, drift=given, policy=policy))
        believing = policy.model_copy(update={"lowest_perplexity": 1.0})
        assert all(one.decides for one in compared(means, drift=means, policy=believing))

    def test_losses_are_judged_by_all_documents_where_folds_rotate(self):
        policy = Policy(decides=("perplexity",), rotate_folds=3)
        means = on_documents(60).model_copy(update={"replicates": (0.1,) * 60})
        [found] = compared([means], drift=[means], policy=policy)
        assert not found.decides
        assert found.n < 30, "too few to tell their unit"

    def test_not_what_cannot_be_compared(self):
        assert compared([reading(group="128 samples")], [reading()]) == []
        assert compared([reading("vendi")], [reading()]) == []


class TestFolds:
    policy = POLICY.model_copy(update={"rotate_folds": 3, "decides": ("perplexity", "distinct_2")})

    def test_cut_founder_and_generation_alike_and_only_what_is_paired(self):
        losses = on_documents(90)
        found = compared([losses, reading()], drift=[losses, reading()], policy=self.policy)
        assert {one.indicator: one.n for one in found} == {
            "perplexity": len(on_fold({"": losses}, 2, self.policy)[""].keys),
            "distinct_2": len(VALUES),
        }
        assert {one.indicator: one.effect for one in found} == {"perplexity": 0.0, "distinct_2": 0.0}

    def test_are_for_drift_alone(self):
        [found] = compared([on_documents(90)], [on_documents(90)], policy=self.policy)
        assert found.n == 90
        assert on_fold({"": on_documents(90)}, None, self.policy)[""] == on_documents(90)
        assert on_fold({"": on_documents(90)}, 1, POLICY)[""] == on_documents(90)

    def test_without_a_founder_all_documents_are_compared_with_the_wild_type_and_decide_nothing(self):
        policy = Policy(decides=("perplexity",), rotate_folds=3)
        [found] = compared([on_documents(90)], [on_documents(90)], policy=policy)
        assert (found.baseline, found.n, found.decides) == ("wild_type", 90, False)

    def test_are_the_same_in_every_version(self):
        """A document in another fold would be judged on twice in one cycle. The hashes are from `b2sum -l 64`."""
        hashes = {
            "a": 0x40F89E395B66422F,
            "document 1": 0x7788837D85191A92,
            "ü": 0x55F19DF5C1392F37,
            "news/2024": 0x91C954DC7B42EBE0,
        }
        rates = dict.fromkeys(("weights", "values"), (1.0,) * len(hashes))
        documents = reading("perplexity", keys=tuple(hashes), group="document", **rates)
        for folds in (2, 3, 10):
            policy = Policy(rotate_folds=folds)
            for key, number in hashes.items():
                for t in (1 + number % folds, 1 + number % folds + 5 * folds):
                    assert key in on_fold({"": documents}, t, policy)[""].keys

    def test_begin_with_the_first_generation_and_come_back_after_the_last(self):
        folds = [on_fold({"": on_documents(90)}, t, self.policy)[""].keys for t in range(1, 8)]
        assert folds[:3] == folds[3:6]
        assert folds[0] == folds[6]
        assert sorted(sum(folds[:3], ())) == sorted(on_documents(90).keys)

    def test_need_twenty_documents_and_keep_an_earlier_problem(self):
        sizes = {}
        for n in range(30, 120):
            cut = on_fold({"": on_documents(n)}, 1, self.policy)[""]
            sizes[len(cut.keys)] = cut
        assert not sizes[SMALLEST_FOLD].problem
        assert "19 of " in sizes[SMALLEST_FOLD - 1].problem
        assert "in fold 1 of 3, 20 are needed" in sizes[SMALLEST_FOLD - 1].problem
        assert on_fold({"": on_documents(9, problem="no losses")}, 1, self.policy)[""].problem == "no losses"
