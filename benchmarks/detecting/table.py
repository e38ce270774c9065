"""The tables: false alarms, misses and delays of every detector, for the terminal and for a page."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from detecting.bars import lines
from detecting.raw import KINDS
from detecting.rivals import PERPLEXITY_RULE
from detecting.scoring import (
    EVIDENCE,
    GUARDS,
    WATCH,
    Outcome,
    Rate,
    Score,
    detectors,
    false_alarms,
    guard,
    score,
    undecided,
)

WIDTH = 160
"""Columns where the output is not a terminal."""
BEST_SO_FAR = "perplexity +10% over the best so far"
Cells = tuple[str, ...]


class Sheet:
    """One table: a title, headings and rows of cells."""

    def __init__(self, title: str, headings: Cells, rows: list[Cells]) -> None:
        self.title, self.headings, self.rows = title, headings, rows

    @property
    def rich(self) -> Table:
        """For the terminal."""
        table = Table(*self.headings, title=self.title, show_lines=True)
        for row in self.rows:
            table.add_row(*row)
        return table

    @property
    def markdown(self) -> str:
        """For a page."""
        lines = [self.headings, tuple("---" for _ in self.headings), *self.rows]
        return f"{self.title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def sheets(outcomes: Sequence[Outcome]) -> list[Sheet]:
    """False alarms and delays by kind of collapse; leads over the perplexity rule; causes; scenarios; UNDECIDED."""
    return [_overview(outcomes), _leads(outcomes), _causes(outcomes), _by_scenario(outcomes), _undecided(outcomes)]


def bars(outcomes: Sequence[Outcome]) -> Sheet:
    """What is asked of the guard, and whether it is met."""
    healthy = sum(one.healthy for one in outcomes)
    title = (
        f"{healthy} healthy and {len(outcomes) - healthy} collapsing lineages of ten generations, by the policy that "
        "decided. In brackets behind a share: its 95% interval"
    )
    headings = ("what happens (lineages)", "asked", *EVIDENCE, "perplexity, by an oracle", "")
    return Sheet(
        title, headings, [(one.title, one.asked, *one.cells, one.oracle, one.verdict) for one in lines(outcomes)]
    )


def presets(results: Mapping[str, Sequence[Outcome]]) -> Sheet:
    """The guard by each policy: false alarms, and by kind of collapse what is missed and how late the rest is found."""
    some = next(iter(results.values()))
    kinds = _kinds(some)
    rows = [
        (
            policy,
            name.removeprefix("guard, "),
            _rate(false_alarms(outcomes, name)),
            *(_delay_cell(score(_of(outcomes, kind), name)) for kind in kinds),
        )
        for policy, outcomes in results.items()
        for name in GUARDS
    ]
    headings = ("policy", "alarm (evidence)", "false alarms", *(_headed(some, kind) for kind in kinds))
    return Sheet("the guard by each policy: missed, and delay in generations: median (90%)", headings, rows)


def tell(found: Sequence[Sheet], page: Path | None, name: str) -> None:
    """Print tables, and write them between the marks of a page that have a name, where there is a page."""
    console = Console() if Console().is_terminal else Console(width=WIDTH)
    for sheet in found:
        console.print(sheet.rich)
    if page:
        write_markdown(page, found, name)


def write_markdown(path: Path, found: Sequence[Sheet], name: str) -> None:
    """Write tables between the marks of a page that have a name, or at the end of a page without them."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    page = path.read_text(encoding="utf-8") if path.exists() else ""
    if begin not in page:
        page += f"{begin}\n{end}\n"
    before, rest = page.split(begin, 1)
    after = rest.split(end, 1)[1]
    body = "\n\n".join(sheet.markdown for sheet in found)
    path.write_text(f"{before}{begin}\n\n{body}\n\n{end}{after}", encoding="utf-8")


