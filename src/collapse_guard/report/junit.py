"""A verdict as JUnit XML, for the test tab of a CI system: a suite per generation, a case per deciding indicator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from collapse_guard.records import Assessment, Reason, Severity
from collapse_guard.report import sentences

_WHOLE = "generation"
_RESULTS: dict[Severity, type[Failure | Error]] = {Severity.COLLAPSED: Failure, Severity.UNDECIDED: Error}


def junit(assessment: Assessment, *, strict: bool = False, allow_undecided: bool = False) -> str:
    """Tell the verdict on one generation in JUnit XML.

    COLLAPSED is a failure and UNDECIDED an error, both with the sentence of the reason; HEALTHY and WATCH pass, with
    the sentence in `system-out`. The severity of an indicator is that of its worst reason. A comparison that
    should decide and has no reason is an error; reasons about no indicator share the case "generation".

    Args:
        assessment: The generation.
        strict: Whether WATCH is a failure too.
        allow_undecided: Whether UNDECIDED passes.

    Returns:
        XML 1.0 text. Suite properties are lineage, generation, wild_type and policy.
    """
    verdict, generation = assessment.verdict, assessment.generation
    results = _RESULTS | ({Severity.WATCH: Failure} if strict else {})
    if allow_undecided:
        del results[Severity.UNDECIDED]
    name = f"{sentences.one_line(generation.lineage)}, generation {generation.index}"
    suite = TestSuite(name)
    for key in ("lineage", "generation", "wild_type", "policy"):
        suite.add_property(key, sentences.one_line(str(getattr(verdict, key))))
    for indicator in _judged(assessment):
        about = [reason for reason in verdict.reasons if reason.is_about(indicator)]
        suite.add_testcase(_case(indicator, about, generation.lineage, results))
    if not len(suite):
        bare = Reason(kind="baseline", severity=verdict.severity, sentence="the verdict comes without reasons")
        suite.add_testcase(_case("", [bare], generation.lineage, results))
    document: Any = JUnitXml("collapse_guard")
    document.add_testsuite(suite)
    document.update_statistics()
    return str(document.tostring().decode("utf-8"))


def _judged(assessment: Assessment) -> list[str]:
    """Indicators that the verdict rests on, worst first; the empty name stands for the generation."""
    reasons = sorted(assessment.verdict.reasons, key=lambda reason: -reason.severity.rank)
    deciding = (comparison.indicator for comparison in assessment.comparisons if comparison.decides)
    return list(
        dict.fromkeys([*(name for reason in reasons for name in (reason.indicator, *reason.others)), *deciding])
    )


def _case(
    indicator: str, about: Sequence[Reason], lineage: str, results: Mapping[Severity, type[Failure | Error]]
) -> TestCase:
    case = TestCase(
        sentences.one_line(indicator) or _WHOLE, classname=f"collapse_guard.{sentences.one_line(lineage)}", time=0.0
    )
    severity = Severity.worst([reason.severity for reason in about]) if about else Severity.UNDECIDED
    text = "; ".join(sentences.one_line(reason.sentence) for reason in about) or "the verdict gives no reason for it"
    if severity in results:
        case.result = [results[severity](text, type_=str(severity))]
    else:
        case.system_out = f"{severity}: {text}"
    return case
