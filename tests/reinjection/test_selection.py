"""select(): what is chosen, that weights undo the choice, and that the greedy cover is what its definition says."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.records import LostItem
from collapse_guard.reinjection import select

WORDS = [f"w{i}" for i in range(12)]


def gone(what, expected, observed=0, kind="word"):
    return LostItem(kind=kind, what=what, real_count=9, expected=expected, observed=observed, chance=1e-4)


def documents(rng, n, length=6):
    return [" ".join(rng.choice(WORDS, size=length)) for _ in range(n)]


def covered(chosen, lost):
    """How much of what was lost is brought back, by definition."""
    texts = [f" {text} " for text in chosen]
    return sum(min(item.expected - item.observed, sum(f" {item.what} " in text for text in texts)) for item in lost)


@given(st.integers(0, 10**6), st.integers(1, 8))
@settings(max_examples=40)
def test_the_cover_takes_the_best_next_document_again_and_again(seed, n):
    rng = np.random.default_rng(seed)
    pool = documents(rng, 25)
    lost = [gone(word, float(rng.integers(1, 5)) + float(rng.random())) for word in WORDS[:5]]
    found = select(pool, lost, 25, strategy="tail", certain=n / 25)
    chosen = [place for place, why in zip(found.places.tolist(), found.reasons, strict=True) if why != "at random"]
    for step, place in enumerate(chosen):
        before = [pool[earlier] for earlier in chosen[:step]]
        best = max(covered([*before, pool[other]], lost) for other in range(25) if other not in chosen[:step])
        assert covered([*before, pool[place]], lost) == pytest.approx(best)


def test_the_cover_is_near_the_best_there_is():
    rng = np.random.default_rng(1)
    for _ in range(10):
        pool = documents(rng, 12)
        lost = [gone(word, 2.0) for word in WORDS[:6]]
        ours = covered([pool[i] for i in select(pool, lost, 12, strategy="tail", certain=0.25).places[:3]], lost)
        best = max(covered(chosen, lost) for chosen in combinations(pool, 3))
        assert ours >= (1 - 1 / np.e) * best


def test_phrases_are_found_as_words_in_a_row_whatever_their_case():
    pool = ["The State of the Union", "union of the state", "nothing", "state, of the nation"]
    lost = [gone("state of the", 2.0, kind="3-gram"), gone("baltic", 9.0), gone("row 3", 5.0, kind="document")]
    found = select(pool, lost, 4, strategy="tail", certain=0.5)
    assert sorted(found.places[:2].tolist()) == [0, 3]
    assert found.reasons[0] == "carries what was lost: state of the"
    assert found.reasons[2:] == ("at random", "at random")


def test_what_is_there_often_enough_is_not_carried_again():
    pool = ["rare"] * 5 + ["scarce"]
    lost = [gone("rare", 2.0), gone("scarce", 1.0)]
    found = select(pool, lost, 6, strategy="tail", certain=1.0)
    assert set(found.places[:3].tolist()) == {0, 1, 5}
    assert len([reason for reason in found.reasons if reason.startswith("carries")]) == 3


def test_the_hardest_come_first():
    nats = [1.0, 5.0, 3.0, 4.0, 2.0]
    found = select(["a"] * 5, n=4, strategy="perplexity", nats=nats, certain=0.5)
    assert found.places[:2].tolist() == [1, 3]
    assert found.reasons[0] == "5 nats per token"


def test_strata_are_chosen_alike_as_far_as_they_go():
    strata = ["big"] * 50 + ["small"] * 3 + ["middle"] * 20
    found = select(["a"] * 73, n=23, strategy="stratified", strata=strata)
    counts = {name: sum(strata[place] == name for place in found.places) for name in set(strata)}
    assert counts == {"big": 10, "small": 3, "middle": 10}
    assert len(set(found.places.tolist())) == 23


STRATEGIES = {
    "uniform": {},
    "stratified": {"strata": np.arange(40) % 3},
    "tail": {"lost": [gone("w1", 3.0), gone("w2", 2.0)]},
    "perplexity": {"nats": np.arange(40) ** 2 / 100.0},
}


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_weighted_sums_have_the_expectation_of_the_pool(strategy):
    rng = np.random.default_rng(2)
    pool, values = documents(rng, 40), rng.normal(size=40) + np.arange(40) / 10
    means = []
    for seed in range(2000):
        found = select(pool, n=10, strategy=strategy, seed=seed, **STRATEGIES[strategy])
        means.append((found.weights * values[found.places]).mean())
        assert found.weights.mean() == pytest.approx(1.0)
        assert len(set(found.places.tolist())) == 10
    error = np.std(means, ddof=1) / np.sqrt(len(means))
    assert abs(np.mean(means) - values.mean()) < 4 * error


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_same_seed_chooses_the_same_and_all_of_the_pool_has_equal_weights(strategy):
    pool = documents(np.random.default_rng(3), 40)
    first, same = (select(pool, n=9, strategy=strategy, seed=5, **STRATEGIES[strategy]) for _ in range(2))
    np.testing.assert_array_equal(first.places, same.places)
    assert first.reasons == same.reasons
    every = select(pool, n=40, strategy=strategy, seed=5, **STRATEGIES[strategy])
    assert sorted(every.places.tolist()) == list(range(40))
    np.testing.assert_allclose(every.weights, 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 4}, "`n` must be at most the 3 documents of the pool, but got 4"),
        ({"n": 0}, "`n` must be a whole number of at least 1, but got 0"),
        ({"strategy": "tails"}, "`strategy` must be one of uniform, stratified, tail, perplexity, but got 'tails'"),
        ({"strategy": "stratified"}, "`strata` must be given for the strategy `stratified`, but got None"),
        ({"strategy": "perplexity"}, "`nats` must be given for the strategy `perplexity`, but got None"),
        (
            {"strategy": "perplexity", "nats": [1.0]},
            "`nats` must be one for each of 3 documents, but got the shape (1,)",
        ),
        ({"strategy": "perplexity", "nats": [1.0, np.nan, 2.0]}, "`nats` must be finite, but got nan"),
        ({"strategy": "tail", "n": 2}, "`lost` must name words or phrases for the strategy `tail`, or clusters"),
        ({"strategy": "stratified", "strata": [1, 2, 3]}, "`n` must be at least the 3 strata, but got 1"),
        ({"strategy": "perplexity", "nats": [1.0] * 3, "certain": 1.0}, "`certain` must be below 1"),
        ({"strategy": "perplexity", "nats": [1.0] * 3, "certain": -1.0}, "`certain` must be a share from 0 to 1"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(InputError) as error:
        select(["a", "b", "c"], **{"n": 1, **arguments})
    assert message in str(error.value)


def test_lost_clusters_are_covered_by_documents_of_theirs_where_they_are_known():
    pool = [f"document {number} of the pool" for number in range(40)]
    clusters = [number % 8 for number in range(40)]
    lost = [
        LostItem(kind="cluster", what="typical", real_count=9, expected=5.0, observed=1, chance=1e-4, cluster=3),
        LostItem(kind="cluster", what="another", real_count=9, expected=2.0, observed=0, chance=1e-4, cluster=6),
        gone("document 9", 2.0, kind="2-gram"),
    ]
    found = select(pool, lost, 20, strategy="tail", strata=clusters, certain=0.5)
    first = found.places[: sum(why != "at random" for why in found.reasons)].tolist()
    assert sorted(clusters[place] for place in first if place != 9) == [3, 3, 3, 3, 6, 6]
    assert 9 in first
    assert "carries what was lost: cluster 3" in found.reasons
    without = select(pool, lost, 20, strategy="tail", certain=0.5)
    assert sum(why != "at random" for why in without.reasons) == 1
    with pytest.raises(InputError, match="or clusters with `strata`, but has none"):
        select(pool, lost[:2], 20, strategy="tail")
    with pytest.raises(InputError, match="`strata` must be one for each of 40 documents"):
        select(pool, lost, 20, strategy="tail", strata=clusters[:3])
