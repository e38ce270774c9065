"""The comparison of mixing loaders: its questions must be able to come out badly, so planted loaders are asked too."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
loaders, judging = importlib.import_module("loaders"), importlib.import_module("loading.judging")
libraries = importlib.import_module("loading.libraries")
AFTER, BEFORE, CHANGE, END, SAVED = judging.AFTER, judging.BEFORE, judging.CHANGE, judging.END, judging.SAVED


class Planted:
    """Draws at random by weight, through both sources in order; `fault` is one of the faults of mixing loaders."""

    changes_in_place, fault = True, ""

    def __init__(self, real_share):
        self.real_share, self.drawn, self.place = real_share, [0, 0], 0

    def take(self, n):
        items = []
        for _ in range(n):
            source = int(np.random.default_rng([7, self.place]).random() > self.real_share)
            size = judging.SIZES["synthetic" if source else "real"]
            items.append(source * judging.SIZES["real"] + self.drawn[source] % size)
            self.drawn[source] += 1
            self.place += 1
        return items

    def change(self, real_share):
        self.real_share = real_share
        if self.fault == "begins anew":
            self.drawn = [0, 0]

    def state(self):
        return {"drawn": self.drawn, "place": self.place}

    def resume(self, state):
        self.drawn, self.place = list(state["drawn"]), state["place"]
        if self.fault == "fetched ahead":
            self.drawn[1] += 16
        if self.fault == "other numbers":
            self.place = 0


class BeginsAnew(Planted):
    fault = "begins anew"


class FetchedAhead(Planted):
    fault = "fetched ahead"


class OtherNumbers(Planted):
    fault = "other numbers"


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    """A process of its own is what the real table has; planted loaders need none."""
    monkeypatch.setattr(judging, "resumed_elsewhere", judging.resumed)
    monkeypatch.setattr(judging, "FAR", 20_000)
    monkeypatch.setattr(judging, "MINUTE", float("inf"))


def test_a_loader_that_draws_at_random_is_exact_but_for_its_deviation():
    found = judging.judge(Planted)
    assert (found.changes_in_place, found.repeated) == (True, 0)
    assert (found.same_before, found.same_after) == (END - SAVED[0], END - SAVED[1])
    assert 15 < found.deviation < 70
    assert (found.reached, found.state_bytes > 20) == (20_000, True)


def test_a_change_that_begins_the_sources_anew_is_found_by_what_comes_again():
    found = judging.judge(BeginsAnew)
    real = [sum(item < judging.SIZES["real"] for item in part) for part in _halves(judging.uninterrupted(Planted)[0])]
    # Of the first pass through each source, what had come before the change comes again in its last part.
    assert found.repeated == sum(
        min(had, size - had) for had, size in ((real[0], 1000), (CHANGE - real[0] - 3000, 3000))
    )


def _halves(items):
    return items[:CHANGE], items[CHANGE:]


def test_items_that_were_fetched_ahead_and_lost_are_found_on_resuming():
    found = judging.judge(FetchedAhead)
    assert found.repeated == 0
    assert found.same_before < (1 - BEFORE + 0.05) * (END - SAVED[0]) - 1000
    assert found.same_after == pytest.approx(AFTER * (END - SAVED[1]), rel=0.1)


def test_other_random_numbers_after_resuming_are_found():
    found = judging.judge(OtherNumbers)
    assert found.same_before < 1000
    assert found.same_after < 1000


def test_ours_is_exact():
    found = judging.judge(libraries.Ours)
    assert (found.changes_in_place, found.repeated) == (True, 0)
    assert (found.same_before, found.same_after) == (END - SAVED[0], END - SAVED[1])
    assert found.deviation <= 1
    assert found.state_bytes < 1000


def test_the_deviation_is_that_of_the_worst_window():
    real, other = 0, judging.SIZES["real"]
    even = [real if place % 10 == 0 else other for place in range(CHANGE)]
    even += [real if place % 5 in (0, 2) else other for place in range(CHANGE)]
    assert judging.deviation(even) <= 1
    even[1000:1100] = [real] * 100
    assert judging.deviation(even) == pytest.approx(90)


def test_a_library_that_is_not_installed_leaves_its_row_without_numbers(monkeypatch):
    monkeypatch.setitem(loaders.LIBRARIES, "none", (libraries.Ours, "no-such-distribution"))
    assert loaders.row("none") == ("none: not installed", *[""] * (len(loaders.HEADINGS) - 1))
    assert set(libraries.LIBRARIES) >= {"collapse_guard", "datasets", "torchdata", "litdata", "mosaicml-streaming"}
