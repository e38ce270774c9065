"""The code on the pages of the documentation runs, and prints what the pages say it prints."""

import contextlib
import io
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from matplotlib import pyplot as plt

from collapse_guard.indicators.base import all_indicators

DOCS = Path(__file__).parents[2] / "docs"
PAGES = (
    "how-to-choose-an-indicator.md",
    "input-files.md",
    "leaks.md",
    "losses.md",
    "metrics-alone.md",
    "slices.md",
    "prompts.md",
    "reverse-perplexity.md",
    "task-scores.md",
    "vectors.md",
    "what-is-checked.md",
    "words-and-columns.md",
    "worlds.md",
)


def blocks(text):
    """Language and content of each fenced block."""
    return [(token.info, token.content) for token in MarkdownIt().parse(text) if token.type == "fence"]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_prints_what_stands_below_it(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("agg")
    names, printed, n_checked = {"__name__": page}, "", 0
    for language, content in blocks((DOCS / page).read_text(encoding="utf-8")):
        if language == "python":
            assert not printed, "what a block prints must stand below it, in a block of text"
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(content, page, "exec"), names)  # noqa: S102
            printed = out.getvalue()
        elif language == "text":
            assert content == printed
            printed, n_checked = "", n_checked + 1
    assert not printed
    assert n_checked
    plt.close("all")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_links_to_indicators_that_exist(page):
    linked = re.findall(r"indicators\.md#(\w+)", (DOCS / page).read_text(encoding="utf-8"))
    assert set(linked) <= all_indicators().keys()


def test_the_guide_names_every_family():
    text = (DOCS / PAGES[0]).read_text(encoding="utf-8")
    linked = set(re.findall(r"indicators\.md#(\w+)", text))
    families = {metric.family for metric in all_indicators().values()}
    assert {all_indicators()[name].family for name in linked & all_indicators().keys()} == families
