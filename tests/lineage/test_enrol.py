"""One way into a lineage: what is planned, what is refused, and what is kept when the store does not take it."""

from __future__ import annotations

import resource
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from collapse_guard.decision.policy import Policy
from collapse_guard.errors import (
    CollapseGuardWarning,
    FingerprintMismatchError,
    InputError,
    LineageError,
    LineageNotFoundError,
    StoreUnreachableError,
)
from collapse_guard.evidence import Evidence
from collapse_guard.lineage import enrol as enrolment
from collapse_guard.lineage.candidate import Candidate, plan
from collapse_guard.lineage.enrol import Enrolled, enrol, submit
from collapse_guard.lineage.outbox import PENDING, list_pending, load_pending
from collapse_guard.records import Assessment, Decision, Generation, Mixture, Severity, TrainingCheck, Verdict
from collapse_guard.wildtype import WildType
from faulty_stores import FaultyStore

CREATED = datetime(2026, 11, 22, 15, 4, 5, tzinfo=UTC)
DECISION = Decision(step=3, severity=Severity.WATCH, real_before=0.1, real_after=0.4, from_index=64, rule="raised")
CHECK = TrainingCheck(texts=320, words=9_000, evaluation=40, of_pool=290, leaking=9, pieces=30, copies=9, found=("a",))
OUTAGES = [
    StoreUnreachableError("the network is down"),
    LineageError("somebody was faster"),
    FingerprintMismatchError("somebody began it with another wild type"),
    OSError(28, "No space left on device"),
    ZeroDivisionError("a defect"),
]


def stored(index, *, wild_type="w", prescription=None):
    verdict = Verdict(
        severity=Severity.HEALTHY, reasons=(), lineage="newsbot", generation=index, wild_type=wild_type, policy=""
    )
    generation = Generation(lineage="newsbot", index=index, wild_type=wild_type)
    return Assessment(generation=generation, readings={}, comparisons=(), verdict=verdict, prescription=prescription)


class TestPlan:
    def plan(self, *indices, **settings):
        return plan([stored(index) for index in indices], **{"lineage": "newsbot", "wild_type": "w", **settings})

    def test_a_new_lineage_begins_with_a_founder_of_real_data(self):
        founder = self.plan()
        assert (founder.index, founder.parents, founder.wild_type) == (0, (), "w")
        assert founder.mixture == Mixture(real=1.0)

    def test_what_is_said_of_the_training_set_counts(self):
        founder = self.plan(mixture=Mixture.with_real(0.5), items=40)
        assert (founder.mixture, founder.items) == (Mixture.with_real(0.5), 40)

    def test_what_later_generations_were_trained_on_is_not_known_by_itself(self):
        assert self.plan(0).mixture is None

    @pytest.mark.parametrize(
        ("index", "parents", "planned"), [(None, None, (3, (2,))), (1, None, (1, (0,))), (4, (0, 2), (4, (0, 2)))]
    )
    def test_a_generation_goes_on_from_the_newest_before_it(self, index, parents, planned):
        generation = self.plan(0, 2, index=index, parents=parents)
        assert (generation.index, generation.parents) == planned

    def test_it_has_no_parents_where_they_are_said_to_be_none(self):
        assert self.plan(0, 2, parents=()).parents == ()

    @pytest.mark.parametrize("parents", [(4,), (3,), (2,), (0, 1, 9)])
    def test_parents_must_be_stored_and_earlier(self, parents):
        missing = ", ".join(str(parent) for parent in parents if parent != 0)
        said = rf"`parents` of generation 2 must be earlier generations of lineage 'newsbot' \(0\), but got {missing}"
        with pytest.raises(LineageError, match=said):
            self.plan(0, 3, index=2, parents=parents)

    def test_a_place_that_is_taken_is_refused_unless_the_same_may_be_sent_again(self):
        with pytest.raises(LineageError, match=r"must be new to lineage 'newsbot', but got 0, .* recorded as HEALTHY"):
            self.plan(0, index=0)
        assert self.plan(0, index=0, may_exist=True).index == 0

    def test_another_wild_type_is_refused_and_both_are_named(self):
        with pytest.raises(FingerprintMismatchError, match="against the wild type w, but got v"):
            self.plan(0, wild_type="v")


