"""The outlook in words and as a table."""

import math

import pytest

from building import make_reading
from collapse_guard.prescription.supply import supply
from collapse_guard.records import Course, Depression, Forecast, Inbreeding, Interval, Outlook, Prescription
from collapse_guard.report import html, markdown
from collapse_guard.report import outlook as words


def interval(value, low, high):
    return Interval(value=value, low=low, high=high)


def forecast(real_share, crossed, *, name="perplexity"):
    course = Course(median=(0.2, 0.3), low=(0.1, 0.2), high=(0.3, 0.5), crossed=crossed)
    return Forecast(real_share=real_share, generations=(5, 6), courses={name: course}, crossed=crossed)


def prescription(**changes):
    fields = {"real_share": 0.62, "even_share": 0.5, "assurance": 0.9, "horizon": 2, "indicator": "perplexity"}
    return Prescription(**{**fields, **changes})


def inbreeding(**changes):
    fields = {"fixation": interval(0.012, 0.01, 0.014), "of": "tokens", "size": interval(210.0, 180.0, 260.0)}
    return Inbreeding(**{**fields, **changes})


@pytest.fixture
def say(replace):
    def told(**parts):
        return words.sentences(replace[-1].model_copy(update={"outlook": Outlook(**parts)}))

    return told


def test_without_an_outlook_nothing_is_said(replace):
    assert words.sentences(replace[0]) == []
    assert words.table(replace[0]) is None


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ((2104.3, 1913.0, 2297.0), "2,100 real documents (1,900 to 2,300)."),
        ((3045.2, 2924.1, 3171.8), "3,000 real documents (2,900 to 3,200)."),
        ((1012.0, 991.0, 1033.0), "1,010 real documents (991 to 1,030)."),
        ((6308.0, 6100.0, math.inf), "at least 6,100 real documents."),
        ((16.0, 0.0, 17.4), "at most 17 real documents."),
    ],
)
def test_what_the_samples_are_worth_is_told_of_a_founder_too(replace, ends, said):
    worth = make_reading("real_equivalent", ends[0], n=10_000, interval=interval(*ends))
    told = words.sentences(replace[0].model_copy(update={"readings": {"real_equivalent": worth}}))
    assert told == [f"10,000 samples teach as much about real text as {said}"]


def test_what_the_samples_are_worth_is_not_told_where_it_is_anyones_guess(replace):
    for worth in (
        make_reading("real_equivalent", 30.0, interval=interval(30.0, 0.0, math.inf)),
        make_reading("real_equivalent", math.nan, problem="0 samples"),
    ):
        assert words.sentences(replace[0].model_copy(update={"readings": {"real_equivalent": worth}})) == []


def test_three_sentences_say_how_inbred_when_it_fails_and_what_prevents_it(say):
    assert say(
        inbreeding=inbreeding(fitness=0.61),
        forecasts=(forecast(0.0, (0.3, 0.97)), forecast(0.62, (0.0, 0.04))),
        prescription=prescription(),
    ) == [
        "The generation is inbred: fixation index 0.012 against the founder (90%: 0.01 to 0.014), as if each "
        "generation were 210.0 tokens drawn at random (90%: 180.0 to 260.0). Its relative fitness is 0.610.",
        "If nothing changes (0% real data), generation 6 fails: perplexity is beyond its margin (chance 97%).",
        "62% fresh real data in each generation keeps it within its margins for 2 generations (90% sure; 50% at "
        "even odds); perplexity needs the most.",
    ]


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ((-0.01, 0.02), "The generation is not measurably inbred: "),
        ((0.001, 0.003), "The generation is hardly inbred: "),
        ((-0.02, -0.01), "The generation writes more varied tokens than the founder: "),
    ],
)
def test_what_is_not_inbred_is_not_called_so_and_has_no_size(say, ends, said):
    (sentence,) = say(inbreeding=inbreeding(fixation=interval(sum(ends) / 2, *ends), expected=0.0001))
    assert sentence.startswith(said)
    assert "drawn at random" not in sentence
    assert "chance" not in sentence.lower()


@pytest.mark.parametrize(
    ("expected", "why"),
    [
        (0.001, "more than chance is at work: decoding, filtering or the model itself narrows the text"),
        (0.012, "chance explains the loss"),
        (0.05, "less is lost than by chance: the model writes more than it was trained on"),
    ],
)
def test_what_was_lost_is_held_against_chance(say, expected, why):
    (sentence,) = say(inbreeding=inbreeding(expected=expected))
    assert f"Chance alone would give {expected} to its pedigree: {why}." in sentence


