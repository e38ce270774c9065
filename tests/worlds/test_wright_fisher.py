"""The Wright-Fisher world: its laws against published numbers and an exact chain, its simulation against the laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from collapse_guard.errors import InputError
from collapse_guard.indicators.genetics.inbreeding import fixation_index
from collapse_guard.worlds import Workflow, wright_fisher
from collapse_guard.worlds.wright_fisher import (
    expected_fixation,
    expected_types,
    needed_share,
    stationary_fixation,
    survival,
    survival_bound,
    zipf,
)

REPLACE = Workflow()
ALL = [
    REPLACE,
    Workflow(name="accumulate"),
    Workflow(name="accumulate_subsample"),
    Workflow(name="mix", real_share=0.2),
    Workflow(name="fresh"),
]


def mix(share):
    return Workflow(name="mix", real_share=share)


@pytest.mark.parametrize("workflow", ALL, ids=str)
def test_the_simulation_obeys_every_exact_law(agrees, workflow):
    """Few items, so that wrong terms of order 1/n show; 1e-6 false failures for each observable."""
    found = wright_fisher.simulate(zipf(12), samples=8, workflow=workflow, generations=8, lineages=20_000, seed=3)
    fixation, types = found.observables
    assert agrees(fixation.values, fixation.expected)
    assert types.is_limit == (workflow.name == "replace")
    assert (types.expected is None) == (workflow.name in ("mix", "accumulate_subsample"))
    if types.expected is not None and not types.is_limit:
        assert agrees(types.values, types.expected)


def test_two_items_a_generation_tell_laws_of_kept_data_apart_that_agree_for_many(agrees):
    for workflow in ALL[1:3]:
        found = wright_fisher.simulate(zipf(12), samples=2, workflow=workflow, generations=4, lineages=20_000, seed=5)
        assert agrees(found.fixation_index, found.observables[0].expected)


def slowly(rng, source, workflow, samples, generations):
    """One lineage by the definition: every item drawn, kept and chosen by itself."""
    data = kept = rng.choice(len(source), size=samples, p=source)
    for _ in range(generations):
        written = rng.choice(data, size=samples)
        kept = np.concatenate([kept, written])
        real = rng.choice(len(source), size=samples, p=source)
        is_real = rng.random(samples) < (workflow.fresh_share or 0.0)
        data = {
            "accumulate": kept,
            "accumulate_subsample": rng.permutation(kept)[:samples],
        }.get(workflow.name, np.where(is_real, real, written))
    shares = np.bincount(data, minlength=len(source)) / len(data)
    return (shares**2).sum(), (shares > 0).sum()


@pytest.mark.slow
@pytest.mark.parametrize("workflow", ALL, ids=str)
def test_the_distribution_is_that_of_the_slow_definition(rng, workflow):
    """Means by t tests, and counts of types by chi-squared; at 1e-6 each: 1e-5 false failures in all."""
    found = wright_fisher.simulate(zipf(6), samples=6, workflow=workflow, generations=3, lineages=3000, seed=2)
    slow = np.array([slowly(rng, zipf(6), workflow, 6, 3) for _ in range(3000)])
    assert stats.ttest_ind(found.homozygosity[:, 3], slow[:, 0]).pvalue > 1e-6
    table = [np.bincount(kept.astype(int), minlength=7) for kept in (found.types[:, 3], slow[:, 1])]
    table = np.array(table)[:, np.sum(table, axis=0) > 0]
    assert stats.chi2_contingency(table).pvalue > 1e-6


def extinct_by(shares, n, fits):
    """Probability that types are lost within `fits` fits, exactly, by the chain of their counts; [shares]."""
    counts = np.arange(n + 1)
    step = stats.binom.pmf(counts[None, :], n, counts[:, None] / n)
    lost = (counts == 0).astype(float)
    for _ in range(fits - 1):
        lost = step @ lost
    return stats.binom.pmf(counts[None, :], n, np.asarray(shares)[:, None]) @ lost


def test_types_survive_as_the_exact_chain_says():
    """Each of 12 types in 9 generations over 20,000 lineages, two-sided at 1e-8: 1e-6 false failures."""
    source = zipf(12)
    found = wright_fisher.simulate(source, samples=8, generations=8, lineages=20_000, seed=4)
    for generation in range(9):
        alive = 1 - extinct_by(source, 8, generation + 1)
        low, high = stats.binom.ppf(5e-9, 20_000, alive), stats.binom.isf(5e-9, 20_000, alive)
        seen = found.alive[generation] * 20_000
        assert ((low <= seen) & (seen <= high)).all()
    np.testing.assert_allclose(found.alive.sum(axis=1), found.types.mean(axis=0))


def test_survival_is_the_limit_of_the_exact_chain_for_many_samples():
    gaps = []
    for n in (50, 200, 800):
        shares = np.array([0.5, 1.0, 5.0]) / n
        exact = 1 - extinct_by(shares, n, 10)
        gaps.append(np.abs(survival(n * shares, fits=10) - exact).max())
    assert gaps[0] / gaps[1] > 3
    assert gaps[1] / gaps[2] > 3
    assert gaps[2] < 0.002


def test_oracles_of_science_md_1_5():
    assert expected_types([0.0005], samples=1000) == pytest.approx(1 - 0.606455, abs=1e-6)
    for types, n, kept in ((1000, 1000, 333.747), (10_000, 10_000, 2813.491), (50_000, 100_000, 19726.178)):
        assert expected_types(zipf(types), samples=n) == pytest.approx(kept, abs=1e-3)
    once = {1: 0.36787944, 2: 0.53146361, 3: 0.62591769, 5: 0.73192318, 10: 0.84176481, 20: 0.91242903, 50: 0.96235038}
    for k, lost in once.items():
        assert 1 - survival(1, fits=k) == pytest.approx(lost, abs=1e-8)
    five = {1: 0.993262, 5: 0.789948, 10: 0.577376, 20: 0.367595, 50: 0.174597}
    for k, kept in five.items():
        assert survival(5, fits=k) == pytest.approx(kept, abs=1e-6)
    assert survival_bound(5, fits=10) == pytest.approx(0.393469, abs=1e-6)


def test_oracles_of_science_md_6_1():
    start = (zipf(200) ** 2).sum()
    assert start == pytest.approx(0.04746418, abs=1e-8)
    assert expected_fixation(0, samples=100, workflow=REPLACE) == 0.0
    for n, workflow, fits, s in (
        (100, REPLACE, 1, 0.056990),
        (100, REPLACE, 5, 0.094148),
        (100, REPLACE, 20, 0.220914),
        (100, mix(0.05), 20, 0.127484),
        (100, mix(0.1), 20, 0.094966),
        (1000, mix(0.1), 20, 0.052384),
    ):
        fixation = expected_fixation(fits, samples=n, workflow=workflow)
        assert start + (1 - start) * fixation == pytest.approx(s, abs=1e-6)
    for n, m, f in ((100, 0.05, 0.093875), (100, 0.1, 0.05048), (100, 0.3, 0.019421), (1000, 0.1, 0.005241)):
        assert stationary_fixation(samples=n, real_share=m) == pytest.approx(f, abs=1e-6)
    for n, f, m in (
        (1000, 0.2, 0.002004),
        (1000, 0.1, 0.004515),
        (1000, 0.05, 0.009555),
        (1000, 0.02, 0.024833),
        (1000, 0.01, 0.050842),
        (100, 0.1, 0.046537),
        (100, 0.05, 0.101067),
    ):
        assert needed_share(f, samples=n) == pytest.approx(m, abs=1e-6)


@given(n=st.integers(2, 10**6), m=st.floats(1e-6, 1.0))
def test_the_needed_share_is_the_one_that_holds_the_target(n, m):
    target = stationary_fixation(samples=n, real_share=m)
    if n * target > 1 + 1e-6:
        assert stationary_fixation(samples=n, real_share=needed_share(target, samples=n)) == pytest.approx(target)


@given(n=st.integers(1, 10**5), m=st.floats(0.0, 1.0), k=st.integers(0, 200))
def test_fixation_grows_from_0_towards_its_limit(n, m, k):
    found = [expected_fixation(fits, samples=n, workflow=mix(m)) for fits in (k, k + 1, 20_000)]
    limit = stationary_fixation(samples=n, real_share=m)
    assert found[0] <= found[1] + 1e-15 <= limit + 1e-12
    assert found[1] == pytest.approx(1 / n + (1 - 1 / n) * (1 - m) ** 2 * found[0])
    if m > 0.01:
        assert found[2] == pytest.approx(limit)


@given(c=st.floats(0.0, 1e4), k=st.integers(1, 400))
def test_survival_is_never_below_the_bound_of_suresh(c, k):
    assert survival(c, fits=k) >= survival_bound(c, fits=k) - 1e-12


def test_the_bound_of_suresh_is_never_violated():
    """24 types in 6 generations over 5,000 lineages; violated where so few are less likely than 1e-9 under it."""
    source = zipf(24)
    found = wright_fisher.simulate(source, samples=60, generations=30, lineages=5000, seed=6)
    for generation in (0, 1, 3, 7, 15, 30):
        bound = survival_bound(60 * source, fits=generation + 1)
        alive = np.rint(found.alive[generation] * 5000)
        assert (stats.binom.cdf(alive, 5000, bound) > 1e-9).all()


def test_what_is_kept_never_loses_a_type():
    found = wright_fisher.simulate(samples=30, workflow=Workflow(name="accumulate"), generations=9, lineages=50, seed=0)
    assert (np.diff(found.types, axis=1) == 0).all()
    replaced = wright_fisher.simulate(samples=30, generations=9, lineages=50, seed=0)
    assert (np.diff(replaced.types, axis=1) <= 0).all()


def test_the_index_is_that_of_the_indicators():
    found = wright_fisher.simulate(zipf(9), samples=5, generations=2, lineages=2, seed=0)
    start = float((zipf(9) ** 2).sum())
    assert found.fixation_index[1, 2] == pytest.approx(fixation_index(float(found.homozygosity[1, 2]), start))


def test_one_lineage_in_many_blocks_is_as_good_as_many_in_one(monkeypatch, agrees):
    monkeypatch.setattr("collapse_guard.worlds.subsets._MOST_STORED", 1)
    found = wright_fisher.simulate(zipf(4), samples=4, workflow=ALL[2], generations=2, lineages=3000, seed=1)
    assert agrees(found.fixation_index, found.observables[0].expected)


def test_halves_of_the_lineages_are_not_alike(agrees):
    found = wright_fisher.simulate(zipf(12), samples=8, generations=4, lineages=20_000, seed=9)
    gap = found.fixation_index - found.observables[0].expected
    assert agrees(gap[:10_000] * gap[10_000:], np.zeros(5))


@pytest.mark.parametrize("source", [[0.5, 0.6], [1.5, -0.5], [], [[0.5, 0.5]], [float("nan"), 1.0]])
def test_a_source_must_be_shares(source):
    with pytest.raises(InputError, match="`source` must be a list of shares"):
        wright_fisher.simulate(source)


def test_laws_refuse_what_they_are_not_made_for():
    with pytest.raises(InputError, match=r"`target` must be above 1/n = 0.01"):
        needed_share(0.01, samples=100)
    with pytest.raises(InputError, match="`target`"):
        needed_share(1.5, samples=100)
    with pytest.raises(InputError, match=r"`source` must hold finite numbers of .* at most 1, but got 1\.1"):
        expected_types([0.5, 1.1], samples=3)
    with pytest.raises(InputError, match="`counts` must hold finite numbers of at least 0"):
        survival([-1], fits=2)
    with pytest.raises(InputError, match="`fits` must be a whole number of at least 1"):
        survival_bound(1, fits=0)
    assert survival([0, 3], fits=0).tolist() == [0.0, 1.0]
