"""What commands cost: the texts are the same for the same seed, and a line says how it grew."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
sizes = importlib.import_module("sizes")


def test_texts_are_the_same_for_a_seed_and_no_two_are_alike():
    texts = list(sizes.fragments(300, seed=1))
    assert texts == list(sizes.fragments(300, seed=1))
    assert texts != list(sizes.fragments(300, seed=2))
    assert len(set(texts)) == 300
    assert all(149 <= len(text) < 400 for text in texts)


def test_a_line_has_the_growth_where_half_the_size_was_measured():
    line = sizes.Line("`curate`", 200_000, sizes.Cost(42.0, 820.4), sizes.Cost(20.0, 500.0))
    assert str(line) == "| `curate` | 200,000 | 42.0 s | x 2.1 | 820 MB |"
    assert str(line._replace(half=None)) == "| `curate` | 200,000 | 42.0 s |  | 820 MB |"


def test_the_cost_of_a_command_is_that_of_its_process_and_a_failed_one_is_an_error():
    cost = sizes.cost_of("--version")
    assert cost.seconds > 0
    assert cost.megabytes > 10
    with pytest.raises(subprocess.CalledProcessError):
        sizes.cost_of("gate", "--no-such-option")


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--images", ["a wild type of images of 48 numbers | 100", "the founder, ", "a later generation, "]),
        ("--cache", ["samples of a GPT-2 with its cache | 3", "samples of a GPT-2 without its cache | 3"]),
    ],
)
def test_what_is_measured_in_this_process_is_told(option, told, capsys, monkeypatch):
    """`--cache` is an error where the samples differ."""
    monkeypatch.setattr(sizes, "SHAPE", (3, 4, 4))
    monkeypatch.setattr(sizes, "LENGTH", 40)
    sizes.main([option, "--scale", "0.05"])
    rows = capsys.readouterr().out.splitlines()[2:]
    assert len(rows) == len(told)
    for row, begins in zip(rows, told, strict=True):
        assert row.startswith(f"| {begins}")
        assert " s |" in row
