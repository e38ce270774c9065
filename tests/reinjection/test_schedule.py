"""Oracles: exact fractions, place by place; and counting what was filled."""

from collections import Counter
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.records import Mixture
from collapse_guard.reinjection import Schedule

NAMES = ("a", "b", "c", "d")
THREE = ("real", "earlier", "newest")
weights_of = st.lists(st.integers(0, 9), min_size=2, max_size=4).filter(any)


@st.composite
def schedules(draw, sources=None):
    n = sources or draw(st.integers(2, 4))
    all_weights = draw(
        st.lists(st.lists(st.integers(0, 9), min_size=n, max_size=n).filter(any), min_size=1, max_size=4)
    )
    schedule, at = Schedule(NAMES[:n], dict(zip(NAMES, all_weights[0], strict=False))), 0
    for weights in all_weights[1:]:
        at += draw(st.integers(0, 80))
        schedule.append(at, dict(zip(NAMES, weights, strict=False)), "because")
    return schedule


def filled(schedule, stop, start=0):
    return [schedule.sources[source] for source in schedule.filled(start, stop).sources]


def exact_shares(schedule, stop):
    """Share of each source at each place, as fractions."""
    for place in range(stop):
        change = [change for change in schedule.changes if change.from_index <= place][-1]
        total = sum(Fraction(weight) for weight in change.weights.values())
        yield {source: Fraction(change.weights.get(source, 0)) / total for source in schedule.sources}


@pytest.mark.slow
@given(schedule=schedules())
@settings(max_examples=200)
def test_before_every_place_each_source_has_had_its_share_to_within_half_an_item_more_for_each_before_it(schedule):
    due, had = Counter(), Counter()
    for source, shares in zip(filled(schedule, 300), exact_shares(schedule, 300), strict=True):
        due.update(shares)
        had[source] += 1
        assert shares[source] > 0
        for level, name in enumerate(schedule.sources):
            changed = level * (len(schedule.changes) - 1)
            bound = Fraction(min(level + 1, len(schedule.sources) - 1) + changed, 2)
            assert abs(had[name] - due[name]) <= bound + Fraction(1, 10**6)


@pytest.mark.parametrize(
    "changes",
    [
        [(0, (5, 3, 2))],
        [(0, (0, 1, 7, 0))],
        [(0, (1, 1, 1)), (10, (0, 9, 1)), (10, (2, 0, 5)), (91, (1, 4, 1))],
        [(0, (1, 2, 3, 4)), (33, (4, 3, 2, 1))],
    ],
)
def test_the_shares_of_more_than_two_sources_are_kept_across_changes(changes):
    """As the slow test, on a few schedules; the first source is never more than half an item off."""
    names = NAMES[: len(changes[0][1])]
    schedule = Schedule(names, dict(zip(names, changes[0][1], strict=True)))
    for place, weights in changes[1:]:
        schedule.append(place, dict(zip(names, weights, strict=True)))
    due, had = Counter(), Counter()
    for source, shares in zip(filled(schedule, 200), exact_shares(schedule, 200), strict=True):
        due.update(shares)
        had[source] += 1
        for level, name in enumerate(names):
            bound = Fraction(min(level + 1, len(names) - 1) + level * (len(changes) - 1), 2)
            assert abs(had[name] - due[name]) <= bound + Fraction(1, 10**6)


@given(schedule=schedules(sources=2), start=st.integers(0, 250), size=st.integers(0, 200))
@settings(max_examples=200)
def test_of_two_sources_every_window_is_exact_to_within_one_item_also_across_changes(schedule, start, size):
    window = Counter(filled(schedule, start + size, start))
    shares = list(exact_shares(schedule, start + size))[start:]
    for name in schedule.sources:
        assert abs(window[name] - sum(share[name] for share in shares)) <= 1 + Fraction(1, 10**6)


@given(schedule=schedules(), cuts=st.lists(st.integers(0, 400), max_size=4))
@settings(max_examples=200)
def test_places_are_filled_alike_in_whatever_pieces_they_are_asked_for(schedule, cuts):
    whole = schedule.filled(0, 400)
    edges = sorted({0, 400, *cuts})
    parts = [schedule.filled(first, last) for first, last in pairwise(edges)]
    assert np.array_equal(np.concatenate([part.sources for part in parts]), whole.sources)
    assert np.array_equal(np.concatenate([part.draws for part in parts]), whole.draws)


