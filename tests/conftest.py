"""Shared by all tests: warnings that are ours are errors unless a test expects them; randomness is seeded per test."""

import os

import numpy as np
import pytest

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture
def rng():
    return np.random.default_rng(20240724)
