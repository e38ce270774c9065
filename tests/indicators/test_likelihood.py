"""Perplexity and its relatives: against float64, torchmetrics and closed forms, where others are known to break."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.text import Perplexity as TorchmetricsPerplexity

from collapse_guard.errors import InputError
from collapse_guard.indicators import likelihood
from collapse_guard.indicators.likelihood import (
    Perplexity,
    bits_per_byte,
    perplexity,
    tail_loss,
    tail_token_loss,
    token_nll,
)


def logits_and_labels(*shape, vocabulary=37, scale=3.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(*shape, vocabulary, generator=generator) * scale
    return logits, torch.randint(vocabulary, shape, generator=generator)


def slow_nll(logits, labels):
    """The definition, one position at a time, in Python floats."""
    found = []
    for z, y in zip(logits.double().reshape(-1, logits.shape[-1]).tolist(), labels.reshape(-1).tolist(), strict=True):
        top = max(z)
        found.append(top + math.log(math.fsum(math.exp(value - top) for value in z)) - z[y])
    return found


def test_token_nll_is_the_definition():
    logits, labels = logits_and_labels(3, 5)
    assert token_nll(logits, labels).flatten().tolist() == pytest.approx(slow_nll(logits, labels), abs=1e-5)
    assert token_nll(logits.double(), labels).flatten().tolist() == pytest.approx(slow_nll(logits, labels), abs=1e-13)


def test_token_nll_is_finite_and_right_at_a_gap_of_200_nats():
    nll = token_nll(torch.tensor([[[200.0, 0.0, -50.0]]]), torch.tensor([[1]]))
    assert nll.item() == 200.0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_lose_nothing_beyond_their_own_rounding(dtype):
    logits, labels = logits_and_labels(4, 64, vocabulary=5000)
    halved = logits.to(dtype)
    assert token_nll(halved, labels).dtype == torch.float32
    assert token_nll(halved, labels).flatten().tolist() == pytest.approx(slow_nll(halved, labels), rel=1e-5)


def test_perplexity_is_right_in_half_precision_where_torchmetrics_is_infinite():
    logits, labels = logits_and_labels(4, 256, vocabulary=32_000)
    theirs, ours = TorchmetricsPerplexity(), Perplexity()
    theirs.update(logits.half(), labels)
    ours.update(logits.half(), labels)
    truth = math.exp(math.fsum(token_nll(logits.half().double(), labels).flatten().tolist()) / labels.numel())
    assert math.isinf(theirs.compute())
    assert ours.compute().item() == pytest.approx(truth, rel=1e-5)


def test_perplexity_agrees_with_torchmetrics_on_tame_logits():
    logits, labels = logits_and_labels(4, 16, scale=1.0)
    labels[:, 10:] = -100
    theirs, ours = TorchmetricsPerplexity(ignore_index=-100), Perplexity()
    theirs.update(logits, labels)
    ours.update(logits, labels)
    assert ours.compute().item() == pytest.approx(theirs.compute().item(), rel=1e-5)


def test_chunks_and_shifted_views_give_the_same_nats_as_one_piece(monkeypatch):
    logits, labels = logits_and_labels(3, 9)
    whole = token_nll(logits[:, :-1], labels[:, 1:])
    for chunk in (1, 40, 37 * 8, 37 * 17):
        monkeypatch.setattr(likelihood, "_CHUNK", chunk)
        assert torch.equal(token_nll(logits[:, :-1], labels[:, 1:]), whole), chunk


def test_chunks_bound_the_rows_that_are_normalised_at_once(monkeypatch):
    rows = []

    def spy(z, y, **options):
        rows.append(len(z))
        return torch.zeros(len(y))

    monkeypatch.setattr(likelihood.F, "cross_entropy", spy)
    monkeypatch.setattr(likelihood, "_CHUNK", 37 * 4)
    token_nll(*logits_and_labels(3, 9))
    assert rows == [4, 4, 1] * 3


def test_ignored_positions_have_no_nats_and_no_weight():
    logits, labels = logits_and_labels(2, 6)
    labels[0, 3:] = -100
    assert torch.equal(token_nll(logits, labels)[0, 3:], torch.zeros(3))
    padded, cut = Perplexity(), Perplexity()
    padded.update(logits, labels)
    cut.update(logits[:1, :3], labels[:1, :3])
    cut.update(logits[1:], labels[1:])
    assert padded.compute().item() == pytest.approx(cut.compute().item(), rel=1e-12)


def test_another_label_than_minus_100_can_be_ignored():
    logits, labels = logits_and_labels(2, 6)
    labels[1, :2] = 5
    kept = labels.flatten() != 5
    metric = Perplexity(ignore_index=5)
    metric.update(logits, labels)
    nats = [nll for nll, keep in zip(slow_nll(logits, labels), kept, strict=True) if keep]
    assert token_nll(logits, labels, ignore_index=5).sum().item() == pytest.approx(math.fsum(nats), rel=1e-5)
    assert metric.compute().item() == pytest.approx(math.exp(math.fsum(nats) / len(nats)), rel=1e-5)


def test_uniform_logits_have_the_perplexity_of_the_vocabulary():
    metric = Perplexity()
    metric.update(torch.zeros(2, 3, 50), torch.randint(50, (2, 3)))
    assert metric.compute().item() == pytest.approx(50.0, rel=1e-6)


@settings(deadline=None, max_examples=12)
@given(st.permutations(range(8)), st.lists(st.integers(1, 3), min_size=1, max_size=8))
def test_perplexity_does_not_depend_on_batch_size_or_order(order, sizes):
    logits, labels = logits_and_labels(8, 5)
    labels[2, 1:] = labels[5, :] = -100
    whole, parts = Perplexity(), Perplexity()
    whole.update(logits, labels)
    start = 0
    for size in [*sizes, 8]:
        chosen = order[start : start + size]
        if chosen:
            parts.update(logits[chosen], labels[chosen])
        start += size
    assert parts.compute().item() == pytest.approx(whole.compute().item(), rel=1e-6)


def test_all_labels_ignored_is_not_a_number():
    metric = Perplexity()
    metric.update(torch.zeros(2, 3, 5), torch.full((2, 3), -100))
    assert math.isnan(metric.compute())
    assert math.isnan(perplexity([], []))


def test_the_token_counter_does_not_saturate_where_float32_does():
    metric = Perplexity()
    metric.update(torch.zeros(1, 1, 2), torch.zeros(1, 1, dtype=torch.long))
    metric.merge_state({metric._nats: torch.tensor(0.0, dtype=torch.float64), metric._tokens: torch.tensor(2**24)})
    assert getattr(metric, metric._tokens).item() == 2**24 + 1


def test_perplexity_weighs_by_tokens_and_is_no_mean_of_exponentials():
    nats, tokens = [math.log(4), 3 * math.log(2)], [1, 3]
    assert perplexity(nats, tokens) == pytest.approx(2 ** (5 / 4))
    assert perplexity(nats, tokens) != pytest.approx((4 + 2) / 2)


def test_perplexity_beyond_floating_point_is_infinite_and_no_error():
    assert math.isinf(perplexity([710.0], [1]))


def test_bits_per_byte_of_one_nat_per_byte_is_the_binary_logarithm_of_e():
    assert bits_per_byte([7.0, 3.0], [4, 6]) == pytest.approx(math.log2(math.e))


def test_tail_losses_look_at_the_tail_only():
    nats, tokens, tail = np.array([1.0, 20.0, 30.0]), np.array([10, 5, 20]), np.array([False, True, True])
    assert tail_loss(nats, tokens, tail) == pytest.approx((20 + 30) / (5 + 20))
    assert tail_token_loss(nats, tail) == pytest.approx(25.0)
    assert math.isnan(tail_loss(nats, tokens, ~np.ones(3, bool)))
    assert math.isnan(tail_token_loss(nats, ~np.ones(3, bool)))


@pytest.mark.parametrize(
    ("logits", "labels"),
    [(torch.zeros(2, 3, 5), torch.zeros(2, 4)), (torch.zeros(5), torch.tensor(1)), (torch.zeros(2, 5), torch.zeros(3))],
)
def test_shapes_that_do_not_fit_are_refused(logits, labels):
    with pytest.raises(InputError, match=r"`logits` must have the shape of `labels`.*shift and cut"):
        token_nll(logits, labels)


def test_two_perplexities_that_ignore_different_labels_stay_apart_in_a_collection():
    from torchmetrics import MetricCollection

    collection = MetricCollection({"all": Perplexity(ignore_index=-100), "no_zeros": Perplexity(ignore_index=0)})
    logits, labels = logits_and_labels(2, 6)
    collection.update(logits, labels.clamp(min=1))
    collection.update(logits, torch.zeros_like(labels))
    values = collection.compute()
    assert values["all"] != values["no_zeros"]
