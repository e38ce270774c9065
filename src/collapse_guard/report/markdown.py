"""A lineage as Markdown, for `$GITHUB_STEP_SUMMARY`, comments on pull requests and run notes.

What comes from outside (names, sentences, methods) is escaped: it cannot open a tag, a link, a table cell or a heading,
and it mentions nobody.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from collapse_guard.errors import InputError
from collapse_guard.indicators.registry import FAMILIES
from collapse_guard.records import Assessment, Comparison, founder_of
from collapse_guard.report import lost, outlook, sentences, slices, tables, trends
from collapse_guard.report.palette import SEVERITIES
from collapse_guard.report.tables import Cell, Table

SMALLEST = 8_000
"""Below this many characters not even headline and headings are sure to fit."""

_SPECIAL = re.compile(r"[\\`*\[\]<|~$]|_(?![^\W_])|&(?=#?\w+;)")
_LINKED = re.compile(r"(?<=@)(?=\w)|(?<=#)(?=\d)|(?<=\w)(?=://)|(?<=www)(?=\.)", re.IGNORECASE)
_BLOCK_OPENER = re.compile(r"^(\d*)([-+=>#.)])")


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Lines that always stay, then rows that may be cut from the end."""

    head: tuple[str, ...]
    rows: tuple[str, ...] = ()
    noun: str = "rows"


def markdown(history: Sequence[Assessment], *, max_chars: int = 60_000) -> str:
    """Report a lineage in Markdown: newest verdict, reasons, what would decide, generations, comparisons, and what was
    lost. Comparisons that do not decide are counted, and listed only if they moved.

    Args:
        history: The generations of one lineage.
        max_chars: Longest text allowed; whole rows are left out to keep it, and the text says how many. The default
            fits a comment on a pull request (65,536 characters) and a step summary (1 MiB).

    Returns:
        Markdown that ends in a line break.

    Raises:
        InputError: When `max_chars` is below 8,000.
    """
    if max_chars < SMALLEST:
        raise InputError(
            f"`max_chars` must be at least {SMALLEST}, but got {max_chars}: headline and headings need them"
        )
    if not history:
        return "No generation of this lineage has been assessed yet.\n"
    return _fit(list(_blocks(tables.in_order(history))), max_chars)


def escape(text: str) -> str:
    r"""Escape a text from outside so that Markdown shows it letter by letter, on one line.

    An empty comment parts what GitHub would link or notify: "@team", "#12", "http://".

    Example:
        >>> print(escape("<b>|`x` _y_ tail_loss @all"))
        \<b>\|\`x\` _y\_ tail_loss @<!-- -->all
    """
    return _LINKED.sub("<!-- -->", _SPECIAL.sub(r"\\\g<0>", sentences.one_line(text)))


def _item(text: str) -> str:
    return "- " + _BLOCK_OPENER.sub(r"\1\\\2", escape(text))


def _blocks(history: Sequence[Assessment]) -> Iterator[_Block]:
    newest = history[-1]
    yield _Block(head=(f"## {escape(sentences.headline(newest))}", "", *_asked(newest)))
    yield _Block(head=(), rows=tuple(_item(reason.sentence) for reason in newest.verdict.reasons), noun="reasons")
    needed = sentences.deciding_samples(newest)
    if needed:
        yield _Block(head=("", "**What would decide**", ""), rows=tuple(map(_item, needed)))
    anew = sentences.foundings(history)
    if anew:
        yield _Block(head=("",), rows=tuple(map(_item, anew)), noun="foundings")
    yield _table(tables.generations(history), "generations")
    listed = [*tables.deciding(newest), *_moved(newest)]
    if listed:
        yield _table(tables.comparisons(newest, listed), "comparisons")
    if len(listed) < len(newest.comparisons):
        yield _Block(head=("", _not_listed(newest)))
    trend, gone, ahead = trends.table(history), lost.summary(newest), outlook.table(newest)
    if trend:
        yield _table(trend, "trends")
    if ahead:
        yield _table(ahead, "mixtures")
    if gone:
        yield _table(gone, "things lost")
    covered = slices.table(newest, None if newest.generation.is_founder else founder_of(history, newest.generation))
    if covered:
        yield _table(covered, "kinds of documents")
    yield _Block(
        head=("", f"Wild type {_code(newest.verdict.wild_type[:64])}, policy {_code(newest.verdict.policy[:64])}.")
    )


def _moved(newest: Assessment) -> list[Comparison]:
    rest = chain.from_iterable(tables.informative(newest).values())
    return [comparison for comparison in rest if tables.has_moved(comparison)]


def _not_listed(newest: Assessment) -> str:
    """How many comparisons of each family a person need not read one by one."""
    still: Counter[str] = Counter()
    for family, comparisons in tables.informative(newest).items():
        still[family if family in FAMILIES else "other"] += sum(not tables.has_moved(one) for one in comparisons)
    counts = ", ".join(f"{family} {count}" for family, count in still.items() if count)
    total = sum(still.values())
    who = "comparison that decides nothing and did" if total == 1 else "comparisons that decide nothing and did"
    return f"Not listed: {total:,} {who} not clearly move ({counts})."


def _asked(newest: Assessment) -> Iterable[str]:
    notes = [*sentences.decisions(newest), *outlook.sentences(newest)]
    lines = [escape(sentences.read(newest)), *map(escape, notes), sentences.prescription(newest)]
    return chain.from_iterable((sentence, "") for sentence in lines if sentence)


def _table(table: Table, noun: str) -> _Block:
    return _Block(
        head=("", f"**{table.caption}**", "", _row(map(escape, table.columns)), _row("---" for _ in table.columns)),
        rows=tuple(_row(map(_cell, row)) for row in table.rows),
        noun=noun,
    )


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    mark = f"{SEVERITIES[cell.severity].mark} " if cell.severity else ""
    text = _code(cell.text) if cell.is_name else escape(cell.text)
    return f"{mark}{text}{f' ({escape(cell.detail)})' if cell.detail else ''}"


def _code(name: str) -> str:
    plain = sentences.one_line(name).replace("`", "'").replace("|", "\\|")
    return f"`{plain}`" if plain else sentences.MISSING


def _fit(blocks: Sequence[_Block], max_chars: int) -> str:
    notice = 80
    spare = max_chars - sum(sum(len(line) + 1 for line in block.head) + notice for block in blocks)
    lines: list[str] = []
    for block in blocks:
        count = _how_many_fit(block.rows, spare)
        spare -= sum(len(row) + 1 for row in block.rows[:count])
        lines += [*block.head, *block.rows[:count]]
        if count < len(block.rows):
            lines += ["", f"*{len(block.rows) - count:,} more {block.noun} left out to keep this short.*"]
    return "\n".join(lines) + "\n"


def _how_many_fit(rows: Sequence[str], spare: int) -> int:
    for place, row in enumerate(rows):
        spare -= len(row) + 1
        if spare < 0:
            return place
    return len(rows)
