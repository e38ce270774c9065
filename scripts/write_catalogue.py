"""Write docs/indicators.md, the catalogue, from what the indicators' classes declare and their docstrings say.

Also the tables of docs/how-to-choose-an-indicator.md, which stand between comments "<!-- table: NAME -->" and
"<!-- end -->". Run `python scripts/write_catalogue.py`, or `make docs`. Nothing here names an indicator: a new one
appears by itself.
"""

from __future__ import annotations

import inspect
import math
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from types import FunctionType
from typing import Any

from collapse_guard.decision.policy import DECIDES
from collapse_guard.indicators.base import DEFINITIONS, MINIMUM_GROUPS, Indicator, all_indicators
from collapse_guard.indicators.registry import FAMILIES
from collapse_guard.records import Direction, EffectScale

DOCS = Path(__file__).parents[1] / "docs"
CATALOGUE = DOCS / "indicators.md"
ROOM = "collapse_guard.indicators"
GUIDE = DOCS / "how-to-choose-an-indicator.md"
EVIDENCE = {
    "losses": "losses of the model on held-out real documents",
    "reverse": "generated samples of text, which a small model learns from, and held-out real documents",
    "learning": "generated samples, which a small model learns from, and held-out real data",
    "outputs": "generated samples, scored token by token by a model",
    "tokens": "generated samples, as token ids",
    "words": "generated samples, as words",
    "texts": "generated samples, as texts",
    "whole": "all generated samples together",
    "prompts": "generated samples, as token ids, and the prompts that they answer",
    "vectors": "vectors of the samples: embeddings, latents, images",
    "columns": "samples that are rows of a table, or of an array of up to 64 columns",
    "lineage": "this generation, and its parent, the founder or the wild type",
}
COLLAPSE = {Direction.DOWN: "down", Direction.UP: "up", Direction.BOTH: "either way"}
SCALES = {
    EffectScale.LOG_RATIO: "as a ratio, told in percent",
    EffectScale.EXPONENTIAL: "as a ratio, told in percent",
    EffectScale.LOG: "as a difference of logarithms, told in its unit",
    EffectScale.ABSOLUTE: "as a difference in its unit",
    EffectScale.SHARE: "as a difference of shares, told in points",
}
SECTIONS = ("Args", "Returns", "Raises", "Source", "Example", "Examples", "Cost")

INTRO = """\
# Indicators

Every indicator of collapse_guard: what it means, its formula, where it comes from, and what it does not see. This
page is written from the code (`make docs`), so it says what the code does. To choose among them, read
[how to choose an indicator](how-to-choose-an-indicator.md) first.

- **Collapse** is the direction in which the number moves when a model collapses.
- **Needs at least** is the number of replicates below which a comparison is refused: documents for losses, groups of
  samples of equal size for everything else.
- **Compared** says how two generations are compared: as a ratio, as a difference of logarithms, or as a plain
  difference.
- **Definitions** names the definitions of model collapse that it measures, of the eight that Schaeffer et al. (2025),
  [arXiv:2503.03150](https://arxiv.org/abs/2503.03150), found in the literature.
- Where it is undefined it is NaN, never a made-up number.
"""


def pure_function(metric: type[Indicator]) -> Callable[..., Any]:
    """The function that holds the formula of an indicator: the one that its docstring refers to as "see `name`"."""
    for name in _references(metric):
        found = _resolve(name, metric)
        if isinstance(found, FunctionType):
            return found
        if isinstance(found, type) and issubclass(found, Indicator) and found is not metric:
            return pure_function(found)
    raise LookupError(
        f'{metric.__name__} must say "see `name`" of its pure function in its docstring, or be named as the function is'
    )


def description(docstring: str) -> str:
    """What stands in a docstring before its sections."""
    return _parts(docstring)[""]


def source(docstring: str) -> str:
    """The citation of a docstring; empty where there is none."""
    return " ".join(_parts(docstring)["Source"].split())


def entry(metric: type[Indicator]) -> str:
    """The entry of one indicator."""
    formula = pure_function(metric)
    text = inspect.getdoc(formula) or ""
    replicates = "groups" if metric.minimum_n == MINIMUM_GROUPS else "documents"
    replicates = {"whole": "samples", "prompts": "prompts"}.get(metric.evidence, replicates)
    definitions = "; ".join(f"{DEFINITIONS[number]} ({number})" for number in metric.definitions)
    facts = {
        "Unit": metric.unit,
        "Range": interval(*metric.value_range),
        "Collapse": COLLAPSE[metric.direction],
        "Evidence": EVIDENCE[metric.evidence],
        "Needs at least": f"{metric.minimum_n} {replicates}",
        "Compared": SCALES[metric.scale],
        "Cost": metric.cost,
        "Undefined": f"where {metric.undefined}",
        "Does not see": metric.misses,
        "Definitions": definitions or "none of the eight by itself",
        "Source": source(text),
        "Code": f"`{metric.__name__}` and `{formula.__name__}` in `{formula.__module__}`",
    }
    lines = [f"- **{title}**: {fact}" for title, fact in facts.items()]
    return "\n".join([f"### {metric.name}", "", description(text), "", *lines, ""])


