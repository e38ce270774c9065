"""Reverse readings: two dialects, one of them rare, and a small model that learns from samples of them."""

import math

import numpy as np
import pytest

from collapse_guard import Evidence, Policy, WildType, assess
from collapse_guard.comparison.compare import compare, obstacle
from collapse_guard.evidence import Losses
from collapse_guard.indicators.groups import equal_groups
from collapse_guard.indicators.rates import ScoredDocuments
from collapse_guard.indicators.reverse import ReverseTailLoss
from collapse_guard.measurement import learning
from collapse_guard.measurement.learning import learning_curve
from collapse_guard.measurement.measure import founding_budget, measure, reference_readings
from collapse_guard.measurement.refits import REFITS, pool_refits, pool_tokens, rarity_of_each, small_model
from collapse_guard.measurement.reverse import BUDGETS, MOST_PARTS, reverse_losses
from collapse_guard.records import Assessment, Severity
from slow_language_model import SlowKneserNey

REVERSE = ("reverse_perplexity", "reverse_tail_loss")
COMMON = [f"{onset}{vowel}" for onset in "bdfgklmnprst" for vowel in "aeiou"]
RARE = [word[::-1] for word in COMMON]


def texts(rng, n, *, rare=0.1):
    """Documents of 30 words: common ones, each near the one before, or in a tenth of the documents others at random."""
    written = []
    for is_rare in rng.random(n) < rare:
        steps = np.cumsum(rng.geometric(0.7, size=30) * rng.choice([-1, 1], size=30)) + rng.integers(60)
        places = rng.integers(60, size=30) if is_rare else steps
        written.append(" ".join((RARE if is_rare else COMMON)[i % 60] for i in places))
    return written


@pytest.fixture(scope="module")
def wild_type():
    return WildType.fit(texts(np.random.default_rng(0), 1200), vocabulary_size=300, near_duplicate_threshold=1.0)


@pytest.fixture(scope="module")
def founder(wild_type):
    return read(wild_type, texts(np.random.default_rng(1), 300))


def read(wild_type, samples, budget=None, only=(*REVERSE, "real_equivalent")):
    return measure(wild_type, Evidence(samples=samples), only=only, budget=budget)


def change(here, founder, name):
    return compare(here[name], founder[name], baseline="founder", margin=0.1, watch=0.05)


def test_a_documents_loss_is_the_mean_over_parts_of_the_samples_by_the_definition(wild_type):
    samples = wild_type.encode(texts(np.random.default_rng(2), 90))
    found = reverse_losses(wild_type, samples)
    parts = equal_groups(samples, found.budget)[:MOST_PARTS]
    discounts = pool_refits(wild_type, found.budget).discounts
    scored = wild_type.encode(wild_type.evaluation.texts)[:20]
    for part, nll in zip(parts, found.nll, strict=True):
        slow = SlowKneserNey([ids.tolist() for ids in part], wild_type.vocabulary_size, 3, discounts)
        assert nll[:20] == pytest.approx(slow.nll([ids.tolist() for ids in scored]), rel=1e-12)
    assert found.losses.nll == pytest.approx(found.nll.mean(axis=0))
    assert found.losses.documents == wild_type.evaluation.hashes
    assert found.losses.n_tokens[:20].tolist() == list(map(len, scored))


def test_the_founder_fixes_the_budget_and_a_later_generation_fills_one_part_of_it_at_least(wild_type, founder):
    budget = founding_budget(founder)
    n_tokens = sum(map(len, wild_type.encode(texts(np.random.default_rng(1), 300))))
    assert budget == max(size for size in BUDGETS if 2 * size <= n_tokens)
    fewer = read(wild_type, texts(np.random.default_rng(3), 150), budget)
    assert [(one.budget, len(one.parts)) for one in fewer.values() if one.indicator in REVERSE] == [(budget, 1)] * 2
    too_few = read(wild_type, texts(np.random.default_rng(3), 20), budget)["reverse_perplexity"]
    assert math.isnan(too_few.value)
    needed = too_few.n_minimum
    assert too_few.problem == f"20 samples fill 0 groups of {budget} tokens, 1 are needed: {needed} samples would do"
    assert read(wild_type, texts(np.random.default_rng(4), math.ceil(1.1 * needed)), budget)[REVERSE[0]].is_usable


def test_parts_are_told_and_their_mean_is_the_value(founder):
    perplexity, tail = (founder[name] for name in REVERSE)
    assert len(perplexity.parts) >= 2
    assert math.log(perplexity.value) == pytest.approx(np.mean(np.log(perplexity.parts)))
    assert tail.value == pytest.approx(np.mean(tail.parts))
    assert all(set(one.parts) != {one.value} for one in (perplexity, tail))


