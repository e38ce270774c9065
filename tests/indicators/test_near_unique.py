"""Near copies of whole files: what is a copy, and shares that are compared at one number of samples."""

import numpy as np
import pytest

from collapse_guard.comparison.compare import compare
from collapse_guard.comparison.rarefaction import rarefied_log_ratio
from collapse_guard.indicators.diversity.near_unique import SMALLEST_PART, NearUniqueSamples, near_unique_samples
from collapse_guard.indicators.whole import WholeSamples
from collapse_guard.measurement.sample_readings import whole_readings
from collapse_guard.records.census import share_of_different, size_of


def words(rng, n):
    return [f"w{number}" for number in rng.integers(5000, size=n)]


def with_words(text, others):
    return " ".join(others.get(place, word) for place, word in enumerate(text.split()))


@pytest.mark.parametrize(
    ("change", "share"),
    [
        (lambda text, i: text, 1 / 3),
        (lambda text, i: text.replace(" ", ", ", 1 + i % 7), 1 / 3),
        (lambda text, i: text.title() if i % 2 else text, 1 / 3),
        (
            lambda text, i: " ".join(f"new{i}" if place == 20 else word for place, word in enumerate(text.split())),
            1 / 3,
        ),
        (lambda text, i: " ".join(f"x{i}" if place % 5 == 0 else word for place, word in enumerate(text.split())), 1),
    ],
    ids=["exact", "commas", "case", "one word of forty", "every fifth word"],
)
def test_what_is_a_near_copy(rng, change, share):
    written = [" ".join(words(rng, 40)) for _ in range(60)]
    assert near_unique_samples([change(text, i) for i, text in enumerate(written * 3)]) == pytest.approx(share)


def reading_of(texts):
    whole = WholeSamples(texts, texts, 0, None)
    return whole_readings(whole, {"near_unique_samples"}, rows=False)[0]


@pytest.mark.slow
def test_clusters_that_grow_together_are_compared_at_one_number_of_samples(rng):
    """Texts made of half of 24 phrases: the more there are, the more of them are connected by others."""
    phrases = [" ".join(words(rng, 8)) for _ in range(24)]

    def texts(n):
        return [" ".join(phrases[i] for i in np.sort(rng.choice(24, 12, replace=False))) for _ in range(n)]

    few, many = reading_of(texts(600)), reading_of(texts(1800))
    assert many.value < few.value / 3
    assert rarefied_log_ratio(observed=many.census, reference=few.census).effect < -1.0, "cutting alone does not do"
    comparison = compare(many, few, baseline="founder", margin=0.1, watch=0.05)
    assert "at 512 samples" in comparison.method
    assert (comparison.n, comparison.n_reference) == (512, 512)
    assert comparison.low < 0.0 < comparison.high
    assert comparison.p_beyond_margin > 0.05


def test_parts_double_and_are_of_the_samples_whatever_their_order(rng):
    texts = [" ".join(words(rng, 12)) for _ in range(90)] * 3
    found = reading_of(texts)
    assert [size_of(census) for census in found.smaller] == [SMALLEST_PART, 2 * SMALLEST_PART, 4 * SMALLEST_PART]
    assert found.value == share_of_different(found.census) == 1 / 3
    shuffled = reading_of([texts[i] for i in rng.permutation(len(texts))])
    assert (shuffled.census, shuffled.smaller) == (found.census, found.smaller)
    assert NearUniqueSamples.minimum_n == found.n_minimum
