"""Shared by all tests: randomness is seeded per test, and no verdict of a test hangs on the machine's speed."""

import os
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, settings

from databases import PostgreSQL, postgresql_programs, running_postgresql
from waiting import PATIENCE

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")  # eight processes that wait for jobs of nobody
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("COLLAPSE_GUARD_STORE_TIMEOUT", str(PATIENCE))  # a busy machine is no store that does not answer
os.environ.pop("CI", None)  # a test that is about CI says so: an unknown lineage is an error there

# Every machine tries the same examples, and takes as long for each as it needs.
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# For `make mutants`: any failing example will do, so none is made smaller.
settings.register_profile("mutants", settings.get_profile("same"), phases=(Phase.explicit, Phase.generate))
settings.load_profile("same")


@pytest.fixture(autouse=True, scope="module")
def _threads():
    """Examples and benchmarks set the number of threads for good, as scripts may.

    To set it anew, even to what it was, has other sums of floats rounded otherwise: a world that is shared by modules
    would not be measured twice with the same digits.
    """
    threads = torch.get_num_threads()
    yield
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


@pytest.fixture
def rng():
    return np.random.default_rng(20240724)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """`postgresql.prepared()` is the tracking URI of a new database with MLflow's tables, `.empty()` of one without."""
    programs = postgresql_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: `apt-get install postgresql`")
    with running_postgresql(programs) as server:
        yield server


@pytest.fixture
def page(monkeypatch):
    """What stands in for the page of each generation, of which the drawing takes longer than a small training does."""
    from collapse_guard.lineage import enrol

    monkeypatch.setattr(enrol, "attachments", lambda lineage, history: {"report.html": f"{lineage} {len(history)}"})


@pytest.fixture
def one_thread():
    """Models as small as those of tests are many times faster on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
