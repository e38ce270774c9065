"""The Gaussian world: its laws against published numbers, its simulation against the laws and against the slow one."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import polygamma

from collapse_guard.errors import InputError
from collapse_guard.worlds import Workflow, gaussian
from collapse_guard.worlds.gaussian import (
    expected_log_variance,
    expected_squared_mean,
    expected_squared_wasserstein,
    expected_variance,
    stationary_variance,
)

REPLACE, FRESH = Workflow(), Workflow(name="fresh")
ALL = [
    REPLACE,
    Workflow(name="accumulate"),
    Workflow(name="accumulate_subsample"),
    Workflow(name="mix", real_share=0.2),
    FRESH,
]
ESTIMATORS = ("mle", "unbiased")


def spread_bound(threshold, *, samples, fits):
    """Of P(standard deviation > threshold) under `replace`, by Suresh et al. (2024), arXiv:2412.17646."""
    return min(1.0, math.exp(-fits / (4 * samples)) / threshold)


@pytest.mark.parametrize("workflow", ALL, ids=str)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_simulation_obeys_every_law_that_is_known(agrees, workflow, estimator):
    """Few samples, so that wrong terms of order 1/n show; with 1e-6 each, 1e-5 false failures in all."""
    found = gaussian.simulate(
        samples=5, dimensions=2, estimator=estimator, workflow=workflow, generations=6, lineages=20_000, seed=11
    )
    known = {seen.name for seen in found.observables if seen.expected is not None}
    assert known >= {"variance", "squared mean"}
    assert ("ln variance" in known) == ("squared W2" in known) == (workflow in (REPLACE, FRESH))
    for seen in found.observables:
        assert seen.expected is None or agrees(seen.values, seen.expected), seen.name


@pytest.mark.parametrize("workflow", ALL[1:3], ids=str)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_smallest_samples_tell_laws_of_kept_data_apart_that_agree_for_large_ones(agrees, workflow, estimator):
    found = gaussian.simulate(
        samples=2, estimator=estimator, workflow=workflow, generations=3, lineages=60_000, seed=12
    )
    for seen in found.observables:
        assert seen.expected is None or agrees(seen.values, seen.expected), seen.name


def slowly(rng, workflow, samples, generations, ddof):
    """One lineage by the definition: every item drawn, kept and chosen by itself."""
    data = kept = rng.standard_normal(samples)
    for generation in range(generations + 1):
        mean, variance = data.mean(), data.var(ddof=ddof)
        if generation == generations:
            return mean, variance
        written = rng.normal(mean, math.sqrt(variance), size=samples)
        kept = np.concatenate([kept, written])
        is_real = rng.random(samples) < (workflow.fresh_share or 0.0)
        data = {
            "accumulate": kept,
            "accumulate_subsample": rng.permutation(kept)[:samples],
        }.get(workflow.name, np.where(is_real, rng.standard_normal(samples), written))
    raise AssertionError


@pytest.mark.slow
@pytest.mark.parametrize("workflow", ALL, ids=str)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_whole_distribution_is_that_of_the_slow_definition(rng, workflow, estimator):
    """Kolmogorov-Smirnov at 1e-6, twice in each of ten cases: 2e-5 false failures in all."""
    arguments = {"samples": 4, "estimator": estimator, "workflow": workflow, "generations": 3, "lineages": 4000}
    found = gaussian.simulate(**arguments, seed=4)
    slow = np.array([slowly(rng, workflow, 4, 3, int(estimator == "unbiased")) for _ in range(4000)])
    assert stats.ks_2samp(found.means[:, 3, 0], slow[:, 0]).pvalue > 1e-6
    assert stats.ks_2samp(found.variances[:, 3, 0], slow[:, 1]).pvalue > 1e-6


def test_oracles_of_science_md_1_5():
    wasserstein = [expected_squared_wasserstein(11, samples=100, workflow=REPLACE)]
    assert wasserstein == pytest.approx([0.16479], abs=5e-6)
    laws = [expected_variance(k, samples=100, workflow=REPLACE, estimator="mle") for k in (1, 10, 50, 100)]
    assert laws == pytest.approx([0.99, 0.904382, 0.605006, 0.366032], abs=1e-6)
    assert expected_variance(10, samples=10, workflow=REPLACE, estimator="mle") == pytest.approx(0.348678, abs=1e-6)
    logs = [expected_log_variance(1, samples=n, workflow=REPLACE) for n in (10, 50, 100, 1000)]
    assert logs == pytest.approx([-0.11520647, -0.02054697, -0.01013502, -0.00100134], abs=1e-8)
    mle = expected_log_variance(3, samples=10, workflow=REPLACE, estimator="mle")
    assert mle == pytest.approx(3 * (-0.11520647 + math.log(0.9)), abs=1e-7)
    # E np.std of N(0, 1) is in the distance after one fit: 1/n + (1 - 1/n) + 1 - 2 E std.
    for n, deviation in ((10, 0.922746), (100, 0.992478), (1000, 0.999250)):
        one = expected_squared_wasserstein(1, samples=n, workflow=REPLACE, estimator="mle")
        assert 1 - one / 2 == pytest.approx(deviation, abs=1e-6)


@given(n=st.integers(2, 10_000), k=st.integers(0, 60))
def test_laws_of_mixing_end_in_those_of_no_and_of_only_real_data(n, k):
    for estimator, base in (("mle", 1 - 1 / n), ("unbiased", 1.0)):
        law = {"samples": n, "estimator": estimator}
        assert expected_variance(k, workflow=REPLACE, **law) == pytest.approx(base**k)
        assert expected_variance(k, workflow=FRESH, **law) == pytest.approx(base ** min(k, 1))
        drift = k / n if estimator == "unbiased" else 1 - base**k
        assert expected_squared_mean(k, workflow=REPLACE, **law) == pytest.approx(drift)
        kept = Workflow(name="accumulate")
        if estimator == "mle":
            total = expected_variance(k, workflow=kept, **law) + expected_squared_mean(k, workflow=kept, **law)
            assert total == pytest.approx(1.0)


def test_what_accumulates_tends_to_a_variance_above_zero():
    x = math.pi / math.sqrt(10)
    limit = expected_variance(20_000, samples=10, workflow=Workflow(name="accumulate"), estimator="mle")
    assert limit == pytest.approx(math.sin(x) / x, rel=1e-5)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(("samples", "share"), [(5, 0.2), (100, 0.1), (100, 0.01), (30, 1.0), (7, 0.9)])
def test_the_stationary_variance_is_where_mixing_ends(samples, share, estimator):
    mixed = Workflow(name="mix", real_share=share)
    after = expected_variance(20_000, samples=samples, workflow=mixed, estimator=estimator)
    assert after == pytest.approx(stationary_variance(samples=samples, real_share=share, estimator=estimator), rel=1e-9)


def test_below_half_a_real_item_a_generation_the_variance_has_no_limit():
    edge = 1 - math.sqrt(1 - 0.005)  # about 1/(2 n), n = 200; the exact edge solves n m (2 - m) = 1 - m
    assert stationary_variance(samples=200, real_share=edge * 0.98) == math.inf
    assert stationary_variance(samples=200, real_share=edge * 1.02) < math.inf
    growing = [
        expected_variance(k, samples=200, workflow=Workflow(name="mix", real_share=0.002)) for k in (10**4, 2 * 10**4)
    ]
    assert growing[1] > growing[0] > 1.1
    assert stationary_variance(samples=200, real_share=0.0) == 1.0
    assert stationary_variance(samples=200, real_share=0.0, estimator="mle") == 0.0
    assert stationary_variance(samples=200, real_share=1e-6, estimator="mle") < 0.001


def test_no_bound_of_suresh_is_violated():
    """P(sd > threshold) over 5,000 lineages; a bound is violated where as many are less likely than 1e-9 under it."""
    for estimator in ESTIMATORS:
        found = gaussian.simulate(samples=3, estimator=estimator, generations=60, lineages=5000, seed=2)
        for generation in (0, 5, 20, 60):
            for threshold in (0.9, 0.1, 0.01):
                over = int((np.sqrt(found.variance[:, generation]) > threshold).sum())
                bound = spread_bound(threshold, samples=3, fits=generation + 1)
                assert stats.binom.sf(over - 1, 5000, bound) > 1e-9


@pytest.mark.parametrize(("samples", "fits"), [(2, 5), (10, 100), (1000, 1000)])
def test_the_bound_of_suresh_is_that_of_markov_for_the_mean_deviation(samples, fits):
    """E sd = c4^k, and c4(n) <= exp(-1/(4n)), which is close for large n."""
    c4 = math.sqrt(2 / (samples - 1)) * math.exp(math.lgamma(samples / 2) - math.lgamma((samples - 1) / 2))
    bound = 100 * spread_bound(100.0, samples=samples, fits=fits)
    assert bound >= c4**fits
    if samples == 1000:
        assert bound == pytest.approx(c4**fits, rel=1e-3)
    assert spread_bound(0.01, samples=samples, fits=0) == 1.0


def test_nearly_every_lineage_collapses_while_the_mean_of_the_variance_stays():
    """At n = 10, 400 fits: ln variance is near -46, 9 standard deviations of its sum below ln 0.01."""
    found = gaussian.simulate(samples=10, generations=399, lineages=500, seed=3)
    assert expected_variance(400, samples=10, workflow=REPLACE) == pytest.approx(1.0)
    assert (found.variance[:, 399] < 0.01).all()


def test_lineages_and_dimensions_are_independent(agrees):
    """ln variance is a sum of independent terms of variance psi'((n - 1)/2): shared draws would change its spread."""
    found = gaussian.simulate(samples=20, dimensions=3, generations=9, lineages=20_000, seed=8)
    logs = np.log(found.variances[:, 9])
    centred = logs - expected_log_variance(10, samples=20, workflow=REPLACE)
    assert agrees(centred**2, np.full(3, 10 * float(polygamma(1, 19 / 2))))
    assert agrees(centred * np.roll(centred, 1, axis=1), np.zeros(3))
    halves = centred.reshape(2, -1, 3)
    assert agrees(halves[0] * halves[1], np.zeros(3))


