"""The contract of stores fails where a store is broken, and its message says what is required."""

import unittest

import pytest

from collapse_guard.errors import InputError, LineageError
from collapse_guard.records import Assessment
from collapse_guard.store import MemoryStore
from collapse_guard.testing import StoreContract
from contract_failures import failures


def contract_of(make, **methods):
    return type("Contract", (StoreContract,), {"make_store": lambda self: make(), **methods})


class Forgets(MemoryStore):
    """Keeps the newest generation alone."""

    def history(self, lineage):
        return super().history(lineage)[-1:]


class Reorders(MemoryStore):
    def history(self, lineage):
        return super().history(lineage)[::-1]


class Renumbers(MemoryStore):
    """Takes no gap: gives the next index to every generation."""

    def append(self, assessment, **settings):
        index = len(self.history_so_far(assessment.generation.lineage))
        generation = assessment.generation.model_copy(update={"index": index, "parents": tuple(range(index))})
        verdict = assessment.verdict.model_copy(update={"generation": index})
        super().append(assessment.model_copy(update={"generation": generation, "verdict": verdict}), **settings)


class RefusesGaps(MemoryStore):
    def append(self, assessment, **settings):
        if assessment.generation.index > len(self.history_so_far(assessment.generation.lineage)):
            raise LineageError("a gap")
        super().append(assessment, **settings)


class ListStore(MemoryStore):
    """Appends whatever comes to a list."""

    def __init__(self):
        super().__init__()
        self.items = []

    def lineages(self):
        return sorted({item.generation.lineage for item in self.items})

    def history(self, lineage):
        found = [item for item in self.items if item.generation.lineage == lineage]
        if not found:
            return super().history(lineage)
        return sorted(found, key=lambda item: item.generation.index)

    def append(self, assessment, **_):
        self.items.append(assessment)


class Overwrites(ListStore):
    """Keeps the newest content of a generation."""

    def append(self, assessment, **settings):
        place = (assessment.generation.lineage, assessment.generation.index)
        self.items = [item for item in self.items if (item.generation.lineage, item.generation.index) != place]
        super().append(assessment, **settings)


class RefusesTwice(MemoryStore):
    """Not idempotent."""

    def append(self, assessment, **settings):
        if assessment.generation.index in [
            i.generation.index for i in self.history_so_far(assessment.generation.lineage)
        ]:
            raise LineageError("generation 0 of newsbot is stored")
        super().append(assessment, **settings)


class IgnoresCase(MemoryStore):
    def history(self, lineage):
        return super().history(next((name for name in self.lineages() if name.lower() == lineage.lower()), lineage))


class LosesInfinity(MemoryStore):
    def history(self, lineage):
        found = super().history(lineage)
        return [Assessment.from_dict(_finite(item.to_dict())) for item in found]


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return 0.0 if value in ("NaN", "Infinity", "-Infinity") else value


class NothingForUnknown(MemoryStore):
    def history(self, lineage):
        return self.history_so_far(lineage) if self.has(lineage) else []

    def history_so_far(self, lineage):
        return super().history(lineage) if self.has(lineage) else []


class MakesLineages(MemoryStore):
    def __init__(self):
        super().__init__()
        self.wanted = []

    def lineages(self):
        return sorted({*super().lineages(), *self.wanted})

    def history(self, lineage):
        self.wanted.append(lineage)
        return super().history(lineage)


class TakesAnyAttachment(MemoryStore):
    def attach(self, lineage, index, attachments):
        pass


class RefusesEveryAttachment(MemoryStore):
    def attach(self, lineage, index, attachments):
        raise InputError("an attachment")


BROKEN = {
    Forgets: ("the_next_process_reads_what_was_appended", "must have every generation"),
    Reorders: ("the_history_is_by_index_whatever_the_order_of_appending", "must have the generations [0, 1, 2, 11]"),
    Renumbers: ("the_history_is_by_index_whatever_the_order_of_appending", "must have the generations [0, 1, 2, 11]"),
    RefusesGaps: (
        "the_history_is_by_index_whatever_the_order_of_appending",
        "generation 11 of lineage 'newsbot' must be",
    ),
    ListStore: ("a_record_does_not_change_with_what_the_caller_holds", "must not change the store"),
    Overwrites: ("a_generation_is_never_changed", "must be refused with LineageError"),
    RefusesTwice: ("appending_the_same_again_changes_nothing", "generation 0 of lineage 'newsbot' must be taken"),
    IgnoresCase: ("lineages_do_not_mix", "must have its own generations only"),
    LosesInfinity: ("an_assessment_is_read_back_whole", "must be read back whole"),
    NothingForUnknown: ("an_unknown_lineage_is_not_found", "must be refused with LineageNotFoundError"),
    MakesLineages: ("an_unknown_lineage_is_not_found", "reading must not make a lineage"),
    TakesAnyAttachment: ("an_attachment_is_a_plain_file", "must be refused with InputError"),
    RefusesEveryAttachment: ("attachments_stay_beside_their_generation", "a report of a generation must be taken"),
}


def test_a_store_that_keeps_the_contract_passes_every_check():
    assert failures(contract_of(MemoryStore)) == {}


@pytest.mark.parametrize("store", BROKEN, ids=lambda store: store.__name__)
def test_a_broken_store_is_caught_and_the_error_says_what_is_required(store):
    check, rule = BROKEN[store]
    assert rule in failures(contract_of(store))[check]


class KeepsAttachments(MemoryStore):
    def __init__(self):
        super().__init__()
        self.files = {}

    def attach(self, lineage, index, attachments):
        super().attach(lineage, index, attachments)
        self.keep(index, dict(attachments))

    def keep(self, index, attachments):
        self.files[index] = attachments


class LosesAttachments(KeepsAttachments):
    """Has one place for the files of all generations."""

    def keep(self, index, attachments):
        self.files = {0: attachments}


def read_files(self, store, lineage, index):
    return store.files.get(index, {})


def test_a_store_that_loses_attachments_is_caught():
    assert failures(contract_of(KeepsAttachments, attachments=read_files)) == {}
    (message,) = failures(contract_of(LosesAttachments, attachments=read_files)).values()
    assert "the attachments of generation 0 must be {'report.html': '<p>ü 0</p>'}, but got" in message


def test_a_store_that_forgets_with_the_process_is_caught():
    found = failures(contract_of(MemoryStore, reopen=lambda self, store: MemoryStore()))
    assert found == {
        "the_next_process_reads_what_was_appended": "a store that is opened again must know its lineages, but got []"
    }


def test_a_contract_says_what_it_needs():
    with pytest.raises(TypeError, match="make_store"):
        StoreContract()


def test_a_contract_runs_under_unittest_too():
    contract = type("Contract", (contract_of(Reorders), unittest.TestCase), {})
    result = unittest.defaultTestLoader.loadTestsFromTestCase(contract).run(unittest.TestResult())
    assert result.testsRun > 10
    assert any("must have the generations [0, 1, 2, 11] in this order" in told for _, told in result.failures)
