"""Which text a row holds: a column by its name, a part of one, a chat, or a template of several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from string import Formatter
from typing import Any

from collapse_guard.corpus import chat
from collapse_guard.corpus.rows import Row
from collapse_guard.errors import InputError, near

OTHER_COLUMN = "Name the right one with `--column` (`column=` in Python)"
"""What to do where a column is not there."""


class MissingFieldError(InputError):
    """A row lacks what was named; the message says what the row has instead."""


@dataclass(frozen=True)
class TextColumn:
    """The text of a row, by a name such as `text`, `answer.text`, `messages.assistant` or `{question} {answer}`.

    A column of exactly this name is preferred to any other meaning. A dot names a part of an object, an entry of a list
    by its number from 0, or the messages of one role of a chat; braces name columns within a template.

    Raises:
        InputError: A template is not one of names in braces.

    Example:
        >>> TextColumn("{question} {answer.text}").text({"question": "Who won?", "answer": {"text": "Nobody."}})
        'Who won? Nobody.'
    """

    name: str
    """As it was given."""

    def __post_init__(self) -> None:
        """Read the template."""
        _ = self._template

    def columns(self, known: Sequence[str]) -> list[str]:
        """The columns that are needed, of those that a table has; raises InputError where one is lacking."""
        if self.name in known:
            return [only(self.name, known)]
        fields = [field for _, field in self._template if field is not None]
        return list(dict.fromkeys(_column(field, known) for field in fields))

    def text(self, row: Row) -> str | None:
        """The text of a row; None where it is null, not a number or an empty chat.

        Raises:
            MissingFieldError: The row has nothing of that name. InputError: it is not text.
        """
        if row is None or isinstance(row, str):
            return row
        if self.name in row:
            return _as_text(row[self.name])
        if not self._is_template:
            return _as_text(_part(row, self.name))
        parts = [(literal, None if field is None else _part(row, field)) for literal, field in self._template]
        texts = [(literal, _in_template(value)) for literal, value in parts]
        return "".join(literal + text for literal, text in texts) if any(text.strip() for _, text in texts) else None

    def value(self, row: Row) -> Any:
        """What a row holds under the name, of any type; of a template, its text.

        Raises:
            MissingFieldError: The row has nothing of that name. InputError: a part of a template is not text.
        """
        if not isinstance(row, Mapping):
            raise MissingFieldError("its rows are texts without columns")
        if self.name in row:
            return row[self.name]
        return self.text(row) if self._is_template else _part(row, self.name)

    @cached_property
    def _is_template(self) -> bool:
        return "{" in self.name or "}" in self.name

    @cached_property
    def _template(self) -> list[tuple[str, str | None]]:
        """Each piece of text, and the field behind it if there is one."""
        if not self._is_template:
            return [("", self.name)]
        required = '`column` must be a name, or a template such as "{question} {answer}"'
        try:
            pieces = list(Formatter().parse(self.name))
        except ValueError as error:
            raise InputError(f"{required}, but got {self.name!r:.120}: {error}") from error
        if any(field == "" or form or conversion for _, field, form, conversion in pieces):
            raise InputError(f"{required}, but got {self.name!r:.120}: write a name alone in each pair of braces")
        if all(field is None for _, field, _, _ in pieces):
            raise InputError(f"{required}, but got {self.name!r:.120}: name a column in braces")
        return [(literal, field) for literal, field, _, _ in pieces]


def only(name: str, known: Sequence[str]) -> str:
    """The name, where one column alone has it; raises InputError with the places of several.

    Example:
        >>> only("text", ["id", "text"])
        'text'
    """
    places = [place for place, one in enumerate(known, 1) if one == name]
    if len(places) > 1:
        both = " and ".join(map(str, places))
        raise InputError(f"must have one column `{name}`, but columns {both} have this name: rename one of them")
    return name


def _column(field: str, known: Sequence[str]) -> str:
    """The column that a field is of: the longest name of which the rest is a part."""
    parts = field.split(".")
    names = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    found = next((name for name in names if name in known), None)
    if found is None:
        raise InputError(
            f"must have a column `{field}`, but has none of that name: {near(field, known)}. {OTHER_COLUMN}"
        )
    return only(found, known)


def _part(value: Any, path: str) -> Any:
    """What a path of dots leads to; None if it leads through nothing."""
    if value is None or value == []:
        return None
    if chat.is_chat(value) and not path.partition(".")[0].isdigit():
        return _of_role(value, path)
    if isinstance(value, Mapping) and path in value:
        return value[path]
    head, _, rest = path.partition(".")
    if isinstance(value, Mapping) and head in value:
        return _part(value[head], rest) if rest else value[head]
    if isinstance(value, list) and head.isdigit() and int(head) < len(value):
        return _part(value[int(head)], rest) if rest else value[int(head)]
    raise MissingFieldError(_what_is_there(value, head))


def _of_role(messages: Any, role: str) -> str:
    there = chat.roles(messages)
    if role not in there and role not in chat.ROLES:
        raise MissingFieldError(near(role, set(there)))
    return chat.written_by(messages, role)


def _what_is_there(value: Any, name: str) -> str:
    if isinstance(value, Mapping):
        return near(name, value)
    if isinstance(value, list):
        return f"`{name}` is no entry of a list of {len(value)}"
    return f"`{name}` is no part of a {type(value).__name__}"


def _as_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if value is None or value == [] or (isinstance(value, float) and math.isnan(value)):
        return None
    if chat.is_chat(value):
        return chat.render(value)
    parts = f"one of its parts behind a dot ({', '.join(value)})" if isinstance(value, Mapping) else "another column"
    raise InputError(f"a {type(value).__name__}: name {parts}")


def _in_template(value: Any) -> str:
    """A number stands in a template as its digits."""
    is_number = isinstance(value, int | float) and not math.isnan(value)
    return str(value) if is_number else _as_text(value) or ""
