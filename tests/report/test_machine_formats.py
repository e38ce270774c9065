"""JUnit XML read back with junitparser, JSON read back strictly: what other programs get."""

import io
import json
import math
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml

from collapse_guard.records import Assessment, Reason, ReasonKind, Severity
from collapse_guard.report import json_text, junit
from collapse_guard.report.sentences import one_line


def suite_of(assessment):
    (suite,) = JUnitXml.fromroot(ElementTree.fromstring(junit(assessment)))  # noqa: S314 - what we wrote
    return suite


def told(kind, severity, indicator="vendi", sentence="so it is"):
    return Reason(kind=kind, severity=severity, indicator=indicator, sentence=sentence)


def strict(text):
    def refuse(token):
        raise ValueError(f"{token} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("generation", range(5))
def test_there_is_a_case_for_each_deciding_indicator_and_the_counts_are_right(guarded, generation):
    assessment = guarded[generation]
    suite = suite_of(assessment)
    severities = [reason.severity for reason in assessment.verdict.reasons]
    deciding = {comparison.indicator for comparison in assessment.comparisons if comparison.decides}
    assert deciding <= {case.name for case in suite}
    assert suite.failures == severities.count(Severity.COLLAPSED)
    assert suite.errors == severities.count(Severity.UNDECIDED)
    assert suite.tests == max(1, len(deciding))


@pytest.mark.parametrize(
    ("kind", "severity", "result"),
    [
        (ReasonKind.BEYOND_MARGIN, Severity.COLLAPSED, Failure),
        (ReasonKind.NOT_SHOWN, Severity.UNDECIDED, Error),
        (ReasonKind.BEYOND_WATCH, Severity.WATCH, None),
        (ReasonKind.WITHIN_MARGIN, Severity.HEALTHY, None),
    ],
)
def test_a_severity_becomes_a_result_with_its_sentence(build, kind, severity, result):
    (case,) = suite_of(build("newsbot", 2, {}, reasons=[told(kind, severity, sentence="vendi fell")]))
    if result is None:
        assert case.is_passed
        assert "vendi fell" in case.system_out
    else:
        (found,) = case.result
        assert type(found) is result
        assert found.message == "vendi fell"


@pytest.mark.parametrize(
    ("severity", "flags", "result"),
    [
        (Severity.WATCH, {"strict": True}, Failure),
        (Severity.WATCH, {"allow_undecided": True}, None),
        (Severity.UNDECIDED, {"allow_undecided": True}, None),
        (Severity.UNDECIDED, {"strict": True}, Error),
        (Severity.COLLAPSED, {"allow_undecided": True}, Failure),
        (Severity.HEALTHY, {"strict": True}, None),
    ],
)
def test_flags_change_what_passes_and_not_what_is_said(build, severity, flags, result):
    reason = told(ReasonKind.BEYOND_WATCH, severity, sentence="vendi fell")
    text = junit(build("newsbot", 2, {}, reasons=[reason]), **flags)
    (suite,) = JUnitXml.fromroot(ElementTree.fromstring(text))  # noqa: S314
    (case,) = suite
    assert [type(found) for found in case.result] == ([] if result is None else [result])
    assert str(severity) in text
    assert "vendi fell" in text


def test_one_statement_about_the_generation_is_a_case_too(build):
    reason = told(ReasonKind.MISSING, Severity.UNDECIDED, indicator="", sentence="nothing was measured")
    (case,) = suite_of(build("newsbot", 2, {}, reasons=[reason]))
    assert case.name == "generation"
    assert case.is_error


def test_a_deciding_comparison_without_a_reason_is_an_error(build, compared):
    (case,) = suite_of(build("newsbot", 2, {}, [compared("vendi", 20.0, 20.0)], reasons=[]))
    assert (case.name, case.is_error) == ("vendi", True)


def test_properties_come_before_cases_and_name_what_was_judged(guarded):
    root = ElementTree.fromstring(junit(guarded[2]))  # noqa: S314
    (suite,) = root
    assert [child.tag for child in suite] == ["properties"] + ["testcase"] * 6
    properties = {node.get("name"): node.get("value") for node in suite[0]}
    assert {"lineage": "demo-guarded", "generation": "2"}.items() <= properties.items()
    assert properties["wild_type"] == guarded[2].verdict.wild_type
    assert properties["policy"] == guarded[2].verdict.policy


def test_the_worst_cases_come_first_and_the_totals_of_the_document_are_right(build):
    reasons = [
        told(ReasonKind.WITHIN_MARGIN, Severity.HEALTHY, "a"),
        told(ReasonKind.BEYOND_MARGIN, Severity.COLLAPSED, "b"),
        told(ReasonKind.NOT_SHOWN, Severity.UNDECIDED, "c"),
    ]
    assessment = build("newsbot", 2, {}, reasons=[])
    verdict = assessment.verdict.model_copy(update={"reasons": tuple(reasons), "severity": Severity.COLLAPSED})
    root = ElementTree.fromstring(junit(assessment.model_copy(update={"verdict": verdict})))  # noqa: S314
    assert [case.get("name") for case in root.iter("testcase")] == ["b", "c", "a"]
    assert [root.get(total) for total in ("tests", "failures", "errors")] == ["3", "1", "1"]


@pytest.mark.slow
@given(sentence=st.text(), indicator=st.text())
@example(sentence="\x00\x1b]0;x\x07\ufffe<a> & ]]> \r\n", indicator="\x08")
def test_any_text_becomes_valid_xml(build, sentence, indicator):
    reason = told(ReasonKind.BEYOND_MARGIN, Severity.COLLAPSED, indicator=indicator, sentence=sentence)
    text = junit(build("<b>|", 1, {}, reasons=[reason]))
    JUnitXml.fromstring(text)
    (case,) = JUnitXml.fromroot(ElementTree.parse(io.BytesIO(text.encode())).getroot()).__iter__().__next__()  # noqa: S314
    assert case.name == (one_line(indicator) or "generation")
    assert (case.result[0].message or "the verdict gives no reason for it") == (
        one_line(sentence) or "the verdict gives no reason for it"
    )


def test_the_json_is_strict_sorted_and_gives_the_assessment_back(replace):
    for assessment in replace:
        text = json_text(assessment)
        assert Assessment.from_dict(strict(text)) == assessment
        assert text == json.dumps(strict(text), sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def test_numbers_that_are_not_finite_are_strings_in_the_json(build, read):
    values = {"vendi": math.nan, "perplexity": math.inf, "tail_loss": -math.inf}
    text = json_text(build("newsbot", 1, {name: read(name, value) for name, value in values.items()}))
    parsed = strict(text)
    assert {name: parsed["readings"][name]["value"] for name in values} == {
        "vendi": "NaN",
        "perplexity": "Infinity",
        "tail_loss": "-Infinity",
    }
    assert json_text(Assessment.from_dict(parsed)) == text
