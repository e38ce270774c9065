"""Drift against the founder: what chance alone does is no WATCH, and the worst slice is told."""

import numpy as np
import pytest
from scipy import stats

from building import make_reading
from collapse_guard.assessment import conclude
from collapse_guard.decision.policy import Policy
from collapse_guard.records import Generation, ReasonKind, Refits, Severity

READ = "reverse_perplexity"
N, SD = 60, 0.03
"""Documents, and the deviation of a reading by another training sample: larger than the watch level allows for."""
POLICY = Policy(decides=("reverse_perplexity",), drift={"reverse_perplexity": {"margin": 0.5, "watch": 0.02}})
SLICES = Policy(decides=("worst_slice_reverse",), drift={"worst_slice_reverse": {"margin": 1.0, "watch": 0.02}})


def generation(t):
    return Generation(lineage="newsbot", index=t, parents=(t - 1,) if t else ())


def reading(rates, name="reverse_perplexity", **changes):
    fields = {"replicates": tuple(rates.tolist()), "weights": (1.0,) * len(rates), "group": "document"}
    keys = tuple(f"{i:04d}" for i in range(len(rates)))
    mean = float(rates.mean())
    value = float(np.exp(mean)) if name == "reverse_perplexity" else mean
    return make_reading(name, value, keys=keys, **fields, **changes)


def grown(rng, generations, shift=0.0, *, refits=None, policy=POLICY):
    """The verdicts of a lineage whose documents all move by chance, and by a shift that each generation adds."""
    documents = rng.normal(4.0, 0.5, N)
    history = []
    for t in range(generations + 1):
        rates = documents + rng.normal(0.0, SD) + t * shift + rng.normal(0.0, 0.05, N)
        readings = {"reverse_perplexity": reading(rates, refits=refits)}
        history.append(conclude(generation(t), readings, {}, history=history, policy=policy))
    return history[1:]


def watched(history):
    return any(one.verdict.known is not Severity.HEALTHY for one in history)


def test_what_another_training_sample_does_is_watched_as_rarely_as_promised():
    refits = Refits(n=24, sd=SD)
    alarms = sum(watched(grown(np.random.default_rng(seed), 6, refits=refits)) for seed in range(80))
    assert alarms <= stats.binom(80, POLICY.watch_alpha).ppf(0.999)
    blind = sum(watched(grown(np.random.default_rng(seed), 6)) for seed in range(80))
    assert blind > 40, "without that knowledge the policy's watch level stands, and noise is watched"


def test_a_shift_beyond_chance_is_watched_and_told_with_what_chance_is_known_from():
    history = grown(np.random.default_rng(0), 6, shift=0.05, refits=Refits(n=24, sd=SD))
    assert watched(history)
    told = [
        reason.sentence for one in history for reason in one.verdict.reasons if reason.kind is ReasonKind.BEYOND_WATCH
    ]
    assert "what chance alone does, by 24 refits of a small model to other real documents" in told[0]
    assert any("it grows, by +" in sentence for sentence in told)


def test_a_shift_that_stays_is_told_from_one_that_grows():
    rng = np.random.default_rng(2)
    documents, history = rng.normal(4.0, 0.5, N), []
    for t in range(8):
        rates = documents + (0.05 if t else 0.0) + rng.normal(0.0, 0.002) + rng.normal(0.0, 0.02, N)
        history.append(conclude(generation(t), {READ: reading(rates)}, {}, history=history, policy=POLICY))
    newest = history[-1]
    assert newest.comparisons[0].growth.grows is False
    assert "it has not grown since generation 1" in newest.verdict.reasons[0].sentence
    assert [one.comparisons[0].growth is None for one in history[1:]] == [True] * 3 + [False] * 4


def test_the_changes_of_a_lineage_teach_how_noisy_its_retraining_is():
    """Noise of training that no refit shows: early generations are watched for it, later ones know better."""
    early, late = 0, 0
    for seed in range(40):
        history = grown(np.random.default_rng(seed), 12)
        early += watched(history[:3])
        late += watched(history[9:])
    assert late < early / 3
    chance = grown(np.random.default_rng(0), 12)[-1].comparisons[0].chance
    assert (chance.refits, chance.generations) == (0, 11)
    assert chance.watch > 2 * np.log1p(0.02)


def test_the_reason_names_the_slice_and_what_it_is_held_against():
    rng = np.random.default_rng(1)
    labels = tuple("abcde"[i % 5] for i in range(400))
    founder = rng.normal(4.0, 0.5, 400)
    lost = founder + 0.1 + np.where(np.array(labels) == "c", 0.4, 0.0) + rng.normal(0.0, 0.05, 400)
    refits = Refits(n=24, sd=0.01, by_slice=dict.fromkeys("abcde", 0.02))
    history = []
    for t, rates in enumerate((founder, lost)):
        shown = {"c": ("a lost document", "another one")}
        one = reading(rates, "worst_slice_reverse", slices=labels, refits=refits, examples=shown)
        history.append(conclude(generation(t), {one.indicator: one}, {}, history=history, policy=SLICES))
    verdict, comparison = history[1].verdict, history[1].comparisons[0]
    assert verdict.severity is Severity.WATCH
    assert (comparison.slice, comparison.n_slices) == ("c", 5)
    assert comparison.effect == pytest.approx(0.4, abs=0.03)
    assert "documents of the slice 'c' got harder than the others by +0.4" in verdict.reasons[0].sentence
    assert "the most of 5 slices" in verdict.reasons[0].sentence
    assert "such as “a lost document” and “another one”" in verdict.reasons[0].sentence
    assert comparison.chance.slices == 4


def test_a_slice_that_moves_as_far_as_another_sample_moves_it_is_not_watched():
    """The same harm, where refits say that other real documents do as much to this slice."""
    rng = np.random.default_rng(1)
    labels = tuple("abcde"[i % 5] for i in range(400))
    founder = rng.normal(4.0, 0.5, 400)
    moved = founder + np.where(np.array(labels) == "c", 0.4, 0.0) + rng.normal(0.0, 0.05, 400)
    refits = Refits(n=24, sd=0.01, by_slice={**dict.fromkeys("abde", 0.02), "c": 0.2})
    history = []
    for t, rates in enumerate((founder, moved)):
        one = reading(rates, "worst_slice_reverse", slices=labels, refits=refits)
        history.append(conclude(generation(t), {one.indicator: one}, {}, history=history, policy=SLICES))
    assert history[1].verdict.severity is Severity.HEALTHY