def page() -> str:
    """The whole page."""
    families = defaultdict(list)
    for metric in all_indicators().values():
        families[metric.family].append(metric)
    table = ["| indicator | family | evidence | collapse | definitions |", "|---|---|---|---|---|"]
    table += [_row(metric) for family in families.values() for metric in family]
    numbers = [f"{number}. {meaning}" for number, meaning in DEFINITIONS.items()]
    parts = [INTRO, "## All at a glance", "", *table, "", "The definitions:", "", *numbers, ""]
    for family in [*FAMILIES, *(families.keys() - set(FAMILIES))]:
        parts += [f"## Family: {family}", "", _room(family), ""] + [entry(metric) for metric in families[family]]
    return "\n".join(parts).rstrip() + "\n"


def guide(text: str) -> str:
    """The guide with its tables written anew."""
    for name, table in (("definitions", _definitions()), ("decides", _decides())):
        parts = re.split(rf"(?s)(<!-- table: {name} -->\n).*?(<!-- end -->)", text)
        if len(parts) != 4:
            raise LookupError(f"{GUIDE.name} must have one table `{name}` between its comments")
        text = f"{parts[0]}{parts[1]}\n{table}\n\n{parts[2]}{parts[3]}"
    return text


def main() -> None:
    """Write the pages where they differ."""
    for path, text in ((CATALOGUE, page()), (GUIDE, guide(GUIDE.read_text(encoding="utf-8")))):
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _definitions() -> str:
    lines = ["| definition | indicators that measure it |", "|---|---|"]
    for number, meaning in DEFINITIONS.items():
        names = [name for name, metric in all_indicators().items() if number in metric.definitions]
        lines.append(f"| {number}. {meaning} | {_links(names) or 'none by itself'} |")
    return "\n".join(lines)


def _decides() -> str:
    lines = ["| decides by default | evidence | collapse | definitions |", "|---|---|---|---|"]
    for name in DECIDES:
        metric = all_indicators()[name]
        numbers = ", ".join(map(str, metric.definitions))
        lines.append(f"| {_link(name)} | {metric.evidence} | {COLLAPSE[metric.direction]} | {numbers} |")
    return "\n".join(lines)


def _links(names: Sequence[str]) -> str:
    """Links, of runs such as distinct_1 to distinct_4 to the two ends."""
    runs = [list(run) for _, run in groupby(names, key=lambda name: re.sub(r"(?<=_)\d$", "", name))]
    return ", ".join(" to ".join(map(_link, [run[0], *run[1:][-1:]])) for run in runs)


def _link(name: str) -> str:
    return f"[`{name}`]({CATALOGUE.name}#{name})"


def _references(metric: type[Indicator]) -> Iterator[str]:
    for cls in metric.__mro__:
        if issubclass(cls, Indicator) and cls is not Indicator:
            yield from re.findall(r"[Ss]ee `([\w.]+)`", cls.__dict__.get("__doc__") or "")
    yield metric.name


def _resolve(name: str, metric: type[Indicator]) -> Any:
    """What a docstring means by a name: of the modules of the class and its bases, else of its family, else of any."""
    *path, name = name.split(".")
    homes = [cls.__module__ for cls in metric.__mro__ if issubclass(cls, Indicator)]
    rooms = sorted(module for module in sys.modules if module.startswith(f"{ROOM}."))
    where = [f"{ROOM}.{path[-1]}"] if path else [*homes, f"{ROOM}.{metric.family}", *rooms]
    found = (getattr(sys.modules.get(module), name, None) for module in where)
    return next((thing for thing in found if thing is not None), None)


def _parts(docstring: str) -> dict[str, str]:
    parts: dict[str, list[str]] = defaultdict(list)
    section = ""
    for line in inspect.cleandoc(docstring).splitlines():
        head = re.match(rf"({'|'.join(SECTIONS)}):(.*)", line)
        if head:
            section, line = head.group(1), head.group(2)
        parts[section].append(line)
    return defaultdict(str, {title: "\n".join(lines).strip() for title, lines in parts.items()})


def _room(family: str) -> str:
    """The first sentence or sentences of the family's module, after its name."""
    text = inspect.getdoc(sys.modules[f"{ROOM}.{family}"]) or ""
    first = " ".join(text.split("\n\n")[0].split())
    sentence = first.split(": ", 1)[-1]
    return sentence[:1].upper() + sentence[1:]


def _row(metric: type[Indicator]) -> str:
    numbers = ", ".join(map(str, metric.definitions)) or "none"
    name, collapse = f"[`{metric.name}`](#{metric.name})", COLLAPSE[metric.direction]
    return f"| {name} | {metric.family} | {metric.evidence} | {collapse} | {numbers} |"


def interval(low: float, high: float) -> str:
    """An interval as mathematicians write it; an infinite end is open."""
    left = f"[{low:g}" if math.isfinite(low) else "(-inf"
    right = f"{high:g}]" if math.isfinite(high) else "inf)"
    return f"{left}, {right}"


if __name__ == "__main__":
    main()
