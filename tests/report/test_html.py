"""The page: its structure as a parser sees it, names that try to break out of it, and every odd history."""

import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from collapse_guard.records import Decision, EffectScale, Mixture, Reason, ReasonKind, Severity
from collapse_guard.report import html, markdown, sentences
from collapse_guard.report.figures import figure_svg, lineage_figure
from collapse_guard.report.html import inline_svg
from collapse_guard.report.palette import INKS

VOID = {"meta", "link", "br", "img", "hr", "input"}
SCRIPT = "<script>document.title='pwned'</script>"
BREAKOUT = '"><img src=x onerror=alert(1)>'


class Page(HTMLParser):
    """A page as lists: open and close tags must match, or reading it fails."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.open, self.texts, self.cells = [], [], [], []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.cells.append(0)
        if tag in {"td", "th"}:
            self.cells[-1] += 1

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"style", "script"}:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def of(self, tag, **wanted):
        return [attrs for name, attrs in self.elements if name == tag and wanted.items() <= attrs.items()]


@pytest.fixture(scope="module")
def source(histories):
    return html(histories, title="Caught")


@pytest.fixture(scope="module")
def page(source):
    return Page(source)


def test_the_page_is_one_file_that_fetches_and_runs_nothing(source, page):
    policy = page.of("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert policy.startswith("default-src 'none'")
    assert "script" not in policy
    assert not page.of("script")
    links = [
        value for _, attrs in page.elements for name, value in attrs.items() if name in {"src", "href", "xlink:href"}
    ]
    assert links
    assert all(link.startswith(("#", "data:")) for link in links)
    assert "@import" not in source
    assert not re.search(r"url\((?!#)", source)


def test_each_lineage_has_its_verdict_its_reasons_and_what_is_asked_for(page, replace):
    assert "demo-replace ✖ COLLAPSED" in page.text
    assert "demo-guarded ● HEALTHY" in page.text
    said = page.text.replace("\u00a0", " ")
    assert all(reason.sentence in said for reason in replace[-1].verdict.reasons)
    assert said.count("The guard asks for 50% real data in generation 5.") == 1


def test_all_rows_of_all_tables_are_there_and_have_scoped_headings(page):
    generations, deciding, informative, trend = 1 + 5, 1 + 6, 1 + 1, 1 + 6
    assert Counter(page.cells) == {8: 2 * (generations + deciding + informative), 4: trend}
    assert len(page.of("caption")) == 5, "only one of the lineages goes on getting worse"
    assert len(page.of("th", scope="col")) == 6 * 8 + 4
    assert len(page.of("th", scope="row")) == 2 * 5 + 2 * 6 + 2 * 1 + 6
    assert len(page.of("th")) == 6 * 8 + 4 + 2 * 5 + 2 * 7 + 6


def test_comparisons_that_decide_nothing_are_folded_by_family_in_the_order_of_the_catalogue(build, read, compared):
    names = ("recall", "distinct_1", "vendi", "tail_token_loss", "of my own")
    moved = compared("vendi", 14.0, 20.0, indicator="recall", decides=False)
    still = [compared("vendi", 19.9, 20.0, indicator=name, decides=name == "vendi") for name in names[1:]]
    readings = {name: read("vendi", 20.0, indicator=name, family="spread") for name in names}
    readings["of my own"] = read("vendi", 20.0, indicator="of my own", family="<b>mine")
    page = Page(html({"x": [build("x", 1, readings, [moved, *still])]}))
    headings = [part.strip() for part in page.texts if "more comparison" in part]
    assert headings == [
        "likelihood: 1 more comparison",
        "diversity: 1 more comparison",
        "distance: 1 more comparison, 1 beyond its watch level",
        "<b>mine: 1 more comparison",
    ]
    assert all("open" not in attrs for attrs in page.of("details", **{"class": "group"}))
    assert page.text.count("informative beyond its watch level") == 1
    assert not page.of("b")


@pytest.mark.slow
def test_many_indicators_have_charts_for_those_that_decide_or_moved_and_the_rest_is_counted(build, read, compared):
    names = [f"of_my_own_{place:02}" for place in range(30)]
    comparisons = [
        compared("vendi", 20.0, 20.0, indicator=names[20]),
        compared("vendi", 14.0, 20.0, indicator=names[21], decides=False),
        compared("vendi", 20.0, 20.0, indicator=names[22], decides=False),
    ]
    history = [build("x", 0, {name: read("vendi", 20.0, indicator=name) for name in names}, comparisons)]
    page = Page(html({"x": history}))
    drawn = [attrs["aria-label"].split(" over generations")[0] for attrs in page.of("figure")]
    assert drawn[5:7] == ["of my own-20", "of my own-21"]
    assert len(drawn) == 5 + 12
    assert "13 more indicators that decide nothing have no chart" in page.text
    all_decide = [compared("vendi", 20.0, 20.0, indicator=name) for name in names]
    assert len(Page(html({"x": [history[0].model_copy(update={"comparisons": tuple(all_decide)})]})).of("figure")) == 30


def test_what_was_lost_is_a_folded_table_for_each_kind_under_a_sentence(build, lose):
    items = [lose("word", "tariff", total=40), lose("word", "duties", observed=1), lose("cluster", "We the people")]
    page = Page(html({"x": [build("x", 1, {}).model_copy(update={"lost": tuple(items)})]}))
    folds = page.of("details", **{"class": "group lost"})
    assert [("open" in attrs) for attrs in folds] == [True, False]
    assert "40 words that real text of this size would show are gone or nearly so; the worst 2 are listed" in page.text
    assert "1 cluster of real data that as many real samples would fill is empty or nearly so" in page.text
    assert "tariff 100 12.50 0 3.700e-06" in page.text
    assert Counter(page.cells)[5] == 2 + 3
    assert "What was lost" not in Page(html({"x": [build("x", 1, {})]})).text.split("How to read this")[0]


@pytest.mark.parametrize("evil", [SCRIPT, BREAKOUT, "{{ 7 * 7 }}{% raw %}", "a\x00\x1b[31m\x85b\u202ec\u2066d\n<i>"])
@pytest.mark.parametrize("kind", ["word", "3-gram", "cluster", "document"])
def test_nothing_lost_becomes_markup_or_steers_anything(build, lose, kind, evil):
    source = html({"x": [build("x", 1, {}).model_copy(update={"lost": (lose(kind, evil),)})]})
    page = Page(source)
    assert not [tag for tag in ("script", "img", "i") if page.of(tag)]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", source)
    assert sentences.one_line(evil) in page.text


def test_every_figure_is_shown_in_words(page):
    figures = page.of("figure", role="img")
    assert len(figures) == len(page.of("figure")) == 7 + 1
    assert figures[0]["aria-label"] == (
        "perplexity over generations. "
        "demo-replace: 92.10 at generation 0 (HEALTHY) and 760.3 at generation 4 (COLLAPSED); "
        "demo-guarded: 92.10 at generation 0 (HEALTHY) and 95.80 at generation 4 (HEALTHY)."
    )
    assert all(attrs.get("aria-hidden") == "true" for attrs in page.of("svg"))


def test_ids_are_unique_and_every_reference_has_a_target(page):
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    inside = [v[1:] for _, attrs in page.elements for k, v in attrs.items() if k.endswith("href") and v.startswith("#")]
    clips = re.findall(r"url\(#([^)]*)\)", " ".join(v or "" for _, attrs in page.elements for v in attrs.values()))
    assert set(inside) | set(clips) <= set(ids)
    assert inside
    assert clips


def test_figures_take_their_colours_from_the_scheme_of_the_page(source):
    drawings = re.findall(r"<figure.*?</figure>", source, re.DOTALL)
    assert len(drawings) == 8
    assert not [colour for drawing in drawings for colour in re.findall(r"#[0-9a-f]{6}\b", drawing)]
    used = set(re.findall(r"var\(--([\w-]+)\)", source))
    light, dark = re.findall(r":root \{(.*?)\}", source)
    for scheme in (light, dark):
        assert used - {"tone"} <= set(re.findall(r"--([\w-]+):", scheme))
    assert all(f"--{ink.name}: {ink.dark};" in dark for ink in INKS)


def test_the_same_input_gives_the_same_page(source, histories):
    assert html(histories, title="Caught") == source


@pytest.mark.parametrize("evil", [SCRIPT, BREAKOUT, "{{ 7 * 7 }}{% raw %}", "</style></section>&lt;b&gt;"])
def test_nothing_from_outside_becomes_markup(build, read, compared, evil):
    reason = Reason(kind=ReasonKind.BEYOND_MARGIN, severity=Severity.COLLAPSED, indicator=evil, sentence=evil)
    comparison = compared("vendi", 20.0, 30.0).model_copy(update={"indicator": evil, "method": evil})
    history = [build("x", 1, {evil: read("vendi", 20.0, indicator=evil)}, [comparison], reasons=[reason])]
    source = html({evil: history, evil + "2": []}, title=evil)
    page = Page(source)
    assert not page.of("script")
    assert not page.of("img")
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]
    assert page.text.count(evil) >= 5
    assert len(page.of("style")) == 1


def test_nothing_from_outside_controls_a_terminal_or_turns_the_text_around(build, read, compared):
    evil = "a\x00\x1b[31m\x85b\u202ec\u2066d"
    reason = Reason(kind=ReasonKind.NOT_SHOWN, severity=Severity.UNDECIDED, indicator="vendi", sentence=evil)
    shown = {"method": evil, "effect_unit": evil, "scale": EffectScale.ABSOLUTE}
    comparison = compared("vendi", 20.0, 30.0).model_copy(update=shown)
    told = build("x", 1, {"vendi": read("vendi", 20.0)}, [comparison], reasons=[reason])
    told = told.model_copy(update={"verdict": told.verdict.model_copy(update={"wild_type": evil, "policy": evil})})
    source = html({"x": [told]}, title=evil)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", source)
    assert Page(source).text.count("a[31m bcd") >= 6


def test_no_lineage_and_no_generation_are_said():
    assert "No lineage has been assessed yet." in Page(html({})).text
    text = Page(html({"newsbot": []})).text
    assert "newsbot No generation of this lineage has been assessed yet." in text


def test_a_founder_alone_is_a_page(replace):
    page = Page(html({"newsbot": replace[:1]}))
    assert len(page.of("figure")) == 8
    assert len(page.of("table")) == 1


def test_what_is_missing_is_never_called_nan(build, read, compared):
    nan = float("nan")
    broken = read("perplexity", nan, problem="the losses of 3 documents are not numbers")
    hole = compared("vendi", 20.0, 30.0).model_copy(update={"observed": nan, "effect": nan, "low": nan, "high": nan})
    reason = Reason(kind=ReasonKind.NOT_A_NUMBER, severity=Severity.UNDECIDED, indicator="perplexity", sentence="no")
    history = [
        build("newsbot", 0, {"perplexity": read("perplexity", 90.0)}, real=1.0),
        build("newsbot", 1, {"perplexity": broken}, [hole], reasons=[reason]),
    ]
    page = Page(html({"newsbot": history}))
    assert not re.search(r"\bnan\b", page.text, re.IGNORECASE)
    assert "n/a" in page.text
    assert all("nan" not in attrs.get("d", "") for attrs in page.of("path"))


def test_lineages_of_different_indicators_share_a_page(build, read, replace):
    vectors = [build("blobs", t, {"vendi": read("vendi", 20.0 - t)}) for t in range(3)]
    page = Page(html({"demo-replace": replace, "blobs": vectors}))
    labels = [attrs["aria-label"] for attrs in page.of("figure")]
    assert any("blobs: not measured" in label for label in labels)
    assert any("blobs: 20.00 at generation 0 (HEALTHY) and 18.00 at generation 2" in label for label in labels)


def test_a_page_of_other_indicators_shows_them_up_front(build, read):
    names = ["vendi", "effective_rank", "mean_distance", "vendi_2", "homozygosity", "recall", "coverage"]
    history = [build("blobs", t, {name: read("vendi", 20.0, indicator=name) for name in names}) for t in range(2)]
    source = html({"blobs": history})
    before, after = source.split("<summary>2 more indicators</summary>")
    assert (before.count("<figure"), after.count("<figure")) == (5, 2)


def test_what_would_decide_is_on_the_page(build, read, compared):
    unsure = compared("vendi", 20.0, 21.4, p_within_margin=0.4, p_beyond_margin=0.4, n_needed=1900)
    history = [build("x", 1, {"vendi": read("vendi", 20.0)}, [unsure], prescription=Mixture.with_real(0.1))]
    assert "What would decide vendi: about 1,900 would decide; there are 400." in Page(html({"x": history})).text


def test_two_figures_in_one_page_keep_their_own_ids(histories):
    svg = figure_svg(lineage_figure(histories, ["perplexity"], with_legend=False))
    first, second = (
        set(re.findall(r' id="([^"]+)"', inline_svg(svg, prefix=prefix))) for prefix in ("first-", "second-")
    )
    assert len(first) > 20
    assert first.isdisjoint(second)


def test_what_was_done_in_the_run_is_on_the_page_and_in_the_summary(guarded):
    rule = "WATCH: the real share is raised from 10% to 40%"
    decision = Decision(
        step=1200, severity=Severity.WATCH, real_before=0.1, real_after=0.4, from_index=38_400, rule=f"{rule} <b>"
    )
    history = [*guarded[:2], guarded[2].model_copy(update={"decisions": (decision,)})]
    said = f"After step 1,200 of its training, {rule} "
    assert f"{said}&lt;b&gt;, from item 38,400 of the run on." in html({"demo-guarded": history})
    assert f"{said}\\<b>, from item" in markdown(history)
