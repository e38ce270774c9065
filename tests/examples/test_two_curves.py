"""The example of the two curves runs at reduced size and shows the four shapes that it speaks of."""

import runpy
from pathlib import Path

import numpy as np
import pytest

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


def test_without_purging_fitness_only_declines_and_the_lineages_scatter_about_the_law(example, fitness):
    assert (np.diff(fitness[0.0]) < 0).all()
    # exp(-6 F) at t = 20 and 50 of N = 50 (science of the inbreeding-purging model; F counts the founder's fit too).
    assert fitness[0.0][[19, 49]] == pytest.approx([0.335357, 0.093484], abs=1e-5)
    early = fitness["simulated"][:, 5]
    assert abs(early.mean() - fitness[0.0][5]) < 4 * early.std(ddof=1) / np.sqrt(len(early)) + 0.01


def test_with_purging_it_declines_turns_and_recovers(example, fitness):
    path = fitness[example["PURGING"]]
    lowest = int(path.argmin())
    assert path[[4, 19, 49]] == pytest.approx([0.753801, 0.546416, 0.767553], abs=1e-5)
    assert 5 < lowest < 30
    assert path[-1] > path[lowest] + 0.2


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
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["d = 0, no purging", "d = 0.25"]
    assert len(right.lines) == 4
