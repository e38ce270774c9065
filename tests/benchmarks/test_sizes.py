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
