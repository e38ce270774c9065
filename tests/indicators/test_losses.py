"""Readings of losses, and the tail that is frozen at the founder."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.evidence import Losses
from collapse_guard.indicators.loss_readings import loss_readings
from collapse_guard.indicators.stratum import freeze_tail
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
    assert (reading.scale, reading.group, reading.n, reading.n_minimum) == ("difference", "document", 200, 30)
    assert reading.is_usable


def test_bits_per_byte_is_the_weighted_mean_of_its_replicates(rng):
    losses = losses_of(rng)
    reading = read(losses)["bits_per_byte"]
    assert reading.value == pytest.approx(losses.nll.sum() / losses.n_bytes.sum() / math.log(2))
    assert np.average(reading.replicates, weights=reading.weights) == pytest.approx(reading.value)
    assert "bits_per_byte" not in read(replace(losses, n_bytes=None))


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


@settings(deadline=None, max_examples=30)
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
        assert "2 of " in reading.problem
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
