"""Alerts: the table of the state machine, cell by cell, and that an alert is always news."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.decision.alerts import AlertRule, alert_after
from collapse_guard.records import Severity

H, W, U, C = Severity.HEALTHY, Severity.WATCH, Severity.UNDECIDED, Severity.COLLAPSED
ENTER, RECOVER, NOTHING = "enter", "recover", ""
LINEAGES = st.lists(st.sampled_from(list(Severity)), min_size=1, max_size=12)
RULES = st.builds(AlertRule, warm_up=st.integers(0, 3), recover_after=st.integers(1, 3))


@pytest.mark.parametrize(
    ("state", "verdict", "after", "event"),
    [
        (H, H, H, NOTHING),
        (H, W, W, ENTER),
        (H, U, U, ENTER),
        (H, C, C, ENTER),
        (U, H, H, RECOVER),
        (U, W, W, ENTER),
        (U, U, U, NOTHING),
        (U, C, C, ENTER),
        (W, H, W, NOTHING),
        (W, W, W, NOTHING),
        (W, U, W, NOTHING),
        (W, C, C, ENTER),
        (C, H, C, NOTHING),
        (C, W, C, NOTHING),
        (C, U, C, NOTHING),
        (C, C, C, NOTHING),
    ],
)
def test_each_cell_of_the_table(state, verdict, after, event):
    alert = alert_after([H, state, verdict])
    assert (alert.state, alert.event) == (after, event)


@pytest.mark.parametrize("state", [W, C])
def test_an_alert_is_taken_back_after_enough_healthy_verdicts_in_a_row_and_only_then(state):
    rule = AlertRule(recover_after=3)
    assert [alert_after([state, H, H, H][: n + 1], rule).event for n in range(4)] == [ENTER, "", "", RECOVER]
    assert alert_after([state, H, H, W, H, H], rule).state is state
    assert alert_after([state, H, H, U, H, H], rule).state is state


def test_a_lineage_that_swings_is_reported_once():
    """Without hysteresis each second verdict would be an alert."""
    swinging = [H, *[C, H] * 6]
    events = [alert_after(swinging[: n + 1]).event for n in range(len(swinging))]
    assert events == ["", ENTER, *[""] * 11]


def test_the_first_generations_are_warmed_up_without_an_alert():
    rule = AlertRule(warm_up=2)
    assert [alert_after([C, C, C][: n + 1], rule).event for n in range(3)] == ["", "", ENTER]


@given(LINEAGES, RULES)
def test_an_event_is_shown_exactly_where_the_state_changes(severities, rule):
    states = [alert_after(severities[:n], rule) for n in range(len(severities) + 1)]
    for before, after in pairwise(states):
        assert (after.event != "") == (before.state is not after.state)


@given(LINEAGES, RULES)
def test_the_state_is_never_calmer_than_a_collapse_that_was_not_followed_by_enough_healthy_ones(severities, rule):
    ended = alert_after([*severities, *[H] * rule.warm_up, C, *[H] * (rule.recover_after - 1)], rule)
    assert ended.state is C


@given(LINEAGES, RULES)
def test_healthy_verdicts_in_a_row_are_counted_after_the_warm_up(severities, rule):
    counted = severities[rule.warm_up :]
    in_a_row = next((i for i, severity in enumerate(reversed(counted)) if severity is not H), len(counted))
    assert alert_after(severities, rule).healthy_in_a_row == in_a_row