def test_draws_of_the_pool_have_the_spread_of_fresh_text_once_they_are_inflated(wild_type):
    budget = max(size for size in BUDGETS if 2 * size <= pool_tokens(wild_type))
    refits = pool_refits(wild_type, budget)
    assert refits.inflation == pytest.approx(1 / (1 - budget / pool_tokens(wild_type)))
    assert refits.inflation > 1.5
    fresh = []
    for seed in range(REFITS):
        ids = wild_type.encode(texts(np.random.default_rng(100 + seed), 600))
        part = equal_groups(ids, budget)[0]
        fresh.append(reverse_losses(wild_type, part, budget).nll[0])
    spread = [np.var(nll, axis=0, ddof=1).mean() for nll in (refits.nll, np.array(fresh))]
    assert refits.inflation * spread[0] == pytest.approx(spread[1], rel=0.25)


def test_real_text_reads_like_draws_of_the_pool(wild_type, founder):
    reference = reference_readings(wild_type, sample_tokens=None, budget=founding_budget(founder), only=REVERSE)
    for name in REVERSE:
        assert len(reference[name].parts) == REFITS
        assert abs(change(founder, reference, name).effect) < 0.06


def test_copies_among_samples_are_seen_and_leave_no_loss_infinite(wild_type, founder):
    copies = texts(np.random.default_rng(5), 10) * 30
    assert 0.0 < change(read(wild_type, copies, founding_budget(founder)), founder, "reverse_perplexity").low < math.inf


def test_where_rare_text_fades_the_contrast_shows_what_the_mean_hides(wild_type, founder):
    """Common text takes the place of rare text, so nine documents of ten do not get harder."""
    faded = read(wild_type, texts(np.random.default_rng(6), 300, rare=0.03), founding_budget(founder))
    mean, tail = (change(faded, founder, name) for name in REVERSE)
    assert tail.low > 0.1
    assert mean.effect < 0.5 * tail.effect
    healthy = read(wild_type, texts(np.random.default_rng(7), 300), founding_budget(founder))
    assert abs(change(healthy, founder, "reverse_tail_loss").effect) < 0.5 * tail.effect


def test_rarity_is_that_of_the_wild_type_whatever_a_generation_writes(wild_type, founder):
    rarity = rarity_of_each(wild_type)
    of_rare = np.array([text.split()[0] in RARE for text in wild_type.evaluation])
    known = np.array([rarity[document] for document in wild_type.evaluation.hashes])
    assert np.quantile(known[of_rare], 0.05) > np.quantile(known[~of_rare], 0.95)
    assert founder["reverse_tail_loss"].keys == wild_type.evaluation.hashes


def test_what_makes_all_documents_harder_alike_widens_no_gap(wild_type):
    """The gap by the slow definition: the slope of losses on rarity, times the spread of rarity, token by token."""
    rarity = rarity_of_each(wild_type)
    losses = reverse_losses(wild_type, wild_type.encode(texts(np.random.default_rng(2), 90))).losses
    rare = np.array([rarity[document] for document in losses.documents])
    slope, _ = np.polyfit(rare, losses.rates, 1, w=np.sqrt(losses.n_tokens))
    spread = math.sqrt(np.cov(rare, fweights=losses.n_tokens, ddof=0))
    harder = Losses(documents=losses.documents, nll=losses.nll + 0.5 * losses.n_tokens, n_tokens=losses.n_tokens)
    for one in (losses, harder):
        rates = ReverseTailLoss.read(ScoredDocuments(one, None, rarity=rarity))
        assert rates.value == pytest.approx(slope * spread)
        assert rates.value == pytest.approx(rates.sums.sum() / rates.units.sum())
    before, after = (ReverseTailLoss.read(ScoredDocuments(one, None, rarity=rarity)).sums for one in (losses, harder))
    assert after == pytest.approx(before)


def test_a_reading_says_what_another_sample_of_real_documents_does_to_it(wild_type, founder):
    """The spread over the draws of the pool, as if they were of fresh text, and the mean of as many as there are parts;
    of a slice, that of its distance from the other documents."""
    budget = founding_budget(founder)
    draws = pool_refits(wild_type, budget)
    drawn = reference_readings(wild_type, sample_tokens=None, budget=budget, only=REVERSE)
    for name, effect in ((REVERSE[0], np.log), (REVERSE[1], np.array)):
        of_fresh_text = np.std(effect(drawn[name].parts), ddof=1) * math.sqrt(draws.inflation)
        assert founder[name].refits.n == REFITS == len(drawn[name].parts)
        assert founder[name].refits.sd == pytest.approx(of_fresh_text / math.sqrt(len(founder[name].parts)))
    sliced = measure(
        wild_type, Evidence(samples=texts(np.random.default_rng(1), 300)), only=["worst_slice_reverse"], budget=budget
    )["worst_slice_reverse"]
    tokens = np.array(sliced.weights)
    for name, sd in sliced.refits.by_slice.items():
        inside = np.array(sliced.slices) == name
        distances = draws.nll[:, inside].sum(axis=1) / tokens[inside].sum()
        distances -= draws.nll[:, ~inside].sum(axis=1) / tokens[~inside].sum()
        assert sd == pytest.approx(np.std(distances, ddof=1) * math.sqrt(draws.inflation / len(sliced.parts)))
    assert set(sliced.refits.by_slice) == set(sliced.slices) - {""}


