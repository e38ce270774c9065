"""`Mixture.weights`: a weighted loss over data as they lie, against the mean loss of data that were resampled."""

import numpy as np
import pytest

from collapse_guard.errors import InputError
from collapse_guard.records import Mixture
from collapse_guard.reinjection import MixtureSampler


def test_the_weighted_mean_of_all_is_that_of_the_mixture():
    rng = np.random.default_rng(0)
    sizes = {"real": 300, "earlier": 1200, "newest": 2500}
    losses = np.concatenate([rng.normal(mean, 1, size) for mean, size in zip((5, 3, 1), sizes.values(), strict=True)])
    mixture = Mixture(real=0.4, earlier=0.1, newest=0.5)
    each = mixture.weights(sizes)
    weights = np.concatenate([np.full(size, each[source]) for source, size in sizes.items()])
    means = [part.mean() for part in np.split(losses, np.cumsum(list(sizes.values()))[:-1])]
    assert weights.mean() == pytest.approx(1)
    assert (weights * losses).mean() == pytest.approx(np.dot(means, [0.4, 0.1, 0.5]))
    sampler = MixtureSampler(sizes, mixture, length=120_000)
    assert losses[list(sampler)].mean() == pytest.approx((weights * losses).mean(), abs=0.02)


def test_a_source_without_a_share_weighs_nothing():
    assert Mixture(real=1.0).weights({"real": 10, "newest": 30}) == {"real": 4.0, "newest": 0.0}
    assert Mixture(real=1.0).weights({"real": 10, "newest": 0}) == {"real": 1.0}


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"real": 10}, "`sizes` must have newest items for a share of 0.7, but got none"),
        ({"rael": 10}, "`sizes` must be of real, earlier and newest, but got 'rael'"),
        ({"real": -1, "newest": 5}, r"`sizes\[real\]` must be a whole number of at least 0, but got -1"),
    ],
)
def test_invalid_arguments_are_refused(sizes, message):
    with pytest.raises(InputError, match=message):
        Mixture.with_real(0.3).weights(sizes)
