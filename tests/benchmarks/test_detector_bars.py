"""What is asked of the scored detector: verdicts on outcomes that are made by hand."""

import importlib
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))

bars, raw, scoring = (importlib.import_module(f"detecting.{name}") for name in ("bars", "raw", "scoring"))


BOTH = [scoring.guard(alarm, evidence) for evidence in scoring.EVIDENCE for alarm in (scoring.COLLAPSED, scoring.WATCH)]


def judged(group, alarms, oracle=None, model="trigram"):
    """Lineages in which every guard first alarms at the same generation."""
    return [
        scoring.Outcome(
            task=raw.Task("speeches", model, "x", 0),
            group=group,
            alarms=dict.fromkeys(BOTH, alarm) | {scoring.EQUAL_ALARMS: theirs},
            severities={},
            causes={},
            rise=1.0,
        )
        for alarm, theirs in zip(alarms, oracle or [None] * len(alarms), strict=True)
    ]


class TestBars:
    def verdict(self, outcomes):
        return {line.title.split(" (")[0]: line.verdict for line in bars.lines(outcomes)}

    @pytest.mark.parametrize(
        ("n_alarms", "n", "of_collapsed", "of_watch"),
        [
            (0, 100, "met", "met"),
            (0, 20, "**not met**", "met"),
            (6, 100, "**not met**", "met"),
            (11, 100, "**not met**", "**not met**"),
        ],
    )
    def test_false_alarms_are_few_with_their_upper_bound(self, n_alarms, n, of_collapsed, of_watch):
        found = self.verdict(judged("healthy", [3] * n_alarms + [None] * (n - n_alarms)))
        assert found == {"healthy: COLLAPSED": of_collapsed, "healthy: WATCH or worse": of_watch}

    def test_false_alarms_of_the_noisier_model_are_told_beside_those_of_all(self):
        some = judged("healthy", [None] * 98), judged("healthy", [2, None], model="gru")
        cells = [line.cells[0] for line in bars.lines([*some[0], *some[1]])]
        assert all(cell.startswith("1 of 100: 1%") and cell.endswith("of the GRU's 1 of 2") for cell in cells)
        assert not any("GRU" in cell for one in some for line in bars.lines(one) for cell in line.cells)

    @pytest.mark.parametrize(
        ("group", "title", "generation"),
        [
            ("mode", "a topic vanishes, by a column of topics", 4),
            ("mode, found", "a topic vanishes, by kinds found", 4),
            ("fading tail", "the tail fades", 6),
            ("narrow", "10% narrow decoding", 1),
            ("fast", "replaced by samples", 1),
            ("duplication", "copies", 2),
        ],
    )
    def test_nine_of_ten_are_found_in_time(self, group, title, generation):
        in_time, late = judged(group, [generation] * 9 + [None]), judged(group, [generation] * 8 + [generation + 1] * 2)
        assert self.verdict(in_time) == {title: "met"}
        assert self.verdict(late) == {title: "**not met**"}

    def test_what_only_one_kind_of_evidence_finds_is_told(self):
        some = judged("mode", [4] * 10)
        for one in some:
            one.alarms[scoring.guard(scoring.WATCH, "samples only")] = 5
        assert self.verdict(some) == {"a topic vanishes, by a column of topics": "met with losses and samples"}

    def test_the_oracle_is_not_earlier_and_does_not_find_more(self):
        title = "slow drift"
        assert self.verdict(judged("slow", [3, 4, 5], [3, 4, 6])) == {title: "met"}
        assert self.verdict(judged("slow", [4, 5, 6], [3, 4, 5])) == {title: "met with samples only"}
        assert self.verdict(judged("slow", [5, 6, 7], [3, 4, 5])) == {title: "**not met**"}
        assert self.verdict(judged("slow", [1, 1, None], [3, 4, 5])) == {title: "**not met**"}
        (line,) = bars.lines(judged("slow", [4, 5, 6], [3, 4, None]))
        assert line.cells[0].endswith("in 2 of 3 later than the oracle")
        assert line.cells[1].endswith("in 0 of 3 more than one generation later than the oracle")
