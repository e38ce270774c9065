"""Drift with immigration: the two places of counting against each other, a simulation, and published numbers."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.genetics.migration import after_drift, after_immigration, needed_share, stationary_fixation
from collapse_guard.worlds import wright_fisher

CENSUSES = st.sampled_from(["model", "mixture"])
SHARES = st.floats(0.0, 1.0)


def next_fixation(fixation, *, samples, real_share, census="model"):
    """F one generation later: the two steps of a generation, from one count to the next."""
    if census == "model":
        return after_drift(after_immigration(fixation, real_share), samples)
    return after_immigration(after_drift(fixation, samples), real_share)


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
    assert next_fixation(0.3, samples=10, real_share=0.1, census="mixture") == pytest.approx(0.37 * 0.81)
    assert next_fixation(0.3, samples=10, real_share=0.1) == pytest.approx(0.1 + 0.9 * 0.81 * 0.3)


def test_what_each_census_counts_in_simulated_training_sets():
    """`model`: homozygosity of the shares of a training set; `mixture`: of pairs of two different items of it."""
    n, m, generations, lineages = 6, 0.2, 6, 20_000
    rng, source = np.random.default_rng(5), wright_fisher.zipf(9)
    start, model = float((source**2).sum()), np.tile(source, (lineages, 1))
    plain, pairs = 0.0, 0.0
    for t in range(generations):
        counts = rng.multinomial(n, (1 - m) * model + m * source)
        model = counts / n
        with_replacement = ((model**2).sum(1) - start) / (1 - start)
        different = ((counts * (counts - 1)).sum(1) / (n * (n - 1)) - start) / (1 - start)
        pairs = next_fixation(pairs, samples=n, real_share=m, census="mixture") if t else 0.0
        plain = next_fixation(plain, samples=n, real_share=m)
        for found, expected in ((with_replacement, plain), (different, pairs)):
            assert abs(found.mean() - expected) < 5 * found.std() / np.sqrt(lineages)


@given(start=SHARES, n=st.floats(1.0, 1e6), shares=st.lists(SHARES, min_size=1, max_size=20))
def test_both_censuses_follow_one_process(start, n, shares):
    """G_t = (1 - m_{t+1})^2 F_t."""
    model, mixture = start, (1 - shares[0]) ** 2 * start
    for m, coming in itertools.pairwise(shares):
        model = next_fixation(model, samples=n, real_share=m)
        mixture = next_fixation(mixture, samples=n, real_share=coming, census="mixture")
        assert mixture == pytest.approx((1 - coming) ** 2 * model, rel=1e-9, abs=1e-12)


@given(n=st.floats(1.0, 1e6), m=SHARES, census=CENSUSES)
def test_the_stationary_value_stays_where_it_is(n, m, census):
    rest = stationary_fixation(samples=n, real_share=m, census=census)
    assert next_fixation(rest, samples=n, real_share=m, census=census) == pytest.approx(rest, rel=1e-9, abs=1e-15)
    assert 0.0 <= rest <= 1.0
    more = stationary_fixation(samples=n, real_share=(m + 1) / 2, census=census)
    assert more <= rest


@given(n=st.floats(1.5, 1e5), m=st.floats(1e-4, 1.0), census=CENSUSES)
def test_the_needed_share_is_the_one_that_holds_the_target(n, m, census):
    target = stationary_fixation(samples=n, real_share=m, census=census)
    assume(census == "mixture" or n * target > 1 + 1e-6)
    found = needed_share(target, samples=n, census=census)
    assert stationary_fixation(samples=n, real_share=found, census=census) == pytest.approx(target, rel=1e-6, abs=1e-12)


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
    ],
)
def test_arguments_out_of_range_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
