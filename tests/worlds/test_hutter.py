"""The Hutter world: its law against published numbers and plain sums, its simulation against the law."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.special import zeta

from collapse_guard.errors import InputError
from collapse_guard.worlds import Workflow, hutter
from collapse_guard.worlds.hutter import expected_missing_mass

REPLACE = Workflow()
ALL = [REPLACE, Workflow(name="accumulate"), Workflow(name="mix", real_share=0.2), Workflow(name="fresh")]


@pytest.mark.slow
@pytest.mark.parametrize("workflow", ALL, ids=str)
@pytest.mark.parametrize("cut", [None, 5])
def test_the_simulation_obeys_the_law(agrees, workflow, cut):
    """Eight cases at 1e-6: 1e-5 false failures in all."""
    found = hutter.simulate(samples=100, exponent=1.5, cut=cut, workflow=workflow, generations=5, lineages=1200, seed=3)
    (missing,) = found.observables
    assert agrees(missing.values, missing.expected)


def plainly(exponent, samples, fits, real, cut, facts=200_000):
    """The law by its definition for the first facts; of the others none is known. Both sides of a cut."""
    number = np.arange(1.0, facts + 1)
    p = number**-exponent / zeta(exponent)
    known = 1 - (1 - p) ** samples
    for _ in range(fits - 1):
        answered = np.where(number <= (cut or np.inf), known, 0.0)
        known = 1 - (1 - real * p) ** samples + ((1 - real * p) ** samples - (1 - p) ** samples) * answered
    return 1 - (p * known).sum(), samples * zeta(2 * exponent, facts + 1) / zeta(exponent) ** 2


@pytest.mark.parametrize("exponent", [1.2, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("samples", [1, 30, 3000])
@pytest.mark.parametrize(
    ("real", "cut", "fits"), [(0.0, None, 1), (0.0, None, 4), (0.3, None, 6), (0.3, 50, 3), (0.0, 50, 2)]
)
def test_the_law_is_the_sum_over_all_facts(exponent, samples, real, cut, fits):
    """Beyond the summed facts at most `rest` is known in a fit: the exact value lies in between."""
    high, rest = plainly(exponent, samples, fits, real, cut)
    workflow = Workflow(name="mix", real_share=real)
    found = expected_missing_mass(fits, samples=samples, exponent=exponent, cut=cut, workflow=workflow)
    assert high - rest - 1e-11 <= found <= high + 1e-11


def test_oracles_of_science_md_3_but_for_the_facts_that_they_leave_out():
    """The published sums stop at 5,000,000 facts; those beyond are missing in full, but for T times their squares."""
    oracles = {2.0: (0.06884037, 0.02184266, 0.0069095), 1.5: (0.20210747, 0.09381403, 0.04336983)}
    for exponent, published in oracles.items():
        p = np.arange(1.0, 5_000_001) ** -exponent
        for samples, value in zip((100, 1000, 10_000), published, strict=True):
            cut_off = p / p.sum()
            assert (cut_off * (1 - cut_off) ** samples).sum() == pytest.approx(value, abs=6e-9)
            whole = p / zeta(exponent)
            left_out = zeta(exponent, 5_000_001) / zeta(exponent)
            left_out -= samples * zeta(2 * exponent, 5_000_001) / zeta(exponent) ** 2
            exact = (whole * (1 - whole) ** samples).sum() + left_out
            assert expected_missing_mass(1, samples=samples, exponent=exponent) == pytest.approx(exact, abs=1e-11)
    for cut, floor in ((100, 0.00604886), (1000, 0.0006075)):
        assert expected_missing_mass(2, samples=10**7, cut=cut) == pytest.approx(floor, abs=4e-7)
        endless = expected_missing_mass(2, samples=10**9, cut=cut)
        assert endless == pytest.approx(zeta(2, cut + 1) / zeta(2), abs=1e-12)


def test_slopes_of_science_md_3():
    for exponent, slope in ((2.0, 0.5), (1.5, 1 / 3)):
        losses = [expected_missing_mass(1, samples=n, exponent=exponent) for n in (10**5, 10**6)]
        assert np.log10(losses[0] / losses[1]) == pytest.approx(slope, abs=1e-3)


def test_generations_cost_at_most_linearly_and_a_cut_costs_for_ever():
    one = expected_missing_mass(1, samples=1000)
    after = [expected_missing_mass(k, samples=1000) for k in range(1, 30)]
    assert all(a < b for a, b in pairwise(after))
    assert all(loss <= k * one for k, loss in enumerate(after, start=1))
    assert expected_missing_mass(2, samples=10**9, cut=100) > 0.006
    assert expected_missing_mass(1, samples=10**9, cut=100) < 1e-4
    real = Workflow(name="mix", real_share=0.1)
    assert expected_missing_mass(2, samples=10**9, cut=100, workflow=real) < 1e-4


def test_what_accumulates_stays():
    found = hutter.simulate(workflow=Workflow(name="accumulate"), cut=3, generations=3, lineages=5, seed=0)
    assert (np.diff(found.missing_mass, axis=1) == 0).all()
    replaced = hutter.simulate(generations=3, lineages=5, seed=0)
    assert (np.diff(replaced.missing_mass, axis=1) >= 0).all()


def test_lineages_are_independent(agrees):
    found = hutter.simulate(samples=100, generations=2, lineages=4000, seed=1)
    gap = found.missing_mass - found.observables[0].expected
    assert agrees(gap[:2000] * gap[2000:], np.zeros(3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": 0}, "`samples` must be a whole number of at least 1"),
        ({"exponent": 1.0}, "`exponent` must be a finite number above 1"),
        ({"cut": 0}, "`cut` must be a whole number of at least 1"),
        ({"workflow": Workflow(name="accumulate_subsample")}, "`workflow` must be one that the world hutter has"),
    ],
)
def test_arguments_that_are_none_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        hutter.simulate(**arguments)
    with pytest.raises(InputError, match=message):
        expected_missing_mass(2, **{"samples": 10, **arguments})
