"""Perplexity and its relatives: against float64, torchmetrics and closed forms, where others are known to break."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.text import Perplexity as TorchmetricsPerplexity

from collapse_guard.errors import InputError
from collapse_guard.indicators.likelihood import documents
from collapse_guard.indicators.likelihood import logits as of_logits
from collapse_guard.indicators.likelihood.documents import CvarLoss
from collapse_guard.indicators.likelihood.logits import token_entropy, token_nll
from collapse_guard.indicators.likelihood.nats import (
    bits_per_byte,
    cvar_loss,
    cvar_parts,
    entropy,
    founder_perplexity,
    own_perplexity,
    perplexity,
    tail_loss,
    tail_token_loss,
)
from collapse_guard.indicators.likelihood.tokens import Entropy, FounderPerplexity, OwnPerplexity, Perplexity
from rounding import error_of_a_sum


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
    expected = pytest.approx(slow_nll(halved, labels), abs=error_of_a_sum(5000))
    assert token_nll(halved, labels).flatten().tolist() == expected


def test_perplexity_is_right_in_half_precision_where_torchmetrics_is_infinite():
    logits, labels = logits_and_labels(4, 256, vocabulary=32_000)
    theirs, ours = TorchmetricsPerplexity(), Perplexity()
    theirs.update(logits.half(), labels)
    ours.update(logits.half(), labels)
    truth = math.exp(math.fsum(token_nll(logits.half().double(), labels).flatten().tolist()) / labels.numel())
    assert math.isinf(theirs.compute())
    assert ours.compute().item() == pytest.approx(truth, rel=error_of_a_sum(32_000))


def test_perplexity_agrees_with_torchmetrics_on_tame_logits():
    logits, labels = logits_and_labels(4, 16, scale=1.0)
    labels[:, 10:] = -100
    theirs, ours = TorchmetricsPerplexity(ignore_index=-100), Perplexity()
    theirs.update(logits, labels)
    ours.update(logits, labels)
    assert ours.compute().item() == pytest.approx(theirs.compute().item(), rel=1e-5)


@pytest.mark.parametrize("measured", [token_nll, token_entropy])
def test_chunks_and_shifted_views_give_the_same_nats_as_one_piece(monkeypatch, measured):
    logits, labels = logits_and_labels(3, 9)
    whole = measured(logits[:, :-1], labels[:, 1:])
    for chunk in (1, 40, 37 * 8, 37 * 17):
        monkeypatch.setattr(of_logits, "LOGITS_AT_ONCE", chunk)
        assert torch.equal(measured(logits[:, :-1], labels[:, 1:]), whole), chunk


@pytest.mark.parametrize(
    ("measured", "where", "normaliser"),
    [(token_nll, of_logits.F, "cross_entropy"), (token_entropy, torch.Tensor, "log_softmax")],
)
def test_chunks_bound_the_rows_that_are_normalised_at_once(monkeypatch, measured, where, normaliser):
    rows, whole = [], getattr(where, normaliser)

    def spy(z, *arguments, **options):
        rows.append(len(z))
        return whole(z, *arguments, **options)

    monkeypatch.setattr(where, normaliser, spy)
    monkeypatch.setattr(of_logits, "LOGITS_AT_ONCE", 37 * 4)
    measured(*logits_and_labels(3, 9))
    assert rows == [4, 4, 1] * 3


@pytest.mark.parametrize("measured", [token_nll, token_entropy])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_large_logits_are_never_copied_whole(measured, dtype):
    logits, labels = torch.zeros(4, 128, 16_000, dtype=dtype), torch.zeros(4, 128, dtype=torch.long)
    with torch.profiler.profile(profile_memory=True) as profile:
        measured(logits, labels)
    largest = max(event.self_cpu_memory_usage / event.count for event in profile.key_averages())
    assert 0 < largest <= 4 * of_logits.LOGITS_AT_ONCE < logits.numel() * logits.element_size()


def test_perplexity_is_finite_in_bfloat16_at_a_gap_of_200_nats_where_a_softmax_underflows():
    logits = torch.zeros(1, 2, 5, dtype=torch.bfloat16)
    logits[0, 1, 0] = 200.0
    metric = Perplexity()
    metric.update(logits, torch.tensor([[0, 3]]))
    assert metric.compute().item() == pytest.approx(math.exp((math.log(5) + 200) / 2), rel=1e-5)
    theirs = TorchmetricsPerplexity()
    theirs.update(logits, torch.tensor([[0, 3]]))
    assert math.isinf(theirs.compute())


class TestEntropy:
    @staticmethod
    def slow(logits):
        """The definition, one position at a time, in Python floats."""
        found = []
        for z in logits.double().reshape(-1, logits.shape[-1]).tolist():
            top = max(z)
            total = math.fsum(math.exp(value - top) for value in z)
            shares = [math.exp(value - top) / total for value in z]
            found.append(-math.fsum(share * math.log(share) for share in shares if share))
        return found

    def test_of_tokens_is_the_definition_and_that_of_torch(self):
        logits, labels = logits_and_labels(3, 5)
        assert token_entropy(logits, labels).flatten().tolist() == pytest.approx(self.slow(logits), abs=1e-5)
        doubled = token_entropy(logits.double(), labels)
        assert doubled.flatten().tolist() == pytest.approx(self.slow(logits), abs=1e-13)
        torch.testing.assert_close(doubled, torch.distributions.Categorical(logits=logits.double()).entropy())

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half_precision_logits_lose_nothing_beyond_their_own_rounding(self, dtype):
        logits, labels = logits_and_labels(4, 64, vocabulary=5000)
        halved = logits.to(dtype)
        assert token_entropy(halved, labels).dtype == torch.float32
        # Each ln p has the error of a sum, so p has it too, and so has their sum: e of ln p, 2 e H of the rest.
        error = error_of_a_sum(5000) * (1 + 2 * math.log(5000))
        assert token_entropy(halved, labels).flatten().tolist() == pytest.approx(self.slow(halved), abs=error)

    def test_is_0_where_one_token_is_certain_and_not_minus_0(self):
        gap = torch.tensor([[200.0, 0.0, -50.0]], dtype=torch.bfloat16)
        impossible = torch.tensor([[0.0, -math.inf, -math.inf]])
        for logits in (gap, impossible):
            found = token_entropy(logits, torch.zeros(1))
            assert found.item() == 0.0
            assert not torch.signbit(found)

    def test_of_impossible_tokens_is_nothing_where_0_times_infinity_would_be_no_number(self):
        logits = torch.tensor([[0.0, 0.0, -math.inf]])
        assert token_entropy(logits, torch.zeros(1)).item() == pytest.approx(math.log(2))

    def test_of_no_distribution_is_no_number_and_of_pads_nothing(self):
        logits = torch.full((2, 4), math.nan)
        found = token_entropy(logits, torch.tensor([1, -100]))
        assert math.isnan(found[0])
        assert found[1] == 0.0

    def test_of_uniform_logits_is_the_logarithm_of_the_vocabulary(self):
        metric = Entropy(ignore_index=3)
        metric.update(torch.zeros(2, 3, 50), torch.tensor([[1, 2, 3], [3, 3, 3]]))
        assert metric.compute().item() == pytest.approx(math.log(50), rel=1e-6)
        assert math.isnan(entropy([], []))

    def test_does_not_look_at_what_the_label_is(self):
        logits, labels = logits_and_labels(2, 6)
        assert torch.equal(token_entropy(logits, labels), token_entropy(logits, labels.flip(-1)))

    def test_and_perplexity_of_the_same_batches_stay_apart_in_a_collection(self):
        kinds = (Perplexity, OwnPerplexity, FounderPerplexity, Entropy)
        states = [state for kind in kinds for state in kind().metric_state]
        assert len(set(states)) == len(states)


class TestConditionalValueAtRisk:
    TEN = (range(1, 11), [1] * 10)

    @pytest.mark.parametrize(("q", "expected"), [(0.1, 10.0), (0.2, 9.5), (0.25, 9.2)])
    def test_of_one_to_ten_is_that_of_science_section_4(self, q, expected):
        assert cvar_loss(list(self.TEN[0]), self.TEN[1], q=q) == pytest.approx(expected, rel=1e-12)

    @pytest.mark.slow
    @given(
        st.lists(st.tuples(st.floats(0, 100), st.integers(1, 9)), min_size=1, max_size=30),
        st.floats(0.01, 1.0),
        st.randoms(use_true_random=False),
    )
    def test_is_the_mean_over_the_worst_documents_in_any_order(self, documents, q, random):
        left, total = q * len(documents), 0.0
        for rate in sorted((nats / tokens for nats, tokens in documents), reverse=True):
            total, left = total + min(1.0, left) * rate, left - min(1.0, left)
        nats, tokens = zip(*random.sample(documents, len(documents)), strict=True)
        assert cvar_loss(nats, tokens, q) == pytest.approx(total / (q * len(documents)), rel=1e-9, abs=1e-9)
        assert cvar_parts(nats, tokens, q).mean() == cvar_loss(nats, tokens, q)

    def test_of_all_documents_is_their_mean_in_which_long_ones_weigh_no_more(self):
        assert cvar_loss([1.0, 30.0], [1, 10], q=1.0) == pytest.approx((1 + 3) / 2)

    def test_sees_harm_to_documents_outside_the_frozen_tail_and_is_blind_to_an_exchange_of_hard_ones(self):
        founder, tail = np.array([9.0, 1.0, 1.0, 1.0]), np.array([True, False, False, False])
        ones = np.ones(4)
        elsewhere, exchanged = np.array([9.0, 12.0, 1.0, 1.0]), np.array([1.0, 9.0, 1.0, 1.0])
        assert cvar_loss(elsewhere, ones, 0.25) > cvar_loss(founder, ones, 0.25)
        assert tail_loss(elsewhere, ones, tail) == tail_loss(founder, ones, tail)
        assert cvar_loss(exchanged, ones, 0.25) == cvar_loss(founder, ones, 0.25)
        assert tail_loss(exchanged, ones, tail) != tail_loss(founder, ones, tail)

    def test_is_undefined_without_documents_or_with_one_that_has_no_number(self):
        assert math.isnan(cvar_loss([], []))
        assert math.isnan(cvar_loss([1.0, math.nan], [1, 1]))
        assert math.isnan(cvar_loss([1.0, 2.0], [1, 0]))
        assert cvar_loss([1.0, math.inf, math.inf], [1, 1, 1], q=0.5) == math.inf

    @pytest.mark.parametrize("q", [0.0, -0.1, 1.01, math.nan])
    def test_of_a_share_out_of_range_is_refused(self, q):
        with pytest.raises(InputError, match="`q` must be above 0 and at most 1, but got"):
            cvar_loss([1.0], [1], q=q)
        with pytest.raises(InputError, match="`q` must be above 0 and at most 1, but got"):
            CvarLoss(q=q)

    def test_keeps_no_more_documents_than_it_says(self, monkeypatch):
        monkeypatch.setattr(documents, "MOST_DOCUMENTS", 5)
        metric = CvarLoss()
        metric.update(torch.ones(3), torch.ones(3))
        with pytest.raises(InputError, match="at most 5 documents over all updates, but got 6: measure"):
            metric.update(torch.ones(3), torch.ones(3))

    def test_of_two_shares_may_share_a_state_in_a_collection(self):
        from torchmetrics import MetricCollection

        collection = MetricCollection({"tenth": CvarLoss(q=0.1), "quarter": CvarLoss(q=0.25)})
        for part in (torch.arange(1, 6), torch.arange(6, 11)):
            collection.update(part, torch.ones(5))
        assert {name: value.item() for name, value in collection.compute().items()} == {"tenth": 10.0, "quarter": 9.2}


@pytest.mark.parametrize("formula", [own_perplexity, founder_perplexity])
def test_perplexity_of_samples_is_perplexity_and_both_ways_are_collapse(formula):
    nats, tokens = [math.log(4), 3 * math.log(2)], [1, 3]
    assert formula(nats, tokens) == perplexity(nats, tokens)
    assert math.isnan(formula([], []))
    assert math.isinf(formula([710.0], [1]))


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


@settings(max_examples=12)
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
    [tokens] = [name for name, value in metric.metric_state.items() if value == 1]
    metric.merge_state(
        {name: value * 2**24 if name == tokens else value * 0 for name, value in metric.metric_state.items()}
    )
    assert metric.metric_state[tokens].item() == 2**24 + 1


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