def test_a_verdict_rests_on_samples_alone_and_doubtful_losses_leave_it_standing(wild_type):
    policy = Policy(decides=("perplexity", "reverse_perplexity"))
    hashes = wild_type.evaluation.hashes
    losses = Losses(documents=hashes, nll=np.full(len(hashes), 3.0), n_tokens=np.arange(len(hashes)) + 20)

    def given(seed, n):
        return Evidence(samples=texts(np.random.default_rng(seed), n) * (300 // n), losses=losses)

    founded = assess(wild_type, given(8, 300), policy=policy)
    assert founded.readings["reverse_perplexity"].budget == founded.reference["reverse_perplexity"].budget
    child = assess(wild_type, given(9, 10), history=[founded], policy=policy)
    about = {reason.indicator: reason.severity for reason in child.verdict.reasons}
    assert about["perplexity"] is Severity.UNDECIDED  # means are no sums
    assert about["reverse_perplexity"] is Severity.COLLAPSED
    assert Assessment.from_dict(child.to_dict()) == child


def test_readings_of_other_budgets_are_not_compared(founder):
    other = founder[REVERSE[0]].model_copy(update={"budget": 1024})
    assert "was learnt from parts of 1024 tokens, its baseline from parts of" in obstacle(other, founder[REVERSE[0]])


def test_a_small_pool_is_named_and_real_text_is_no_error():
    wild_type = WildType.fit(texts(np.random.default_rng(0), 40), vocabulary_size=300, near_duplicate_threshold=1.0)
    for reading in read(wild_type, texts(np.random.default_rng(1), 200)).values():
        assert "the wild type's pool has" in reading.problem
        assert "2,048 are needed: fit it on more documents" in reading.problem
    reference = reference_readings(wild_type, sample_tokens=None, budget=1024, only=REVERSE)
    assert not reference


class TestRealEquivalent:
    @pytest.mark.slow
    @pytest.mark.parametrize("n", [60, 150])
    def test_fresh_real_documents_are_worth_themselves(self, wild_type, n):
        """Nineteen intervals of twenty hold the number; of thirty, fewer than 25 do with a chance of 0.3%."""
        held = 0
        for seed in range(30):
            found = read(wild_type, texts(np.random.default_rng([n, seed]), n), only=["real_equivalent"])
            interval = found["real_equivalent"].interval
            held += interval.low <= n <= interval.high
        assert held >= 25

    def test_copies_are_worth_no_more_than_one_of_each(self, wild_type):
        once = texts(np.random.default_rng(10), 100)
        worth = read(wild_type, once * 8)["real_equivalent"]
        assert worth.n == 800
        assert worth.interval.high < 110

    def test_beyond_the_pool_it_is_at_least_and_noise_is_worth_next_to_nothing(self, wild_type):
        most = int(learning_curve(wild_type).sizes[-1])
        many = read(wild_type, texts(np.random.default_rng(11), 3 * most))["real_equivalent"]
        assert (many.value, many.interval.high) == (pytest.approx(most), math.inf)
        assert many.interval.low > 0.9 * most
        rng = np.random.default_rng(12)
        noise = [" ".join(map(str, rng.integers(10**6, size=20))) for _ in range(200)]
        nothing = read(wild_type, noise)["real_equivalent"]
        assert (nothing.interval.low, nothing.value) == (0.0, pytest.approx(16))

    def test_it_is_not_compared_because_it_has_an_interval_and_no_replicates(self, founder):
        worth = founder["real_equivalent"]
        assert "no replicates" in obstacle(worth, worth)

    def test_a_kept_curve_is_the_same_and_is_not_made_again(self, wild_type, tmp_path, monkeypatch):
        kept = WildType.load(wild_type.save(tmp_path / "wild-type"))
        learning._made.clear()
        first = learning_curve(kept)
        learning._made.clear()
        monkeypatch.setattr(learning, "small_model", lambda *_: pytest.fail("made again"))
        again = learning_curve(WildType.load(kept.home))
        np.testing.assert_array_equal(again.rates, first.rates)
        np.testing.assert_array_equal(again.noise, first.noise)


def test_the_small_model_takes_every_document_of_a_wild_type(wild_type):
    model = small_model(wild_type, wild_type.encode(wild_type.pool.texts))
    assert np.isfinite(model.nll(wild_type.encode(wild_type.evaluation.texts))).all()
