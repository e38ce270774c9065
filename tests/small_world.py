"""Fixtures that the rooms of Hugging Face's trainers share: their `conftest.py` imports them."""

import gc

import pytest

from collapse_guard.store import MemoryStore
from tiny_models import language_wild_type, trained_tokenizer


@pytest.fixture(autouse=True, scope="session")
def short_collections():
    """A `Trainer` collects garbage when it begins, which is quick where what was imported is left out."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def small(page, one_thread):
    """Trainings here are shorter than what is drawn or started beside them."""


@pytest.fixture(scope="session")
def wild_type():
    return language_wild_type()


@pytest.fixture(scope="session")
def tokenizer(wild_type):
    return trained_tokenizer(wild_type.pool)


@pytest.fixture
def store():
    return MemoryStore()
