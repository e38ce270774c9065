"""Several processes at once: whoever is late takes the next number, and nothing is counted twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collapse_guard.decision.policy import Policy
from collapse_guard.errors import CollapseGuardWarning, GenerationTakenError
from collapse_guard.lineage import enrol as enrolment
from collapse_guard.lineage.candidate import find_place
from collapse_guard.lineage.enrol import enrol, submit
from collapse_guard.lineage.outbox import PENDING, list_pending, load_pending
from collapse_guard.records import Decision, Mixture, Severity, TrainingCheck
from faulty_stores import ContestedStore

CHECK = TrainingCheck(texts=320, words=9_000, evaluation=40, of_pool=290, leaking=9, pieces=30, copies=9, found=("a",))
DECISION = Decision(step=3, severity=Severity.WATCH, real_before=0.1, real_after=0.4, from_index=64, rule="raised")


class TestWhoeverIsFaster:
    @pytest.fixture(autouse=True)
    def without_pauses(self, monkeypatch):
        monkeypatch.setattr(enrolment, "_FIRST_PAUSE", 0.0)

    @pytest.fixture
    def others(self, candidate, evidence):
        """Assessments of other evidence."""
        return [candidate().assess(evidence(seed)) for seed in (11, 12, 13)]

    def test_a_generation_without_a_number_takes_the_next_one_and_is_what_it_would_have_been_there(
        self, wild_type, request_of, others, evidence
    ):
        store = ContestedStore()
        submit(store, wild_type, request_of(index=0), evidence(0))
        store.others += others
        late = submit(store, wild_type, request_of(mixture=Mixture.with_real(0.4)), evidence(1))
        assert (late.is_new, late.refusal, late.assessment.generation.index) == (True, None, 4)
        assert late.assessment.generation.parents == (3,)
        alone = find_place(store, wild_type, lineage="newsbot", policy=Policy(), seed=7, index=4, may_exist=True)
        alone = replace(alone, generation=late.assessment.generation).assess(evidence(1))
        assert late.assessment.to_dict() == alone.to_dict()
        assert [past.generation.index for past in store.history("newsbot")] == [0, 1, 2, 3, 4]
        assert list_pending(PENDING) == []

    def test_what_it_was_trained_on_stays_its_parent(self, wild_type, others, candidate, evidence):
        store = ContestedStore()
        founder = candidate()
        enrol(store, founder, founder.assess(evidence(0)), evidence(0))
        store.others += others[:1]
        planned = find_place(store, wild_type, lineage="newsbot", policy=Policy())
        trained = replace(planned, follows_newest=False)
        enrolled = enrol(
            store, trained, trained.assess(evidence(1), look=3, decisions=[DECISION], training_check=CHECK), evidence(1)
        )
        own = enrolled.assessment
        assert (own.generation.index, own.generation.parents, own.look) == (2, (0,), 3)
        assert (own.decisions, own.training_check) == ((DECISION,), CHECK)

    def test_the_same_evidence_from_two_processes_is_stored_once(self, wild_type, request_of, candidate, evidence):
        store = ContestedStore()
        submit(store, wild_type, request_of(index=0), evidence(0))
        store.others.append(candidate().assess(evidence(1)))
        late = submit(store, wild_type, request_of(), evidence(1))
        assert (late.is_new, late.assessment.generation.index) == (False, 1)
        assert len(store.history("newsbot")) == 2

    def test_whoever_began_the_lineage_is_its_founder(self, wild_type, others, evidence):
        store = ContestedStore(others[0])
        with pytest.warns(CollapseGuardWarning, match="a new lineage begins here"):
            own = find_place(store, wild_type, lineage="newsbot", policy=Policy(), seed=7)
        enrolled = enrol(store, own, own.assess(evidence(1)), evidence(1))
        assert enrolled.assessment.generation.index == 1
        compared = {one.baseline for one in enrolled.assessment.comparisons if one.decides}
        assert compared == {"founder"}

    def test_a_number_that_was_asked_for_is_not_changed_and_the_evidence_is_kept(
        self, wild_type, request_of, others, evidence
    ):
        store = ContestedStore()
        submit(store, wild_type, request_of(index=0), evidence(0))
        store.others += others
        late = submit(store, wild_type, request_of(index=1), evidence(1))
        assert isinstance(late.refusal.error, GenerationTakenError)
        assert late.refusal.path in list_pending(PENDING)
        assert len(store.others) == 2, "it was tried once"

    def test_it_does_not_try_for_ever_and_what_is_kept_has_no_number(self, wild_type, candidate, monkeypatch, evidence):
        monkeypatch.setattr(enrolment, "TURNS", 3)
        store = ContestedStore()
        founder = candidate()
        enrol(store, founder, founder.assess(evidence(0)), evidence(0))
        store.others += [candidate().assess(evidence(seed)) for seed in (21, 22, 23, 24)]
        own = find_place(store, wild_type, lineage="newsbot", policy=Policy())
        enrolled = enrol(store, own, own.assess(evidence(1)), evidence(1))
        assert isinstance(enrolled.refusal.error, GenerationTakenError)
        assert len(store.others) == 1
        kept = load_pending(enrolled.refusal.path)
        assert kept.request.index is None
        store.others.clear()
        assert submit(store, wild_type, kept.request, kept.evidence, path=kept.path).is_new
