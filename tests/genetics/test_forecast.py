"""The law of a lineage: continued exactly, diluted as real data dilute, and its bands cover what worlds do.

Worlds have a fixed seed. A band that covers 90% is held to 85 to 95% in the mean over lineages, which are independent
where generations are not; what is seen may be three standard errors outside.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.genetics import forecast
from collapse_guard.genetics.forecast import MIXINGS, Law, concentrated, diluted, learn, passed
from collapse_guard.worlds import Workflow, gaussian, wright_fisher

SHARES = {
    "samples only": [1.0] * 12,
    "half": [0.5] * 12,
    "tenth": [0.1] * 12,
    "changing": [1.0, 0.4, 0.9, 0.7, 1.0, 0.2, 0.6, 1.0, 0.3, 0.8, 0.5, 0.9],
}
SEEN, AHEAD = 6, 8


def slow_dilution(u, share, mixing):
    """A mixture of real data, in which a log ratio, an amount or a loss is 0, and synthetic data, where it is u."""
    real = 1.0 - share
    if mixing == "amount":
        return real * 0.0 + share * u
    if mixing == "log":
        return math.log(real * 7.0 + share * 7.0 * math.exp(u)) - math.log(7.0)
    if mixing == "minus_log":
        return -math.log(real * 0.03 + share * 0.03 * math.exp(-u)) + math.log(0.03)
    return share * (share * u)


def continued(added, memory, shares, mixing, start=0.0):
    """h of each generation after one whose effect is `start`."""
    found = []
    for share in shares:
        start = slow_dilution(added + memory * start, share, mixing)
        found.append(start)
    return np.array(found)


def without_misfit(monkeypatch):
    """The law is taken to be exact, as it is in series that were made by it."""
    monkeypatch.setattr(forecast, "MISFIT", 0.0)


def learned(path, shares, mixing, errors=0.0, **arguments):
    effects = np.concatenate([[0.0], path])
    return learn(effects, np.full(effects.shape, errors), synthetic_shares=shares, mixing=mixing, **arguments)


class TestLaw:
    @pytest.mark.parametrize("shares", SHARES.values(), ids=SHARES.keys())
    @pytest.mark.parametrize("memory", [0.0, 0.5, 0.95])
    @pytest.mark.parametrize("mixing", MIXINGS)
    def test_without_noise_a_lineage_goes_on_exactly(self, mixing, memory, shares, monkeypatch):
        without_misfit(monkeypatch)
        path = continued(0.2, memory, shares, mixing)
        law = learned(path[:SEEN], shares[:SEEN], mixing, seed=2)
        for noise in (True, False):
            ahead = law.paths(shares[SEEN:], noise=noise)
            assert ahead.shape == (400, 12 - SEEN)
            np.testing.assert_allclose(ahead, np.broadcast_to(path[SEEN:], ahead.shape), rtol=1e-6)

    @pytest.mark.parametrize("mixing", MIXINGS)
    def test_what_was_learned_of_diluted_data_is_what_samples_alone_do(self, mixing, monkeypatch):
        without_misfit(monkeypatch)
        path = continued(0.3, 0.7, [0.35] * SEEN, mixing)
        law = learned(path, 0.35, mixing, seed=3)
        undiluted = continued(0.3, 0.7, [1.0] * AHEAD, mixing, start=path[-1])
        np.testing.assert_allclose(np.median(law.paths([1.0] * AHEAD), axis=0), undiluted, rtol=1e-6)

    def test_lineages_that_fall_are_learned_too(self, monkeypatch):
        without_misfit(monkeypatch)
        for mixing in MIXINGS:
            path = continued(-0.1, 0.6, [0.8] * 10, mixing)
            ahead = learned(path[:SEEN], 0.8, mixing).paths([0.8] * 4)
            np.testing.assert_allclose(np.median(ahead, axis=0), path[SEEN:], rtol=1e-6)

    def test_a_lineage_on_real_data_only_is_not_diluted(self, monkeypatch):
        """What it drifts by does not come from samples, so no mixture stops it."""
        without_misfit(monkeypatch)
        path = continued(0.05, 0.5, [1.0] * 10, "amount")
        law = learned(path[:SEEN], 0.0, "amount")
        assert law.undiluted.tolist() is True
        for share in (0.0, 0.3, 1.0):
            np.testing.assert_allclose(np.median(law.paths([share] * 4), axis=0), path[SEEN:], rtol=1e-6)
        assert not learned(path, [0.0, 0.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], "amount").undiluted.any()

    def test_real_data_alone_leave_nothing_of_what_samples_did(self):
        law = learned(continued(0.4, 0.9, [1.0] * SEEN, "minus_log"), 1.0, "minus_log")
        assert (law.paths([0.0, 0.0], noise=False) == 0.0).all()

    def test_a_loss_beyond_what_its_share_can_do_is_taken_as_an_amount(self):
        law = learned([0.3, 0.31, 0.3], 0.1, "minus_log")
        assert law.mixing.tolist() == "amount"
        # -ln(0.9) is 0.105: next to that a small error of a loss would be a large one of what samples alone do.
        assert learned([0.05, 0.1, 0.05], 0.1, "minus_log").mixing.tolist() == "amount"
        assert learned([0.05, 0.06, 0.05], 0.1, "minus_log").mixing.tolist() == "minus_log"

    def test_one_generation_is_enough_and_two_narrow_the_band(self):
        def width(path):
            low, high = np.quantile(learned(path, 1.0, "amount", errors=0.01).paths([1.0]), [0.05, 0.95], axis=0)
            return (high - low).item()

        assert 0.0 < width([0.1, 0.18]) < width([0.1])

    def test_the_law_alone_is_narrower_than_what_is_measured(self):
        rng = np.random.default_rng(5)
        law = learned(rng.normal(0.1, 0.05, 7).cumsum(), 0.9, "amount", errors=0.05)
        measured, alone = (law.paths([0.9] * 4, noise=noise).std(axis=0) for noise in (True, False))
        assert (alone < 0.9 * measured).all()

    def test_the_same_seed_gives_the_same_draws_and_another_seed_others(self):
        path = np.random.default_rng(6).normal(0.1, 0.05, 5).cumsum()
        first, same, other = (learned(path, 1.0, "amount", seed=seed).paths([1.0, 0.5]) for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, same)
        assert (first != other).all()

    def test_mixtures_are_compared_on_the_same_errors_of_which_only_those_of_measuring_stay_as_they_are(self):
        path = np.random.default_rng(7).normal(0.1, 0.05, 5).cumsum()

        def noise(law):
            return [law.paths([share]) - law.paths([share], noise=False) for share in (0.8, 0.2)]

        much, little = noise(learned(path, 0.8, "amount"))
        np.testing.assert_allclose(little, much / 4, atol=1e-12)
        much, little = noise(learned(path, 0.8, "amount", errors=1.0))
        assert np.median(np.abs(little / much)) > 0.9

    def test_many_lineages_have_the_bands_that_each_alone_has(self):
        """Their draws differ: bands of 20,000 draws are the same within a hundredth of their width or so."""
        rng = np.random.default_rng(8)
        effects = np.concatenate([np.zeros((6, 1)), rng.normal(0.1, 0.03, (6, 5)).cumsum(axis=1)], axis=1)
        errors, kinds = np.full(effects.shape, 0.02), np.array(["amount", "minus_log", "pair"])
        shares = np.array([[1.0] * 5, [0.8] * 5]).reshape(2, 1, 5)
        together = learn(
            effects.reshape(2, 3, 6), errors.reshape(2, 3, 6), synthetic_shares=shares, mixing=kinds, draws=20_000
        ).paths([0.9, 0.5])
        assert together.shape == (20_000, 2, 3, 2)
        for i in range(6):
            alone = learn(
                effects[i], errors[i], synthetic_shares=shares[i // 3, 0], mixing=kinds[i % 3], draws=20_000
            ).paths([0.9, 0.5])
            bands = [np.quantile(paths, [0.05, 0.5, 0.95], axis=0) for paths in (together[:, i // 3, i % 3], alone)]
            np.testing.assert_allclose(*bands, atol=0.04 * np.ptp(bands[1], axis=0).min())

    def test_each_lineage_may_go_on_under_a_mixture_of_its_own(self):
        effects = np.tile([0.0, 0.1, 0.19, 0.27], (2, 1))
        law = learn(effects, np.zeros((2, 4)), synthetic_shares=1.0)
        both = law.paths([[1.0, 1.0], [0.0, 0.5]], noise=False)
        np.testing.assert_array_equal(both[:, 0], law.paths([1.0, 1.0], noise=False)[:, 0])
        np.testing.assert_array_equal(both[:, 1], law.paths([0.0, 0.5], noise=False)[:, 1])

    def test_a_lineage_without_any_step_stays(self):
        with np.errstate(divide="raise", invalid="raise"):
            law = learned([0.0, 0.0, 0.0], 1.0, "amount")
        assert np.abs(law.paths([1.0] * 10)).max() < 1e-100


EFFECTS, A_SHARE = st.floats(-3.0, 20.0), st.floats(0.0, 1.0)


class TestDilution:
    @given(EFFECTS, st.floats(0.001, 1.0), st.sampled_from(MIXINGS))
    def test_it_is_the_slow_definition(self, u, share, mixing):
        assert float(diluted(u, share, mixing)) == pytest.approx(slow_dilution(u, share, mixing), rel=1e-6, abs=1e-9)

    def test_a_loss_is_that_of_mixed_probabilities_and_a_pair_agrees_as_in_mixed_data(self):
        real = np.random.default_rng(9).dirichlet(np.ones(30))
        mixture = 0.4 * real + 0.6 * real * math.exp(-1.3)
        np.testing.assert_allclose(np.log(real / mixture), diluted(1.3, 0.6, "minus_log"))
        # Drift is as likely to either side: the mean of both is the real data, and each agrees with itself more often.
        step = 0.3 * real * np.resize([1.0, -1.0], 30)
        step -= step.mean()
        homozygosity, start = [], (real**2).sum()
        for share in (1.0, 0.6):
            sides = [share * (real + sign * step) + (1 - share) * real for sign in (1.0, -1.0)]
            homozygosity.append(np.mean([(side**2).sum() for side in sides]))
        alone, mixed = ((s - start) / (1 - start) for s in homozygosity)
        assert float(diluted(alone, 0.6, "pair")) == pytest.approx(mixed)

    @given(st.floats(-3.0, 1e6), st.floats(0.0, 0.999))
    def test_a_loss_never_rises_above_what_the_share_of_samples_can_do(self, u, share):
        assert float(diluted(u, share, "minus_log")) <= -math.log1p(-share) * (1 + 1e-9)

    @given(EFFECTS, A_SHARE, A_SHARE, st.sampled_from(MIXINGS))
    def test_more_real_data_never_do_harm(self, u, one, other, mixing):
        less, more = (abs(float(diluted(u, share, mixing))) for share in sorted((one, other)))
        assert less <= more + 1e-9 * (1 + abs(u))

    @pytest.mark.parametrize("mixing", MIXINGS)
    def test_its_inverse_and_its_slope_are_those_of_the_slow_definition(self, mixing):
        """The slope is what an error of what samples alone do becomes: generations with little of it say little."""
        for u in (-0.5, 0.2, 2.0):
            for share in (0.1, 0.6, 1.0):
                effect = np.array(slow_dilution(u, share, mixing))
                found, slope = concentrated(effect, np.array(share), np.array(mixing))
                assert float(found) == pytest.approx(u)
                rise = slow_dilution(u + 1e-6, share, mixing) - slow_dilution(u - 1e-6, share, mixing)
                assert float(slope) == pytest.approx(rise / 2e-6, rel=1e-6)

    @pytest.mark.parametrize("mixing", MIXINGS)
    def test_all_and_nothing_are_exact(self, mixing):
        effects = np.array([-30.0, -1.0, 0.0, 0.3, 30.0])
        assert diluted(effects, 1.0, mixing).tolist() == effects.tolist()
        assert (diluted(effects[1:4], 0.0, mixing) == 0.0).all()


def zipf(types):
    return wright_fisher.zipf(types)


def drift(shares, *, types=200, samples=100, lineages=600, seed=3):
    """Inbreeding since the founder, with its standard error, as measured on as many items as a generation learns from.

    [lineages, generations + 1]; what each generation learns from is fresh real data but for its share of `shares`.
    """
    rng, source = np.random.default_rng(seed), zipf(types)
    model = rng.multinomial(samples, source, size=lineages) / samples
    diversity, errors = [], []
    for share in [*shares, 0.0]:
        seen = rng.multinomial(samples, model) / samples
        squares = (seen**2).sum(axis=1)
        diversity.append(1.0 - (squares * samples - 1.0) / (samples - 1.0))
        errors.append(2.0 * np.sqrt(np.maximum((seen**3).sum(axis=1) - squares**2, 0.0) / samples))
        model = rng.multinomial(samples, share * model + (1.0 - share) * source) / samples
    kept, error = np.stack(diversity, axis=1), np.stack(errors, axis=1)
    ratio = kept / kept[:, :1]
    spread = np.hypot(error / kept[:, :1], ratio * error[:, :1] / kept[:, :1])
    spread[:, 0] = 0.0
    return 1.0 - ratio, spread


def log_variance(workflow, *, dimensions, measured, samples=100, lineages=600):
    """Lost ln variance since the founder, with its standard error, as measured on some items; and without error."""
    grown = gaussian.simulate(
        samples=samples,
        dimensions=dimensions,
        workflow=workflow,
        generations=SEEN + AHEAD,
        lineages=lineages,
        seed=4,
    ).log_variance
    error = math.sqrt(2.0 / ((measured - 1) * dimensions))
    seen = grown + error * np.random.default_rng(5).standard_normal(grown.shape)
    return seen[:, :1] - seen, np.full(seen.shape, math.sqrt(2.0) * error)


def learn_and_go_on(effects, errors, shares, mixing):
    law = learn(effects[:, : SEEN + 1], errors[:, : SEEN + 1], synthetic_shares=shares[:SEEN], mixing=mixing, seed=1)
    return np.quantile(law.paths(shares[SEEN:]), [0.05, 0.5, 0.95], axis=0), effects[:, SEEN + 1 :]


def coverage(effects, errors, shares, mixing):
    """Mean over lineages of the share of generations within the 90% band, and its standard error."""
    (low, _, high), truth = learn_and_go_on(effects, errors, shares, mixing)
    covered = ((low <= truth) & (truth <= high)).mean(axis=1)
    return covered.mean(), covered.std(ddof=1) / math.sqrt(len(covered))


def assert_covers(found, least=0.85, most=0.95):
    mean, error = found
    assert error < 0.01
    assert least - 3 * error <= mean <= most + 3 * error


class TestWorlds:
    @pytest.mark.slow
    @pytest.mark.parametrize("share", [1.0, 0.9, 0.5])
    @pytest.mark.parametrize(("types", "samples"), [(200, 100), (20, 100), (200, 1000)])
    def test_the_band_covers_drift_that_is_measured_on_samples(self, types, samples, share):
        """0.87 to 0.94 was measured."""
        shares = [share] * (SEEN + AHEAD)
        assert_covers(coverage(*drift(shares, types=types, samples=samples), shares, "pair"))

    @pytest.mark.parametrize("samples", [100, 1000])
    def test_the_band_covers_a_mixture_that_was_never_seen(self, samples):
        """Learned from samples only, asked for three tenths of real data: 0.91 was measured."""
        shares = [1.0] * SEEN + [0.7] * AHEAD
        assert_covers(coverage(*drift(shares, samples=samples), shares, "pair"))

    @pytest.mark.parametrize("workflow", [Workflow(), Workflow(name="mix", real_share=0.5)], ids=str)
    @pytest.mark.parametrize("dimensions", [1, 16])
    def test_the_band_covers_lost_variance_and_is_wide_where_errors_are_as_large_as_steps(self, dimensions, workflow):
        """Measured on four times as many items as are learned from, 0.85 to 0.90; on as many, 0.95 to 0.97."""
        shares = [1.0 - workflow.fresh_share] * (SEEN + AHEAD)
        for measured, most in ((400, 0.95), (100, 0.975)):
            found = log_variance(workflow, dimensions=dimensions, measured=measured)
            assert_covers(coverage(*found, shares, "minus_log"), most=most)

    @pytest.mark.parametrize("workflow", [Workflow(), Workflow(name="mix", real_share=0.5)], ids=str)
    def test_the_band_is_too_narrow_for_drift_that_is_seen_without_error(self, workflow):
        """A limit that docs/forecast.md tells: the prior takes standard errors for what noise there is."""
        lineages = wright_fisher.simulate(
            zipf(200), samples=100, workflow=workflow, generations=SEEN + AHEAD, lineages=600, seed=4
        )
        inbreeding = 1.0 - (1.0 - lineages.fixation_index) / (1.0 - lineages.fixation_index[:, :1])
        shares = [1.0 - workflow.fresh_share] * (SEEN + AHEAD)
        mean, _ = coverage(inbreeding, np.zeros(inbreeding.shape), shares, "pair")
        assert 0.6 < mean < 0.85

    @pytest.mark.parametrize(
        ("shares", "most"),
        [([0.9] * (SEEN + AHEAD), 0.96), ([0.5] * (SEEN + AHEAD), 0.96), ([1.0] * SEEN + [0.7] * AHEAD, 0.5)],
        ids=["tenth real", "half real", "switched"],
    )
    def test_its_median_is_nearer_than_the_last_value_and_than_a_trend(self, shares, most):
        """Under samples only a trend is what drift has, and is nearer: by a fifth (docs/forecast.md)."""
        effects, errors = drift(shares, samples=100)
        (_, median, _), truth = learn_and_go_on(effects, errors, shares, "pair")
        slope, level = np.polyfit(np.arange(SEEN + 1), effects[:, : SEEN + 1].T, 1)
        trend = level[:, None] + slope[:, None] * np.arange(SEEN + 1, SEEN + AHEAD + 1)
        ours, last, linear = (np.median(np.abs(truth - each)) for each in (median, effects[:, SEEN, None], trend))
        assert ours < most * last
        assert ours < 0.7 * linear


class TestCrossing:
    paths = np.array([[0.1, 0.3, 0.1, 0.1], [0.1, 0.1, -0.4, 0.1], [0.1, 0.1, 0.1, 0.25], [0.0, 0.0, 0.0, 0.2]])

    def test_a_limit_that_was_passed_stays_passed(self):
        assert passed(self.paths, 0.2).mean(axis=0).tolist() == [0.0, 0.25, 0.25, 0.5]

    def test_both_sides_are_limits_where_both_are_collapse(self):
        assert passed(self.paths, 0.2, both_sides=True).mean(axis=0).tolist() == [0.0, 0.25, 0.5, 0.75]

    def test_each_lineage_has_its_probabilities(self):
        both = np.stack([self.paths, -self.paths], axis=1)
        assert passed(both, 0.2).mean(axis=0).tolist() == [[0.0, 0.25, 0.25, 0.5], [0.0, 0.0, 0.25, 0.25]]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"effects": [0.0]}, "`effects` must hold the founder and at least 1 generation(s) after it, but got 1 value"),
        ({"effects": 0.0}, "`effects` must hold the founder and at least 1 generation(s) after it, but got 1 value"),
        ({"standard_errors": [0.0, 0.1]}, "`standard_errors` must have the shape of `effects`, (3,), but got (2,)"),
        ({"effects": [0.0, np.nan, 0.1]}, "`effects` must be finite, but got nan: leave out generations"),
        ({"standard_errors": [0.0, np.inf, 0.1]}, "`standard_errors` must be finite, but got inf"),
        ({"synthetic_shares": 1.1}, "`synthetic_shares` must be from 0 to 1, but got 1.1: give 0.1 for a tenth"),
        ({"synthetic_shares": [0.5, np.nan]}, "`synthetic_shares` must be from 0 to 1, but got [0.5, nan]"),
        ({"synthetic_shares": [0.5] * 3}, "one for each of 2 generations after the founder, but got the shape (3,)"),
        ({"mixing": "logs"}, "`mixing` must be one of amount, log, minus_log, pair, but got logs"),
        ({"draws": 0}, "`draws`"),
    ],
)
def test_what_cannot_be_learned_is_refused(changed, message):
    arguments = {"effects": [0.0, 0.1, 0.2], "standard_errors": [0.0, 0.1, 0.1], "synthetic_shares": 1.0} | changed
    with pytest.raises(InputError) as error:
        learn(arguments.pop("effects"), arguments.pop("standard_errors"), **arguments)
    assert message in str(error.value)


def test_a_mixture_that_is_none_is_refused():
    law: Law = learn([0.0, 0.1], [0.0, 0.01], synthetic_shares=1.0)
    with pytest.raises(InputError, match=r"`synthetic_shares` must be from 0 to 1, but got \[-0\.1\]"):
        law.paths([-0.1])
