"""How much of each kind of document is still written: what is lacking most comes first, and names are data."""

import pytest

from collapse_guard.records import SliceCoverage, SliceShare
from collapse_guard.report import slices
from collapse_guard.report.html import html
from collapse_guard.report.markdown import markdown


def covered(*shares, names=("en", "es", "fr")):
    found = [
        SliceShare(name=name, documents=80, real=real, samples=samples)
        for name, (real, samples) in zip(names, shares, strict=False)
    ]
    return {"slices": SliceCoverage(shares=tuple(found), n=1200, agreement=0.9)}


@pytest.fixture
def history(build):
    founder = build("x", 0, {}).model_copy(update=covered((0.5, 0.48), (0.3, 0.32), (0.2, 0.2)))
    newest = build("x", 1, {}).model_copy(update=covered((0.5, 0.61), (0.3, 0.04), (0.2, 0.35)))
    return [founder, newest]


def test_the_kind_that_is_lacking_most_comes_first_beside_the_founder(history):
    founder, newest = history
    table = slices.table(newest, founder)
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["es", "80", "30%", "4%", "32%"],
        ["en", "80", "50%", "61%", "48%"],
        ["fr", "80", "20%", "35%", "20%"],
    ]
    assert table.columns[-1] == "at the founder"
    assert "1,200 samples by their words" in table.caption
    assert "puts 90% of real documents into their own kind" in table.caption
    assert len(slices.table(founder).columns) == len(slices.table(founder).rows[0]) == 4


def test_it_stands_in_both_reports_and_nowhere_without_it(history, build):
    page, text = html({"x": history}), markdown(history)
    assert "Kinds of documents</h3>" in page
    assert "| es | 80 | 30% | 4% | 32% |" in text
    plain = [build("x", 0, {})]
    assert slices.table(plain[0]) is None
    assert "Kinds of documents</h3>" not in html({"x": plain})
    assert "kind of document" not in markdown(plain)


def test_a_name_never_becomes_markup(build):
    evil = build("x", 0, {}).model_copy(update=covered((0.5, 0.5), names=["<img src=x>|`*"]))
    assert "<img src=x>" not in html({"x": [evil]})
    assert "\\<img src=x>\\|\\`\\*" in markdown([evil])
