"""Drift with immigration: the two places of counting against each other, a simulation, and published numbers."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.genetics.migration import fixation_path, needed_share, stationary_fixation
from collapse_guard.worlds import Workflow, wright_fisher

CENSUSES = st.sampled_from(["model", "mixture"])
SHARES = st.floats(0.0, 1.0)


@pytest.mark.parametrize(
    ("n", "m", "f"),
    [(100, 0.05, 0.093875), (100, 0.1, 0.05048), (100, 0.3, 0.019421), (1000, 0.1, 0.005241), (1000, 0.3, 0.001959)],
)
def test_stationary_values_of_science_md_6_1(n, m, f):
    assert stationary_fixation(samples=n, real_share=m) == pytest.approx(f, abs=1e-6)


@pytest.mark.parametrize(
    ("n", "f", "m"),
    [
        (1000, 0.2, 0.002004),
        (1000, 0.1, 0.004515),
        (1000, 0.05, 0.009555),
        (1000, 0.02, 0.024833),
        (1000, 0.01, 0.050842),
        (100, 0.1, 0.046537),
        (100, 0.05, 0.101067),
    ],
)
def test_needed_shares_of_science_md_6_1(n, f, m):
    assert needed_share(f, samples=n) == pytest.approx(m, abs=1e-6)


@pytest.mark.parametrize(
    ("n", "m", "fits", "s"),
    [
        (100, 0.0, 1, 0.056990),
        (100, 0.0, 5, 0.094148),
        (100, 0.0, 20, 0.220914),
        (100, 0.05, 20, 0.127484),
        (100, 0.1, 20, 0.094966),
        (1000, 0.1, 20, 0.052384),
    ],
)
def test_paths_of_science_md_6_1(n, m, fits, s):
    start = 0.04746418
    path = fixation_path(0.0, samples=n, real_shares=[m] * fits)
    assert start + (1 - start) * path[fits] == pytest.approx(s, abs=1e-6)


@pytest.mark.parametrize("individuals", [100, 10_000])
@pytest.mark.parametrize("migrants", [1, 5])
def test_migrants_a_generation_hold_wrights_island_at_its_famous_values(individuals, migrants):
    """F* = 1/(1 + 4 N m): 0.2 for one migrant among N individuals, whatever N; both counts, up to order m."""
    m = migrants / individuals
    for census in ("model", "mixture"):
        found = stationary_fixation(samples=2 * individuals, real_share=m, census=census)
        assert found == pytest.approx(1 / (1 + 4 * migrants), rel=2.5 * m)


def test_wrights_recursion_by_hand():
    """Wright (1951): F' = [1/(2N) + (1 - 1/(2N)) F] (1 - m)^2 for N = 5, m = 0.1, from F = 0.3."""
    assert fixation_path(0.3, samples=10, real_shares=[0.1], census="mixture")[1] == pytest.approx(0.37 * 0.81)
    assert fixation_path(0.3, samples=10, real_shares=[0.1])[1] == pytest.approx(0.1 + 0.9 * 0.81 * 0.3)


def test_what_each_census_counts_in_simulated_training_sets():
    """`model`: homozygosity of the shares of a training set; `mixture`: of pairs of two different items of it."""
    n, m, generations, lineages = 6, 0.2, 6, 20_000
    rng, source = np.random.default_rng(5), wright_fisher.zipf(9)
    start, model = float((source**2).sum()), np.tile(source, (lineages, 1))
    plain = fixation_path(0.0, samples=n, real_shares=[m] * generations)
    pairs = fixation_path(0.0, samples=n, real_shares=[m] * generations, census="mixture")
    for t in range(generations):
        counts = rng.multinomial(n, (1 - m) * model + m * source)
        model = counts / n
        with_replacement = ((model**2).sum(1) - start) / (1 - start)
        different = ((counts * (counts - 1)).sum(1) / (n * (n - 1)) - start) / (1 - start)
        for found, expected in ((with_replacement, plain[t + 1]), (different, pairs[t] if t else 0.0)):
            assert abs(found.mean() - expected) < 5 * found.std() / np.sqrt(lineages)


def test_the_path_is_what_simulated_lineages_do():
    found = wright_fisher.simulate(
        wright_fisher.zipf(12),
        samples=8,
        workflow=Workflow(name="mix", real_share=0.2),
        generations=8,
        lineages=20_000,
        seed=4,
    )
    expected = fixation_path(0.0, samples=8, real_shares=[0.2] * 9)[1:]
    gap = found.fixation_index.mean(0) - expected
    assert (np.abs(gap) < 5 * found.fixation_index.std(0) / np.sqrt(20_000)).all()


@given(start=SHARES, n=st.floats(1.0, 1e6), shares=st.lists(SHARES, min_size=1, max_size=20), b=st.floats(-0.1, 0.0))
def test_both_censuses_follow_one_process(start, n, shares, b):
    """G_t = (1 - m_{t+1})^2 F_t."""
    model = fixation_path(start, samples=n, real_shares=shares, bias=b)
    kept = (1 - np.array(shares)) ** 2
    mixture = fixation_path(kept[0] * start, samples=n, real_shares=shares[1:], bias=b, census="mixture")
    assert mixture == pytest.approx(kept * model[:-1], rel=1e-9, abs=1e-12)


