"""Whether losses look like losses: other units are named, and real collapses are not taken for them.

`real_losses.csv` has the losses of a small GRU on 300 passages of 8 to 60 words of speeches, in nats: of a founder, of
three healthy retrains, and of collapses, two of which happen to stand at the factors of bits and of base 10.
"""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from building import make_reading
from collapse_guard.decision.plausibility import doubt, near_a_unit, of_documents

ROWS = list(csv.DictReader((Path(__file__).parent / "real_losses.csv").read_text(encoding="utf-8").splitlines()))
TOKENS = np.array([int(row["n_tokens"]) for row in ROWS])
HEALTHY = ("healthy", "another_healthy")
COLLAPSED = ("temperature_0.7", "top_k_5", "overfitted", "flattened", "label_noise", "pure_sampling")
LN2, LN10 = math.log(2.0), math.log(10.0)
UNITS = {
    "sums of nats": lambda nll, n: nll,
    "sums of bits": lambda nll, n: nll / LN2,
    "sums of logarithms to base 10": lambda nll, n: nll / LN10,
    "means per token in nats": lambda nll, n: nll / n,
    "means per token in bits": lambda nll, n: nll / n / LN2,
    "means per token in logarithms to base 10": lambda nll, n: nll / n / LN10,
}
EVERY_LENGTH = np.arange(len(ROWS))
ONE_LENGTH = np.flatnonzero(TOKENS.max() == TOKENS)


def nll(name):
    return np.array([float(row[name]) for row in ROWS])


def readings(sums, tokens=None, *, places=EVERY_LENGTH, **others):
    tokens = TOKENS if tokens is None else tokens
    sums, tokens = np.asarray(sums, dtype=float)[places], np.asarray(tokens)[places]
    value = math.exp(min(700.0, sums.sum() / tokens.sum()))
    perplexity = make_reading(
        "perplexity",
        value,
        replicates=tuple(sums / tokens),
        weights=tuple(tokens.astype(float)),
        keys=tuple(str(place) for place in places),
        group="document",
    )
    return {"perplexity": perplexity, **others}


def told(sums, founder=None, *, places=EVERY_LENGTH, lowest=1.5):
    return doubt(
        readings(sums, places=places), {} if founder is None else readings(founder, places=places), lowest=lowest
    )


def of_bytes(value):
    return {"bits_per_byte": make_reading("bits_per_byte", value, keys=tuple(map(str, range(30))), group="document")}


@pytest.mark.parametrize("places", [EVERY_LENGTH, ONE_LENGTH], ids=["every length", "one length"])
class TestUnits:
    @pytest.mark.parametrize("name", HEALTHY)
    def test_sums_of_nats_are_believed_whatever_they_are_compared_with(self, places, name):
        assert told(nll("founder"), places=places) == ""
        assert told(nll(name), nll("founder"), places=places) == ""

    @pytest.mark.parametrize("name", ["founder", *HEALTHY])
    @pytest.mark.parametrize("unit", UNITS)
    @pytest.mark.parametrize("founders_unit", UNITS)
    def test_another_unit_on_either_side_is_seen(self, places, name, unit, founders_unit):
        here, there = UNITS[unit](nll(name), TOKENS), UNITS[founders_unit](nll("founder"), TOKENS)
        assert bool(told(here, there, places=places)) == (unit != founders_unit or "token" in unit)

    @pytest.mark.parametrize("unit", [unit for unit in UNITS if "token" in unit])
    def test_means_are_seen_alone(self, places, unit):
        why = told(UNITS[unit](nll("founder"), TOKENS), places=places)
        assert why.startswith("the losses look like means per token, not like sums of nats over documents")
        assert "multiply `nll` by `n_tokens`" in why
        assert "`--loss-per token`" in why

    @pytest.mark.parametrize("rise", [0.0, 0.1, 0.3, 1.0])
    def test_a_rise_does_not_hide_means(self, places, rise):
        worse = nll("healthy") + rise * TOKENS
        assert "means per token" in told(worse / TOKENS, nll("founder") / TOKENS, places=places)
        assert "means per token" in told(worse / TOKENS, nll("founder"), places=places)

    def test_means_of_a_founder_are_told_of_the_founder(self, places):
        why = told(nll("healthy"), nll("founder") / TOKENS, places=places)
        assert why.startswith("the founder's losses look like means per token")
        assert why.endswith("Start the lineage again under another name, and compare with that")

    def test_the_unit_and_its_conversion_are_named(self, places):
        why = told(nll("healthy") / LN2, nll("founder"), places=places)
        assert why.startswith("the losses look like sums of bits, where the founder's look like sums of nats")
        assert why.endswith("read them with `--loss-unit bits` (in Python `read_losses(path, unit='bits')`)")
        why = told(nll("healthy"), nll("founder") / LN2, places=places)
        assert why.startswith("the founder's losses look like sums of bits, where these look like sums of nats")
        assert "start the lineage again under another name and read them with `--loss-unit bits`" in why
        why = told(nll("healthy") / LN10, nll("founder"), places=places)
        assert why.startswith("the losses look like sums of logarithms to base 10")
        assert why.endswith("read them with `--loss-unit log10` (in Python `read_losses(path, unit='log10')`)")

    @pytest.mark.parametrize("rise", [0.0, 0.05, 0.1])
    @pytest.mark.parametrize("noisy", ["founder", *HEALTHY])
    def test_bits_are_seen_of_a_generation_that_is_worse_too(self, places, rise, noisy):
        assert "sums of bits" in told((nll(noisy) + rise * TOKENS) / LN2, nll("founder"), places=places)

    @pytest.mark.parametrize("name", COLLAPSED)
    def test_a_collapse_is_no_unit_even_where_its_losses_rose_by_the_factor_of_one(self, places, name):
        assert told(nll(name), nll("founder"), places=places) == ""

    def test_progress_is_no_unit(self, places):
        assert told(nll("longer_training"), nll("founder"), places=places) == ""


