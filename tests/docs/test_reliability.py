"""The table of faults names tests that exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
LINK = re.compile(r"\[([^\]]+)\]\(\.\./((?:tests|benchmarks)/[^)#]+)\)")


def rows():
    """The cells of each row of the tables of faults, and of the ways to train."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    heads = ("|---", "| what goes wrong", "| way |")
    tables = [line for line in lines if line.startswith("|") and not line.startswith(heads)]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in tables]


def names_in(path):
    """The tests in a file, and their classes."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name.lower().startswith("test")
    }


def test_each_fault_says_what_happens_what_to_do_and_which_tests_cause_it():
    faults = rows()
    assert len(faults) > 20
    assert [row for row in faults if len(row) not in (3, 4) or not all(row) or not LINK.search(row[-1])] == []


def test_the_tests_exist():
    named = [link for row in rows() for link in LINK.findall(row[-1])]
    missing = [(name, path) for name, path in named if path.startswith("tests/") and name not in names_in(path)]
    assert missing == []
    assert all((ROOT / path).is_file() for _, path in named)
