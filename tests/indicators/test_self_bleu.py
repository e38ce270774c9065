"""Self-BLEU: exactly the slow definition, closed forms, and linear in the number of samples."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.indicators.diversity.self_bleu import SelfBleu, self_bleu

small_samples = st.lists(st.lists(st.integers(0, 3), max_size=9), min_size=2, max_size=7)
wide_samples = st.lists(st.lists(st.sampled_from([0, 1, 2**31]), max_size=9), min_size=2, max_size=7)


def grams_of(sample, n):
    return Counter(tuple(sample[i : i + n]) for i in range(len(sample) - n + 1))


def slow_bleu(hypothesis, references, highest):
    """BLEU of a sentence with smoothing method 1, from its definition."""
    log_precisions = []
    for n in range(1, highest + 1):
        grams = grams_of(hypothesis, n)
        matches = sum(
            min(count, max(grams_of(reference, n)[gram] for reference in references)) for gram, count in grams.items()
        )
        if n == 1 and not matches:
            return 0.0
        log_precisions.append(math.log((matches or 0.1) / max(1, grams.total())))
    length = len(hypothesis)
    closest = min(map(len, references), key=lambda other: (abs(other - length), other))
    brevity = 1.0 if length > closest else math.exp(1.0 - closest / length)
    return brevity * math.exp(math.fsum(log_precisions) / highest)


def slow_self_bleu(samples, n):
    scores = [slow_bleu(one, samples[:i] + samples[i + 1 :], n) for i, one in enumerate(samples)]
    return math.fsum(scores) / len(scores)


@settings(max_examples=300)
@given(small_samples | wide_samples, st.integers(1, 5))
@example([[], []], 4)
@example([[], [1]], 4)
@example([[1], [1]], 4)
@example([[1, 1, 1], [1, 1], [1, 1]], 2)
@example([[1, 2, 3], [1, 2], [1, 2, 3, 4]], 4)
def test_it_is_the_slow_definition_to_1e_12(samples, n):
    assert self_bleu(samples, n) == pytest.approx(slow_self_bleu(samples, n), rel=0, abs=1e-12)


@pytest.mark.slow
def test_it_is_the_slow_definition_on_texts_of_real_length(rng):
    samples = [np.minimum(rng.zipf(1.3, size=rng.integers(20, 60)), 200).tolist() for _ in range(30)]
    assert 0.05 < slow_self_bleu(samples, 4) < 0.9
    assert self_bleu(samples) == pytest.approx(slow_self_bleu(samples, 4), rel=0, abs=1e-12)


@given(small_samples, st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(samples, random):
    assert self_bleu(random.sample(samples, len(samples))) == pytest.approx(self_bleu(samples), rel=1e-12)


def test_equal_samples_are_1_and_samples_without_a_common_token_are_0():
    """The homogenisation score of the diversity package 0.3.0 gives both 1.0 (field.md section 3)."""
    assert self_bleu([[1, 2, 3, 4, 5]] * 3) == pytest.approx(1.0, rel=1e-15)
    assert self_bleu([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]) == 0.0


def test_the_closed_form_of_two_samples_that_differ_in_the_last_token():
    """Shares 3/4, 2/3 and 1/2, and 0.1/1 in place of none of one."""
    assert self_bleu([[1, 2, 3, 4], [1, 2, 3, 5]]) == pytest.approx((3 / 4 * 2 / 3 * 1 / 2 * 0.1) ** 0.25, rel=1e-14)


def test_a_sample_shorter_than_the_others_is_punished_and_a_longer_one_is_not():
    """BLEU-1 of two tokens against three: exp(1 - 3/2); of three against two: two of three tokens match."""
    assert self_bleu([[1, 1], [1, 1, 1]], n=1) == pytest.approx((math.exp(1 - 3 / 2) + 2 / 3) / 2, rel=1e-14)


def test_of_two_lengths_as_close_the_shorter_counts():
    """Two tokens between one and three: no penalty. Three against two and one: neither."""
    expected = (1.0 * math.exp(1 - 2 / 1) + 1.0 + 2 / 3) / 3
    assert self_bleu([[1], [1, 1], [1, 1, 1]], n=1) == pytest.approx(expected, rel=1e-14)


def test_counts_are_clipped_to_the_one_other_sample_that_has_most_not_to_the_sum():
    """[1] * 3 against [1, 1, 2] and [1, 1, 3]: two of three, though the others have four together."""
    three = slow_bleu([1, 1, 1], [[1, 1, 2], [1, 1, 3]], 1)
    assert three == pytest.approx(2 / 3)
    assert self_bleu([[1, 1, 1], [1, 1, 2], [1, 1, 3]], n=1) == pytest.approx((2 / 3 + 2 / 3 + 2 / 3) / 3, rel=1e-14)


@pytest.mark.parametrize("samples", [[], [[1, 2, 3, 4, 5]]])
def test_fewer_than_two_samples_are_undefined(samples):
    assert math.isnan(self_bleu(samples))


def test_mode_collapse_raises_it(rng):
    healthy = [rng.integers(500, size=40) for _ in range(60)]
    assert self_bleu([healthy[i % 10] for i in range(60)]) > 0.99 > 5 * self_bleu(healthy)


def test_the_metric_compares_samples_across_batches():
    metric = SelfBleu(n=2)
    metric.update([torch.tensor([1, 2, 3])])
    assert math.isnan(metric.compute().item())
    metric.update(torch.tensor([[1, 2, 3]], dtype=torch.int32))
    assert metric.compute().item() == pytest.approx(1.0)
    assert metric.token_ids.tolist() == [1, 2, 3, 1, 2, 3]


def test_the_metric_refuses_more_tokens_than_it_keeps():
    metric = SelfBleu()
    metric.most_tokens = 5
    with pytest.raises(InputError, match="at most 5 tokens over all updates, but got 6"):
        metric.update([[1, 2, 3], [1, 2, 3]])


@pytest.mark.parametrize("n", [0, 9])
def test_an_order_out_of_range_is_refused(n):
    for call in (lambda: self_bleu([[1], [1]], n), lambda: SelfBleu(n), lambda: self_bleu([], n)):
        with pytest.raises(InputError, match="`n` must be from 1 to 8"):
            call()


def test_the_slow_definition_gives_the_published_precision_of_the_the_the():
    """Papineni et al. (2002), example 2: seven times "the" against two references has precision 2/7."""
    the = Counter({"the": 7})
    references = [["the", "cat", "is", "on", "the", "mat"], ["there", "is", "a", "cat", "on", "the", "mat"]]
    assert slow_bleu(list(the.elements()), references, 1) == pytest.approx(2 / 7, rel=1e-12)
