"""A lineage begins when somebody says so, with a founder that later generations can be compared with."""

import math

import numpy as np
import pytest

from collapse_guard import assess
from collapse_guard.errors import CollapseGuardWarning, LineageError, LineageNotFoundError
from collapse_guard.evidence import Evidence, Losses
from collapse_guard.lineage.founding import check_founder, joined
from collapse_guard.records import Generation
from collapse_guard.store import MemoryStore
from collapse_guard.testing import example_assessment
from collapse_guard.wildtype import WildType


@pytest.fixture
def store():
    store = MemoryStore()
    for index in range(2):
        store.append(example_assessment("newsbot", index))
    return store


def test_a_lineage_that_is_there_is_joined_silently(store):
    for settings in ({}, {"index": 0}, {"index": 7}, {"must_exist": True}):
        assert [past.generation.index for past in joined(store, "newsbot", **settings)] == [0, 1]


@pytest.mark.parametrize("settings", [{}, {"must_exist": True}])
def test_generation_0_founds_a_lineage_silently(store, settings, monkeypatch):
    monkeypatch.setenv("CI", "true")
    assert joined(store, "weatherbot", index=0, **settings) == []
    assert store.lineages() == ["newsbot"]


@pytest.mark.parametrize("name", ["newsbto", "NEWSBOT", "новости", "日本語"])
def test_without_it_a_new_lineage_is_warned_of_with_the_near_names(store, name):
    with pytest.warns(CollapseGuardWarning) as warned:
        assert joined(store, name) == []
    [message] = [str(one.message) for one in warned]
    assert message.startswith(f"a new lineage begins here: `lineage` must be in the store, but got {name!r}: ")
    assert ("did you mean `newsbot`?" in message) == (name.isascii())
    assert "Known: newsbot" in message
    assert "`--founder` on the command line, `generation=0` in Python" in message


@pytest.mark.parametrize("must_exist", [None, False])
@pytest.mark.parametrize("index", [1, 3])
def test_no_lineage_begins_with_another_number(store, index, must_exist):
    with pytest.raises(LineageNotFoundError, match=r"did you mean `newsbot`.*generation=0"):
        joined(store, "newsbto", index=index, must_exist=must_exist)


def test_a_lineage_of_which_nothing_is_left_is_said_to_be_restorable(store):
    store.missing = lambda lineage: {1: "restore run b", 0: "restore run a"} if lineage == "gone" else {}
    with pytest.raises(LineageNotFoundError, match="Generation 0 was stored and is missing: restore run a"):
        joined(store, "gone", must_exist=True)
    assert joined(store, "gone", index=0) == [], "whoever founds it again means it"


@pytest.mark.parametrize(
    ("value", "is_ci"), [("true", True), ("1", True), ("woodpecker", True), ("", False), ("False", False), ("0", False)]
)
def test_in_ci_it_is_an_error(store, monkeypatch, value, is_ci):
    monkeypatch.setenv("CI", value)
    if is_ci:
        with pytest.raises(LineageNotFoundError, match=r"did you mean `newsbot`.*generation=0"):
            joined(store, "newsbto")
    else:
        with pytest.warns(CollapseGuardWarning, match="newsbto"):
            joined(store, "newsbto")


def test_where_a_lineage_must_exist_another_name_is_an_error_anywhere(store):
    with pytest.raises(LineageNotFoundError, match=r"but got 'newsbto': did you mean `newsbot`\?.*--founder"):
        joined(store, "newsbto", must_exist=True)


def test_in_ci_it_may_be_allowed_to_be_new(store, monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.warns(CollapseGuardWarning, match="a new lineage begins here"):
        joined(store, "newsbto", must_exist=False)


def test_a_store_that_says_nothing_itself_is_spoken_for():
    class Silent(MemoryStore):
        address = "http://ann:secret@ml:5000"

        def history(self, lineage):
            return []

    with pytest.raises(
        LineageNotFoundError, match=r"the store `http://ann:\*\*\*@ml:5000`, but got 'x': there are none"
    ):
        joined(Silent(), "x", must_exist=True)


@pytest.fixture(scope="module")
def wild_type():
    return WildType.fit_arrays(np.random.default_rng(0).normal(size=(2000, 3)), seed=0)


def losses(*first, n=100):
    nll = np.random.default_rng(0).normal(60.0, 5.0, size=n)
    nll[: len(first)] = first
    return Losses(documents=tuple(map(str, range(n))), nll=nll, n_tokens=[20] * n)


SAMPLES = np.random.default_rng(1).normal(size=(600, 3))
USELESS = {
    "nothing": (Evidence(samples=np.zeros((0, 3))), "samples.* there are 0: 32 samples would do"),
    "few samples": (Evidence(samples=SAMPLES[:5]), "samples.* there are 5: 32 samples would do"),
    "no number": (Evidence(samples=SAMPLES * math.nan), "samples.* 600 of 600 vectors are not finite"),
    "a loss that is not finite": (Evidence(samples=SAMPLES, losses=losses(math.inf)), "losses.* 1 of 100 losses are"),
    "losses of nothing": (Evidence(losses=losses(n=0)), "losses.* 0 documents were scored, 30 are needed"),
    "no scores": (Evidence(samples=SAMPLES, scores={"facts": [math.nan] * 90}), "facts.* 90 of 90 scores are not"),
    "only losses that are compared with others": (Evidence(training_losses=losses()), "evidence.* there is none"),
}


@pytest.mark.parametrize(("evidence", "said"), USELESS.values(), ids=USELESS)
def test_what_nothing_can_be_compared_with_is_no_founder_but_may_be_a_later_generation(wild_type, evidence, said):
    with pytest.raises(LineageError, match=f"a founder must have a usable reading of its {said}"):
        check_founder(assess(wild_type, evidence))
    check_founder(assess(wild_type, evidence, generation=Generation(lineage="newsbot", index=1)))


def test_a_founder_of_texts_without_a_word_is_none():
    wild_type = WildType.fit([f"document {i} of the wild type" for i in range(60)])
    with pytest.raises(LineageError, match=r"samples.* all 90 samples are empty"):
        check_founder(assess(wild_type, Evidence(samples=[" "] * 90)))


def test_what_can_be_read_is_a_founder(wild_type):
    check_founder(assess(wild_type, Evidence(samples=SAMPLES)))
    check_founder(assess(wild_type, Evidence(losses=losses(), scores={"facts": [1.0] * 90})))