@given(schedule=schedules())
@settings(max_examples=200)
def test_counts_and_draws_are_those_of_the_places_before(schedule):
    found = schedule.filled(0, 300)
    had = Counter()
    for place, (source, draw) in enumerate(zip(found.sources, found.draws, strict=True)):
        assert schedule.counts(place) == {name: had[name] for name in schedule.sources}
        assert draw == had[schedule.sources[source]]
        had[schedule.sources[source]] += 1


@given(schedule=schedules(), weights=st.lists(st.integers(0, 9), min_size=4, max_size=4), at=st.integers(0, 300))
def test_a_change_does_not_touch_what_is_before_it(schedule, weights, at):
    last, new = schedule.changes[-1].from_index, dict(zip(schedule.sources, weights, strict=False))
    before = schedule.filled(0, max(at, last))
    if not any(new.values()):
        return
    schedule.append(max(at, last), new)
    assert np.array_equal(schedule.filled(0, max(at, last)).sources, before.sources)


def test_places_far_out_are_exact_and_as_quick_to_ask_for():
    third = Schedule(THREE, Mixture(real=1 / 3, earlier=1 / 3, newest=1 / 3))
    third.append(10**9, Mixture.with_real(0.1), "less")
    assert all(abs(count - 10**9 / 3) <= 1 for count in third.counts(10**9).values())
    assert third.counts(10**12)["real"] == pytest.approx(10**9 / 3 + 99_900_000_000, abs=1)
    far = third.filled(10**12, 10**12 + 1000)
    assert Counter(far.sources.tolist()) == {0: 100, 2: 900}
    assert far.draws[far.sources == 0].min() == third.counts(10**12)["real"]


def test_millions_of_places_that_begin_anywhere_do_not_overflow():
    """Sums over more than 2^23 places at once would not fit into 63 bits."""
    schedule, start, n = Schedule(("a", "b"), {"a": 0.999, "b": 0.001}), 7 * 10**11, 8_400_000
    found = schedule.filled(start, start + n)
    for source, name in enumerate(schedule.sources):
        draws, before = found.draws[found.sources == source], schedule.counts(start)[name]
        assert np.array_equal(draws, np.arange(before, schedule.counts(start + n)[name]))
    assert found.sources.dtype == found.draws.dtype == np.int64


def test_weights_need_not_sum_to_one_and_a_source_without_a_weight_never_comes():
    schedule = Schedule(NAMES, {"b": 3, "d": 1})
    assert Counter(filled(schedule, 400)) == {"b": 300, "d": 100}
    assert schedule.weights_at(17) == {"a": 0.0, "b": 0.75, "c": 0.0, "d": 0.25}


def test_the_schedule_tells_what_was_changed_and_why():
    schedule = Schedule(("real", "newest"), Mixture.with_real(0.1))
    schedule.append(50, Mixture.with_real(0.4), "drift")
    assert [(change.from_index, change.weights, change.reason) for change in schedule.changes] == [
        (0, {"real": 0.1, "newest": 0.9}, "at the beginning"),
        (50, {"real": 0.4, "newest": 0.6}, "drift"),
    ]
    assert schedule.weights_at(49)["real"] == 0.1
    assert schedule.weights_at(50)["real"] == 0.4