def test_the_collapses_stand_where_they_are_said_to_stand():
    ratios = {name: nll(name).sum() / nll("founder").sum() for name in COLLAPSED}
    assert ratios["temperature_0.7"] == pytest.approx(1 / LN2, rel=0.02)
    assert ratios["top_k_5"] == pytest.approx(LN10, rel=0.02)


class TestConstants:
    @pytest.mark.parametrize("divisor", [20.0, 100.0, 512.0, 1e6])
    def test_a_divisor_of_both_sides_is_seen_and_hides_no_rise(self, divisor):
        worse = nll("healthy") + 0.3 * TOKENS
        assert told(worse / divisor, nll("founder") / divisor)
        assert told(nll("founder") / divisor)

    def test_one_that_leaves_too_little_for_means_is_called_a_divisor(self):
        assert told(nll("founder") / 1e4).startswith("the losses look divided by a constant")

    def test_a_divisor_of_one_side_is_seen(self):
        assert "perplexity fell by 97" in told(nll("healthy") / 4.0, nll("founder"))

    @pytest.mark.parametrize("times", [1.2, 1.3, 1.35, 1.6, 1.8, 2.0, 3.0, 5.0])
    def test_a_factor_of_no_unit_is_a_rise(self, times):
        assert told(times * nll("healthy"), nll("founder")) == ""

    @pytest.mark.parametrize(("times", "is_seen"), [(9.0, False), (12.0, True), (1000.0, True)])
    def test_one_that_no_collapse_reaches_is_another_unit(self, times, is_seen):
        why = told(times * nll("healthy"), nll("founder"))
        assert why.startswith("the losses look like sums of another unit") == is_seen
        assert told(times * nll("overfitted") / 1.6, nll("founder")) == "", "unlike for all documents"

    @pytest.mark.parametrize("times", [1.4, 1.5, 2.25, 2.4, 3.2, 3.5])
    def test_a_factor_without_noise_must_be_that_of_a_unit(self, times):
        assert told(times * nll("founder"), nll("founder")) == ""


class TestPerplexity:
    @pytest.mark.parametrize(("lowest", "is_believed"), [(1.5, False), (1.45, False), (1.3, True), (0.0, True)])
    def test_the_policy_says_what_is_too_low(self, lowest, is_believed):
        sure = nll("founder") * math.log(1.4) / (nll("founder").sum() / TOKENS.sum())
        why = told(sure, lowest=lowest)
        assert (why == "") == is_believed
        assert is_believed or "lower `lowest_perplexity` in the policy" in why

    def test_losses_of_0_and_below_it_are_no_losses(self):
        assert told(np.zeros(len(ROWS)))
        assert told(-nll("founder")).endswith("their sum is negative; negate log-likelihoods")

    def test_a_founder_worse_than_chance_is_not_believed_and_a_generation_is(self):
        assert "Does `n_tokens` count the tokens" in told(nll("founder") * 4)
        assert told(nll("founder") * 4, nll("founder")) == ""

    @pytest.mark.parametrize("fall", [0.3, 0.6, 0.69])
    def test_it_may_fall_by_half(self, fall):
        assert told(nll("founder") - fall * TOKENS, nll("founder")) == ""

    @pytest.mark.parametrize("fall", [0.7, 1.0])
    def test_a_fall_beyond_that_is_not_believed(self, fall):
        why = told(nll("healthy") - fall * TOKENS, nll("founder"))
        assert "more than a retraining of the same kind does; are they in another unit, of other documents under" in why

    def test_few_documents_show_no_unit(self):
        assert told(nll("founder") / TOKENS, places=EVERY_LENGTH[:29]) == ""
        assert told(nll("founder") / TOKENS, places=EVERY_LENGTH[:30]) != ""


