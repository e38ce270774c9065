"""What is said of generations that are missing: of the founder, of earlier ones, and of newer ones."""

import pytest

from building import make_assessment, make_comparison
from collapse_guard.decision.gaps import as_of_now, gaps_of
from collapse_guard.errors import FOUND_ANEW
from collapse_guard.records import Assessment, Reason, ReasonKind, Severity

HOW = {0: "run a was deleted", 2: "run b was deleted", 5: "run c was deleted"}


def told(*given, **more):
    return [(reason.kind, reason.severity, reason.sentence) for reason in gaps_of(*given, **more)]


def sentences(*given, **more):
    return [reason.sentence for reason in gaps_of(*given, **more)]


class TestGapsOf:
    def test_a_whole_lineage_has_none(self):
        for index in range(4):
            assert gaps_of(index, range(index)) == gaps_of(index, range(index), HOW) == []

    @pytest.mark.parametrize("present", [[1, 2], []])
    def test_without_a_founder_nothing_is_decided(self, present):
        [found] = gaps_of(len(present) + 1, present, HOW)
        assert (found.kind, found.severity) == (ReasonKind.NO_FOUNDER, Severity.UNDECIDED)
        assert found.sentence.endswith("nothing tells how far it has moved: run a was deleted")
        [unknown] = gaps_of(len(present) + 1, present)
        assert unknown.sentence.endswith(f": restore it from a backup, or {FOUND_ANEW}")

    @pytest.mark.parametrize(
        ("index", "present", "named"),
        [
            (4, [0, 1, 3], "generation 2 of this lineage is missing"),
            (5, [0, 1, 4], "generations 2 and 3 of this lineage are missing"),
            (9, [0, 1, 6], "generations 2 to 5, 7 and 8 of this lineage are missing"),
            (3, [0], "generations 1 and 2 of this lineage are missing"),
            (12, [0, 2, 4, 6, 8, 10], "generations 1, 3, 5 and more of this lineage are missing"),
            (10**18, [0], f"generations 1 to {10**18 - 1} of this lineage are missing"),
        ],
    )
    def test_a_gap_in_the_numbering_is_a_remark(self, index, present, named):
        [(kind, severity, sentence)] = told(index, present)
        assert (kind, severity) == (ReasonKind.GAP, Severity.HEALTHY)
        assert sentence == f"{named}: nothing that is said here rests on that"

    def test_what_can_be_restored_is_said(self):
        assert sentences(4, [0, 3], HOW) == [
            "generations 1 and 2 of this lineage are missing: generation 2: run b was deleted"
        ]

    def test_later_generations_are_no_gap(self):
        assert gaps_of(2, [0, 1, 3], HOW) == []


def lineage(*indices, severity=Severity.HEALTHY, shown=None):
    reason = Reason(kind=ReasonKind.WITHIN_MARGIN, severity=severity, sentence="as it was")
    history = [make_assessment("newsbot", index, (), [make_comparison()], reasons=[reason]) for index in indices]
    verdict = history[-1].verdict.model_copy(update={"shown": shown})
    return [*history[:-1], history[-1].model_copy(update={"verdict": verdict})]


def now(history, missing, *, is_newest=True):
    found = as_of_now(history, missing, is_newest=is_newest)
    assert found[:-1] == history[:-1]
    assert Assessment.from_dict(found[-1].to_dict()) == found[-1], "what is told must be a record too"
    return found[-1].verdict


class TestAsOfNow:
    def test_a_whole_lineage_is_as_it_was_stored(self):
        assert now(lineage(0, 1, 2), {}) == lineage(0, 1, 2)[-1].verdict
        assert now(lineage(0), {}) == lineage(0)[-1].verdict

    @pytest.mark.parametrize(
        ("stored", "severity", "known"),
        [
            (Severity.HEALTHY, Severity.UNDECIDED, Severity.UNDECIDED),
            (Severity.WATCH, Severity.UNDECIDED, Severity.WATCH),
            (Severity.UNDECIDED, Severity.UNDECIDED, Severity.UNDECIDED),
            (Severity.COLLAPSED, Severity.COLLAPSED, Severity.COLLAPSED),
        ],
    )
    def test_a_founder_that_is_gone_since_takes_every_pass_back(self, stored, severity, known):
        verdict = now(lineage(1, 2, severity=stored), HOW)
        assert (verdict.severity, verdict.known) == (severity, known)
        assert ReasonKind.NO_FOUNDER in {reason.kind for reason in verdict.reasons}
        assert verdict.reasons[0].severity is severity

    def test_what_the_verdict_says_already_is_not_said_twice(self):
        once = as_of_now(lineage(1, 3), HOW, is_newest=True)
        twice = now(once, HOW)
        assert sorted(reason.sentence for reason in twice.reasons) == sorted(
            reason.sentence for reason in once[-1].verdict.reasons
        )
        assert twice.severity is once[-1].verdict.severity

    def test_the_newest_of_all_may_be_missing(self):
        verdict = now(lineage(0, 1, 2, 3, 4), HOW)
        assert verdict.severity is Severity.UNDECIDED
        assert verdict.reasons[0].sentence == (
            "generation 5, the newest of this lineage, is missing: run c was deleted; "
            "or say that generation 4 is meant: `--generation 4`"
        )
        assert now(lineage(0, 1, 2, 3, 4), HOW, is_newest=False).severity is Severity.HEALTHY

    def test_a_generation_that_was_restored_is_not_missing_any_more(self):
        before = as_of_now(lineage(0, 2), {}, is_newest=True)
        assert [reason.kind for reason in before[-1].verdict.reasons] == [ReasonKind.WITHIN_MARGIN, ReasonKind.GAP]
        restored = [*lineage(0, 1), before[-1]]
        assert [reason.kind for reason in now(restored, {}).reasons] == [ReasonKind.WITHIN_MARGIN]
