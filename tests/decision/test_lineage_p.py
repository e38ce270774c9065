"""A p-value for the whole lineage: the closed form of the shared level, and of evidence that folds accumulate."""

import pytest

from building import make_assessment, make_comparison
from collapse_guard.decision.policy import Policy
from collapse_guard.decision.verdict import lineage_p

FOLDS = 4
ROTATING = Policy(rotate_folds=FOLDS)
LEVELS = ("margin", "watch")


def comparison(indicator="perplexity", **changes):
    return make_comparison(indicator, p_beyond_margin=0.01, p_beyond_watch=0.002, **changes)


def evidence(margin, watch, **changes):
    return comparison(e_beyond_margin=margin, e_beyond_watch=watch, **changes)


def past(index, *comparisons):
    return make_assessment(index=index, comparisons=comparisons)


HISTORY = [
    past(0),
    *(past(t, evidence(1e6, 1e6)) for t in range(1, 5)),  # the cycle before
    past(5, evidence(0.5, 3.0), evidence(1e6, 1e6, indicator="entropy"), evidence(1e6, 1e6, baseline="wild_type")),
    past(6, comparison()),  # without e-values
    past(7, evidence(4.0, 2.0)),
]


@pytest.mark.parametrize(("level", "p"), [("margin", 0.01), ("watch", 0.002)])
@pytest.mark.parametrize(("t", "of_generation"), [(0, 1), (1, 2), (5, 30)])
@pytest.mark.parametrize("look", [None, 0, 2])
def test_without_folds_each_generation_and_each_look_spend_their_share(level, p, t, of_generation, look):
    of_look = 1 if look is None else (look + 1) * (look + 2)
    found = lineage_p(evidence(50.0, 60.0), HISTORY, level, since_founder=t, policy=Policy(), look=look)
    assert found == pytest.approx(min(1.0, p * of_generation * of_look))


@pytest.mark.parametrize("level", LEVELS)
def test_where_folds_rotate_the_founder_and_what_is_not_paired_do_the_same(level):
    for one, index in ((evidence(50.0, 60.0), 0), (comparison(), 8)):
        by_folds, without = (
            lineage_p(one, HISTORY, level, since_founder=index, policy=p) for p in (ROTATING, Policy())
        )
        assert by_folds == without


@pytest.mark.parametrize("look", [None, 0, 2])
def test_the_cusum_of_the_cycle_bounds_the_chance_of_an_alarm_within_it(look):
    """M = max(M, 1) e over generations 5, 7 and 8, of the same indicator and baseline; p = T/M. The second cycle has a
    sixth of any level."""
    of_look = 6 * (1 if look is None else (look + 1) * (look + 2))
    found = [
        lineage_p(evidence(2_000.0, 900.0), HISTORY, one, since_founder=8, policy=ROTATING, look=look) for one in LEVELS
    ]
    assert found == pytest.approx([FOLDS / (4.0 * 2_000) * of_look, FOLDS / (3.0 * 2.0 * 900) * of_look])


def test_the_product_of_the_cycle_needs_no_horizon():
    policy = Policy(rotate_folds=FOLDS, accumulate="product")
    found = [lineage_p(evidence(2_000.0, 900.0), HISTORY, level, since_founder=8, policy=policy) for level in LEVELS]
    assert found == pytest.approx([6 / (0.5 * 4.0 * 2_000), 6 / (3.0 * 2.0 * 900)])


def test_a_new_cycle_begins_without_evidence():
    found = lineage_p(evidence(1e4, 1.0), HISTORY[:5], "margin", since_founder=5, policy=ROTATING)
    assert found == pytest.approx(FOLDS / 1e4 * 6)
    assert lineage_p(evidence(1e4, 1.0), [past(0)], "margin", since_founder=1, policy=ROTATING) == pytest.approx(
        8 / 1e4
    )
    assert lineage_p(evidence(1.0, 1.0), [past(0)], "margin", since_founder=1, policy=ROTATING) == 1.0
