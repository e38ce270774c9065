"""A stored record is believed only as far as its parts agree with each other."""

import json

import pytest

from building import make_assessment, make_comparison, make_reading
from collapse_guard.errors import LineageError
from collapse_guard.records import Reason, ReasonKind, Severity
from collapse_guard.store.base import from_text, to_text


def record(severity=Severity.COLLAPSED, shown=None):
    reasons = [
        Reason(kind=ReasonKind.BEYOND_MARGIN, severity=severity, indicator="perplexity", sentence="it rose"),
        Reason(kind=ReasonKind.WITHIN_MARGIN, severity=Severity.HEALTHY, indicator="vendi", sentence="it did not"),
    ]
    readings, comparisons = [make_reading(), make_reading("vendi", 20.0)], [make_comparison("perplexity", 130.0)]
    made = make_assessment("newsbot", 1, readings, comparisons, reasons=reasons, wild_type="a")
    fields = json.loads(to_text(made))
    fields["verdict"]["shown"] = shown
    return fields


def read(fields):
    return from_text(json.dumps(fields), lineage="newsbot", index=1, where="the file")


def without_guilty(fields):
    fields["verdict"]["reasons"].pop(0)


def milder_reason(fields):
    fields["verdict"]["reasons"][0]["severity"] = "HEALTHY"


EDITS = {
    "milder": (lambda f: f["verdict"].update(severity="HEALTHY"), "severity must be COLLAPSED, the worst of the rea"),
    "a guilty reason less": (without_guilty, "severity must be HEALTHY, the worst of the reasons, but got COLLAPSED"),
    "a milder reason": (milder_reason, "severity must be HEALTHY, the worst of the reasons, but got COLLAPSED"),
    "no reason at all": (lambda f: f["verdict"].update(reasons=[]), "severity must be HEALTHY"),
    "milder to alerts": (lambda f: f["verdict"].update(shown="HEALTHY"), "shown must be COLLAPSED where severity is"),
    "another lineage": (
        lambda f: f["verdict"].update(lineage="other"),
        "the verdict must be of generation 1 of 'newsb",
    ),
    "another generation": (lambda f: f["verdict"].update(generation=0), "but got one of generation 0 of 'newsbot'"),
    "another wild type": (lambda f: f["verdict"].update(wild_type="b"), "wild type must be a throughout, but got b"),
    "another reading": (
        lambda f: f["readings"].update(perplexity=f["readings"]["vendi"]),
        "the reading 'perplexity' must be of that indicator, but got 'vendi'",
    ),
    "harm turned round": (
        lambda f: f["comparisons"][0].update(direction="down"),
        "perplexity must be compared in the direction of its reading, up, but got down",
    ),
}


@pytest.mark.parametrize(("edit", "said"), EDITS.values(), ids=EDITS)
def test_a_record_that_contradicts_itself_is_not_read(edit, said):
    fields = record()
    assert read(fields).verdict.severity is Severity.COLLAPSED
    edit(fields)
    with pytest.raises(LineageError, match=f"^the file must be an assessment .*{said}.*Restore the file from a backup"):
        read(fields)


@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("shown", [None, *Severity])
def test_what_was_shown_is_the_severity_or_a_watch_of_what_is_undecided(severity, shown):
    if shown in (None, severity) or (severity, shown) == (Severity.UNDECIDED, Severity.WATCH):
        assert read(record(severity, shown)).verdict.known is (shown or severity)
    else:
        with pytest.raises(LineageError, match="shown must be"):
            read(record(severity, shown))
