"""Lines of TOML text: find the line of a key that was refused after parsing."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any


def line_of(loc: Sequence[str | int], text: str) -> int | None:
    """The line that defines the key at `loc`, or the nearest table around it if the key is missing; the first is 1.

    The text is cut off after each line and parsed: the first cut that defines the key has its line. So the parser
    itself reads sections, dotted and quoted keys, inline tables and arrays. Cost: two parses per line.

    Args:
        loc: Keys from the outermost to the innermost; an item of an array has its number, from 0.
        text: Valid TOML.

    Returns:
        None if the outermost key is not in the text.

    Example:
        >>> line_of(("drift", "vendi", "margin"), "alpha = 0.1\\n[drift.vendi]\\nmargin = 0.2\\n")
        3
    """
    depth = _depth(loc, _parsed(text))
    lines, start = text.split("\n"), 1
    for end in range(1, len(lines) + 1 if depth else 1):
        head = "\n".join(lines[:end])
        whole = _parsed(head)
        if _depth(loc, whole) >= depth:
            return end if isinstance(loc[depth - 1], int) else start
        # An array that goes on: close it after the items so far.
        if _depth(loc, _parsed(f"{head}\n]")) >= depth:
            return end
        if whole is not None:
            start = end + 1
    return None


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _depth(loc: Sequence[str | int], value: Any) -> int:
    """How many keys of `loc` exist, counted from the outermost."""
    for depth, key in enumerate(loc):
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return depth
    return len(loc)
