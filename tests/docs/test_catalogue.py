"""The catalogue is written from the code, leaves nothing out, and the one in docs/ is the newest."""

import importlib.util
import re
from pathlib import Path

import pytest

from collapse_guard.indicators.base import Indicator, all_indicators
from contract_cases import CASES

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("write_catalogue", ROOT / "scripts" / "write_catalogue.py")
catalogue = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(catalogue)

LINES = {
    "Unit",
    "Range",
    "Collapse",
    "Evidence",
    "Needs at least",
    "Compared",
    "Cost",
    "Undefined",
    "Does not see",
    "Definitions",
    "Source",
    "Code",
}
EACH = pytest.mark.parametrize("name", all_indicators())


@EACH
def test_an_entry_has_every_line(name):
    entry = catalogue.entry(all_indicators()[name])
    lines = dict(re.findall(r"^- \*\*(.+?)\*\*: (.+)$", entry, flags=re.MULTILINE))
    assert lines.keys() == LINES
    assert all(line.strip() for line in lines.values()), lines


@EACH
def test_an_entry_says_what_the_formula_is(name):
    formula = catalogue.pure_function(all_indicators()[name])
    assert formula is CASES[name].pure
    described = catalogue.description(formula.__doc__)
    assert "Range: " in described
    assert "Collapse: " in described
    assert not re.search(r"^(Args|Raises|Source|Example)|>>>", described, flags=re.MULTILINE)


def test_each_indicator_stands_once_in_the_table_and_once_below_it():
    page = catalogue.page()
    assert re.findall(r"^\| \[`(\w+)`\]", page, flags=re.MULTILINE) == list(all_indicators())
    assert re.findall(r"^### (\w+)$", page, flags=re.MULTILINE) == list(all_indicators())


def test_an_indicator_that_does_not_say_where_its_formula_is_is_refused():
    class Nameless(Indicator):
        name = "nowhere_to_be_found"
        family = "nowhere"

    with pytest.raises(LookupError, match="Nameless must say"):
        catalogue.pure_function(Nameless)


def test_a_docstring_is_cut_at_its_sections():
    text = """What: `x`.

    Range: [0, 1].

    Args:
        x: n.

    Source: A
        and B.

    Example:
        >>> 1
    """
    assert catalogue.description(text) == "What: `x`.\n\nRange: [0, 1]."
    assert catalogue.source(text) == "A and B."


@pytest.mark.parametrize(
    ("ends", "written"),
    [((0.0, 1.0), "[0, 1]"), ((1.0, float("inf")), "[1, inf)"), ((float("-inf"), float("inf")), "(-inf, inf)")],
)
def test_a_range_is_written_as_an_interval(ends, written):
    assert catalogue.interval(*ends) == written


def test_the_pages_in_docs_are_the_newest():
    fresh = catalogue.CATALOGUE.read_text(encoding="utf-8") == catalogue.page()
    guide = catalogue.GUIDE.read_text(encoding="utf-8")
    assert fresh and guide == catalogue.guide(guide), "run `make docs`, or python scripts/write_catalogue.py"  # noqa: PT018
