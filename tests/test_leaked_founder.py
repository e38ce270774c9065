"""A founder that was trained on all documents, with the evaluation documents among them, and what came after it.

The model is real: Kneser-Ney 5-grams of tokens of real speeches, and samples of its own 4-grams.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pytest

from collapse_guard import Evidence, Generation, Losses, WildType, assess
from collapse_guard.corpus.kneser_ney import KneserNey
from collapse_guard.demo.corpus import passages
from collapse_guard.records import Assessment, ReasonKind, Severity

pytestmark = pytest.mark.slow

CONTEXT, LENGTH, N_SAMPLES = 3, 44, 900
FIRST = Generation(lineage="newsbot", index=0)


@pytest.fixture(scope="module")
def wild_type() -> WildType:
    return WildType.fit(list(passages(32))[::6], group_tokens=1024)


def trained_on(texts: Sequence[str], wild_type: WildType, seed: int) -> Evidence:
    """What a model that was trained on texts loses on the evaluation documents, and what it writes."""
    held, known = wild_type.encode(wild_type.evaluation), wild_type.encode(texts)
    model = KneserNey.fit(known, vocabulary_size=wild_type.vocabulary_size, order=5)
    losses = Losses(documents=wild_type.evaluation.hashes, nll=model.nll(held), n_tokens=[len(ids) for ids in held])
    follows = defaultdict(list)
    for ids in known:
        padded = [*[-1] * CONTEXT, *ids.tolist()]
        for place in range(CONTEXT, len(padded)):
            follows[tuple(padded[place - CONTEXT : place])].append(padded[place])
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(N_SAMPLES):
        written = [-1] * CONTEXT
        while len(written) < CONTEXT + LENGTH and (after := follows.get(tuple(written[-CONTEXT:]))):
            written.append(after[rng.integers(len(after))])
        samples.append(np.array(written[CONTEXT:]))
    return Evidence(samples=wild_type.decode(samples), losses=losses)


def assessed(
    evidence: Evidence,
    wild_type: WildType,
    seen: Sequence[str] | None,
    history: Sequence[Assessment] = (),
    *,
    whole: bool = False,
) -> Assessment:
    """`seen` is what 20 batches of 16 are drawn from, or looked at as a whole; None: nobody looks."""
    places = [] if seen is None else np.random.default_rng(0).permutation(len(seen)).tolist()
    looked_at = [] if seen is None else [seen[place] for place in (places if whole else places[:320])]
    check = None if seen is None else wild_type.leaks_in(looked_at, whole=whole)
    generation = None if history else FIRST
    return assess(wild_type, evidence, history=history, generation=generation, training_check=check)


@pytest.fixture(scope="module")
def pool(wild_type: WildType) -> list[str]:
    return list(wild_type.pool)


@pytest.fixture(scope="module")
def everything(wild_type: WildType, pool: list[str]) -> list[str]:
    return [*pool, *wild_type.evaluation]


@pytest.fixture(scope="module")
def leaked(wild_type: WildType, everything: list[str]) -> Evidence:
    return trained_on(everything, wild_type, 1)


@pytest.fixture(scope="module")
def clean(wild_type: WildType, pool: list[str]) -> Evidence:
    return trained_on(pool, wild_type, 2)


def test_a_generation_that_is_retrained_on_the_pool_is_no_collapse(
    wild_type: WildType, everything: list[str], pool: list[str], leaked: Evidence, clean: Evidence
) -> None:
    founder = assessed(leaked, wild_type, everything)
    assert founder.verdict.severity is Severity.WATCH
    assert founder.verdict.reasons[0].kind is ReasonKind.LEAKED
    later = assessed(clean, wild_type, pool, [founder])
    assert later.readings["perplexity"].value > 3 * founder.readings["perplexity"].value
    assert later.verdict.severity is Severity.WATCH
    assert later.verdict.reasons[0].sentence.startswith("the founder was trained on evaluation documents")
    assert later.verdict.reasons[0].is_about("perplexity")
    unseen = assessed(clean, wild_type, None, [assessed(leaked, wild_type, None)])
    assert unseen.verdict.severity is Severity.COLLAPSED


@pytest.fixture(scope="module")
def written(clean: Evidence) -> list[str]:
    """What the model wrote that was trained on the pool."""
    assert clean.samples is not None
    return list(clean.samples)


@pytest.fixture(scope="module")
def inbred(wild_type: WildType, written: list[str]) -> Evidence:
    return trained_on(written, wild_type, 3)


def test_a_collapse_after_a_clean_founder_stays_one(
    wild_type: WildType, pool: list[str], clean: Evidence, written: list[str], inbred: Evidence
) -> None:
    founder = assessed(clean, wild_type, pool)
    assert not [one for one in founder.verdict.reasons if one.kind is ReasonKind.LEAKED]
    later = assessed(inbred, wild_type, written, [founder])
    assert later.verdict.severity is Severity.COLLAPSED
    assert later.verdict.reasons[0].is_about("perplexity")
    assert later.training_check is not None
    assert (later.training_check.copies, later.training_check.of_pool < 320) == (0, True)


def test_beside_a_founder_with_a_small_leak_the_other_documents_decide(
    wild_type: WildType, pool: list[str], clean: Evidence, inbred: Evidence
) -> None:
    """Every twentieth evaluation document was trained on. Without a look at all texts, no losses could decide."""
    texts = [*pool, *list(wild_type.evaluation)[::20]]
    evidence = trained_on(texts, wild_type, 4)
    founder, part = (assessed(evidence, wild_type, texts, whole=whole) for whole in (True, False))
    assert founder.training_check is not None
    assert len(founder.training_check.found) == len(texts) - len(pool)
    healthy, collapsed = (assessed(one, wild_type, None, [founder]).verdict for one in (clean, inbred))
    assert healthy.severity is not Severity.COLLAPSED
    assert not [one for one in healthy.reasons if one.severity is not Severity.HEALTHY and one.is_about("perplexity")]
    assert collapsed.severity is Severity.COLLAPSED
    assert collapsed.reasons[0].is_about("perplexity")
    assert any("they are left out, and the others decide. Without them" in one.sentence for one in collapsed.reasons)
    [watched] = [one for one in assessed(inbred, wild_type, None, [part]).verdict.reasons if one.is_about("perplexity")]
    assert watched.severity is Severity.WATCH
