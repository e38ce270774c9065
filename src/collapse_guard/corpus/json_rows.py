"""JSON: an object a line, an array of objects or of texts, or one object of columns; streamed where they can be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, TextIO

from collapse_guard.corpus.chat import is_chat
from collapse_guard.corpus.limits import LARGEST_TEXT, LARGEST_UNPACKED
from collapse_guard.errors import InputError

ONE_A_LINE = "must have one JSON object a line (a file of one array is named .json)"
"""What a file of lines must be, in words."""

_CHARACTERS = 1 << 16
_SPACE = re.compile(r"[ \t\r\n]*")


def stream_json_lines(lines: Iterable[str]) -> Iterator[tuple[int, Any]]:
    """Number and value of each line that is not blank; the first line is 1.

    Raises:
        InputError: A line is not JSON; the message has its number.
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield number, _DECODER.decode(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"{ONE_A_LINE}, but line {number} is not valid: {error}") from error


def stream_json(text: TextIO) -> Iterator[Any]:
    """The values of an array, one by one; or the objects of a file of several; or the rows of one object of columns.

    An object of columns, such as `{"text": ["a", "b"]}`, is held in memory; with numbers of rows instead of lists, as
    pandas writes it, too.

    Raises:
        InputError: It is not JSON.
    """
    ahead = _Ahead(text)
    if ahead.peek() == "[":
        yield from _array(ahead)
        return
    values = _one_by_one(ahead)
    first = list(islice(values, 2))
    if len(first) == 1 and _is_columns(first[0]):
        names, columns = first[0].keys(), (_column(column) for column in first[0].values())
        yield from (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    else:
        yield from chain(first, values)


def _array(ahead: _Ahead) -> Iterator[Any]:
    ahead.require("[")
    if ahead.peek() != "]":
        yield ahead.value(LARGEST_TEXT)
        while ahead.peek() == ",":
            ahead.require(",")
            yield ahead.value(LARGEST_TEXT)
    ahead.require("]")
    if ahead.peek():
        raise InputError(f"must be valid JSON, but something follows its array: {ahead.peek()!r}")


def _one_by_one(ahead: _Ahead) -> Iterator[Any]:
    largest = LARGEST_UNPACKED  # the first may be one object of columns, and then it is the whole file
    while ahead.peek():
        yield ahead.value(largest)
        largest = LARGEST_TEXT


def _is_columns(value: Any) -> bool:
    columns = list(value.values()) if isinstance(value, dict) else []
    return bool(columns) and all(map(_is_column, columns)) and len(set(map(len, columns))) == 1


def _is_column(value: Any) -> bool:
    if isinstance(value, dict):
        return all(key.isdigit() for key in value)
    return isinstance(value, list) and not is_chat(value)


def _column(column: Any) -> Iterable[Any]:
    return column.values() if isinstance(column, dict) else column


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise InputError(f"the key {twice!r:.80} stands twice in one object; rename one of them")
    return made


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


class _Ahead:
    """The text from the next value on, of which a part is in memory."""

    def __init__(self, text: TextIO) -> None:
        self._text, self._part, self._at = text, "", 0

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        self._at = self._past_space()
        while self._at == len(self._part) and self._more(_CHARACTERS):
            self._at = self._past_space()
        return self._part[self._at : self._at + 1]

    def require(self, character: str) -> None:
        """Pass over the next character; raises InputError if it is another one."""
        if self.peek() != character:
            found = repr(self.peek()) if self.peek() else "its end"
            raise InputError(f"must be valid JSON, but where `{character}` must stand it has {found}")
        self._at += 1

    def value(self, largest: int) -> Any:
        """The next value, of `largest` characters or about as many; more text is read until it is whole."""
        self.peek()
        while True:
            try:
                value, self._at = _DECODER.raw_decode(self._part, self._at)
            except json.JSONDecodeError as error:
                if len(self._part) > largest or not self._more(max(_CHARACTERS, len(self._part))):
                    longest = f" in {largest:,} characters" if len(self._part) > largest else ""
                    raise InputError(f"must be valid JSON, but it is not: {error.msg}{longest}") from error
            except (ValueError, RecursionError) as error:  # a key that stands twice, a number of thousands of digits
                raise InputError(f"must be valid JSON, but {error}") from error
            else:
                return value

    def _past_space(self) -> int:
        match = _SPACE.match(self._part, self._at)
        return match.end() if match else self._at

    def _more(self, size: int) -> bool:
        """Read on, and forget what was passed; whether there was anything."""
        more = self._text.read(size)
        self._part, self._at = self._part[self._at :] + more, 0
        return bool(more)
