"""Leaks of known size, at a small size: what was put in is found, and nothing else is. Everything has a fixed seed."""

import importlib
import sys
from pathlib import Path

import pytest

from collapse_guard import WildType

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
leaks = importlib.import_module("leaks")
corpora, forms, founders, looking = (
    importlib.import_module(f"leaking.{name}") for name in ("corpora", "forms", "founders", "looking")
)


@pytest.fixture(scope="module")
def divided():
    return corpora.divided("speeches", most=900, evaluation=100, seed=0)


def test_halves_share_no_document_and_have_as_many_as_are_asked_for(divided):
    known = {*divided.wild_type.pool, *divided.wild_type.evaluation}
    assert len(divided.unseen) == 450
    assert not known & set(divided.unseen)
    assert len(divided.wild_type.evaluation) == 100
    assert all(len(text.split()) >= corpora.FEWEST_WORDS for text in known)


def test_forms_hold_all_tokens_of_the_texts(divided):
    texts = divided.unseen[:20]
    n = sum(len(ids) for ids in divided.wild_type.encode(texts))
    for form in (forms.chunks, forms.windows):
        parts = [len(ids) for ids in divided.wild_type.encode(form(divided.wild_type, texts, 16))]
        assert n <= sum(parts) <= 1.2 * n  # a cut word has more tokens
    assert len(forms.windows(divided.wild_type, texts, 16)) == -(-n // 16)


def test_fresh_documents_hold_few_and_evaluation_documents_themselves(divided):
    assert looking.by_chance(divided, forms.whole) < 0.02
    own = corpora.Divided(divided.wild_type, list(divided.wild_type.evaluation))
    assert looking.by_chance(own, forms.whole) > 0.8  # a long one counts as several


def test_the_larger_a_leak_the_more_often_it_is_seen(divided):
    leaked, pool = list(divided.wild_type.evaluation), list(divided.wild_type.pool)
    none, some, half = (
        looking.seen(divided.wild_type, leaked, pool, share, batches=2, draws=8, seed=1) for share in (0.0, 0.1, 0.5)
    )
    assert 0 == none <= some <= half == 8


def test_a_look_at_all_texts_finds_what_it_can_tell(divided):
    assert looking.missed(divided.wild_type, forms.whole, 0) == (0.0, 0.0)
    short = looking.shortened(divided, 24, 100, 0)
    assert {len(text.split()) for text in short.pool} == {24}
    cut = looking.missed(short, forms.windows, 0)
    assert 0.0 < cut.share <= 0.2


@pytest.mark.slow
def test_the_commands_write_between_the_marks_of_a_page(tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    small = {
        "texts": "--sources speeches --documents 600 --evaluation 60 --draws 2 --seeds 0",
        "founders": "--seeds 0 --shares 0 0.05 1 --every 40",
    }
    for command, options in small.items():
        monkeypatch.setattr(sys, "argv", ["leaks.py", command, *options.split(), "--markdown", str(page)])
        leaks.main()
    capsys.readouterr()
    text = page.read_text(encoding="utf-8")
    for name in ("copies by chance", "leaks seen", "documents missed", "founders with a leak"):
        assert f"<!-- {name}: begin -->" in text
    table = text.split("<!-- founders with a leak: begin -->")[1].splitlines()
    none, few, every = (
        line.strip("| ").split(" | ") for line in table if line.startswith(("| none", "| 5%", "| 100%"))
    )
    assert float(every[1]) < float(few[1]) < float(none[1])
    assert all("COLLAPSED" not in cell for cell in (*none[2:5], *few[2:4], *every[2:4], *every[5:7]))
    assert {every[4], *none[5:], few[5]} == {"COLLAPSED 1"}


def test_samples_are_made_of_fours_of_the_texts():
    wild_type = WildType.fit(
        [f"in {year} the congress met and wrote {7 * year % 91} laws" for year in range(1790, 1890)]
    )
    pool = list(wild_type.pool)
    for sample in founders.written(wild_type, pool, 5, leaks.np.random.default_rng(0)):
        assert sample.split()[0] == "in"
