"""Records: what they refuse, and that they come back from JSON as they were."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from collapse_guard.errors import InputError
from collapse_guard.evidence import Evidence, Losses
from collapse_guard.records import Direction, Generation, Mixture, Reading, Severity

numbers = st.floats(allow_nan=False) | st.just(float("inf")) | st.just(float("-inf"))


@given(st.lists(numbers, max_size=5), numbers)
def test_a_reading_survives_strict_json_with_every_kind_of_number(replicates, value):
    reading = Reading(
        indicator="vendi",
        family="spread",
        value=value,
        unit="",
        direction="down",
        n=1,
        n_minimum=2,
        replicates=replicates,
    )
    text = json.dumps(reading.to_dict(), allow_nan=False)
    assert Reading.from_dict(json.loads(text)) == reading


def test_not_a_number_survives_too_and_is_not_usable():
    reading = Reading(
        indicator="vendi", family="spread", value=float("nan"), unit="", direction=Direction.DOWN, n=1, n_minimum=2
    )
    back = Reading.from_dict(json.loads(json.dumps(reading.to_dict(), allow_nan=False)))
    assert back.value != back.value
    assert not back.is_usable


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"schema": 1, "real": 3}, r"`real`: .*less than or equal to 1, got 3"),
        ({"schema": 1, "real": 0.5}, r"shares must sum to 1, but real \+ earlier \+ newest = 0.5"),
        ({"schema": 1, "real": 1.0, "other": 1}, r"`other`: Extra inputs are not permitted"),
        ({"schema": 2, "real": 1.0}, r"schema version 1 is required, but got version 2"),
        ({"real": 1.0}, r"but got version None"),
    ],
)
def test_what_does_not_fit_is_refused(data, message):
    with pytest.raises(InputError, match=message):
        Mixture.from_dict(data)


def test_a_record_cannot_be_changed():
    mixture = Mixture(real=1.0)
    with pytest.raises(ValidationError, match="frozen"):
        mixture.real = 0.5


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", "it's", 'say "x"', "line\nbreak"])
def test_a_lineage_name_that_a_store_could_not_hold_is_refused(name):
    with pytest.raises(ValidationError):
        Generation(lineage=name, index=0)


def test_parents_come_before_their_child():
    with pytest.raises(ValidationError, match=r"earlier generations than 2, but got \[2\]"):
        Generation(lineage="newsbot", index=2, parents=(1, 2))


@given(st.lists(st.sampled_from(list(Severity))), st.lists(st.sampled_from(list(Severity))))
def test_the_worst_of_all_is_the_worst_of_the_worst_of_parts(first, second):
    parts = [Severity.worst(first), Severity.worst(second)]
    assert Severity.worst([*first, *second]) is Severity.worst(parts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_tokens": [1]}, r"`n_tokens` must have one entry per document \(2\), but got 1"),
        ({"n_tokens": [1, 0]}, r"`n_tokens` must be at least 1, but document 'b' has 0"),
        ({"documents": ("a", "a")}, r"`documents` must be unique, but 'a' occurs twice"),
    ],
)
def test_losses_that_contradict_themselves_are_refused(changes, message):
    fields = {"documents": ("a", "b"), "nll": [1.0, 2.0], "n_tokens": [3, 4]}
    with pytest.raises(InputError, match=message):
        Losses(**{**fields, **changes})


def test_evidence_of_nothing_and_a_single_text_are_refused():
    with pytest.raises(InputError, match="needs one of `samples`, `losses`, `embeddings`"):
        Evidence()
    with pytest.raises(InputError, match="got one str: wrap it in a list"):
        Evidence(samples="hello")
