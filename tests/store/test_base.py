import json
import math

import pytest

from collapse_guard.errors import LineageError
from collapse_guard.store.base import check_append, from_text, next_index, to_text


def test_the_next_index_follows_the_newest_whatever_the_order(make):
    assert next_index([make(index=4), make(index=1)]) == 5


def test_a_new_generation_may_be_appended_and_a_stored_one_is_known(make):
    history = [make(index=0), make(index=1, vendi=math.nan)]
    assert check_append(history, make(index=2))
    assert not check_append(history, make(index=1, vendi=math.nan))


def test_a_record_of_before_evidence_had_a_digest_is_the_same_generation(make):
    before, now = make(), make().model_copy(update={"evidence": "a" * 32})
    assert not check_append([before], now)
    assert not check_append([now], before)
    with pytest.raises(LineageError, match="another content"):
        check_append([now], make().model_copy(update={"evidence": "b" * 32}))
    with pytest.raises(LineageError, match="another content"):
        check_append([make(vendi=1.0)], now)


def test_a_stored_generation_is_recognised_after_a_round_trip(make):
    stored = from_text(to_text(make(vendi=math.nan)), lineage="newsbot", index=0, where="here")
    assert stored.to_dict() == make(vendi=math.nan).to_dict()
    assert math.isnan(stored.readings["vendi"].value)


def test_text_is_plain_json_without_constants_that_json_does_not_have(make):
    text = to_text(make("日本", vendi=math.inf))
    json.loads(text, parse_constant=pytest.fail)
    assert "日本" in text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("[]", "a JSON object is required, but got list"),
        ('{"schema": 1}', "not a valid Assessment: `generation`"),
        ('{"schema": 99}', "schema version 1 is required, but got version 99"),
        ("[" * 100_000, "recursion"),
        ('{"schema": 1, "generation": {"__reduce__": "os.system"}}', "not a valid Assessment"),
    ],
)
def test_a_damaged_text_is_refused_and_named(text, why):
    with pytest.raises(LineageError, match=f"the file of run 7 must be an assessment of generation 0.*{why}"):
        from_text(text, lineage="newsbot", index=0, where="the file of run 7")


def test_the_assessment_of_another_generation_is_refused(make):
    with pytest.raises(LineageError, match="but got one of generation 3 of `other`"):
        from_text(to_text(make("other", 3)), lineage="newsbot", index=3, where="the file")
