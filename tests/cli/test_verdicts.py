"""A verdict on the terminal: what stands in it, and that nothing from the data steers the terminal."""

import re

import pytest

from building import make_assessment
from collapse_guard.cli.exit_codes import ExitCode
from collapse_guard.cli.verdicts import show_verdict
from collapse_guard.records import LostItem


def lose(kind, what, *, total=1):
    return LostItem(kind=kind, what=what, real_count=100, expected=12.5, observed=0, chance=1e-6, lost_in_all=total)


@pytest.fixture
def shown(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)

    def show(*lost):
        show_verdict(make_assessment("bot", 1, lost=lost), ExitCode.PASSED)
        return capsys.readouterr().out

    return show


def test_the_worst_lost_words_stand_between_the_verdict_and_the_exit_code(shown):
    lines = shown(*(lose("word", f"w{i}", total=30) for i in range(9)), lose("document", "We the people")).splitlines()
    assert lines[0].endswith("HEALTHY: generation 1 of bot")
    assert "What was lost: 30 words that real text of this size would show are gone or nearly so" in lines[2]
    assert [line.split()[1] for line in lines if line.startswith(" word")] == [f"w{i}" for i in range(5)]
    assert lines[-1].startswith("HEALTHY: ")
    assert not [line for line in lines if "people" in line]


def test_nothing_lost_is_not_mentioned(shown):
    assert "lost" not in shown()
    assert "lost" not in shown(lose("cluster", "We the people"))


@pytest.mark.parametrize("evil", ["[bold red]x[/]", "a\x1b[2Jb\x07", "one\ntwo\r", "\u202eabc\u2066", ":boom:"])
def test_a_lost_word_neither_steers_the_terminal_nor_is_read_as_markup(shown, evil):
    out = shown(lose("word", evil))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", out)
    (row,) = [line for line in out.splitlines() if line.startswith(" word")]
    kept = " ".join(re.sub("[\x00-\x09\x0b-\x0c\x0e-\x1f\u202a-\u202e\u2066-\u2069]", "", evil).split())
    assert kept in row