def test_a_candidate_gets_what_its_newest_parent_prescribes(wild_type):
    shares = [None, Mixture.with_real(0.2), Mixture.with_real(0.3), None]
    history = [stored(index, prescription=share) for index, share in enumerate(shares)]

    def prescription(**settings):
        generation = plan(history, lineage="newsbot", wild_type="w", **settings)
        return Candidate(generation=generation, history=history, wild_type=wild_type, policy=Policy()).prescription

    assert prescription(parents=(1, 2)) == Mixture.with_real(0.3)
    assert prescription(parents=(2, 1)) == Mixture.with_real(0.3)
    assert prescription(parents=(1,)) == Mixture.with_real(0.2)
    assert prescription() is None
    assert prescription(parents=()) is None


def in_lineage(store):
    return [past.to_dict() for past in store.history("newsbot")]


class TestEnrol:
    def test_an_assessed_generation_is_appended_with_the_report_of_its_lineage(self, candidate, evidence):
        store = FaultyStore()
        for index in range(2):
            own = candidate(store.history_so_far("newsbot"))
            enrolled = enrol(store, own, own.assess(evidence(index)), evidence(index))
            assert (enrolled.is_new, enrolled.refusal) == (True, None)
            assert enrolled.assessment.generation.index == index
        assert store.attached == [{"report.html": "1"}, {"report.html": "2"}]
        assert in_lineage(store) == [past.to_dict() for past in enrolled.history]
        assert list_pending(PENDING) == []

    def test_a_generation_is_measured_against_those_before_it_only(self, candidate, evidence):
        store = FaultyStore()
        for index in (0, 2):
            own = candidate(store.history_so_far("newsbot"), index=index)
            enrol(store, own, own.assess(evidence(index)), evidence(index))
        between = candidate(store.history("newsbot"), index=1)
        assert [past.generation.index for past in between.earlier] == [0]
        enrolled = enrol(store, between, between.assess(evidence()), evidence())
        assert [past.generation.index for past in enrolled.history] == [0, 1]

    @pytest.mark.parametrize("error", OUTAGES, ids=lambda error: type(error).__name__)
    def test_what_the_store_does_not_take_is_kept_with_all_that_it_rests_on(
        self, candidate, wild_type, error, evidence
    ):
        own = candidate(mixture=Mixture.with_real(0.5), items=40)
        assessment = own.assess(evidence(), look=2, decisions=[DECISION], training_check=CHECK)
        enrolled = enrol(FaultyStore(error), own, assessment, evidence())
        assert enrolled.assessment == assessment
        assert not enrolled.is_new
        assert error in (enrolled.refusal.error, enrolled.refusal.error.__cause__)
        assert str(error) in enrolled.refusal.sentence()
        [path] = list_pending(PENDING)
        assert enrolled.refusal.path == path
        kept = load_pending(path)
        np.testing.assert_array_equal(kept.evidence.samples, evidence().samples)
        assert (kept.request.index, kept.request.mixture, kept.request.items) == (0, Mixture.with_real(0.5), 40)
        assert Path(kept.request.wild_type_path).is_absolute()
        again = submit(store := FaultyStore(), WildType.load(kept.request.wild_type_path), kept.request, kept.evidence)
        assert again.is_new
        assert in_lineage(store) == [assessment.to_dict()]

    @pytest.mark.parametrize("interruption", [KeyboardInterrupt(), SystemExit(143)], ids=repr)
    def test_an_interruption_goes_on_but_the_evidence_is_kept_and_said_where(self, candidate, interruption, evidence):
        own = candidate()
        said = "it is not known whether the store has the generation\nThe evidence is kept in "
        with pytest.warns(CollapseGuardWarning, match=said), pytest.raises(type(interruption)):
            enrol(FaultyStore(interruption), own, own.assess(evidence()), evidence())
        [path] = list_pending(PENDING)
        np.testing.assert_array_equal(load_pending(path).evidence.samples, evidence().samples)

    @pytest.mark.parametrize(("in_the_way", "said"), [(PENDING, "exists"), (PENDING.parent, "directory")])
    def test_where_it_cannot_be_kept_both_errors_are_said(self, candidate, in_the_way, said, evidence):
        in_the_way.parent.mkdir(exist_ok=True)
        in_the_way.write_text("in the way")
        own = candidate()
        refusal = enrol(FaultyStore(OUTAGES[0]), own, own.assess(evidence()), evidence()).refusal
        assert refusal.path is None
        assert refusal.sentence().startswith("the network is down\nThe evidence could not be kept in ")
        assert said in refusal.sentence().rpartition("either: ")[2]

    @pytest.mark.parametrize("most", [100, 5000], ids="{} bytes".format)
    def test_on_a_full_disk_both_errors_are_said_and_nothing_half_is_left(self, candidate, evidence, most):
        """The limit of the size of a file stops a write in the middle, as a full disk does."""
        own = candidate()
        assessment, limits = own.assess(evidence()), resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
        try:
            refusal = enrol(FaultyStore(OUTAGES[0]), own, assessment, evidence()).refusal
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert refusal.path is None
        assert refusal.sentence().startswith("the network is down\nThe evidence could not be kept in ")
        assert "large" in refusal.fault
        assert list_pending(PENDING) == []
        assert not [path for path in Path(".collapse_guard").rglob("*") if path.is_file()]
        kept = enrol(FaultyStore(OUTAGES[0]), own, assessment, evidence()).refusal.path
        assert load_pending(kept).evidence.digest() == assessment.evidence, "once there is room it is kept"

    def test_a_copy_of_the_wild_type_that_was_damaged_since_keeps_nobody_from_keeping(self, candidate, evidence):
        own = candidate()
        assessment = own.assess(evidence())
        first = enrol(FaultyStore(OUTAGES[0]), own, assessment, evidence()).refusal.path
        for file in Path(load_pending(first).request.wild_type_path).iterdir():
            file.write_bytes(file.read_bytes()[:-20])
        second = load_pending(enrol(FaultyStore(OUTAGES[0]), own, assessment, evidence()).refusal.path)
        assert WildType.load(second.request.wild_type_path).fingerprint == own.wild_type.fingerprint

    def test_the_sentence_says_where_it_is_and_how_to_send_it_without_a_password(self, candidate, evidence):
        own = candidate()
        refusal = enrol(FaultyStore(OUTAGES[0]), own, own.assess(evidence()), evidence()).refusal
        assert refusal.sentence("http://ann:secret@ml:5000").splitlines() == [
            "the network is down",
            f"The evidence is kept in {refusal.path.absolute()}",
            "Send it from this directory once the store takes it: "
            "collapse-guard assess --resume --store 'http://ann:***@ml:5000'",
        ]
        assert refusal.sentence().endswith("collapse-guard assess --resume")