def test_an_end_that_is_not_known_is_said(say):
    (sentence,) = say(inbreeding=inbreeding(size=interval(210.0, 180.0, math.inf)))
    assert "(90%: 180.0 to no end)" in sentence


def test_purging_is_named_where_it_is_shown_only(say):
    found = Depression(load=interval(2.0, 1.0, 3.0), size=interval(10.0, 8.0, 12.0), curve=(0.0,))
    assert say(depression=found)[0].endswith(
        "an effective size of 10.00 (90%: 8.000 to 12.00); there is no evidence of purging."
    )
    purged = found.model_copy(update={"purging": interval(0.2, 0.1, 0.3)})
    assert say(depression=purged)[0].endswith("purged with d = 0.20 (90%: 0.1 to 0.3).")


def test_a_lineage_that_will_not_fail_and_one_that_needs_nothing(say):
    assert say(forecasts=(forecast(0.5, (0.0, 0.2)),)) == [
        "If nothing changes (50% real data), no generation up to 6 is likely to fail (chance 20%)."
    ]
    assert say(prescription=prescription(real_share=0.0, indicator="")) == [
        "It needs no real data to stay within its margins for 2 generations (90% sure)."
    ]


def test_where_no_share_is_enough_the_way_back_is_named(say):
    (sentence,) = say(prescription=prescription(real_share=None, infeasible="vendi fell to nothing", roll_back_to=3))
    assert sentence == "No share of real data is enough: vendi fell to nothing. Roll back to generation 3."
    (sentence,) = say(prescription=prescription(fixation_share=0.1))
    assert sentence.endswith("10% holds the fixation index at its target.")


def test_the_table_has_a_row_for_each_mixture(replace):
    found = Outlook(forecasts=(forecast(0.0, (0.3, 0.97)), forecast(0.62, (0.0, 0.0))), prescription=prescription())
    table = words.table(replace[-1].model_copy(update={"outlook": found}))
    rows = [[(cell.text, cell.detail) for cell in row] for row in table.rows]
    assert [row[0] for row in rows] == [("0%", "in use"), ("62%", "needed")]
    assert [row[1][0] for row in rows] == ["generation 6", "none"]
    assert [row[2][0] for row in rows] == ["97%", "under 1%"]
    assert [row[3][0] for row in rows] == ["perplexity", "none"]
    assert rows[0][4][0] == "+22.1% (+10.5% to +35.0%), +35.0% (+22.1% to +64.9%)"
    other = Outlook(forecasts=(forecast(0.0, (0.3, 0.97), name="vendi"),))
    assert len(words.table(replace[-1].model_copy(update={"outlook": other})).columns) == 4


@pytest.mark.slow
def test_reports_tell_the_outlook_and_escape_it(replace):
    found = Outlook(prescription=prescription(indicator="<b>perplexity</b>"), forecasts=(forecast(0.0, (0.3, 0.97)),))
    history = [*replace[:-1], replace[-1].model_copy(update={"outlook": found})]
    page = html({"replace": history})
    assert "62% fresh real data in each generation" in page
    assert "<b>perplexity" not in page
    assert "If each generation from 5 on had this much real data" in page
    assert "62% fresh real data in each generation" in markdown(history)


def test_what_a_prescription_costs_is_said():
    assert words.supplied(supply(0.25, documents=1000, archive=600, horizon=10)) == (
        "That is 250 of 1,000 documents in each generation; your 600 are fresh for 2 generations and are then used "
        "again (4.2 times each over 10); re-used documents help less. If you can weight the loss, give real documents "
        "a total weight of 0.43."
    )
    assert "your 600 last for all 2 generations without repeats." in words.supplied(
        supply(0.25, documents=1000, archive=600, horizon=2)
    )
    assert words.supplied(supply(0.5, documents=1000, archive=100, horizon=2)) == (
        "That is 500 of 1,000 documents in each generation, but you have 100 real documents: not enough. Without "
        "repeats they make 10% of such a training set, or the full share of one of 200 documents."
    )
    assert words.supplied(supply(0.0, documents=1000, archive=0, horizon=2)) == ""
