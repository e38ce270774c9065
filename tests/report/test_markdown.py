"""The Markdown report, read back with a CommonMark parser: whole tables, exact text, no name that opens anything."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from collapse_guard.errors import InputError
from collapse_guard.records import Reason, ReasonKind, Severity
from collapse_guard.report import markdown
from collapse_guard.report.markdown import SMALLEST, escape
from collapse_guard.report.sentences import one_line

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a | b || c \\| d",
    "`code` ``more``",
    "[link](javascript:alert(1)) ![x](y)",
    "# heading\n\n---\n\n| a | b |\n| --- | --- |",
    "1. one\n- two\n> three\n    four",
    "**bold** _it_ __it__ ~~gone~~ $x$",
    "@everyone #12 https://example.org www.example.org",
    "&lt;b&gt; &amp; &#64;all",
    "<!-- comment --> <details>",
    "\\",
    "+ plus",
    "=",
]
COMMENT = "<!-- -->"
hostile_text = st.one_of(
    st.sampled_from(HOSTILE), st.text(), st.text(alphabet="|`\\<>&[]()*_~#$@!-+=.1 \n", max_size=40)
)


def parse(text):
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)


def plain(inline):
    """The text that a reader sees; anything but text, code and our own empty comment fails."""
    seen = []
    for token in inline.children:
        assert token.type in {"text", "code_inline", "html_inline", "text_special", "strong_open", "strong_close"} | {
            "em_open",
            "em_close",
        }
        if token.type == "html_inline":
            assert token.content == COMMENT
        else:
            seen.append(token.content)
    return "".join(seen)


def rows_by_table(text):
    """Cells of each row of each table, heading first."""
    found = []
    tokens = parse(text)
    for place, token in enumerate(tokens):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in {"th_open", "td_open"}:
            found[-1][-1].append(plain(tokens[place + 1]))
    return found


def items(text):
    tokens = parse(text)
    starts = [place for place, token in enumerate(tokens) if token.type == "list_item_open"]
    return [plain(tokens[place + 2]) if tokens[place + 2].type == "inline" else "" for place in starts]


def test_the_first_line_tells_the_newest_verdict(replace, guarded):
    assert markdown(replace).splitlines()[0] == "## ✖ COLLAPSED: generation 4 of demo-replace"
    assert markdown(guarded).splitlines()[0] == "## ● HEALTHY: generation 4 of demo-guarded"
    assert markdown(guarded[:4][::-1]).splitlines()[0] == "## ◇ UNDECIDED: generation 3 of demo-guarded"


def test_the_reasons_stand_as_they_are_worst_first(guarded):
    for assessment in guarded[1:]:
        assert items(markdown([assessment])) == [reason.sentence for reason in assessment.verdict.reasons]


def test_all_tables_come_back_whole(replace):
    generations, comparisons, trends = rows_by_table(markdown(replace))
    assert len(generations) == 1 + 5
    assert len(trends) == 1 + 6
    assert len(comparisons) == 1 + 7
    assert generations[1][:4] == ["4", "✖ COLLAPSED", "0%", "✖ 760.3 (+726%)"]
    assert comparisons[1][:2] == ["perplexity", "✖ collapsed"]


def test_comparisons_that_decide_nothing_are_counted_unless_they_moved(build, read, compared):
    names = ["vendi", "distinct_1", "distinct_3", "entropy", "recall"]
    values = [19.9, 19.9, 20.1, 20.0, 14.0]
    comparisons = [
        compared("vendi", value, 20.0, indicator=name, decides=name == "vendi")
        for name, value in zip(names, values, strict=True)
    ]
    text = markdown([build("x", 1, {name: read("vendi", 20.0, indicator=name) for name in names}, comparisons)])
    rows = rows_by_table(text)[1][1:]
    assert [row[0] for row in rows] == ["vendi", "recall"]
    assert rows[1][1] == "informative (beyond its watch level)"
    assert (
        "Not listed: 3 comparisons that decide nothing and did not clearly move (likelihood 1, diversity 2).\n" in text
    )


def test_without_a_deciding_comparison_there_is_no_table_of_them_but_a_count(build, read, compared):
    comparison = compared("vendi", 19.9, 20.0, decides=False)
    text = markdown([build("x", 1, {"vendi": read("vendi", 20.0)}, [comparison])])
    assert len(rows_by_table(text)) == 1
    assert "Not listed: 1 comparison that decides nothing and did not clearly move (spread 1)." in text


def test_the_five_worst_words_and_runs_of_words_are_listed_and_no_clusters(build, lose):
    lost = [lose("word", f"w{i}", total=224) for i in range(20)] + [lose("2-gram", "a b", observed=2)]
    lost += [lose("cluster", "We the people")]
    text = markdown([build("x", 1, {}).model_copy(update={"lost": tuple(lost)})])
    (_, table) = rows_by_table(text)
    assert table[0] == ["kind", "what", "in real data", "expected", "in the samples"]
    assert [row[:2] for row in table[1:]] == [*(["word", f"w{i}"] for i in range(5)), ["2-gram", "a b"]]
    assert table[-1][2:] == ["100", "12.50", "2"]
    assert "What was lost: 224 words and 1 run of two words that real text of this size would show" in text
    assert "people" not in text
    only_cluster = build("x", 1, {}).model_copy(update={"lost": tuple(lost[-1:])})
    assert "What was lost" not in markdown([only_cluster])


@given(what=hostile_text)
@settings(max_examples=60)
def test_nothing_lost_breaks_its_table(build, lose, what):
    told = build("x", 1, {}).model_copy(update={"lost": (lose("word", what), lose("3-gram", what))})
    text = markdown([told])
    (_, table) = rows_by_table(text)
    assert [row[1].strip() for row in table[1:]] == [one_line(what) or "n/a"] * 2
    kinds = {token.type for token in parse(text)}
    assert not kinds & {"html_block", "fence", "code_block", "hr", "blockquote_open", "ordered_list_open"}


def test_a_founder_alone_has_one_table_and_no_prescription(replace):
    text = markdown(replace[:1])
    assert len(rows_by_table(text)) == 1
    assert "asks for" not in text


def test_no_generation_is_said():
    assert markdown([]) == "No generation of this lineage has been assessed yet.\n"


def test_what_the_guard_asks_for_and_what_would_decide_are_shown(build, read, compared, guarded):
    assert "The guard asks for 50% real data in generation 2." in markdown(guarded[:2])
    unsure = compared("vendi", 20.0, 21.4, p_within_margin=0.4, p_beyond_margin=0.4, n_needed=1900)
    text = markdown([build("newsbot", 3, {"vendi": read("vendi", 20.0)}, [unsure])])
    assert "- vendi: about 1,900 would decide; there are 400." in text


@given(hostile_text)
@example("_a_ a_b _")
@example("a\\|b")
def test_an_escaped_text_is_read_letter_by_letter_in_a_paragraph_of_its_own(text):
    tokens = parse(f"x{escape(text)}x")
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert {token.type for token in tokens[1].children} <= {"text", "text_special", "html_inline"}
    assert plain(tokens[1]) == f"x{one_line(text)}x"


@given(indicator=hostile_text, sentence=hostile_text, method=hostile_text)
@example(indicator="a|b`c`", sentence="| - |", method="x\n| y")
@example(indicator="", sentence="", method="")
@settings(max_examples=60)
def test_no_name_breaks_a_table_or_leaves_its_place(build, read, compared, indicator, sentence, method):
    reasons = [
        Reason(kind=ReasonKind.BEYOND_MARGIN, severity=Severity.COLLAPSED, indicator=indicator, sentence=sentence)
    ]
    comparison = compared("vendi", 20.0, 30.0).model_copy(update={"indicator": indicator, "method": method})
    reading = read("vendi", 20.0).model_copy(update={"indicator": indicator})
    text = markdown([build("evil|<b> @all", 1, [reading], [comparison], reasons=reasons)])
    generations, comparisons = rows_by_table(text)
    assert [len(row) for row in generations] == [4, 4]
    assert [len(row) for row in comparisons] == [8, 8]
    assert comparisons[1][6].strip() == one_line(method)
    assert items(text) == [one_line(sentence)]
    kinds = {token.type for token in parse(text)}
    assert not kinds & {"html_block", "fence", "code_block", "hr", "blockquote_open", "ordered_list_open"}


@pytest.mark.parametrize(
    "sentence", ["# one", "1. two", "1) three", "- four", "+ five", "> six", "---", "| a |", "* a"]
)
def test_a_reason_that_starts_like_a_block_is_still_a_sentence(build, sentence):
    reasons = [Reason(kind=ReasonKind.NOT_SHOWN, severity=Severity.UNDECIDED, sentence=sentence)] * 2
    assert items(markdown([build("newsbot", 1, {}, reasons=reasons)])) == [sentence] * 2


def test_nobody_is_mentioned_and_nothing_is_linked():
    text = escape("@octocat #12 https://example.org www.example.org")
    assert not re.search(r"@\w|#\d|\w://|www\.\w", text)


@pytest.fixture(scope="module")
def long_history(build, read, compared):
    reasons = [
        Reason(kind=ReasonKind.BEYOND_MARGIN, severity=Severity.COLLAPSED, indicator="vendi", sentence="ü" * 300)
    ] * 40
    readings = {"vendi": read("vendi", 20.0)}
    return [build("newsbot", t, readings, [compared("vendi", 20.0, 30.0)], reasons=reasons) for t in range(1000)]


@pytest.mark.parametrize("max_chars", [SMALLEST, 20_000, 40_000])
def test_a_long_report_is_cut_by_whole_rows_and_says_how_many(long_history, max_chars):
    text = markdown(long_history, max_chars=max_chars)
    assert max_chars * 0.9 < len(text) <= max_chars
    generations = rows_by_table(text)[0]
    left_out = re.search(r"\*([\d,]+) more generations left out", text)
    assert len(generations) - 1 + int(left_out[1].replace(",", "")) == 1000
    assert {len(row) for row in generations} == {4}
    if len(generations) > 1:
        assert generations[1][0] == "999"


def test_the_default_fits_a_step_summary_in_bytes(long_history):
    assert len(markdown(long_history).encode()) < 1 << 20


def test_nothing_is_cut_where_everything_fits(replace):
    assert "left out" not in markdown(replace)
    assert markdown(replace) == markdown(replace, max_chars=10**9)


def test_a_budget_that_cannot_hold_the_headings_is_refused(replace):
    with pytest.raises(InputError, match=r"`max_chars` must be at least 8000, but got 100"):
        markdown(replace, max_chars=100)


def test_the_smallest_budget_holds_the_longest_headings(build, read, compared, lose):
    hostile = [f"{letter}{'@a#1' * 40}" for letter in "abcde"]
    readings = {name: read("vendi", 20.0, indicator=name, family=9 * name) for name in hostile}
    comparisons = [compared("vendi", 20.0, 20.0, indicator=name, decides=name == hostile[0]) for name in hostile]
    lost = tuple(lose(kind, hostile[0] * 99) for kind in ("word", "2-gram", "3-gram"))
    told = build("#1@a" * 50, 0, readings, comparisons).model_copy(update={"lost": lost})
    text = markdown([told], max_chars=SMALLEST)
    assert len(text) <= SMALLEST
    assert "Not listed: 4 comparisons that decide nothing and did not clearly move (other 4)." in text
    assert "3 more things lost left out" in text
