"""Readings of losses, and the tail that is frozen at the founder."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collapse_guard.comparison.compare import obstacle
from collapse_guard.errors import InputError
from collapse_guard.evidence import Evidence, Losses
from collapse_guard.indicators.likelihood.nats import cvar_loss
from collapse_guard.measurement import loss_readings as module
from collapse_guard.measurement.loss_readings import loss_readings
from collapse_guard.measurement.stratum import freeze_tail
from collapse_guard.records import TailStratum


def losses_of(rng, n=200, *, tokens=20, harm=1.0):
    token_nll = tuple(harm * rng.gamma(2.0, size=tokens + i % 5) for i in range(n))
    n_tokens = np.array([len(part) for part in token_nll])
    return Losses(
        documents=tuple(f"d{i:03}" for i in range(n)),
        nll=np.array([part.sum() for part in token_nll]),
        n_tokens=n_tokens,
        n_bytes=4 * n_tokens,
        token_nll=token_nll,
    )


def read(losses, stratum=None):
    return {reading.indicator: reading for reading in loss_readings(losses, stratum)}


def output_readings(own, founder, size):
    return module.output_readings(Evidence(samples=["any"], own_losses=own, founder_losses=founder), size)


def only(losses, chosen):
    """The losses of some documents."""
    return Losses(
        documents=tuple(losses.documents[i] for i in chosen),
        nll=losses.nll[chosen],
        n_tokens=losses.n_tokens[chosen],
        n_bytes=losses.n_bytes[chosen],
        token_nll=tuple(losses.token_nll[i] for i in chosen),
    )


def test_perplexity_is_of_all_tokens_and_its_replicates_are_documents(rng):
    losses = losses_of(rng)
    reading = read(losses)["perplexity"]
    assert reading.value == pytest.approx(math.exp(np.concatenate(losses.token_nll).mean()))
    assert reading.keys == losses.documents
    assert reading.weights == tuple(losses.n_tokens.astype(float))
    assert reading.replicates == pytest.approx(losses.nll / losses.n_tokens)
    assert math.exp(np.average(reading.replicates, weights=reading.weights)) == pytest.approx(reading.value)
    assert (reading.scale, reading.group, reading.n, reading.n_minimum) == ("exponential", "document", 200, 30)
    assert reading.is_usable


def test_bits_per_byte_is_the_weighted_mean_of_its_replicates(rng):
    losses = losses_of(rng)
    reading = read(losses)["bits_per_byte"]
    assert reading.value == pytest.approx(losses.nll.sum() / losses.n_bytes.sum() / math.log(2))
    assert np.average(reading.replicates, weights=reading.weights) == pytest.approx(reading.value)
    assert "bits_per_byte" not in read(replace(losses, n_bytes=None))


def test_cvar_is_the_mean_of_its_replicates_which_are_paired_by_document(rng):
    losses = losses_of(rng)
    reading = read(losses)["cvar_loss"]
    rates = np.sort(losses.nll / losses.n_tokens)
    assert reading.value == pytest.approx(rates[-20:].mean())
    assert np.average(reading.replicates, weights=reading.weights) == pytest.approx(reading.value)
    assert reading.keys == losses.documents
    assert (reading.scale, reading.unit, reading.group) == ("log", "nats per token", "document")
    assert (reading.n, reading.n_minimum, reading.problem) == (200, 100, "")
    assert len(set(reading.weights)) == 1, "documents weigh the same"


def test_the_spread_of_the_replicates_of_cvar_is_that_of_cvar_over_documents_drawn_anew(rng):
    """The standard error of a mean of replicates that hold an estimated quantile, against the plain simulation."""
    drawn = [losses_of(rng, n=200, tokens=3) for _ in range(300)]
    values = [cvar_loss(losses.nll, losses.n_tokens) for losses in drawn]
    errors = [np.std(read(losses)["cvar_loss"].replicates, ddof=1) / math.sqrt(200) for losses in drawn[:60]]
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.15)


def test_cvar_under_another_tokenizer_is_not_compared(rng):
    one, other = losses_of(rng), losses_of(rng, tokens=30)
    assert obstacle(read(one)["cvar_loss"], read(losses_of(rng))["cvar_loss"]) == ""
    assert "another tokenizer?" in obstacle(read(other)["cvar_loss"], read(one)["cvar_loss"])


def test_entropy_is_read_where_it_is_known_and_paired_like_perplexity(rng):
    losses = losses_of(rng)
    assert "entropy" not in read(losses)
    nats = rng.gamma(3.0, size=200) * losses.n_tokens
    readings = read(replace(losses, entropy=nats))
    reading, perplexity = readings["entropy"], readings["perplexity"]
    assert reading.value == pytest.approx(nats.sum() / losses.n_tokens.sum())
    assert np.average(reading.replicates, weights=reading.weights) == pytest.approx(reading.value)
    assert (reading.keys, reading.weights) == (perplexity.keys, perplexity.weights)
    assert (reading.scale, reading.unit, reading.n_minimum) == ("log_ratio", "nats", 30)
    nats[7] = math.nan
    broken = read(replace(losses, entropy=nats))["entropy"]
    assert math.isnan(broken.value)
    assert broken.problem == "1 of 200 entropies are not finite (first: document 'd007')"


def samples_of(rng, n=64, *, harm=1.0):
    """Losses on samples: their numbers are their documents."""
    n_tokens = rng.integers(1, 9, size=n)
    return Losses(documents=tuple(map(str, range(n))), nll=harm * rng.gamma(2.0, size=n) * n_tokens, n_tokens=n_tokens)


class TestSamples:
    def test_are_read_in_groups_that_are_not_paired(self, rng):
        own, founder = samples_of(rng), samples_of(rng, harm=3.0)
        readings = output_readings(own, founder, 10)
        assert [reading.indicator for reading in readings] == ["own_perplexity", "founder_perplexity"]
        for reading, losses in zip(readings, (own, founder), strict=True):
            assert reading.value == pytest.approx(math.exp(losses.nll.sum() / losses.n_tokens.sum()))
            assert (len(reading.replicates), reading.keys, reading.weights) == (6, (), ())
            assert (reading.group, reading.scale, reading.direction) == ("10 samples", "exponential", "both")
            assert (reading.n, reading.n_minimum, reading.problem) == (64, 50, "")

    def test_each_group_is_as_many_samples_and_no_two_share_one(self, rng):
        owners = 2.0 ** np.arange(40)
        losses = Losses(documents=tuple(map(str, range(40))), nll=owners, n_tokens=np.ones(40))
        (reading,) = output_readings(losses, None, 8)
        held = [{i for i in range(40) if int(8 * rate) >> i & 1} for rate in reading.replicates]
        assert [len(group) for group in held] == [8] * 5
        assert set.union(*held) == set(range(40))
        assert held[0] != set(range(8)), "a drift along the run must not be a difference between groups"

    @settings(max_examples=20)
    @given(st.randoms(use_true_random=False))
    def test_are_read_the_same_in_any_order(self, random):
        losses = samples_of(np.random.default_rng(0))
        order = random.sample(range(64), 64)
        shuffled = Losses(
            documents=tuple(str(i) for i in order), nll=losses.nll[order], n_tokens=losses.n_tokens[order]
        )
        (one,), (other,) = output_readings(losses, None, 10), output_readings(shuffled, None, 10)
        assert other.replicates == pytest.approx(one.replicates)

    def test_that_are_too_few_say_how_many_would_do(self, rng):
        (reading,) = output_readings(None, samples_of(rng, 49), 10)
        assert reading.problem == "49 samples were scored, 50 are needed"
        (empty,) = output_readings(samples_of(rng, 0), None, 10)
        assert math.isnan(empty.value)
        assert empty.problem == "0 samples were scored, 50 are needed"

    def test_whose_loss_is_not_finite_give_no_value_and_are_named(self, rng):
        losses = samples_of(rng)
        losses.nll[[5, 6]] = math.inf
        (reading,) = output_readings(losses, None, 10)
        assert math.isnan(reading.value)
        assert reading.problem == "2 of 64 losses are not finite (first: sample '5')"

    def test_that_were_not_scored_are_not_read(self):
        assert output_readings(None, None, 10) == []

    def test_alone_are_evidence_and_must_have_numbers(self, rng):
        assert Evidence(own_losses=samples_of(rng)).samples is None
        assert Evidence(founder_losses=samples_of(rng)).losses is None
        for name in ("own_losses", "founder_losses"):
            for wrong in ("a", "01", "-1", "", "1" * 5000):
                losses = Losses(documents=("0", wrong), nll=np.ones(2), n_tokens=np.ones(2))
                with pytest.raises(InputError, match=f"`{name}` must have the numbers of samples as documents, from 0"):
                    Evidence(**{name: losses})

    def test_and_everything_else_may_not_all_be_missing(self):
        with pytest.raises(InputError, match=r"an Evidence needs one of `samples`, `losses`, .*`scores`, but"):
            Evidence()


def test_entropies_must_be_of_the_same_documents():
    with pytest.raises(InputError, match=r"`entropy` must have one entry per document \(2\), but got 3"):
        Losses(documents=("a", "b"), nll=np.ones(2), n_tokens=np.ones(2), entropy=np.ones(3))


def test_the_tail_is_the_hardest_tenth_of_documents_and_of_tokens(rng):
    losses = losses_of(rng)
    stratum = freeze_tail(losses)
    rates = losses.nll / losses.n_tokens
    in_tail = np.isin(losses.documents, stratum.documents)
    assert in_tail.sum() == 20
    assert rates[in_tail].min() > rates[~in_tail].max()
    hard = [nats[list(stratum.tokens.get(d, ()))] for d, nats in zip(losses.documents, losses.token_nll, strict=True)]
    nats = np.sort(np.concatenate(losses.token_nll))
    assert sorted(np.concatenate(hard)) == pytest.approx(nats[-math.ceil(len(nats) / 10) :])


def test_the_tail_readings_of_a_later_generation_are_of_the_same_documents_and_tokens(rng):
    founder, later = losses_of(rng), losses_of(rng)
    stratum = freeze_tail(founder)
    readings = read(later, stratum)
    chosen = [i for i, d in enumerate(later.documents) if d in stratum.documents]
    assert set(readings["tail_loss"].keys) == set(stratum.documents)
    assert readings["tail_loss"].value == pytest.approx(later.nll[chosen].sum() / later.n_tokens[chosen].sum())
    tokens = [later.token_nll[i][p] for i, d in enumerate(later.documents) for p in stratum.tokens.get(d, ())]
    reading = readings["tail_token_loss"]
    assert reading.value == pytest.approx(np.mean(tokens))
    assert np.average(reading.replicates, weights=reading.weights) == pytest.approx(reading.value)
    assert sum(reading.weights) == len(tokens)


def test_the_founder_reads_worse_on_its_own_tail_than_an_equally_good_model(rng):
    """Regression to the mean, as the docstring warns: with fresh noise of the same law the tail reads lower."""
    founder, twin = losses_of(rng), losses_of(rng)
    stratum = freeze_tail(founder)
    own, other = read(founder, stratum), read(twin, stratum)
    for name in ("tail_loss", "tail_token_loss"):
        assert own[name].value > other[name].value + 0.2


@settings(max_examples=30)
@given(st.randoms(use_true_random=False))
def test_the_order_of_documents_changes_neither_tail_nor_readings(random):
    losses = losses_of(np.random.default_rng(1), n=40)
    stratum = freeze_tail(losses)
    shuffled = only(losses, random.sample(range(40), 40))
    assert freeze_tail(shuffled).model_dump() == stratum.model_dump()
    expected = {name: reading.value for name, reading in read(losses, stratum).items()}
    assert {name: reading.value for name, reading in read(shuffled, stratum).items()} == pytest.approx(expected)


def test_ties_go_to_the_first_document_by_id():
    tied = Losses(documents=("b", "a", "c"), nll=np.ones(3), n_tokens=np.ones(3))
    assert freeze_tail(tied, share=0.34).documents == ("a", "b")
    assert freeze_tail(tied, share=1 / 3).documents == ("a",)


def test_a_share_that_floating_point_makes_a_little_too_large_takes_no_document_more(rng):
    assert 0.07 * 100 > 7
    assert len(freeze_tail(losses_of(rng, n=100), share=0.07).documents) == 7


def test_documents_without_a_finite_loss_have_no_rank(rng):
    losses = losses_of(rng, n=10)
    nll = losses.nll.copy()
    nll[3], nll[4] = math.nan, math.inf
    stratum = freeze_tail(replace(losses, nll=nll), share=1.0)
    assert set(stratum.documents) == set(losses.documents) - {"d003", "d004"}
    assert not {"d003", "d004"} & set(stratum.tokens)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, math.nan])
def test_a_share_out_of_range_is_refused(rng, share):
    with pytest.raises(InputError, match="`share` must be above 0 and at most 1, but got"):
        freeze_tail(losses_of(rng, n=3), share=share)


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_losses_that_are_not_finite_give_no_value_and_are_named(rng, poison):
    losses = losses_of(rng)
    nll = losses.nll.copy()
    nll[[7, 9]] = poison
    stratum = TailStratum(share=0.1, documents=losses.documents[:20])
    for name, reading in read(replace(losses, nll=nll), stratum).items():
        assert math.isnan(reading.value), name
        assert "2 of " in reading.problem, name
        assert "not finite (first: document 'd007')" in reading.problem
        assert not reading.is_usable


def test_too_few_documents_say_how_many_would_do(rng):
    few = losses_of(rng, n=29)
    readings = read(few, freeze_tail(few))
    assert readings["perplexity"].problem == "29 documents were scored, 30 are needed"
    assert math.isfinite(readings["perplexity"].value)
    assert readings["tail_loss"].n_minimum == 100
    assert "tail has 3 documents, 10 are needed: score at least 100 wild-type" in readings["tail_loss"].problem


def test_missing_tail_documents_are_counted_and_named(rng):
    founder = losses_of(rng)
    stratum = freeze_tail(founder)
    lost = sorted(stratum.documents)[:2]
    kept = [i for i, d in enumerate(founder.documents) if d not in lost]
    reading = read(only(founder, kept), stratum)["tail_loss"]
    assert f"2 of the 20 documents of the founder's tail were not scored (first: '{lost[0]}')" in reading.problem


def test_another_tokenizer_than_the_founders_is_noticed(rng):
    founder = losses_of(rng)
    shorter = losses_of(rng, tokens=5)
    reading = read(shorter, freeze_tail(founder))["tail_token_loss"]
    assert math.isnan(reading.value)
    assert "fewer tokens than at the founder" in reading.problem


def test_a_document_without_bytes_is_named(rng):
    losses = losses_of(rng)
    n_bytes = losses.n_bytes.copy()
    n_bytes[4] = 0
    assert "'d004' has no bytes" in read(replace(losses, n_bytes=n_bytes))["bits_per_byte"].problem


def test_no_documents_at_all_are_a_problem_and_no_error():
    nothing = Losses(documents=(), nll=np.zeros(0), n_tokens=np.zeros(0, int))
    assert freeze_tail(nothing).documents == ()
    reading = read(nothing)["perplexity"]
    assert math.isnan(reading.value)
    assert reading.problem == "0 documents were scored, 30 are needed"
