"""A small wild type of vectors, and generations that are asked for and planned against it."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from collapse_guard.decision.policy import Policy
from collapse_guard.evidence import Evidence
from collapse_guard.lineage import enrol as enrolment
from collapse_guard.lineage.candidate import Candidate, plan
from collapse_guard.lineage.outbox import PendingRequest
from collapse_guard.wildtype import WildType

CREATED = datetime(2026, 11, 22, 15, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def wild_type():
    return WildType.fit_arrays(np.random.default_rng(0).normal(size=(2000, 3)), seed=0)


@pytest.fixture(scope="module")
def wild_type_path(wild_type, tmp_path_factory):
    return wild_type.save(tmp_path_factory.mktemp("saved") / "wild-type")


@pytest.fixture(autouse=True)
def own_directory_and_no_report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(enrolment, "attachments", lambda lineage, history: {"report.html": f"{len(history)}"})


@pytest.fixture
def evidence():
    def make(seed=1):
        return Evidence(samples=np.random.default_rng(seed).normal(size=(600, 3)))

    return make


@pytest.fixture
def request_of(wild_type, wild_type_path):
    def make(**changes):
        fields = {"lineage": "newsbot", "wild_type_path": str(wild_type_path), "wild_type": wild_type.fingerprint}
        return PendingRequest(**fields, policy=Policy().model_dump(mode="json"), seed=7, created=CREATED, **changes)

    return make


@pytest.fixture
def candidate(wild_type):
    def make(history=(), **changes):
        generation = plan(history, lineage="newsbot", wild_type=wild_type.fingerprint, **changes)
        return Candidate(generation=generation, history=history, wild_type=wild_type, policy=Policy(), seed=7)

    return make