class TestLimits:
    def test_at_the_limit_the_others_fill_in_by_their_weights(self):
        most = {"a": 10}
        schedule = Schedule(("a", "b", "c"), {"a": 0.5, "b": 0.25, "c": 0.25}, most=most, when_used_up="share")
        found = filled(schedule, 200)
        assert Counter(found) == {"a": 10, "b": 95, "c": 95}
        unlimited = filled(Schedule(("a", "b", "c"), {"a": 0.5, "b": 0.25, "c": 0.25}), 200)
        eleventh = [place for place, source in enumerate(unlimited) if source == "a"][10]
        assert schedule.used_up == {"a": eleventh}
        assert found[:eleventh] == unlimited[:eleventh]

    def test_a_later_change_does_not_bring_it_back(self):
        schedule = Schedule(("a", "b"), {"a": 1, "b": 1}, most={"a": 10}, when_used_up="share")
        schedule.append(100, {"a": 9, "b": 1})
        assert schedule.counts(1000) == {"a": 10, "b": 990}
        assert schedule.end is None

    def test_a_change_before_the_limit_puts_it_off(self):
        schedule = Schedule(("a", "b"), {"a": 1, "b": 1}, most={"a": 10})
        schedule.append(10, {"a": 1, "b": 9})
        assert schedule.counts(60)["a"] == 10
        assert 60 <= schedule.end <= 70

    def test_without_a_fallback_the_run_ends_there_with_what_to_do(self):
        schedule = Schedule(("a", "b"), {"a": 1, "b": 1}, most={"a": 10})
        assert Counter(filled(schedule, schedule.end))["a"] == 10
        with pytest.raises(InputError, match=r"from place 20 on: a has been drawn 10 times: add documents"):
            schedule.filled(0, schedule.end + 1)

    def test_where_all_are_used_up_the_run_ends_too(self):
        schedule = Schedule(("a", "b"), {"a": 1, "b": 1}, most={"a": 10, "b": 30}, when_used_up="share")
        assert Counter(filled(schedule, 40)) == {"a": 10, "b": 30}
        assert schedule.end == 40
        with pytest.raises(InputError, match="a has been drawn 10 times, b has been drawn 30 times"):
            schedule.filled(40, 41)

    def test_without_limits_no_source_is_used_up_and_a_run_has_no_end(self):
        for most in (None, {}, {"c": 0}, {"b": 3}):
            schedule = Schedule(("a", "b", "c"), {"a": 1}, most=most)
            assert (schedule.end, schedule.used_up, schedule.counts(10**9)["a"]) == (None, {}, 10**9)

    @pytest.mark.parametrize("weights", [{"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 2, "c": 5}, {"c": 1, "a": 3}])
    @pytest.mark.parametrize("limit", [0, 1, 7])
    @pytest.mark.parametrize("source", ["a", "c"])
    def test_a_run_ends_at_the_place_that_would_exceed_a_limit(self, weights, limit, source):
        """The place is read from the same run without limits."""
        free = filled(Schedule(("a", "b", "c"), weights), 300)
        place = [i for i, name in enumerate(free) if name == source][limit]
        schedule = Schedule(("a", "b", "c"), weights, most={source: limit})
        assert (schedule.end, schedule.used_up) == (place, {source: place})
        assert filled(schedule, place) == free[:place]
        with pytest.raises(InputError, match=f"from place {place} on: {source} has been drawn {limit} times: add"):
            schedule.filled(place, place + 1)

    def test_the_earlier_of_two_limits_ends_a_run(self):
        schedule = Schedule(("a", "b"), {"a": 1, "b": 1}, most={"a": 10, "b": 3})
        assert schedule.used_up.keys() == {"b"}
        assert schedule.counts(schedule.end)["b"] == 3
        shared = Schedule(("a", "b"), {"a": 1, "b": 1}, most={"a": 10, "b": 3}, when_used_up="share")
        assert (shared.end, shared.counts(13)) == (13, {"a": 10, "b": 3})

    def test_a_limit_that_is_reached_where_the_weights_change_holds_from_there_on(self):
        """The eleventh draw of a would fill place 20, and the new weights, which ask for none of it, begin there."""
        schedule = Schedule(("a", "b"), {"a": 1, "b": 1}, most={"a": 10})
        assert schedule.end == 20
        schedule.append(20, {"b": 1})
        assert (schedule.end, schedule.used_up, schedule.counts(50)) == (None, {}, {"a": 10, "b": 40})

    def test_limits_must_be_whole_numbers_of_at_least_0_for_known_sources(self):
        for most, got in (({"a": -1}, "-1"), ({"a": 1.5}, "1.5"), ({"a": True}, "True")):
            with pytest.raises(InputError, match=rf"`most\[a\]` .*{got}"):
                Schedule(("a", "b"), {"a": 1}, most=most)

    @given(schedule=schedules(sources=3), limits=st.lists(st.integers(0, 60), min_size=3, max_size=3))
    @settings(max_examples=150)
    def test_no_source_is_drawn_more_often_than_it_may_be(self, schedule, limits):
        most = dict(zip(schedule.sources, limits, strict=True))
        limited = Schedule(schedule.sources, schedule.changes[0].weights, most=most, when_used_up="share")
        for change in schedule.changes[1:]:
            limited.append(change.from_index, change.weights)
        stop = min(300, limited.end if limited.end is not None else 300)
        found = Counter(filled(limited, stop))
        assert all(found[source] <= most[source] for source in schedule.sources)
        assert sum(found.values()) == stop
        first = min(limited.used_up.values(), default=stop)
        assert filled(limited, min(first, stop)) == filled(schedule, min(first, stop))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Schedule(("a", "b"), {"a": -1, "b": 2}), r"`weights\[a\]` must be a finite number of at least 0"),
        (lambda: Schedule(("a", "b"), {"a": float("nan")}), r"`weights\[a\]` must be a finite number"),
        (lambda: Schedule(("a", "b"), {"a": float("inf")}), r"`weights\[a\]` must be a finite number .*got inf"),
        (lambda: Schedule(("a", "b"), {"a": True}), r"`weights\[a\]` must be a finite number .*got True"),
        (lambda: Schedule(("a", "b"), {"a": 0}), "`weights` must have a source with a weight above 0"),
        (lambda: Schedule(("real", "b"), {"rael": 1}), "got 'rael': did you mean `real`"),
        (lambda: Schedule(("a", "b"), {"a": 1}, most={"c": 3}), "limits must be of sources, but got 'c'"),
        (lambda: Schedule(("a", "b"), {"a": 1}, when_used_up="stop"), '"raise" or "share", but got \'stop\''),
        (lambda: Schedule(("a", "b"), Mixture.with_real(0.5)), "but got 'real'"),
    ],
)
def test_invalid_arguments_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_change_before_the_last_one_is_refused_and_changes_nothing():
    schedule = Schedule(("a", "b"), {"a": 1, "b": 1})
    schedule.append(100, {"a": 1})
    for place, weights in ((99, {"b": 1}), (200, {"c": 1}), (200, {"a": 0}), (-1, {"a": 1})):
        with pytest.raises(InputError):
            schedule.append(place, weights)
    assert len(schedule.changes) == 2
    with pytest.raises(InputError, match=r"`from_index` .*-1"):
        schedule.append(-1, {"a": 1})
    with pytest.raises(InputError, match="must not be before the last change, which is at 100, but got 99"):
        schedule.append(99, {"b": 1})


