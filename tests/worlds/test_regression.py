"""The regression world: its law against published numbers, its simulation against the law and against least squares."""

import math

import numpy as np
import pytest
from scipy import stats

from collapse_guard.errors import InputError
from collapse_guard.worlds import Workflow, regression
from collapse_guard.worlds.regression import expected_excess_risk

REPLACE, ACCUMULATE, FRESH = Workflow(), Workflow(name="accumulate"), Workflow(name="fresh")
ALL = [REPLACE, ACCUMULATE, FRESH]


@pytest.mark.parametrize("workflow", ALL, ids=str)
@pytest.mark.parametrize(("samples", "dimensions", "noise"), [(111, 10, 1.0), (12, 3, 0.5), (9, 1, 2.0)])
def test_the_simulation_obeys_the_law(agrees, workflow, samples, dimensions, noise):
    """Nine cases at 1e-6: 1e-5 false failures in all."""
    found = regression.simulate(
        samples=samples,
        dimensions=dimensions,
        noise=noise,
        workflow=workflow,
        generations=9,
        lineages=20_000,
        seed=5,
    )
    (risk,) = found.observables
    assert agrees(risk.values, risk.expected)


def slowly(rng, workflow, samples, dimensions, generations):
    """One lineage by least squares on inputs and labels."""
    x, truth = rng.standard_normal((samples, dimensions)), rng.standard_normal(dimensions)
    fit, labels = truth, []
    for _ in range(generations + 1):
        labels.append(x @ fit + rng.standard_normal(samples))
        used = labels if workflow.name == "accumulate" else labels[-1:]
        fit = np.linalg.lstsq(np.tile(x, (len(used), 1)), np.concatenate(used))[0]
        error = fit - truth
        fit = truth if workflow.name == "fresh" else fit
    return (error**2).sum()


@pytest.mark.parametrize("workflow", ALL, ids=str)
def test_the_distribution_is_that_of_least_squares(rng, workflow):
    """Kolmogorov-Smirnov at 1e-6 in each of three cases."""
    slow = [slowly(rng, workflow, 8, 3, 4) for _ in range(3000)]
    found = regression.simulate(
        samples=8, dimensions=3, workflow=workflow, generations=4, lineages=3000, seed=6
    ).excess_risk[:, 4]
    assert stats.ks_2samp(found, slow).pvalue > 1e-6


def test_oracles_of_science_md_3():
    law = {"samples": 111, "dimensions": 10}
    assert expected_excess_risk(1, **law) == pytest.approx(0.1)
    assert expected_excess_risk(10, **law) == pytest.approx(1.0)
    assert expected_excess_risk(10, **law, workflow=ACCUMULATE) == pytest.approx(0.1549768, abs=1e-7)
    sums = {1: 1, 2: 1.25, 3: 1.361111, 5: 1.463611, 10: 1.549768, 20: 1.596163, 100: 1.634984}
    for k, total in sums.items():
        assert expected_excess_risk(k, **law, workflow=ACCUMULATE) == pytest.approx(0.1 * total, abs=1e-7)
    assert expected_excess_risk(100_000, **law, workflow=ACCUMULATE) < 0.1 * math.pi**2 / 6
    assert expected_excess_risk(7, **law, workflow=FRESH) == pytest.approx(0.1)


def test_risks_are_those_of_independent_lineages(agrees):
    gap = regression.simulate(generations=5, lineages=20_000, seed=7).excess_risk - 0.1 * np.arange(1, 7)
    assert agrees(gap[:10_000] * gap[10_000:], np.zeros(6))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": 11, "dimensions": 10}, r"`samples` must be at least `dimensions` \+ 2 = 12, but got 11"),
        ({"noise": 0.0}, "`noise` must be a finite number above 0"),
        ({"noise": float("nan")}, "`noise` must be a finite number above 0"),
        ({"dimensions": 0}, "`dimensions` must be a whole number of at least 1"),
        ({"workflow": Workflow(name="mix", real_share=0.1)}, "`workflow` must be one that the world regression has"),
    ],
)
def test_arguments_that_are_none_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        regression.simulate(**arguments)
    with pytest.raises(InputError, match=message):
        expected_excess_risk(1, **{"samples": 111, "dimensions": 10, **arguments})