@given(n=st.floats(1.0, 1e6), m=SHARES, census=CENSUSES)
def test_the_stationary_value_stays_where_it_is(n, m, census):
    rest = stationary_fixation(samples=n, real_share=m, census=census)
    assert fixation_path(rest, samples=n, real_shares=[m], census=census)[1] == pytest.approx(rest, rel=1e-9, abs=1e-15)
    assert 0.0 <= rest <= 1.0
    more = stationary_fixation(samples=n, real_share=(m + 1) / 2, census=census)
    assert more <= rest


@given(n=st.floats(1.5, 1e5), m=st.floats(1e-4, 1.0), census=CENSUSES)
def test_the_needed_share_is_the_one_that_holds_the_target(n, m, census):
    target = stationary_fixation(samples=n, real_share=m, census=census)
    assume(census == "mixture" or n * target > 1 + 1e-6)
    found = needed_share(target, samples=n, census=census)
    assert stationary_fixation(samples=n, real_share=found, census=census) == pytest.approx(target, rel=1e-6, abs=1e-12)


def test_a_bias_adds_up_until_everything_is_lost():
    path = fixation_path(0.0, samples=100, real_shares=[0.0, 0.5, 0.0], bias=0.2)
    assert path == pytest.approx([0.0, 0.21, 0.21 + 0.99 * 0.25 * 0.21, 0.21 + 0.99 * (0.21 + 0.99 * 0.25 * 0.21)])
    assert fixation_path(0.0, samples=100, real_shares=[0.0] * 20, bias=0.2)[-1] == 1.0
    assert fixation_path(0.0, samples=10, real_shares=[0.5], bias=0.2, census="mixture")[1] == pytest.approx(0.3 / 4)


def test_many_paths_at_once_are_the_paths_one_by_one():
    starts, sizes = np.array([[0.0], [0.3]]), np.array([2.0, 50.0, 7.5])
    shares = [[[0.1, 0.2]], [[0.0, 0.9]]]
    paths = fixation_path(starts, samples=sizes, real_shares=shares, bias=0.01)
    assert paths.shape == (2, 3, 3)
    for i in range(2):
        for j in range(3):
            one = fixation_path(starts[i, 0], samples=sizes[j], real_shares=shares[i][0], bias=0.01)
            assert paths[i, j].tolist() == one.tolist()
    assert fixation_path(0.25, samples=4, real_shares=[]).tolist() == [0.25]


def test_all_real_or_no_real_data():
    assert stationary_fixation(samples=40, real_share=0.0) == pytest.approx(1.0)
    assert stationary_fixation(samples=40, real_share=0.0, census="mixture") == pytest.approx(1.0)
    assert stationary_fixation(samples=40, real_share=1.0) == pytest.approx(1 / 40)
    assert stationary_fixation(samples=40, real_share=1.0, census="mixture") == 0.0
    assert needed_share(0.0, samples=40, census="mixture") == 1.0
    assert needed_share(1.0, samples=40) == needed_share(1.0, samples=40, census="mixture") == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stationary_fixation(samples=0.9, real_share=0.1), "`samples` must hold finite numbers of at least 1"),
        (lambda: stationary_fixation(samples=9, real_share=1.1), "`real_share` must be a share from 0 to 1"),
        (
            lambda: stationary_fixation(samples=9, real_share=0.1, census="after"),
            r"`census` must be one of \['model', 'mixture'\], but got 'after'",
        ),
        (lambda: needed_share(0.5, samples=1), "`samples` must be a finite number above 1"),
        (lambda: needed_share(1.5, samples=9), "`target` must be a share from 0 to 1"),
        (lambda: needed_share(0.01, samples=100), "`target` must be above 1/n = 0.01, but got 0.01.*use more samples"),
        (lambda: needed_share(0.0, samples=100), "`target` must be above 1/n = 0.01, but got 0.0"),
        (lambda: needed_share(0.5, samples=9, census=None), "`census` must be one of"),
        (lambda: fixation_path(1.1, samples=9, real_shares=[0.1]), "`start` must hold finite numbers of at most 1"),
        (lambda: fixation_path(0, samples=0, real_shares=[0.1]), "`samples` must hold finite numbers of at least 1"),
        (lambda: fixation_path(0, samples=9, real_shares=[1.1]), "`real_shares` must hold finite numbers"),
        (lambda: fixation_path(0, samples=9, real_shares=0.1), "`real_shares` must hold one share for each generation"),
        (lambda: fixation_path(0, samples=9, real_shares=[0.1], bias=np.nan), "`bias` must hold finite numbers"),
        (lambda: fixation_path(0, samples=9, real_shares=[0.1], census="x"), "`census` must be one of"),
        (
            lambda: fixation_path([0, 0], samples=[9, 9, 9], real_shares=[0.1]),
            r"`start`, `samples`, `bias` and the leading axes of `real_shares` must broadcast.*\(2,\), \(3,\), \(\)",
        ),
    ],
)
def test_arguments_out_of_range_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
