"""Statuses, names and decisions as people read them: hand-made oracles, and what must hold for every float and text."""

import math
import unicodedata
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collapse_guard.records import Decision, Mixture, Origin, Reason, ReasonKind, Severity, Verdict
from collapse_guard.report import sentences


def verdict_with(*reasons):
    return Verdict(
        severity=Severity.worst([reason.severity for reason in reasons]),
        reasons=reasons,
        lineage="newsbot",
        generation=3,
        wild_type="w",
        policy="p",
    )


def reason(indicator, kind, severity):
    return Reason(kind=kind, severity=severity, indicator=indicator, sentence="as it is")


@pytest.mark.parametrize(
    ("kind", "severity", "called"),
    [
        (ReasonKind.BEYOND_MARGIN, Severity.COLLAPSED, "collapsed"),
        (ReasonKind.BEYOND_WATCH, Severity.WATCH, "watch"),
        (ReasonKind.NOT_SHOWN, Severity.UNDECIDED, "not shown"),
        (ReasonKind.TOO_FEW, Severity.UNDECIDED, "not shown"),
        (ReasonKind.WITHIN_MARGIN, Severity.HEALTHY, "within"),
    ],
)
def test_the_status_follows_the_reason_whatever_the_p_values_say(compared, kind, severity, called):
    for p in (0.0, 1.0):
        comparison = compared("vendi", 20.0, 21.0, p_beyond_margin=p, p_within_margin=1 - p, p_beyond_watch=p)
        status = sentences.status(comparison, verdict_with(reason("vendi", kind, severity)))
        assert (status, sentences.STATUSES[status]) == (severity, called)


def test_the_worst_of_two_reasons_about_an_indicator_is_its_status(compared):
    verdict = verdict_with(
        reason("vendi", ReasonKind.WITHIN_MARGIN, Severity.HEALTHY),
        reason("vendi", ReasonKind.BEYOND_MARGIN, Severity.COLLAPSED),
        reason("perplexity", ReasonKind.BEYOND_WATCH, Severity.WATCH),
    )
    assert sentences.status(compared("vendi", 20.0, 21.0), verdict) is Severity.COLLAPSED


def test_a_comparison_without_a_reason_is_not_shown_and_one_that_does_not_decide_is_informative(compared):
    verdict = verdict_with(reason("vendi", ReasonKind.BEYOND_MARGIN, Severity.COLLAPSED))
    assert sentences.status(compared("perplexity", 92.0, 92.0), verdict) is Severity.UNDECIDED
    assert sentences.status(compared("vendi", 20.0, 21.0, decides=False), verdict) is None


@given(st.text())
@example("\x00\x1b[31m\ud800\u202e\ufffe\r\n\x0b\u2028")
def test_one_line_is_one_line_of_legal_xml_without_direction_overrides(text):
    line = sentences.one_line(text)
    parsed = ElementTree.fromstring(f"<a>{escape(line)}</a>").text or ""  # noqa: S314 - what we wrote
    assert parsed == line
    assert len(line.splitlines()) <= 1
    assert not {"RLO", "LRO", "RLI", "LRI"} & {unicodedata.bidirectional(letter) for letter in line}


def test_one_line_keeps_what_people_write():
    name = "gpt-Ω «modèle» 模型 #3 می‌خواهم"
    assert sentences.one_line(name) == name


def test_what_the_guard_asks_for_is_a_sentence_or_nothing(build):
    assert sentences.prescription(build("newsbot", 3, {})) == ""
    asked = build("newsbot", 3, {}, prescription=Mixture.with_real(0.55))
    assert sentences.prescription(asked) == "The guard asks for 55% real data in generation 4."


def test_which_weights_were_measured_is_said_beside_what_was_read(build):
    assert sentences.read(build("newsbot", 3, {})) == ""
    best = Origin(training="a", step=80, measured="best by val_loss: epoch=3.ckpt")
    assert sentences.read(build("newsbot", 3, {}, origin=best)) == "Weights measured: best by val_loss: epoch=3.ckpt."


def test_what_was_done_in_the_run_is_shown_with_what_it_rests_on(build):
    fields = {"step": 1200, "severity": Severity.WATCH, "indicator": "tail_loss", "bad_end": 2.44, "real_before": 0.1}
    raised = Decision(**fields, real_after=0.4, from_index=38_400, budget_left=9000, rule="WATCH: raised")
    dry = Decision(**fields, real_after=0.4, dry_run=True, rule="WATCH: raised")
    halted = Decision(**fields, real_after=0.1, halt=True, roll_back_to=2, rule="too little is left")
    assert sentences.decisions(build("newsbot", 3, {}, decisions=(raised, dry, halted))) == [
        "After step 1,200 of its training, WATCH: raised, from item 38,400 of the run on; the bad end of tail loss was "
        "2.4 times its watch level; 9,000 real documents were left for it.",
        "After step 1,200 of its training, dry run: WATCH: raised; the bad end of tail loss was 2.4 times its watch "
        "level.",
        "After step 1,200 of its training, too little is left; the bad end of tail loss was 2.4 times its watch level. "
        "The run should halt: go back to generation 2.",
    ]
    assert sentences.decisions(build("newsbot", 3, {})) == []


def test_what_would_decide_is_shown_for_undecided_indicators_only(build, read, compared):
    assessment = build(
        "newsbot",
        3,
        {"vendi": read("vendi", 20.0), "perplexity": read("perplexity", 120.0)},
        [
            compared("vendi", 20.0, 21.4, p_within_margin=0.4, p_beyond_margin=0.4, n_needed=1900),
            compared("perplexity", 120.0, 92.0, n_needed=999),
        ],
    )
    assert sentences.deciding_samples(assessment) == ["vendi: about 1,900 would decide; there are 400."]


def test_too_few_samples_name_the_minimum(build, read):
    few = read("vendi", math.nan, n=12, problem="vendi needs at least 50 samples, but got 12")
    told = reason("vendi", ReasonKind.TOO_FEW, Severity.UNDECIDED)
    assessment = build("newsbot", 3, {"vendi": few}, reasons=[told])
    assert sentences.deciding_samples(assessment) == ["vendi: at least 50 are needed; there are 12."]
