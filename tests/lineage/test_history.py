"""What a generation is compared with: all that is needed, whatever a ledger leaves out, and what is missing."""

from __future__ import annotations

import numpy as np
import pytest

from collapse_guard.decision.policy import Policy
from collapse_guard.errors import LineageError
from collapse_guard.evidence import Evidence, Losses
from collapse_guard.lineage.enrol import submit
from collapse_guard.records import Mixture, Severity
from faulty_stores import AbridgingStore, FaultyStore


class TestLedger:
    @pytest.mark.parametrize(
        ("policy", "changes", "reads_all"),
        [
            (Policy(), {}, False),
            (Policy(reinjection={"target_fixation": 0.2}), {}, False),
            (Policy(), {"parents": (0,)}, False),
            (Policy(), {"parents": (2,)}, True),
            (Policy(), {"index": 3}, True),
            (Policy(rotate_folds=2), {}, True),
        ],
        ids=str,
    )
    def test_what_comes_of_it_is_what_comes_of_the_whole_history(
        self, wild_type, request_of, policy, changes, reads_all, evidence
    ):
        def losses(seed):
            rates = np.random.default_rng(0).normal(60.0, 9.0, size=90) + seed
            return Losses(documents=tuple(map(str, range(90))), nll=rates, n_tokens=[20] * 90)

        def of(seed):
            return Evidence(samples=evidence(seed).samples * (1.0 - 0.05 * seed), losses=losses(seed))

        stores = [FaultyStore(), AbridgingStore()]
        for store in stores:
            for index in range(5):
                if index == 3 and changes:
                    continue
                request = request_of(index=index, mixture=Mixture.with_real(0.9**index), items=400)
                request = request.model_copy(update={"policy": policy.model_dump(mode="json")})
                assert submit(store, wild_type, request, of(index)).is_new
        request = request_of(**changes).model_copy(update={"policy": policy.model_dump(mode="json")})
        stores[1].whole_reads = 0
        whole, short = (submit(store, wild_type, request, of(7)).assessment.to_dict() for store in stores)
        assert whole == short
        assert whole["outlook"]["prescription"] is not None
        assert bool(stores[1].whole_reads) == reads_all


class TestMissing:
    @pytest.fixture
    def store(self, wild_type, request_of, evidence):
        store = FaultyStore()
        for index in range(5):
            submit(store, wild_type, request_of(index=index), evidence(index))
        return store

    def lose(self, store, *indices):
        store.missing = lambda lineage: {index: f"restore run {index}" for index in indices}
        for index in indices:
            del store._texts["newsbot"][index]

    def test_without_its_founder_a_generation_is_undecided_and_names_the_run(
        self, wild_type, request_of, store, evidence
    ):
        self.lose(store, 0)
        verdict = submit(store, wild_type, request_of(), evidence(7)).assessment.verdict
        assert verdict.severity is Severity.UNDECIDED
        assert "generation 0, the founder" in verdict.reasons[0].sentence
        assert verdict.reasons[0].sentence.endswith(": restore run 0")

    def test_a_founder_that_can_be_restored_is_not_founded_again(self, wild_type, request_of, store, evidence):
        self.lose(store, 0)
        with pytest.raises(LineageError, match="but got 0, which was stored and is missing: restore run 0"):
            submit(store, wild_type, request_of(index=0), evidence(7))

    def test_the_number_of_a_generation_that_can_be_restored_stays_its_own(
        self, wild_type, request_of, store, evidence
    ):
        self.lose(store, 3, 4)
        with pytest.raises(LineageError, match="but got 4, which was stored and is missing: restore run 4"):
            submit(store, wild_type, request_of(index=4), evidence(7))
        with pytest.raises(LineageError, match=r"but got 4\. Generation 4 is missing: restore run 4"):
            submit(store, wild_type, request_of(index=5, parents=(4,)), evidence(7))
        after = submit(store, wild_type, request_of(), evidence(7)).assessment
        assert (after.generation.index, after.generation.parents) == (5, (2,))
        assert "generations 3 and 4 of this lineage are missing: generation 3: restore run 3" in [
            reason.sentence.partition(";")[0] for reason in after.verdict.reasons
        ]