class TestSubmit:
    def test_it_plans_assesses_and_appends_at_once(self, wild_type, request_of, evidence):
        store = FaultyStore()
        founder = submit(store, wild_type, request_of(index=0), evidence())
        child = submit(store, wild_type, request_of(mixture=Mixture.with_real(0.4)), evidence(2))
        assert (founder.is_new, child.is_new) == (True, True)
        assert [past.generation.mixture for past in child.history] == [Mixture(real=1.0), Mixture.with_real(0.4)]
        assert [past.seed for past in child.history] == [7, 7]

    def test_the_same_number_with_the_same_evidence_changes_nothing_and_with_another_is_refused(
        self, wild_type, request_of, evidence
    ):
        store = FaultyStore()
        submit(store, wild_type, request_of(index=0), evidence())
        before = in_lineage(store)
        again = submit(store, wild_type, request_of(index=0), evidence())
        assert (again.is_new, again.refusal) == (False, None)
        with pytest.raises(LineageError, match="generation 0 of lineage `newsbot` is stored and is never changed"):
            submit(store, wild_type, request_of(index=0), evidence(2))
        assert in_lineage(store) == before
        assert list_pending(PENDING) == []

    @pytest.mark.parametrize("changes", [{}, {"index": 4}, {"index": 4, "parents": ()}])
    def test_a_lineage_that_is_not_there_is_refused_before_anything_is_measured(self, wild_type, request_of, changes):
        with pytest.raises(LineageNotFoundError, match=r"but got 'newsbot': there are none.*--founder"):
            submit(FaultyStore(), wild_type, request_of(**changes), Evidence(samples=["cannot be measured"]))
        assert not Path(".collapse_guard").exists()

    def test_what_cannot_be_planned_or_measured_leaves_nothing(self, wild_type, request_of, evidence):
        with pytest.raises(LineageError, match="`parents` of generation 0"):
            submit(FaultyStore(), wild_type, request_of(index=0, parents=(3,)), evidence())
        with pytest.raises(InputError, match="vectors must be numbers"):
            submit(FaultyStore(), wild_type, request_of(index=0), Evidence(samples=["a text"]))
        assert not Path(".collapse_guard").exists()

    @pytest.mark.parametrize("error", OUTAGES, ids=lambda error: type(error).__name__)
    def test_what_the_store_does_not_take_is_kept_as_it_was_asked_for(self, wild_type, request_of, error, evidence):
        enrolled = submit(FaultyStore(error), wild_type, request_of(index=0, parents=()), evidence())
        [path] = list_pending(PENDING)
        assert enrolled.refusal.path == path
        assert load_pending(path).request == request_of(index=0, parents=())

    def test_a_lineage_that_cannot_be_read_has_no_assessment(self, wild_type, request_of, evidence):
        enrolled = submit(FaultyStore(reading=OUTAGES[0]), wild_type, request_of(), evidence())
        assert load_pending(enrolled.refusal.path).request == request_of()
        with pytest.raises(StoreUnreachableError, match="the network is down"):
            enrolled.assessment  # noqa: B018

    @pytest.mark.parametrize("store", [FaultyStore(reading=OUTAGES[0]), FaultyStore(OUTAGES[1])])
    def test_what_waits_already_is_not_kept_twice(self, wild_type, request_of, store, evidence):
        path = submit(FaultyStore(reading=OUTAGES[0]), wild_type, request_of(), evidence()).refusal.path
        assert submit(store, wild_type, request_of(index=0), evidence(), path=path).refusal.path == path
        assert list_pending(PENDING) == [path]

    def test_the_same_evidence_without_a_number_is_stored_once(self, wild_type, request_of, evidence):
        store = FaultyStore()
        for seed in range(3):
            submit(store, wild_type, request_of(index=None if seed else 0), evidence(seed))
        before = in_lineage(store)
        for seed in range(3):
            other = request_of(mixture=Mixture.with_real(0.3), look=2, parents=(0,))
            again = submit(store, wild_type, other, evidence(seed))
            assert (again.is_new, again.assessment.generation.index, len(again.history)) == (False, seed, seed + 1)
            assert again.already_stored.startswith(f"This evidence is already stored as generation {seed} of newsbot: ")
        assert in_lineage(store) == before
        numbered = submit(store, wild_type, request_of(index=3), evidence(2))
        assert (numbered.is_new, numbered.already_stored) == (True, "")


