"""Small wild types are baselines too: groups follow what is there."""

import numpy as np
import pytest

from collapse_guard import Evidence, WildType, assess
from collapse_guard.decision.policy import DECIDES
from collapse_guard.measurement.measure import reference_readings
from collapse_guard.wildtype.group_sizes import ENOUGH, FILLED, SAMPLES, TOKENS, fitting_size


def texts(n, *, seed, words=40, types=3000):
    shares = 1.0 / np.arange(1, types + 1)
    drawn = np.random.default_rng(seed).choice(types, size=(n, words), p=shares / shares.sum())
    return [" ".join(f"w{i}" for i in row) for row in drawn]


@pytest.mark.parametrize("sizes", [TOKENS, SAMPLES])
def test_a_size_is_the_usual_one_or_the_largest_that_is_filled(sizes):
    for available in range(1, 10 * sizes[0], 7):
        size = fitting_size(available, sizes)
        if available >= ENOUGH * sizes[0]:
            assert size == sizes[0]
        elif size > sizes[-1]:
            assert size == max(other for other in sizes if available // other >= FILLED)
        else:
            assert available // sizes[-2] < FILLED


@pytest.mark.slow
@pytest.mark.parametrize("n", [300, 1000, 4000])
@pytest.mark.parametrize("length", [None, 30])
def test_every_deciding_indicator_of_samples_has_a_baseline(n, length):
    wild_type = WildType.fit(texts(n, seed=0))
    reference = reference_readings(wild_type, sample_tokens=length)
    for name in DECIDES:
        if name in reference:
            assert reference[name].is_usable, reference[name].problem


@pytest.mark.slow
@pytest.mark.parametrize("n", [300, 1000])
def test_real_text_is_a_healthy_founder_of_a_small_wild_type(n):
    wild_type = WildType.fit(texts(n, seed=0))
    verdict = assess(wild_type, Evidence(samples=texts(600, seed=1))).verdict
    assert verdict.severity == "HEALTHY", verdict


def test_a_size_that_is_asked_for_is_kept():
    wild_type = WildType.fit(texts(100, seed=0), group_tokens=4096)
    assert wild_type.group_tokens == 4096
    assert wild_type.group_samples == 8


def test_few_rows_of_numbers_come_in_small_groups(rng):
    assert WildType.fit_arrays(rng.normal(size=(300, 3))).group_samples == 8
    assert WildType.fit_arrays(rng.normal(size=(5000, 3))).group_samples == 128
    assert WildType.fit_arrays(rng.normal(size=(300, 3)), group_samples=128).group_samples == 128


@pytest.mark.slow
def test_few_tokens_a_word_come_in_small_groups():
    """Text that is made of few long pieces: the tokenizer spells a document with fewer tokens than it has words."""
    syllables = np.array([chr(code) for code in range(0x0E01, 0x0E2F)])
    rng = np.random.default_rng(0)
    pieces = ["".join(rng.choice(syllables, 4)) for _ in range(300)]
    wild_type = WildType.fit(["".join(rng.choice(pieces, 25)) for _ in range(1500)])
    n_words = sum(len(wild_type.words(text)) for text in wild_type.evaluation)
    n_tokens = sum(map(len, wild_type.encode(list(wild_type.evaluation))))
    assert wild_type.group_tokens == fitting_size(min(n_words, n_tokens), TOKENS) < fitting_size(n_words, TOKENS)
    reference = reference_readings(wild_type, sample_tokens=None)
    assert reference["distinct_2"].is_usable
