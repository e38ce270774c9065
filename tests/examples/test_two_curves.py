"""The example of the two curves runs at reduced size and shows the four shapes that it speaks of."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

SCRIPT = Path(__file__).parents[2] / "examples" / "two_curves.py"


@pytest.fixture(scope="module")
def example():
    return runpy.run_path(str(SCRIPT), run_name="example")


@pytest.fixture(scope="module")
def fitness(example):
    return example["population"](generations=60, lineages=30, seed=0)


@pytest.fixture(scope="module")
def fitted(example):
    return example["models"](generations=14, lineages=10, seed=0)


def homozygous_for_one_allele(generations, *, genes, s):
    """Expected homozygotes for one recessive allele in one of `genes`, by the exact Markov chain; times `genes`."""
    q = np.arange(genes + 1) / genes
    after_selection = q * (1 - s * q) / np.maximum(1 - s * q * q, 1e-12)
    after_selection[-1] = 1.0
    step = binom.pmf(np.arange(genes + 1)[None, :], genes, after_selection[:, None])
    chances, found = np.eye(genes + 1)[1], [0.0]
    for _ in range(generations):
        found.append(genes * float(chances @ q**2))
        chances = chances @ step
    return np.array(found)


def test_without_purging_fitness_only_declines_and_the_lineages_scatter_about_the_law(fitness):
    assert (np.diff(fitness[0.0]) < 0).all()
    # exp(-6 F) with F = 1 - 0.99^t.
    assert fitness[0.0][[0, 20, 50]] == pytest.approx([1.0, 0.335357, 0.093484], abs=1e-5)
    early = fitness["simulated"][:, 6]
    assert abs(early.mean() - fitness[0.0][6]) < 4 * early.std(ddof=1) / np.sqrt(len(early)) + 0.01


def test_with_purging_it_declines_turns_and_recovers(example, fitness):
    assert fitness[example["PURGING"]][[5, 20, 50]] == pytest.approx([0.753801, 0.546416, 0.767553], abs=1e-5)
    for path in (fitness[example["PURGING"]], fitness["selected"].mean(axis=0)):
        assert path[0] == pytest.approx(1.0)
        assert 5 < path.argmin() < 30
        assert path[-1] > path.min() + 0.2
        assert path[-1] > fitness[0.0][-1] + 0.6


@pytest.mark.parametrize(("selects", "s"), [(True, 0.5), (False, 0.0)])
def test_a_simulated_herd_carries_the_load_of_the_exact_chain(example, selects, s):
    load, herds = 0.5, 200
    seeds = np.random.SeedSequence(1).spawn(herds)
    settings = {"generations": 30, "individuals": 25, "load": load, "purging": 0.25, "selects": selects}
    lost = 1.0 - np.array([example["herd"](np.random.default_rng(seed), **settings) for seed in seeds])
    expected = load * homozygous_for_one_allele(30, genes=50, s=s)
    error = lost.std(axis=0, ddof=1) / np.sqrt(herds)
    # 1 - W is below load * g by no more than half its square, as exp is convex; what selection does is more than that.
    assert (np.abs(lost.mean(axis=0) - expected) <= 4 * error + expected**2).all()
    without = load * homozygous_for_one_allele(30, genes=50, s=0.5 - s)
    assert np.abs(lost.mean(axis=0) - without)[-1] > 4 * error[-1] + without[-1] ** 2


def test_replaced_perplexity_climbs_and_with_a_tenth_of_real_text_it_levels_off(fitted):
    replaced, mixed = (np.exp(loss) for loss, _ in fitted.values())
    assert (np.diff(replaced) > 0).all()
    assert replaced[-1] > 2 * replaced[0]
    assert mixed[-1] - mixed[-4] < 0.25 * (replaced[-1] - replaced[-4])
    assert mixed[-1] < 0.65 * replaced[-1]


def test_the_fitted_curves_go_through_the_points(example, fitted):
    for name, (loss, fit) in fitted.items():
        curve = fit.curve(len(loss) - 1, real_share=example["WORKFLOWS"][name].fresh_share)
        assert np.abs(curve - loss).max() < 0.06, name
        assert fit.p_purging > 0.01, name


def test_the_picture_has_both_views(example, fitness, fitted):
    left, right = example["draw"](fitness, fitted).axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == [
        "law, d = 0 (no purging)",
        "law, d = 0.25",
        "simulated, s = 0.5",
    ]
    assert len(right.lines) == 4


def test_it_prints_the_four_shapes_and_writes_the_picture(monkeypatch, tmp_path, capsys):
    out = tmp_path / "two.png"
    monkeypatch.setattr("sys.argv", [SCRIPT.name, "--generations", "40", "--lineages", "4", "--out", str(out)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    printed = capsys.readouterr().out
    assert "Without purging fitness falls to 0.13" in printed
    assert "10% real: perplexity" in printed
    assert out.read_bytes().startswith(b"\x89PNG")