def test_changes_of_an_interrupted_run_are_taken_over_whole_or_not_at_all():
    schedule, other = Schedule(("a", "b"), {"a": 1, "b": 1}), Schedule(("a", "b"), {"b": 1})
    schedule.append(100, {"a": 1}, "why")
    other.restore(schedule.changes)
    assert other.changes == schedule.changes
    assert filled(other, 300) == filled(schedule, 300)
    kept = Schedule(("a", "b"), {"b": 1})
    for bad, message in (
        ((), "`changes` must begin with the weights at place 0"),
        (schedule.changes[1:], "`changes` must begin with the weights at place 0"),
        ((*schedule.changes, schedule.changes[0]), "must not be before the last change"),
    ):
        with pytest.raises(InputError, match=message):
            kept.restore(bad)
    assert filled(kept, 5) == ["b"] * 5


def test_limits_hold_for_a_run_that_was_taken_over_too():
    limits = {"most": {"a": 10}, "when_used_up": "share"}
    schedule, other = Schedule(("a", "b"), {"a": 1, "b": 1}, **limits), Schedule(("a", "b"), {"b": 1}, **limits)
    other.restore(schedule.changes)
    assert filled(other, 100) == filled(schedule, 100)
    assert other.used_up == schedule.used_up == {"a": 20}
    ending = Schedule(("a", "b"), {"b": 1}, most={"a": 10})
    ending.restore(schedule.changes)
    assert ending.end == 20, "what happens at a limit is of the run that takes over"
    ending.append(20, {"b": 1})
    assert ending.end is None