class TestLength:
    def test_means_are_seen_by_their_growth_where_perplexity_is_not_too_low(self):
        tokens = np.random.default_rng(0).integers(2, 6, 200)
        rates = np.random.default_rng(1).lognormal(1.5, 0.2, 200)
        why = doubt(readings(rates, tokens, places=np.arange(200)), {}, lowest=1.5)
        assert "they hardly grow with length (a document of twice the tokens has 1.0" in why
        assert doubt(readings(rates * tokens, tokens, places=np.arange(200)), {}, lowest=1.5) == ""

    def test_sums_whose_rate_falls_with_length_are_believed(self):
        tokens = np.random.default_rng(0).integers(10, 1000, 200)
        sums = 6.0 * tokens**0.85 * np.random.default_rng(1).lognormal(0.0, 0.2, 200)
        assert doubt(readings(sums, tokens, places=np.arange(200)), {}, lowest=1.5) == ""

    def test_one_document_of_another_length_shows_nothing(self):
        tokens = np.r_[np.full(99, 4), 3]
        rates = np.random.default_rng(3).lognormal(1.5, 0.2, 100)
        for last in (0.5, 1.0, 2.0):
            sums = np.r_[rates[:99] * 4, rates[99] * 3 * last]
            assert doubt(readings(sums, tokens, places=np.arange(100)), {}, lowest=1.5) == ""


class TestBytes:
    @pytest.mark.parametrize(("value", "is_believed"), [(0.05, False), (0.099, False), (0.1, True), (0.7, True)])
    def test_too_few_bits_are_not_believed_of_any_generation(self, value, is_believed):
        for founder in ({}, of_bytes(0.7)):
            assert (doubt(of_bytes(value), founder, lowest=1.5) == "") == is_believed

    @pytest.mark.parametrize(("value", "is_believed"), [(8.0, True), (8.1, False)])
    def test_more_than_chance_is_not_believed_of_a_founder(self, value, is_believed):
        assert (doubt(of_bytes(value), {}, lowest=1.5) == "") == is_believed
        assert doubt(of_bytes(value), of_bytes(0.7), lowest=1.5) == ""

    def test_a_reading_that_is_no_number_says_nothing(self):
        [broken] = of_bytes(0.01).values()
        assert doubt({"bits_per_byte": broken.model_copy(update={"problem": "no"})}, {}, lowest=1.5) == ""


class TestPairs:
    def test_are_matched_by_document(self):
        order = np.random.default_rng(0).permutation(len(ROWS))
        here, there = readings(nll("healthy") / LN2, places=order), readings(nll("founder"))
        assert "sums of bits" in doubt(here, there, lowest=1.5)

    def test_of_fewer_than_thirty_documents_show_nothing(self):
        here = readings(nll("healthy") / LN2, places=EVERY_LENGTH[:200])
        for first, is_seen in ((170, True), (171, False)):
            there = readings(nll("founder"), places=EVERY_LENGTH[first:])
            assert bool(doubt(here, there, lowest=1.5)) == is_seen

    def test_other_tokens_for_the_same_documents_are_no_other_unit(self):
        here = readings(nll("healthy"), 2 * TOKENS)
        assert doubt(here, readings(nll("founder")), lowest=1.5) == ""
        assert "bits" in doubt(readings(nll("healthy") / LN2, 2 * TOKENS), readings(nll("founder")), lowest=1.5)


class TestHints:
    @pytest.mark.parametrize(("name", "unit"), [("temperature_0.7", "bits to nats"), ("top_k_5", "base 10")])
    def test_a_collapse_at_the_factor_of_a_unit_is_told_to_be_one(self, name, unit):
        hint = near_a_unit(readings(nll(name)), readings(nll("founder")))
        assert unit in hint
        assert "but not alike for all documents" in hint

    @pytest.mark.parametrize("name", ["pure_sampling", "healthy", "longer_training"])
    def test_other_changes_get_none(self, name):
        assert near_a_unit(readings(nll(name)), readings(nll("founder"))) == ""
        assert near_a_unit(readings(nll(name)), {}) == ""


def test_readings_of_documents_are_those_with_ids_of_documents():
    rows = {
        "mine": make_reading("mine", keys=("1",), group="item"),
        "vendi": make_reading("vendi", group="128 samples"),
    }
    assert of_documents({**readings(nll("founder")), **rows}) == ["perplexity"]
