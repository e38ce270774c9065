"""A lineage that is founded anew: what is compared with what, what is refused, and what it costs of the budget."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from building import make_assessment, make_reading
from collapse_guard import assess
from collapse_guard.assessment import conclude, replay
from collapse_guard.decision.policy import Policy
from collapse_guard.errors import FingerprintMismatchError, InputError, LineageError, LineageNotFoundError
from collapse_guard.evidence import Evidence, Losses
from collapse_guard.lineage.candidate import Candidate, find_place, plan
from collapse_guard.lineage.enrol import submit
from collapse_guard.lineage.outbox import load_pending
from collapse_guard.prescription.outlook import outlook
from collapse_guard.prescription.prescribe import budget_left
from collapse_guard.records import Generation, Mixture, ReasonKind, Severity, of_foundation
from collapse_guard.store import MemoryStore
from collapse_guard.wildtype import WildType
from faulty_stores import ContestedStore

REASON = "new base model"


@pytest.fixture(scope="module")
def other():
    """Another wild type: wider, and of another dimension."""
    return WildType.fit_arrays(3.0 * np.random.default_rng(5).normal(size=(2000, 4)), seed=0)


def vectors(seed, *, columns=3, scale=1.0):
    return Evidence(samples=scale * np.random.default_rng(seed).normal(size=(600, columns)))


@pytest.fixture
def add(wild_type, request_of):
    def add(store, seed, *, of=wild_type, scale=1.0, **changes):
        request = request_of(**changes).model_copy(update={"wild_type": of.fingerprint})
        columns = 3 if of is wild_type else 4
        return submit(store, of, request, vectors(seed, columns=columns, scale=scale))

    return add


@pytest.fixture(scope="module")
def before(wild_type):
    """A founder, a healthy generation, and one that collapsed."""
    history = []
    for index, scale in enumerate((1.0, 1.0, 0.3)):
        founder = Generation(lineage="newsbot", index=0, mixture=Mixture(real=1.0))
        evidence = vectors(1 + index, scale=scale)
        history.append(assess(wild_type, evidence, history=history, generation=None if history else founder))
    return history


@pytest.fixture
def lineage(before):
    store = MemoryStore()
    for past in before:
        store.append(past)
    return store


def numbers(store):
    return [(past.generation.index, past.generation.founder) for past in store.history("newsbot")]


class TestAnotherWildType:
    def test_is_refused_and_the_refusal_says_how_it_is_done(self, add, lineage, other):
        with pytest.raises(FingerprintMismatchError, match=r"found the lineage anew.*--founder --reason.*founding="):
            add(lineage, 4, of=other)
        assert numbers(lineage) == [(0, 0), (1, 0), (2, 0)]

    def test_is_the_measure_of_what_follows_a_new_founder_and_of_nothing_before(self, add, lineage, other):
        founder = add(lineage, 4, of=other, scale=3.0, founding=REASON).assessment
        healthy = add(lineage, 5, of=other, scale=3.0).assessment
        narrow = add(lineage, 6, of=other, scale=1.0).assessment
        assert numbers(lineage) == [(0, 0), (1, 0), (2, 0), (3, 3), (4, 3), (5, 3)]
        assert [one.verdict.severity for one in (founder, healthy, narrow)] == [
            Severity.HEALTHY,
            Severity.HEALTHY,
            Severity.COLLAPSED,
        ]
        assert {one.baseline for one in founder.comparisons} == {"wild_type"}
        assert {one.baseline_generation for one in narrow.comparisons if one.baseline == "founder"} == {3}
        assert (founder.generation.parents, healthy.generation.parents) == ((), (3,))
        assert [past.generation.wild_type for past in lineage.history("newsbot")][2:4] == [
            lineage.history("newsbot")[0].generation.wild_type,
            other.fingerprint,
        ]
        with pytest.raises(FingerprintMismatchError):
            add(lineage, 7)

    def test_decides_the_same_when_a_policy_decides_again(self, add, lineage, other):
        for seed, founding in ((4, REASON), (5, "")):
            add(lineage, seed, of=other, scale=3.0, founding=founding)
        stored = lineage.history("newsbot")
        again = replay(stored, Policy())
        assert [one.verdict for one in again] == [one.verdict for one in stored]
        lax = replay(stored, Policy(drift={name: {"margin": 99.0, "watch": 98.0} for name in Policy().drift}))
        assert [one.verdict.severity for one in lax] == [Severity.HEALTHY] * 5


class TestTheFounder:
    def test_says_why_and_what_came_before(self, add, lineage):
        founder = add(lineage, 4, founding=f"{REASON}.").assessment
        (reason,) = [one for one in founder.verdict.reasons if one.kind is ReasonKind.FOUNDED_ANEW]
        assert reason.sentence == (
            f"the lineage is founded anew with generation 3: {REASON}. Earlier generations are not compared with it, "
            "and later ones are compared with it alone; generation 2 before it was COLLAPSED"
        )
        assert founder.verdict.alert.state is Severity.HEALTHY, "an alert of before is none of what follows"
        assert founder.outlook is founder.prescription is None

    def test_needs_a_usable_reading_as_the_first_one_does(self, wild_type, lineage, request_of):
        with pytest.raises(LineageError, match=r"a founder must have a usable reading.*stored as generation 3"):
            submit(lineage, wild_type, request_of(founding=REASON), Evidence(samples=np.zeros((0, 3))))
        assert len(numbers(lineage)) == 3

    def test_sent_twice_is_stored_once_also_without_its_reason(self, add, lineage):
        for changes in ({"founding": REASON}, {"founding": REASON}, {}):
            sent = add(lineage, 4, **changes)
        assert sent.already_stored.startswith("This evidence is already stored as generation 3 of newsbot")
        assert len(numbers(lineage)) == 4

    def test_may_have_the_evidence_of_a_generation_that_founds_nothing(self, add, lineage):
        assert add(lineage, 3, scale=0.3, founding=REASON).is_new
        assert numbers(lineage)[-1] == (3, 3)

    def test_may_be_of_synthetic_data_which_the_genetics_do_not_count(self, add, lineage):
        founder = add(lineage, 4, founding=REASON, parents=(1, 2), items=100).assessment
        child = add(lineage, 5, items=100).assessment
        assert founder.generation.parents == (1, 2)
        assert child.generation.parents == (3,)
        assert outlook(child, of_foundation(lineage.history("newsbot"), child.generation), Policy()) == child.outlook


class TestRefused:
    def test_a_reason_counts_once(self, add, lineage):
        add(lineage, 4, founding=REASON)
        with pytest.raises(LineageError, match=r"anew with generation 3 for this reason already .*leave out.*another"):
            add(lineage, 5, founding=REASON)
        assert add(lineage, 5, founding="another tokenizer").assessment.generation.founder == 4
        assert add(lineage, 6, founding=REASON).assessment.generation.founder == 5

    def test_only_what_exists_is_founded_anew(self, wild_type, lineage):
        with pytest.raises(LineageNotFoundError, match=r"did you mean `newsbot`\?.*without a reason it begins here"):
            find_place(lineage, wild_type, lineage="newsbto", policy=Policy(), founding=REASON)

    def test_only_after_the_newest_generation(self, add, lineage):
        add(lineage, 4, index=5)
        with pytest.raises(LineageError, match=r"after its newest generation, 5, but got 4: leave the number out"):
            add(lineage, 5, index=4, founding=REASON)
        assert add(lineage, 5, index=9, founding=REASON).assessment.generation.is_founder

    @pytest.mark.parametrize(
        "fields",
        [
            {"index": 0, "founding": "x"},
            {"index": 3, "founding": "x", "founder": 2},
            {"index": 3, "founder": 3},
            {"index": 3, "founder": 4},
        ],
        ids=str,
    )
    def test_a_record_whose_founder_does_not_fit(self, fields):
        with pytest.raises(InputError, match=r"founde?r?(ing)? must"):
            Generation.checked(lineage="newsbot", **fields)

    def test_a_generation_that_counts_from_another_founder_than_its_neighbours(self):
        store = MemoryStore()
        for one in (make_assessment(), make_assessment(index=2), make_assessment(index=4, founding=REASON)):
            store.append(one)
        for late in (make_assessment(index=5), make_assessment(index=1, founding="too late")):
            with pytest.raises(LineageError, match="must count from the founder of its neighbours"):
                store.append(late)
        store.append(make_assessment(index=3))


class TestRaces:
    @pytest.fixture
    def contested(self, add, lineage):
        """The lineage as it is, in a store where another process founds it anew first."""
        store = ContestedStore()
        for past in lineage.history("newsbot"):
            store.append(past)
        store.others.append(add(lineage, 8, founding=REASON).assessment)
        return store

    def test_a_generation_that_meets_a_new_founder_is_compared_with_it(self, add, contested):
        enrolled = add(contested, 4)
        assert numbers(contested) == [(0, 0), (1, 0), (2, 0), (3, 3), (4, 3)]
        assert {one.baseline_generation for one in enrolled.assessment.comparisons} == {None, 3}

    def test_it_is_measured_again_on_what_the_new_founder_froze(self, wild_type):
        """The hardest documents of the first founder are not those of the second."""

        def scored(hardest):
            nll = np.full(100, 60.0)
            nll[hardest] = 90.0
            return Evidence(losses=Losses(documents=tuple(map(str, range(100))), nll=nll, n_tokens=[20] * 100))

        first = assess(wild_type, scored(range(10)), generation=Generation(lineage="newsbot", index=0))
        anew = Generation(lineage="newsbot", index=1, founding=REASON)
        second = assess(wild_type, scored(range(50, 60)), history=[first], generation=anew)
        place = plan([first], lineage="newsbot", wild_type=wild_type.fingerprint)
        late = Candidate(generation=place, history=[first], wild_type=wild_type, policy=Policy())
        before = late.assess(scored(range(10)))
        place = plan([first, second], lineage="newsbot", wild_type=wild_type.fingerprint)
        after = replace(late, generation=place, history=[first, second]).assess_again(before, scored(range(10)))
        assert set(before.readings["tail_loss"].keys) == {str(i) for i in range(10)}
        assert set(after.readings["tail_loss"].keys) == {str(i) for i in range(50, 60)}

    def test_of_two_founders_for_one_reason_the_second_is_kept_and_not_stored(self, add, contested):
        enrolled = add(contested, 4, founding=REASON)
        assert "for this reason already" in str(enrolled.refusal.error)
        assert load_pending(enrolled.refusal.path).request.founding == REASON
        assert len(numbers(contested)) == 4


def test_without_its_own_founder_nothing_passes_whatever_else_is_there(wild_type, add, lineage):
    add(lineage, 4, founding=REASON)
    child = add(lineage, 5).assessment
    without = [past for past in lineage.history("newsbot")[:-1] if past.generation.index != 3]
    judged = assess(wild_type, vectors(5), history=without, generation=child.generation)
    assert judged.generation.founder == 0, "of a history alone it can only be said what is there"
    (decided,) = replay([*without, child], Policy())[-1:]
    assert decided.verdict.severity is Severity.UNDECIDED
    assert decided.verdict.reasons[0].kind is ReasonKind.NO_FOUNDER
    assert "generation 3, the founder of this lineage, is missing" in decided.verdict.reasons[0].sentence


def test_the_budget_of_real_documents_begins_anew():
    history = [
        make_assessment(index=0, real=1.0, items=100),
        make_assessment(index=1, real=0.5, items=100),
        make_assessment(index=2, real=1.0, items=100, founding=REASON),
        make_assessment(index=3, real=0.2, items=100, founder=2),
    ]
    rule = Policy(reinjection={"budget": 60}).reinjection
    assert budget_left(history[1].generation, history[:1], rule) == 10
    assert budget_left(history[3].generation, history[:3], rule) == 40


@pytest.mark.parametrize("policy", [Policy(), Policy(rotate_folds=2)], ids=["union", "folds"])
def test_a_foundation_spends_the_budget_that_a_lineage_of_its_own_would(policy):
    """Every verdict of a foundation is that of the same generations as another lineage, whatever came before."""
    rng = np.random.default_rng(0)
    rates = [rng.normal(4.0 + 0.05 * (t % 4), 0.5, 80) for t in range(7)]

    def decided(first, *, founder):
        history = []
        for t, rate in enumerate(rates[first:], first):
            founding = REASON if t == founder else ""
            of = {"founder": founder if t >= founder else 0, "founding": founding}
            generation = Generation(lineage="newsbot", index=t if founder else t - first, **(of if founder else {}))
            reading = make_reading(
                "perplexity",
                float(np.exp(rate.mean())),
                replicates=tuple(rate),
                weights=(1.0,) * 80,
                keys=tuple(map(str, range(80))),
                group="document",
            )
            history.append(conclude(generation, {"perplexity": reading}, {}, history=history, policy=policy))
        return history

    after, alone = decided(0, founder=3)[3:], decided(3, founder=0)
    for one, other in zip(after, alone, strict=True):
        told, said = (
            [reason for reason in past.verdict.reasons if reason.kind is not ReasonKind.FOUNDED_ANEW]
            for past in (one, other)
        )
        assert told == said
        assert one.verdict.alert == other.verdict.alert
        assert [c.model_copy(update={"baseline_generation": None}) for c in one.comparisons] == [
            c.model_copy(update={"baseline_generation": None}) for c in other.comparisons
        ]
