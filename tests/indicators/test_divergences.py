"""Jensen-Shannon and MAUVE: the values of science.md section 4, SciPy as oracle, and the published definition."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from collapse_guard.errors import InputError
from collapse_guard.indicators.distance.divergences import JensenShannon, Mauve, jensen_shannon, mauve

P, Q = (0.5, 0.3, 0.2), (0.6, 0.4, 0.0)
COUNTS = st.lists(st.integers(0, 50), min_size=2, max_size=12)
PAIRS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=12).filter(
    lambda pairs: all(map(sum, zip(*pairs, strict=True)))
)


def mauve_by_simpson(p, q, c=5.0, n=200_001):
    """The area of the curve itself, at very many mixtures."""
    w = np.linspace(0.0, 1.0, n)[1:-1, None]
    r = w * np.asarray(p) + (1 - w) * np.asarray(q)

    def kl(shares):
        there = np.asarray(shares) > 0
        return (np.asarray(shares)[there] * np.log(np.asarray(shares)[there] / r[:, there])).sum(axis=1)

    x, y = np.exp(-c * kl(q)), np.exp(-c * kl(p))
    return abs(np.trapezoid(np.concatenate([[0.0], y, [1.0]]), np.concatenate([[1.0], x, [0.0]])))


def test_jensen_shannon_has_the_value_of_section_4_in_nats():
    assert jensen_shannon(P, Q) == pytest.approx(0.07517426, abs=5e-9)
    assert jensen_shannon(P, Q) / math.log(2) == pytest.approx(0.10845354, abs=5e-9)


@given(PAIRS)
def test_jensen_shannon_is_the_square_of_what_scipy_gives_which_is_its_root(pairs):
    p, q = zip(*pairs, strict=True)
    assert jensen_shannon(p, q) == pytest.approx(jensenshannon(p, q) ** 2, abs=1e-9)
    assert 0.0 <= jensen_shannon(p, q) <= math.log(2)


@given(PAIRS, st.randoms(use_true_random=False), st.integers(1, 9))
def test_the_order_of_clusters_and_the_size_of_counts_have_no_say_and_jensen_shannon_is_symmetric(pairs, random, size):
    p, q = zip(*pairs, strict=True)
    shuffled = random.sample(pairs, len(pairs))
    for function in (jensen_shannon, mauve):
        value = function(p, q)
        assert function(*zip(*shuffled, strict=True)) == pytest.approx(value, abs=1e-12)
        assert function([size * count for count in p], q) == pytest.approx(value, abs=1e-12)
        assert function(q, p) == pytest.approx(value, abs=1e-9)


def test_mauve_has_the_values_of_section_4():
    assert mauve(P, Q) == pytest.approx(0.749749, abs=5e-7)
    assert mauve([3, 4], [3, 4]) == 1.0
    assert mauve([7, 0], [0, 3]) == pytest.approx(0.004072, abs=5e-7)


def test_mauve_of_disjoint_shares_is_near_its_closed_form():
    """The curve is (w^5, (1 - w)^5): its area is 5 B(5, 6) = 1/252."""
    assert mauve_by_simpson([1, 0], [0, 1]) == pytest.approx(1 / 252, rel=1e-6)
    assert mauve([1, 0], [0, 1]) == pytest.approx(1 / 252, rel=0.03)


@settings(max_examples=25)
@given(PAIRS)
def test_mauve_of_25_mixtures_is_near_the_area_of_the_whole_curve(pairs):
    p, q = (np.array(part) / sum(part) for part in zip(*pairs, strict=True))
    assert mauve(p, q) == pytest.approx(mauve_by_simpson(p, q, n=5001), abs=3e-3)
    assert 0.0 <= mauve(p, q) <= 1.0


def test_a_steeper_scale_counts_divergence_as_more_loss():
    assert mauve(P, Q, c=10.0) < mauve(P, Q) < mauve(P, Q, c=1.0)


def test_mauve_of_later_generations_is_on_one_scale_because_the_codebook_is_frozen(rng):
    """mauve-text fits clusters on both samples anew, so the same sample scores differently beside another one."""
    codebook, histogram = rng.normal(size=(8, 2)), rng.integers(1, 20, size=8)
    sample = torch.from_numpy(rng.normal(size=(100, 2)))
    values = []
    for _ in range(2):
        metric = Mauve(codebook, histogram)
        metric.update(sample)
        values.append(metric.compute())
        metric.reset()
        metric.update(torch.from_numpy(rng.normal(size=(100, 2))))
    assert values[0] == values[1]


def test_a_zero_count_is_no_problem_and_no_counts_are_no_number():
    for function in (jensen_shannon, mauve):
        assert math.isfinite(function([0, 5, 0], [0, 1, 4]))
        for p, q in (([0, 0], [1, 2]), ([1, 2], [0, 0]), ([], []), ([math.inf, 1], [1, 1]), ([math.nan, 1], [1, 1])):
            assert math.isnan(function(p, q))


@pytest.mark.parametrize("function", [jensen_shannon, mauve])
def test_counts_that_cannot_be_are_refused(function):
    with pytest.raises(InputError, match="`p_counts` must be a list of counts of at least 0"):
        function([-1, 2], [1, 2])
    with pytest.raises(InputError, match="`q_counts` must be a list of counts"):
        function([1, 2], [[1, 2]])
    with pytest.raises(InputError, match="over the same clusters, but got 2 and 3"):
        function([1, 2], [1, 2, 3])


@pytest.mark.parametrize("c", [0.0, -1.0, math.nan, math.inf])
def test_a_scale_that_is_not_positive_is_refused(c):
    with pytest.raises(InputError, match="`c` must be a finite number above 0, but got"):
        mauve(P, Q, c=c)


def test_the_metrics_count_the_nearest_centres_and_refuse_another_histogram():
    codebook = [[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]]
    x = torch.tensor([[1.0, 1.0]] * 5 + [[9.0, 0.0]] * 3 + [[0.0, 7.0]] * 2)
    for metric, value in ((JensenShannon(codebook, [6, 4, 0]), 0.07517426), (Mauve(codebook, [6, 4, 0]), 0.749749)):
        metric.update(x)
        assert metric.compute().item() == pytest.approx(value, abs=5e-7)
        metric.update(torch.tensor([[math.nan, 0.0]]))
        assert math.isnan(metric.compute())
        with pytest.raises(InputError, match=r"`x` must have the shape \(n, 2\)"):
            metric.update(torch.zeros(3, 5))
    with pytest.raises(InputError, match="`histogram` must have a count for each of the 3 centres"):
        Mauve(codebook, [1, 2])


def test_metrics_of_different_codebooks_do_not_share_their_counts():
    names = [set(JensenShannon([[0.0], [far]], [1, 1]).metric_state) for far in (1.0, 2.0)]
    assert not names[0] & names[1]
