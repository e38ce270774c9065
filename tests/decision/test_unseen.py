"""A founder with a small leak: the documents that it was not trained on decide, and no leak that was missed does."""

import math
from itertools import combinations

import numpy as np
import pytest

from building import make_reading
from collapse_guard.assessment import conclude, replay
from collapse_guard.comparison.betting import paired_e_value
from collapse_guard.decision.policy import Policy
from collapse_guard.decision.unseen import Unseen, most_missed
from collapse_guard.errors import FOUND_ANEW
from collapse_guard.records import Generation, ReasonKind, Severity, TrainingCheck

FIRST = Generation(lineage="newsbot", index=0)
POLICY = Policy()
KNOWN_BY = 1.5
"""So much lower, in nats per token, is a founder's loss of a document that it was trained on."""
N = 300
KEYS = tuple(f"{place:03}" for place in range(N))
TOKENS = tuple(np.random.default_rng(9).integers(20, 80, N).astype(float).tolist())
EASE = np.random.default_rng(8).normal(4.5, 0.4, N)


def losses(harm=0.0, leaked=(), *, seed=0, indicator="perplexity", **changes):
    """A reading of documents: those that were trained on are easier, all are harder by the harm."""
    rates = EASE + harm + np.random.default_rng(seed).normal(0.0, 0.1, N)
    rates[list(leaked)] -= KNOWN_BY
    parts = {"replicates": tuple(rates.tolist()), "weights": TOKENS, "keys": KEYS, "group": "document", "n": N}
    return make_reading(indicator, float(np.exp(np.average(rates, weights=TOKENS))), **{**parts, **changes})


def check(found, **changes):
    """2,000 training texts, with the evaluation documents of these numbers among them."""
    hashes = tuple(KEYS[place] for place in sorted(found))
    counts = {"texts": 2000, "words": 90_000, "of_pool": 2000 - len(found), "evaluation": N, "whole": True}
    counts |= dict.fromkeys(("leaking", "pieces", "copies"), len(found))
    return TrainingCheck(**{**counts, "found": hashes, "examples": ("'we the people'",), **changes})


def founded(leaked=(), seen=None, *, policy=POLICY, **others):
    return conclude(
        FIRST, {"perplexity": losses(0.0, leaked), **others}, {}, history=[], policy=policy, training_check=seen
    )


def later(harm, history, *, index=1, policy=POLICY, **others):
    generation = Generation(lineage="newsbot", index=index, parents=(index - 1,))
    given = {"perplexity": losses(harm, seed=index), **others}
    return conclude(generation, given, {}, history=history, policy=policy)


def of_kind(assessment, kind=ReasonKind.LEAKED):
    return [reason for reason in assessment.verdict.reasons if reason.kind is kind]


FEW = range(11)


def test_a_collapse_beside_a_founder_with_a_small_leak_is_one_on_the_other_documents():
    found = later(0.9, [founded(FEW, check(FEW))])
    assert found.verdict.severity is Severity.COLLAPSED
    assert found.verdict.reasons[0].indicator == "perplexity"
    [against] = [one for one in found.comparisons if one.indicator == "perplexity"]
    assert (against.n, against.left_out, against.without_worst) == (289, 11, most_missed(11, N))
    assert against.effect == pytest.approx(0.9, abs=0.03)
    [remark] = of_kind(found)
    assert remark.severity is Severity.HEALTHY
    assert remark.sentence.startswith(
        "11 of 300 evaluation documents are in the founder's training texts: they are left out, and the others decide. "
        f"Without them perplexity is {against.observed:.1f} against {against.reference:.2f} (+14"
    )
    assert remark.sentence.endswith(
        ". That is a collapse also without the 9 others that worsened most: no more are likely to be in these texts "
        "unnoticed"
    )


def test_a_healthy_generation_beside_a_founder_with_a_small_leak_is_healthy():
    """The leak alone would be +6% in perplexity, which is beyond the watch level."""
    founder = founded(FEW, check(FEW))
    assert later(0.0, [founded(FEW)]).verdict.severity is not Severity.HEALTHY
    found = later(0.0, [founder])
    assert found.verdict.severity is Severity.HEALTHY
    [remark] = of_kind(found)
    assert remark.sentence.endswith("training texts: they are left out, and the others decide")