class TestReport:
    def test_it_is_drawn_once_the_generation_is_stored(self, wild_type, request_of, monkeypatch, evidence):
        store, seen = FaultyStore(), []

        def drawn(lineage, history):
            seen.append([past.generation.index for past in store.history(lineage)])
            return {}

        monkeypatch.setattr(enrolment, "attachments", drawn)
        submit(store, wild_type, request_of(index=0), evidence())
        assert seen == [[0]]

    @pytest.mark.parametrize("where", ["drawing", "attaching"])
    @pytest.mark.parametrize("error", [*OUTAGES, MemoryError()], ids=lambda error: type(error).__name__)
    def test_whatever_fails_then_costs_a_warning(self, wild_type, request_of, monkeypatch, where, error, evidence):
        def fails(*_):
            raise error

        store = FaultyStore()
        if where == "drawing":
            monkeypatch.setattr(enrolment, "attachments", fails)
        else:
            store.attach = fails
        with pytest.warns(
            CollapseGuardWarning, match=r"is stored, but its report .*: `collapse-guard report --lineage"
        ):
            enrolled = submit(store, wild_type, request_of(index=0), evidence())
        assert (enrolled.is_new, enrolled.refusal) == (True, None)
        assert len(store.history("newsbot")) == 1
        assert list_pending(PENDING) == []


def test_a_founder_that_nothing_can_be_compared_with_is_not_stored(wild_type, request_of, candidate):
    store, nothing = FaultyStore(), Evidence(samples=np.full((600, 3), np.nan))
    with pytest.raises(LineageError, match="a founder must have a usable reading"):
        submit(store, wild_type, request_of(index=0), nothing)
    own = candidate()
    with pytest.raises(LineageError, match="a founder must have a usable reading"):
        enrol(store, own, own.assess(nothing), nothing)
    assert store.lineages() == list_pending(PENDING) == []


def test_an_enrolled_generation_is_the_last_of_its_history():
    assert Enrolled(history=[stored(0), stored(1)]).assessment == stored(1)
