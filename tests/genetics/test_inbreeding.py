"""Inbreeding laws against the published values of purgeR, slow definitions, and what they must obey for any numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.genetics.inbreeding import inbreeding, purged_inbreeding
from collapse_guard.worlds import Workflow, wright_fisher

SIZES = st.floats(1.0, 1e7)
PURGINGS = st.floats(0.0, 0.5)
SHARES = st.floats(0.0, 1.0)


@pytest.mark.parametrize(("individuals", "t", "f"), [(10, 50, 0.923055), (50, 50, 0.3949939)])
def test_inbreeding_of_purger(individuals, t, f):
    assert inbreeding(t, samples=2 * individuals) == pytest.approx(f, abs=1e-5)
    assert purged_inbreeding(t, samples=2 * individuals, purging=0.0)[t] == pytest.approx(f, abs=1e-5)


@pytest.mark.parametrize(
    ("individuals", "t", "d", "g"),
    [
        (10, 50, 0.2, 0.08010975),
        (10, 50, 0.5, 0.004408481),
        (50, 50, 0.5, 0.01616987),
        (10, 10_000, 0.1, 0.16666667),
        (10, 10_000, 0.2, 0.06976744),
    ],
)
def test_purged_inbreeding_of_purger(individuals, t, d, g):
    """It gives 1e5 generations for the last two, where g has long been its asymptote."""
    assert purged_inbreeding(t, samples=2 * individuals, purging=d)[t] == pytest.approx(g, abs=1e-5)


@pytest.mark.parametrize(
    ("individuals", "d", "g", "top", "lowest"),
    [
        (10, 0.05, (0.05, 0.217942, 0.350540, 0.425897, 0.342086), (20, 0.425897), 0.653183),
        (10, 0.1, (0.05, 0.209872, 0.305956, 0.291163, 0.185600), (13, 0.319449), 0.726549),
        (10, 0.2, (0.05, 0.194342, 0.232498, 0.149413, 0.080110), (9, 0.234582), 0.790901),
        (50, 0.1, (0.01, 0.048242, 0.089730, 0.143121, 0.127418), (30, 0.157563), 0.854223),
        (50, 0.2, (0.01, 0.047481, 0.084180, 0.113072, 0.058768), (20, 0.113072), 0.893086),
        (50, 0.25, (0.01, 0.047104, 0.081527, 0.100729, 0.044091), (18, 0.101486), 0.903494),
        (100, 0.25, (0.005, 0.024263, 0.045081, 0.069662, 0.048562), (26, 0.073069), 0.929537),
    ],
)
def test_paths_rise_turn_and_fall_as_in_the_table(individuals, d, g, top, lowest):
    path = purged_inbreeding(60, samples=2 * individuals, purging=d)
    assert path[[1, 5, 10, 20, 50]] == pytest.approx(g, abs=1e-6)
    assert (int(path.argmax()), path.max()) == (top[0], pytest.approx(top[1], abs=1e-6))
    fitness = np.exp(-path)
    assert fitness.min() == pytest.approx(lowest, abs=1e-6)
    assert (np.diff(fitness[: top[0] + 1]) < 0).all()
    assert (np.diff(fitness[top[0] :]) > 0).all()


@pytest.mark.parametrize(
    ("individuals", "d", "w"),
    [
        (50, 0.0, {5: 0.745232, 20: 0.335357, 50: 0.093484, 100: 0.022286}),
        (50, 0.25, {5: 0.753801, 20: 0.546416, 50: 0.767553, 100: 0.878029}),
        (100, 0.0, {50: 0.264444}),
        (100, 0.1, {50: 0.513154}),
        (100, 0.25, {50: 0.747236}),
    ],
)
def test_fitness_with_a_load_of_six(individuals, d, w):
    path = purged_inbreeding(100, samples=2 * individuals, purging=d)
    fitness = np.exp(-6 * path)
    for t, expected in w.items():
        assert fitness[t] == pytest.approx(expected, abs=1e-6)


def test_inbreeding_is_what_drift_does_to_simulated_types():
    """Fit k of `worlds` is generation k here; a mean over lineages is 5 standard errors off once in a million."""
    found = wright_fisher.simulate(wright_fisher.zipf(12), samples=8, generations=8, lineages=20_000, seed=13)
    gap = found.fixation_index.mean(0) - inbreeding(np.arange(1, 10), samples=8)
    assert (np.abs(gap) < 5 * found.fixation_index.std(0) / np.sqrt(20_000)).all()


@given(t=st.integers(0, 60), n=SIZES)
def test_inbreeding_is_its_recursion(t, n):
    """F_t = F_{t-1} + (1 - F_{t-1}) / n, by hand."""
    plain = 0.0
    for _ in range(t):
        plain += (1 - plain) / n
    assert inbreeding(t, samples=n) == pytest.approx(plain, rel=1e-9, abs=1e-15)


@given(n=SIZES, d=PURGINGS, m=SHARES, steps=st.integers(0, 60))
def test_paths_keep_within_their_range(n, d, m, steps):
    g = purged_inbreeding(steps, samples=n, purging=d, real_share=m)
    f = purged_inbreeding(steps, samples=n, purging=0.0, real_share=m)
    assert g.shape == (steps + 1,)
    assert g[0] == 0.0
    assert (g >= 0.0).all()
    assert (g <= f).all()
    assert f.max() <= 1.0
    assert (np.diff(f) >= -1e-15).all()


@given(n=SIZES, d=PURGINGS, m=st.tuples(SHARES, SHARES), steps=st.integers(1, 40))
def test_more_real_data_never_inbreed_more(n, d, m, steps):
    """Of F; purged g can be higher with them, see below. More purging never leaves more."""
    less, more = (purged_inbreeding(steps, samples=n, purging=0.0, real_share=share) for share in sorted(m))
    assert (more <= less + 1e-15).all()
    purged = purged_inbreeding(steps, samples=n, purging=d, real_share=m[0])
    stronger = purged_inbreeding(steps, samples=n, purging=(d + 0.5) / 2, real_share=m[0])
    assert (stronger <= purged + 1e-15).all()


def test_real_data_that_keep_purging_from_its_work_can_leave_more_load():
    """g* = (1 - 2 d F*)/n / (1 - (1 - 1/n) (1 - m)^2 (1 - 2 d F*)) with F* = 1/(n - (n - 1) (1 - m)^2), by hand."""
    both = 0.98**2
    kept = 1 - 2 * 0.2 / (20 - 19 * both)
    with_real = purged_inbreeding(500, samples=20, purging=0.2, real_share=0.02)[-1]
    assert with_real == pytest.approx(kept / 20 / (1 - 0.95 * both * kept))
    assert with_real > 1.5 * purged_inbreeding(500, samples=20, purging=0.2)[-1]


@given(n=SIZES, steps=st.integers(0, 60))
def test_without_purging_or_real_data_paths_are_inbreeding(n, steps):
    expected = inbreeding(np.arange(steps + 1), samples=n)
    assert purged_inbreeding(steps, samples=n, purging=0.0) == pytest.approx(expected, rel=1e-9, abs=1e-15)


@given(n=st.integers(1, 10**6), m=SHARES, fits=st.integers(0, 60))
def test_without_purging_paths_with_real_data_are_the_law_of_the_worlds(n, m, fits):
    expected = wright_fisher.expected_fixation(fits, samples=n, workflow=Workflow(name="mix", real_share=m))
    assert purged_inbreeding(fits, samples=n, purging=0.0, real_share=m)[-1] == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("shares", [[0.0, 0.0, 0.0, 0.0], [0.3, 0.0, 1.0, 0.5]])
def test_real_data_dilute_g_as_they_dilute_f(shares):
    """The law step by step, by hand, for a mixture that changes."""
    n, d, g, f, expected = 7.5, 0.2, 0.0, 0.0, [0.0]
    for m in shares:
        both = (1 - m) ** 2
        g = ((1 - 1 / n) * both * g + 1 / n) * (1 - 2 * d * f)
        f = 1 / n + (1 - 1 / n) * both * f
        expected.append(g)
    assert purged_inbreeding(4, samples=n, purging=d, real_share=shares) == pytest.approx(expected)


def test_a_grid_of_paths_is_the_paths_one_by_one():
    sizes, purgings = np.array([[2.0], [30.5]]), np.array([0.0, 0.1, 0.5])
    shares = np.linspace(0.0, 0.4, 5)
    grid = purged_inbreeding(5, samples=sizes, purging=purgings, real_share=shares)
    assert grid.shape == (2, 3, 6)
    for i, n in enumerate(sizes[:, 0]):
        for j, d in enumerate(purgings):
            assert grid[i, j].tolist() == purged_inbreeding(5, samples=n, purging=d, real_share=shares).tolist()
    each = purged_inbreeding(5, samples=9, purging=0.1, real_share=[[0.1] * 5, [0.2] * 5])
    assert each[1].tolist() == purged_inbreeding(5, samples=9, purging=0.1, real_share=0.2).tolist()
    assert inbreeding([[1], [2]], samples=[2, 4, 8]).shape == (2, 3)


def test_one_sample_fixes_at_once_and_many_lose_little():
    assert inbreeding([0, 1, 2], samples=1).tolist() == [0.0, 1.0, 1.0]
    assert inbreeding(1, samples=1e14) == pytest.approx(1e-14, rel=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: inbreeding(-1, samples=2), "`generations` must hold finite numbers of at least 0, but got -1"),
        (lambda: inbreeding(1, samples=0.5), "`samples` must hold finite numbers of at least 1, but got 0.5"),
        (
            lambda: inbreeding([1, 2], samples=[2, 3, 4]),
            r"`generations` and `samples` must broadcast.*\(2,\), \(3,\)",
        ),
        (lambda: inbreeding("ten", samples=2), "`generations` must hold finite numbers.*'ten'"),
        (lambda: inbreeding([1, np.nan], samples=2), "`generations` must hold .* but got nan"),
        (lambda: purged_inbreeding(1.5, samples=2, purging=0), "`generations` must be a whole number of at least 0"),
        (lambda: purged_inbreeding(2, samples=np.inf, purging=0), "`samples` must hold finite numbers"),
        (lambda: purged_inbreeding(2, samples=2, purging=0.6), "`purging` .* at least 0 and at most 0.5, but got 0.6"),
        (lambda: purged_inbreeding(2, samples=2, purging=-0.1), "`purging` must hold .* but got -0.1"),
        (lambda: purged_inbreeding(2, samples=2, purging=0, real_share=1.1), "`real_share` must hold .* but got 1.1"),
        (
            lambda: purged_inbreeding(2, samples=2, purging=0, real_share=[0.1] * 3),
            r"`real_share` must be one number, or one for each of 2 generations .* shape \(3,\)",
        ),
        (
            lambda: purged_inbreeding(2, samples=[2, 3], purging=[0, 0.1, 0.2]),
            r"`samples`, `purging` and the leading axes of `real_share` must broadcast.*\(2,\), \(3,\), \(\)",
        ),
    ],
)
def test_arguments_out_of_range_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