@pytest.mark.parametrize(("share", "missed"), [(0.05, 0.2), (0.3, 0.2), (0.3, 0.1), (0.6, 0.2)])
def test_no_leak_that_the_look_missed_reads_as_a_collapse(share, missed):
    """The generation is nearly at its margin, +10%, and many documents that the founder knows were not found."""
    rng, collapsed = np.random.default_rng(1), 0
    for trial in range(40):
        leaked = rng.choice(N, int(share * N), replace=False)
        found = [int(place) for place in leaked if rng.random() > missed]
        verdict = later(math.log(1.09), [founded(leaked, check(found))], index=1 + trial % 3).verdict
        collapsed += verdict.severity is Severity.COLLAPSED
    assert collapsed == 0


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_a_plain_collapse_is_found_beside_each_small_leak(share):
    rng = np.random.default_rng(2)
    for _ in range(5):
        leaked = rng.choice(N, int(share * N), replace=False).tolist()
        assert later(0.6, [founded(leaked, check(leaked))]).verdict.severity is Severity.COLLAPSED


def test_a_founder_that_was_trained_on_nearly_all_of_them_is_no_baseline():
    """Its losses on the few that were not found look like those of all others: they were missed."""
    everything = range(N)
    for n_found in (N, N - 5, N - 30):
        found = later(0.1, [founded(everything, check(range(n_found)))])
        assert found.verdict.severity is Severity.WATCH
        sign = "sign" if N - n_found < 20 else "sure sign"
        assert f"so what is worse than its own on these is no {sign} of collapse" in found.verdict.reasons[0].sentence
    assert "may hold 30 more unnoticed" in found.verdict.reasons[0].sentence


def test_a_part_of_the_training_texts_tells_nothing_of_the_others():
    found = later(0.9, [founded(FEW, check(FEW, whole=False))])
    assert found.verdict.severity is Severity.WATCH
    assert found.comparisons[0].left_out == 0
    assert found.verdict.reasons[0].sentence.endswith(
        ". 2,000 of its training texts were looked at: where all are, the documents that are not among them decide "
        f"(`--training-texts`; `whole=True` in Python). Train on `wild_type.pool` alone, and {FOUND_ANEW}"
    )


def test_texts_too_short_to_tell_were_not_looked_at():
    few, many = (founded(FEW, check(FEW, too_short=n)) for n in (1_000, 1_200))
    assert later(0.9, [few]).verdict.severity is Severity.COLLAPSED
    assert later(0.9, [many]).verdict.severity is Severity.WATCH


def test_losses_of_other_documents_cannot_leave_any_out():
    other = tuple(f"other {key}" for key in KEYS)
    founder = founded(FEW, check(FEW), perplexity=losses(0.0, FEW, keys=other))
    found = later(0.9, [founder], perplexity=losses(0.9, keys=other))
    assert found.verdict.severity is Severity.WATCH


def test_losses_of_the_others_that_look_like_a_leak_keep_them_from_deciding():
    training = {"training_perplexity": losses(0.4, indicator="training_perplexity", direction="both")}
    found = later(0.9, [founded(FEW, check(FEW), **training)])
    assert found.verdict.severity is Severity.WATCH
    # Hardly harder than training documents, as those of an underfit model are: its texts tell that it is none.
    mean = np.average(EASE[11:], weights=TOKENS[11:]) + 0.01
    same = losses(indicator="training_perplexity", direction="both", replicates=(float(mean),) * N)
    underfit = founded(FEW, check(FEW), training_perplexity=same)
    assert later(0.9, [underfit]).verdict.severity is Severity.COLLAPSED
    harder = {"training_perplexity": losses(-0.4, indicator="training_perplexity", direction="both")}
    assert later(0.9, [founded(FEW, check(FEW), **harder)]).verdict.severity is Severity.COLLAPSED


def test_documents_that_parts_of_texts_cannot_tell_are_left_out_too():
    """The founder was trained on them as well, and they could not be found."""
    short = range(100, 200)
    leaked = [*FEW, *short]
    seen = check(FEW, untold=tuple(KEYS[place] for place in short))
    found = later(0.0, [founded(leaked, seen)])
    assert found.verdict.severity is Severity.HEALTHY
    assert "training texts, and 100 more cannot be told: they are left out" in of_kind(found)[0].sentence
    taken_for_unseen = later(0.0, [founded(leaked, check(FEW))])
    assert taken_for_unseen.verdict.severity is Severity.COLLAPSED


def test_what_a_successor_would_learn_is_read_on_the_others_too():
    """Samples of the founder hold the documents that it was trained on."""

    def learnt(harm=0.0, leaked=(), seed=5):
        return {"reverse_perplexity": losses(harm, leaked, seed=seed, indicator="reverse_perplexity", budget=16_384)}

    founder = founded(FEW, check(FEW), **learnt(0.0, FEW))
    assert later(0.0, [founder], **learnt(seed=6)).verdict.severity is Severity.HEALTHY
    found = later(0.0, [founder], **learnt(0.9, seed=6))
    assert found.verdict.severity is Severity.COLLAPSED
    assert "Without them reverse_perplexity is" in of_kind(found)[0].sentence
    part = founded(FEW, check(FEW, whole=False), **learnt(0.0, FEW))
    assert later(0.0, [part], **learnt(0.9, seed=6)).verdict.severity is Severity.WATCH


