"""A lineage begins when somebody says so."""

import pytest

from collapse_guard.errors import CollapseGuardWarning, LineageNotFoundError
from collapse_guard.lineage.founding import joined
from collapse_guard.store import MemoryStore
from collapse_guard.testing import example_assessment


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


@pytest.mark.parametrize("index", [None, 1, 3])
@pytest.mark.parametrize("name", ["newsbto", "NEWSBOT", "новости", "日本語"])
def test_without_it_a_new_lineage_is_warned_of_with_the_near_names(store, index, name):
    with pytest.warns(CollapseGuardWarning) as warned:
        assert joined(store, name, index=index) == []
    [message] = [str(one.message) for one in warned]
    assert message.startswith(f"a new lineage begins here: `lineage` must be in the store, but got {name!r}: ")
    assert ("did you mean `newsbot`?" in message) == (name.isascii())
    assert "Known: newsbot" in message
    assert "`--founder` on the command line, `generation=0` in Python" in message


@pytest.mark.parametrize("index", [None, 3])
@pytest.mark.parametrize(
    ("value", "is_ci"), [("true", True), ("1", True), ("woodpecker", True), ("", False), ("False", False), ("0", False)]
)
def test_in_ci_it_is_an_error(store, monkeypatch, value, is_ci, index):
    monkeypatch.setenv("CI", value)
    if is_ci:
        with pytest.raises(LineageNotFoundError, match=r"did you mean `newsbot`.*generation=0"):
            joined(store, "newsbto", index=index)
    else:
        with pytest.warns(CollapseGuardWarning, match="newsbto"):
            joined(store, "newsbto", index=index)


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
