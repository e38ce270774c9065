"""Load, effective size and purging from perplexity: exact without noise, and intervals that cover with it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from collapse_guard.errors import InputError
from collapse_guard.genetics.depression import fit_depression
from collapse_guard.genetics.inbreeding import purged_inbreeding


def curves(load, size, purging, *, steps, noise, lineages, seed):
    rng = np.random.default_rng(seed)
    path = purged_inbreeding(steps, samples=size, purging=purging)
    return 4.0 + load * path + rng.normal(0, noise, (lineages, steps + 1))


@pytest.mark.slow
@given(st.floats(0.5, 6.0), st.floats(4.0, 40.0), st.floats(0.05, 0.4))
@settings(max_examples=20)
def test_a_curve_without_noise_is_found_again(load, size, purging):
    fit = fit_depression(4.0 + load * purged_inbreeding(40, samples=size, purging=purging))
    assert fit.load == pytest.approx(load, rel=1e-3)
    assert fit.size == pytest.approx(size, rel=1e-3)
    assert fit.purging == pytest.approx(purging, abs=1e-3)
    assert fit.p_purging < 1e-6
    assert fit.curve(40)[0] == pytest.approx(4.0, abs=0.01)


def test_the_best_fit_is_that_of_a_general_optimiser():
    for values in curves(2.0, 12.0, 0.15, steps=20, noise=0.03, lineages=3, seed=1):

        def left(x, values=values):
            path = purged_inbreeding(20, samples=max(1.0, x[2]), purging=min(max(x[3], 0.0), 0.5))
            return x[0] + x[1] * path - values

        start = [values[0], 2.0, 10.0, 0.1]
        slow = optimize.least_squares(left, start, bounds=([-9, 0, 1.5, 0], [9, 50, 3000, 0.5]), xtol=1e-12)
        fit = fit_depression(values)
        ours = ((fit.curve(20) - values) ** 2).sum()
        assert ours <= 2 * slow.cost * 1.00001
        assert fit.error == pytest.approx(np.sqrt(2 * slow.cost / (21 - 4)), rel=0.01)


@pytest.mark.parametrize(
    ("load", "size", "purging", "steps"), [(2.0, 10.0, 0.2, 12), (6.0, 50.0, 0.25, 40), (1.5, 8.0, 0.1, 8)]
)
def test_intervals_cover_at_their_level(load, size, purging, steps):
    fit = fit_depression(curves(load, size, purging, steps=steps, noise=0.03, lineages=200, seed=2), level=0.9)
    for name, true in (("load", load), ("size", size), ("purging", purging)):
        inside = (getattr(fit, f"{name}_low") <= true) & (true <= getattr(fit, f"{name}_high"))
        assert stats.binomtest(int(inside.sum()), 200, 0.9, alternative="less").pvalue > 1e-3, name


def test_purging_is_not_reported_more_often_than_its_level_where_there_is_none():
    lineages = curves(2.0, 10.0, 0.0, steps=12, noise=0.03, lineages=400, seed=3)
    shown = int((fit_depression(lineages).p_purging < 0.05).sum())
    assert stats.binomtest(shown, 400, 0.05, alternative="greater").pvalue > 1e-3
    assert (fit_depression(lineages, purging=False).p_purging == 1.0).all()
    strong = curves(2.0, 10.0, 0.2, steps=12, noise=0.03, lineages=50, seed=3)
    assert (fit_depression(strong).p_purging < 0.05).mean() > 0.9


def test_a_straight_line_has_a_size_without_an_upper_end():
    fit = fit_depression(4.0 + 0.05 * np.arange(9) + np.random.default_rng(4).normal(0, 0.01, 9), purging=False)
    assert np.isinf(fit.size_high)
    assert fit.size_low > 5.0


def test_perplexity_that_falls_has_no_load():
    fit = fit_depression(4.0 - 0.01 * np.arange(9), purging=False)
    assert fit.load == 0.0


def test_real_data_of_each_generation_belong_to_the_curve():
    shares = np.array([0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0])
    path = purged_inbreeding(12, samples=8, purging=0.0, real_share=shares)
    known, unknown = (
        fit_depression(2.0 * path, real_share=given_shares, purging=False) for given_shares in (shares, 0.0)
    )
    assert known.size == pytest.approx(8, rel=0.01)
    assert known.error < unknown.error / 100


def test_many_lineages_are_fitted_as_each_alone():
    lineages = curves(2.0, 10.0, 0.1, steps=10, noise=0.02, lineages=104, seed=5)
    together = fit_depression(lineages.reshape(2, 52, 11))
    assert together.size.shape == (2, 52)
    for i in (0, 60, 103):
        alone = fit_depression(lineages[i])
        assert together.load_high.ravel()[i] == pytest.approx(float(alone.load_high))


@pytest.mark.parametrize(
    ("values", "arguments", "message"),
    [
        (
            [1.0] * 6,
            {},
            "`log_perplexity` must hold the founder and at least 6 generation(s) after it, but got 6 value",
        ),
        ([1.0] * 6 + [np.inf], {}, "`log_perplexity` must be finite, but got inf"),
        ([1.0] * 7, {"level": 0.0}, "`level` must be between 0 and 1, but got 0.0"),
        ([1.0] * 7, {"real_share": 2.0}, "`real_share`"),
    ],
)
def test_what_cannot_be_fitted_is_refused(values, arguments, message):
    with pytest.raises(InputError) as error:
        fit_depression(values, **arguments)
    assert message in str(error.value)
