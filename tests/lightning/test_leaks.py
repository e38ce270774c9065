"""A model that is trained on what it is measured with is told of at once, and its verdict says so."""

import pytest
import torch

from collapse_guard import CausalLMProbe
from collapse_guard.errors import CollapseGuardWarning
from collapse_guard.records import ReasonKind, Severity


@pytest.fixture
def leaking(wild_type, encode):
    """A loader of which every fourth text is an evaluation document."""
    texts = [*wild_type.pool[:48], *list(wild_type.evaluation.texts)[:16]]
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0)).tolist()
    return torch.utils.data.DataLoader([encode(texts[place]) for place in order], batch_size=16)


@pytest.fixture
def reading(wild_type):
    """A probe that knows the tokenizer."""
    return lambda: CausalLMProbe(wild_type.tokenizer, n_samples=0, n_documents=60, max_length=64)


def test_evaluation_documents_in_the_first_batches_are_warned_of_once_and_make_a_watch(fit, guard, reading, leaking):
    own = guard("healthy")
    own.probe = reading()
    with pytest.warns(CollapseGuardWarning, match="trained on documents that it will be measured with") as caught:
        fit(own, data=leaking, max_epochs=2)
    assert len([one for one in caught if "measured with" in str(one.message)]) == 1
    check = own.assessment.training_check
    assert check.leaking > 4
    assert set(check.found) <= set(own.wild_type.evaluation.hashes)
    assert own.verdict.severity is Severity.WATCH
    assert own.verdict.reasons[0].kind is ReasonKind.LEAKED


def test_the_pool_is_no_leak(fit, guard, reading):
    own = guard("healthy")
    own.probe = reading()
    fit(own, max_epochs=1)
    check = own.assessment.training_check
    assert check.texts == check.of_pool == 64
    assert check.found == ()


def test_texts_that_are_checked_before_training_enter_the_record(fit, guard, store):
    own = guard("healthy")
    with pytest.warns(CollapseGuardWarning, match="measured with"):
        found = own.check(own.wild_type.evaluation.texts, whole=True)
    fit(own, max_epochs=1)
    assert store.latest("newsbot").training_check == found
    assert found.whole
    assert own.verdict.severity is Severity.WATCH


def test_a_later_check_takes_the_place_of_an_earlier_one_and_counts_for_one_generation(fit, guard, store):
    own = guard("healthy", generation=None)
    with pytest.warns(CollapseGuardWarning):
        own.check(own.wild_type.evaluation.texts)
    own.check(own.wild_type.pool)
    with pytest.warns(CollapseGuardWarning, match="newsbot"):
        fit(own, max_epochs=1)
    assert store.latest("newsbot").training_check.found == ()
    fit(own, max_epochs=1)
    assert store.latest("newsbot").generation.index == 1
    assert store.latest("newsbot").training_check is None
