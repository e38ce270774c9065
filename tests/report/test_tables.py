"""The tables: which rows and columns there are, in which order, and that a missing number is "n/a"."""

import math

import pytest

from collapse_guard.records import Direction, Reason, ReasonKind, Severity
from collapse_guard.report import lost, tables


def texts(row):
    return [cell.text for cell in row]


def test_generations_come_newest_first_in_whatever_order_they_are_given(replace):
    for history in (replace, replace[::-1], replace[2:] + replace[:2]):
        assert [row[0].text for row in tables.generations(history).rows] == ["4", "3", "2", "1", "0"]


def test_the_headline_indicators_are_the_columns(replace):
    assert tables.generations(replace).columns == (
        "generation",
        "verdict",
        "real share",
        "perplexity",
        "tail loss",
        "distinct-2",
        "rare coverage",
        "spread",
    )


def test_a_change_is_against_the_founder_and_the_founder_has_none(replace):
    newest, founder = tables.generations(replace).rows[0], tables.generations(replace).rows[-1]
    assert newest[3].detail == f"+{100 * (760.3 / 92.1 - 1):.0f}%"
    assert newest[5].detail == f"{100 * (0.0487 / 0.0782 - 1):.1f}%"
    assert {cell.detail for cell in founder} == {""}


def test_a_cell_carries_the_severity_of_its_indicator(guarded):
    after_one_injection = tables.generations(guarded).rows[2]
    assert after_one_injection[3].severity is Severity.COLLAPSED
    assert after_one_injection[5].severity is None


@pytest.mark.parametrize("value", [math.nan, math.inf, 12.5])
def test_an_unusable_reading_is_not_available_even_where_it_has_a_value(build, read, value):
    reading = read("perplexity", value, problem="the losses are not numbers")
    told = Reason(
        kind=ReasonKind.NOT_A_NUMBER, severity=Severity.UNDECIDED, indicator="perplexity", sentence="not a number"
    )
    row = tables.generations([build("newsbot", 0, {"perplexity": reading}, reasons=[told])]).rows[0]
    assert row[3].text == "n/a"
    assert row[3].severity is Severity.UNDECIDED


def test_a_generation_that_lacks_an_indicator_has_a_gap(build, read):
    history = [
        build("newsbot", 0, {"perplexity": read("perplexity", 90.0), "vendi": read("vendi", 20.0)}),
        build("newsbot", 1, {"perplexity": read("perplexity", 91.0)}),
    ]
    table = tables.generations(history)
    assert table.columns[-2:] == ("perplexity", "vendi")
    assert texts(table.rows[0]) == ["1", "HEALTHY", "n/a", "91.00", "n/a"]


def test_a_lineage_of_vectors_shows_what_it_has(build, read):
    history = [build("blobs", 0, {name: read(name, 1.0) for name in ("vendi", "total_variance")})]
    assert tables.generations(history).columns[3:] == ("spread", "vendi")


def test_comparisons_that_decide_come_first_and_the_worst_of_them_first(guarded):
    table = tables.comparisons(guarded[2])
    statuses = [row[1].text for row in table.rows]
    assert statuses == ["collapsed"] * 2 + ["within"] * 4 + ["informative"]
    assert table.rows[-1][0].text == "bits_per_byte"


def test_a_comparison_with_the_wild_type_says_so(build, read, compared):
    readings = {"vendi": read("vendi", 20.0)}
    comparison = compared("vendi", 20.0, 30.0, baseline="wild_type", baseline_generation=None, level=0.99)
    table = tables.comparisons(build("newsbot", 0, readings, [comparison]))
    assert table.rows[0][3].detail == "wild type"
    assert table.caption == "Comparisons of generation 0; intervals at 99%"


def test_a_comparison_of_what_is_not_a_number_is_not_available(build, compared):
    holes = dict.fromkeys(("observed", "effect", "low", "high", "p_beyond_margin", "p_within_margin"), math.nan)
    comparison = compared("vendi", 20.0, 30.0).model_copy(update=holes)
    row = tables.comparisons(build("newsbot", 1, {}, [comparison])).rows[0]
    assert (row[2].text, row[4].text) == ("not a number", "not a number")


def test_indicators_come_as_in_the_catalogue_after_the_headline_ones(build, read):
    names = ["of_my_own", "vendi", "distinct_1", "bits_per_byte", "perplexity", "recall"]
    history = [build("x", 0, {name: read("vendi", 1.0, indicator=name) for name in names})]
    assert tables.indicators(history) == ["perplexity", "bits_per_byte", "distinct_1", "vendi", "recall", "of_my_own"]


@pytest.mark.parametrize(
    ("direction", "low", "high", "has_moved"),
    [
        (Direction.UP, 0.06, 0.2, True),
        (Direction.UP, 0.04, 0.2, False),
        (Direction.UP, -0.2, -0.06, False),
        (Direction.DOWN, -0.2, -0.06, True),
        (Direction.DOWN, -0.2, -0.04, False),
        (Direction.DOWN, 0.06, 0.2, False),
        (Direction.BOTH, 0.06, 0.2, True),
        (Direction.BOTH, -0.2, -0.06, True),
        (Direction.BOTH, -0.2, 0.2, False),
        (Direction.BOTH, math.nan, math.nan, False),
    ],
)
def test_an_indicator_has_moved_where_its_whole_interval_is_beyond_the_watch_level(
    compared, direction, low, high, has_moved
):
    comparison = compared("vendi", 20.0, 20.0, direction=direction, low=low, high=high, watch=0.05, decides=False)
    assert tables.has_moved(comparison) == has_moved


def test_what_was_lost_counts_all_of_a_kind_and_shows_small_chances_as_such(build, lose):
    items = (lose("document", "row 17", total=2), lose("3-gram", "").model_copy(update={"chance": 1e-40}))
    first, second = lost.tables(build("x", 1, {}).model_copy(update={"lost": items}))
    assert first.caption == "1 run of three words that real text of this size would show is gone or nearly so"
    assert texts(first.rows[0]) == ["n/a", "100", "12.50", "0", "below 1e-15"]
    assert second.caption == "2 real documents have no samples near them, or too few; the worst 1 are listed"
    assert lost.tables(build("x", 1, {})) == ()
    assert lost.summary(build("x", 1, {})) is None


def test_what_the_founder_lacked_already_stands_beside_what_was_lost(build, lose):
    founder = build("x", 0, {}).model_copy(update={"lost": (lose("word", "tariff", total=57),)})
    later = build("x", 1, {}).model_copy(update={"lost": (lose("word", "tariff", total=176), lose("cluster", "war"))})
    words, clusters = (table.caption for table in lost.tables(later, founder))
    assert words.endswith("are gone or nearly so (57 at the founder); the worst 1 are listed")
    assert "(0 at the founder)" in clusters