def test_evidence_of_the_others_adds_up_where_folds_rotate():
    policy = Policy(rotate_folds=4)
    history = [founded(FEW, check(FEW), policy=policy)]
    for index in range(1, 5):
        history.append(later(0.16, history, index=index, policy=policy))
    assert [one.verdict.severity.value for one in history[1:]] == ["WATCH", "WATCH", "WATCH", "COLLAPSED"]
    assert [one.verdict for one in replay(history, policy)] == [one.verdict for one in history]


def test_what_is_decided_again_is_decided_alike():
    history = [founded(FEW, check(FEW))]
    history.append(later(0.9, history))
    for again, before in zip(replay(history, POLICY), history, strict=True):
        assert (again.verdict, again.comparisons) == (before.verdict, before.comparisons)


def test_how_many_were_missed_is_the_tail_of_a_binomial():
    def tail(n, k):
        return math.fsum(math.comb(n, x) * 0.8**x * 0.2 ** (n - x) for x in range(k + 1))

    for found in (1, 11, 60):
        likely = [k for k in range(N - found + 1) if tail(found + k, found) > 0.005]
        assert most_missed(found, N) == max(likely)
    assert [most_missed(found, 20) for found in (20, 19, 17)] == [0, 1, 3]


def test_evidence_without_the_worst_is_the_least_of_all_others():
    rng = np.random.default_rng(3)
    x, y = rng.normal(4.6, 0.3, 8), rng.normal(4.5, 0.3, 8)
    for side in (1, -1):
        of_all = [
            paired_e_value(observed=x[list(kept)], reference=y[list(kept)], hypothesis=0.05 * side, side=side)
            for kept in combinations(range(8), 6)
        ]
        found = paired_e_value(observed=x, reference=y, hypothesis=0.05 * side, side=side, without_worst=2)
        assert found == pytest.approx(min(of_all))
    assert paired_e_value(observed=x, reference=y, hypothesis=0.05, without_worst=9) == 1.0


def test_a_check_names_each_document_once():
    for untold, n in ((KEYS[:3], 3), (tuple(f"other {key}" for key in KEYS), N)):
        with pytest.raises(ValueError, match=f"must be different ones of 300 documents, but got 11 and {n}"):
            check(FEW, untold=untold)
    assert str(check(FEW)).startswith("all 2,000 training texts, 90,000 words")
    assert str(check(FEW, whole=False)).startswith("2,000 training texts, 90,000 words")


def test_readings_of_the_same_documents_are_cut_alike():
    sides = Unseen(frozenset(KEYS[:200]), 4).of(losses(seed=1), losses())
    assert sides.here.keys == sides.founder.keys == KEYS[200:]
    assert (sides.left_out, sides.without_worst) == (200, 4)
    few = Unseen(frozenset(KEYS[:281]), 4).of(losses(seed=1), losses())
    assert (len(few.founder.keys), few.left_out, few.without_worst) == (N, 0, 0)
    prompts = Unseen(frozenset(KEYS[:9]), 4).of(losses(group="prompt"), losses(group="prompt"))
    assert prompts.left_out == 0


LOOK = "nobody looked whether the founder was trained on some of them: assess it with `--training-texts`"


def test_that_nobody_looked_is_said_of_what_rests_on_evaluation_documents_alone():
    blind, seen = founded(), founded(seen=check([]))
    for harm, severity in ((0.9, Severity.COLLAPSED), (0.07, Severity.WATCH), (0.0, Severity.HEALTHY)):
        found = later(harm, [blind])
        assert found.verdict.severity is severity
        remarks = [one for one in found.verdict.reasons if LOOK in one.sentence]
        assert [one.severity for one in remarks] == [Severity.HEALTHY] * (severity is not Severity.HEALTHY)
        assert found.verdict.severity is later(harm, [seen]).verdict.severity
        assert not any(LOOK in one.sentence for one in later(harm, [seen]).verdict.reasons)


def test_it_is_not_said_where_samples_show_the_same():
    def distinct(mean):
        named = {"replicates": tuple(np.random.default_rng(7).normal(mean, 0.01, 40)), "n": 40, "n_minimum": 8}
        return {"distinct_2": make_reading("distinct_2", mean, **named, group="4096 tokens")}

    found = later(0.9, [founded(**distinct(0.8))], **distinct(0.3))
    assert found.verdict.severity is Severity.COLLAPSED
    assert not any(LOOK in one.sentence for one in found.verdict.reasons)
