"""A small corpus of sentences, a wild type of it, and embedders of a user."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from collapse_guard.wildtype import WildType

SUBJECTS = ["senate", "congress", "president", "army", "navy", "treasury", "court", "people", "state", "nation"]
VERBS = ["shall", "has", "will", "must", "may", "did", "could", "should", "would", "ought", "can", "might"]
OBJECTS = ["war", "peace", "tax", "tariff", "canal", "road", "debt", "revenue", "treaty", "land", "school", "bank"]


def sentence(rng: np.random.Generator) -> str:
    parts = [f"The {rng.choice(SUBJECTS)} {rng.choice(VERBS)} {rng.choice(OBJECTS)}" for _ in range(4)]
    return f"{', '.join(parts)} in {rng.integers(1790, 2020)}."


def make_corpus(n: int = 200, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [sentence(rng) for _ in range(n)]


@pytest.fixture(scope="session")
def corpus() -> Callable[..., list[str]]:
    return make_corpus


@pytest.fixture(scope="session")
def wild_type() -> WildType:
    return WildType.fit(make_corpus(), seed=3, max_evaluation_documents=30)


@pytest.fixture
def saved(wild_type: WildType, tmp_path: Path) -> Path:
    return wild_type.save(tmp_path / "wild-type")