def write_json(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write what every detector said of every lineage."""
    rows = [{**asdict(one), "task": one.task._asdict()} for one in outcomes]
    path.write_text(json.dumps(rows, indent=1, allow_nan=False), encoding="utf-8")


def shown(outcomes: Sequence[Outcome]) -> list[str]:
    """The detectors that have a row: one that says what another one says of every lineage has none."""
    same = all(one.alarms.get(BEST_SO_FAR) == one.alarms.get(PERPLEXITY_RULE) for one in outcomes)
    return [name for name in detectors(outcomes) if not (same and name == BEST_SO_FAR)]


def _overview(outcomes: Sequence[Outcome]) -> Sheet:
    kinds = _kinds(outcomes)
    rows = [
        (name, _rate(false_alarms(outcomes, name)), *(_delay_cell(score(_of(outcomes, kind), name)) for kind in kinds))
        for name in shown(outcomes)
    ]
    n_healthy = sum(one.healthy for one in outcomes)
    title = (
        f"{n_healthy} healthy and {len(outcomes) - n_healthy} collapsing lineages: false alarms for each healthy "
        "lineage (95% interval); missed, and delay in generations: median (90%)"
    )
    dropped = "" if BEST_SO_FAR in shown(outcomes) else f'. "{BEST_SO_FAR}" says the same as "{PERPLEXITY_RULE}"'
    return Sheet(title + dropped, ("detector", "false alarms", *(_headed(outcomes, kind) for kind in kinds)), rows)


def _leads(outcomes: Sequence[Outcome]) -> Sheet:
    kinds = [kind for kind in _kinds(outcomes) if any(PERPLEXITY_RULE in one.alarms for one in _of(outcomes, kind))]
    rows = [
        (name, *(_lead_cell(score(_of(outcomes, kind), name)) for kind in kinds))
        for name in shown(outcomes)
        if name != PERPLEXITY_RULE
    ]
    title = (
        f'lead over "{PERPLEXITY_RULE}" in generations, median where both alarm; lineages in which only the detector '
        "alarms; in which only the rule does"
    )
    return Sheet(title, ("detector", *kinds), rows)


def _causes(outcomes: Sequence[Outcome]) -> Sheet:
    names = [guard(WATCH, evidence) for evidence in EVIDENCE]
    kinds = dict.fromkeys(one.group for one in outcomes)
    rows = [
        (kind, *(_causes_cell([one for one in _of(outcomes, kind) if one.causes.get(name)], name) for name in names))
        for kind in kinds
    ]
    title = "what the first WATCH or worse rests on: indicators, and the lineages in which each was beyond its level"
    return Sheet(title, ("kind", *EVIDENCE), [row for row in rows if any(row[1:])])


def _causes_cell(alarmed: Sequence[Outcome], name: str) -> str:
    counts = Counter(cause for one in alarmed for cause in set(one.causes[name]))
    told = ", ".join(f"{cause} {count}" for cause, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])))
    return f"{told} of {len(alarmed)}" if alarmed else ""


def _by_scenario(outcomes: Sequence[Outcome]) -> Sheet:
    scenarios = dict.fromkeys(one.task[:3] for one in outcomes)
    names = [name for name in (*GUARDS, PERPLEXITY_RULE) if name in detectors(outcomes)]
    rows = []
    for kind in scenarios:
        some = [one for one in outcomes if one.task[:3] == kind]
        cell = _alarm_cell if some[0].healthy else _delay_cell
        rows.append(
            (
                some[0].group,
                f"{some[0].task.source}: {some[0].task.scenario}",
                *(cell(score(some, name)) for name in names),
                _rise(some),
            )
        )
    headings = ("kind", "lineages", *names, "perplexity after one generation, after the last")
    return Sheet(
        "every scenario: false alarms of healthy ones; missed, and delay of the others", headings, sorted(rows)
    )


def _undecided(outcomes: Sequence[Outcome]) -> Sheet:
    kinds = list(dict.fromkeys(one.group for one in outcomes))
    rows = [(evidence, *(_rate(undecided(_of(outcomes, kind), evidence)) for kind in kinds)) for evidence in EVIDENCE]
    return Sheet("verdicts that are UNDECIDED, which alone count as no alarm", ("guard sees", *kinds), rows)


def _kinds(outcomes: Sequence[Outcome]) -> list[str]:
    return [kind for kind in (*KINDS, "collapsing world") if _of(outcomes, kind)]


def _of(outcomes: Sequence[Outcome], kind: str) -> list[Outcome]:
    return [one for one in outcomes if one.group == kind]


def _headed(outcomes: Sequence[Outcome], kind: str) -> str:
    return f"{kind} ({len(_of(outcomes, kind))})"


def _rate(rate: Rate) -> str:
    if not rate.n:
        return ""
    low, high = rate.interval
    return f"{rate.share:.1%} ({low:.1%} to {high:.1%})"


def _delay_cell(found: Score) -> str:
    if not found.missed.n:
        return ""
    return f"{found.missed.share:.0%} missed; {_generations(found.median)} ({_generations(found.late)})"


def _alarm_cell(found: Score) -> str:
    alarms = found.missed.n - found.missed.hits
    return f"{alarms} of {found.missed.n} alarm" if found.missed.n else ""


def _lead_cell(found: Score) -> str:
    if not found.missed.n:
        return ""
    lead = "-" if math.isnan(found.lead) else f"{found.lead:+g}"
    return f"{lead}; {found.alone.share:.0%}; {found.rule_alone.share:.0%}"


def _generations(delay: float) -> str:
    return "never" if math.isinf(delay) else f"{delay:g}"


def _rise(outcomes: Sequence[Outcome]) -> str:
    known = [one.perplexity for one in outcomes if one.perplexity]
    if not known:
        return ""
    once, last = (sum(series[t] / series[0] for series in known) / len(known) - 1 for t in (1, -1))
    return f"{once:+.1%}, {last:+.0%}"