def test_real_items_are_drawn_anew_for_each_lineage():
    found = gaussian.simulate(samples=4, workflow=ALL[3], generations=1, lineages=200, seed=8)
    assert len(np.unique(found.means[:, 1, 0])) == 200


def test_workflows_stand_in_the_order_of_kazdan():
    """Accumulating keeps most, a subsample of it less, replacing least (science.md section 3); gaps of 20 errors."""
    at = [
        np.median(gaussian.simulate(samples=10, workflow=w, generations=30, lineages=2000, seed=1).log_variance[:, 30])
        for w in ALL[:3]
    ]
    assert at[0] < at[2] < at[1]
    assert at[0] < -2.5
    assert at[1] > -0.5


def test_what_is_written_has_the_moments_of_the_model(agrees):
    found = gaussian.simulate(samples=5, dimensions=2, generations=3, lineages=3, seed=1)
    written = found.write(2, 3, n=20_000, seed=0)
    centred = written - found.means[2, 3]
    assert agrees(written, found.means[2, 3])
    assert agrees(centred**2, found.variances[2, 3])


def test_real_data_what_is_written_and_the_lineages_do_not_share_their_noise():
    found = gaussian.simulate(samples=2, dimensions=1, generations=0, lineages=50, seed=0)
    real = gaussian.real_samples(50, dimensions=1, seed=0)[:, 0]
    noise = [
        (found.write(lineage, 0, n=50, seed=0)[:, 0] - found.means[lineage, 0]) / np.sqrt(found.variances[lineage, 0])
        for lineage in (0, 1)
    ]
    start = np.random.default_rng(0).standard_normal(50)
    for a, b in ((real, noise[0]), (real, start), (noise[0], start), (noise[0], noise[1])):
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.75  # six standard errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": 1}, "`samples` must be a whole number of at least 2"),
        ({"dimensions": 0}, "`dimensions` must be a whole number of at least 1"),
        ({"estimator": "biased"}, '`estimator` must be "mle" or "unbiased"'),
    ],
)
def test_arguments_that_are_none_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        gaussian.simulate(**arguments)


def test_laws_refuse_what_they_are_not_made_for():
    with pytest.raises(InputError, match="`fits` must be a whole number of at least 0"):
        expected_variance(-1, samples=5, workflow=REPLACE)
    with pytest.raises(InputError, match="`real_share` must be a share"):
        stationary_variance(samples=5, real_share=2.0)
