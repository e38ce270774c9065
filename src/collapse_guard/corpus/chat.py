"""Chats: lists of messages, each with who wrote it and what, and their texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from collapse_guard.errors import InputError

ROLES = ("assistant", "developer", "function", "gpt", "human", "system", "tool", "user")
"""Who may have written a message; a chat need not have one of each."""
_KEYS = (("role", "content"), ("from", "value"))

Chat: TypeAlias = Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]
"""Messages; or, as `datasets` may store them, who wrote each and what, as two lists."""


def is_chat(value: Any) -> bool:
    """Whether a value is messages: each has `role` and `content`, or `from` and `value`.

    Example:
        >>> is_chat([{"role": "user", "content": "Who won?"}]), is_chat([{"name": "x"}]), is_chat([])
        (True, False, False)
    """
    listed = _listed(value)
    return bool(listed) and all(_keys(message) is not None for message in listed)


def roles(chat: Chat) -> list[str]:
    """Who wrote each message."""
    return [role for role, _ in _messages(chat)]


def render(chat: Chat) -> str:
    r"""The messages that say something, one after the other, each behind its role.

    Raises:
        InputError: The content of a message is not text.

    Example:
        >>> render([{"role": "user", "content": "Who won?"}, {"role": "assistant", "content": "Nobody."}])
        'user: Who won?\nassistant: Nobody.'
    """
    return "\n".join(f"{role}: {content}" for role, content in _messages(chat) if content.strip())


def written_by(chat: Chat, role: str) -> str:
    """What one role wrote, a message a line; raises InputError as `render` does.

    Example:
        >>> written_by([{"from": "human", "value": "Who won?"}, {"from": "gpt", "value": "Nobody."}], "gpt")
        'Nobody.'
    """
    return "\n".join(content for writer, content in _messages(chat) if writer == role)


def _keys(message: Any) -> tuple[str, str] | None:
    return next((keys for keys in _KEYS if isinstance(message, Mapping) and all(key in message for key in keys)), None)


def _listed(value: Any) -> list[Any]:
    """The messages; none if it is no list of them."""
    keys = _keys(value)
    columns = [] if keys is None else [value[key] for key in keys]
    if columns and all(isinstance(column, list) for column in columns) and len(columns[0]) == len(columns[1]):
        return [dict(zip(keys or (), pair, strict=True)) for pair in zip(*columns, strict=True)]
    return value if isinstance(value, list) else []


def _messages(chat: Chat) -> list[tuple[str, str]]:
    read = []
    for message in _listed(chat):
        role, content = _keys(message) or _KEYS[0]
        read.append((str(message[role]), _content(message[content])))
    return read


def _content(content: Any) -> str:
    """A message is a text, parts of which some are texts, or nothing where it only calls a tool."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (
            part if isinstance(part, str) else part.get("text") for part in content if isinstance(part, str | dict)
        )
        return "\n".join(part for part in parts if isinstance(part, str))
    raise InputError(f"a message whose content is a {type(content).__name__}: name another column")
