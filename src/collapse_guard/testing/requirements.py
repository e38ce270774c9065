"""A requirement of a contract: met, or an AssertionError that says what is required and what was got.

The statement `assert` is not used: `python -O` would leave it out, and every check would pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")
_SHOWN = 300


def require(holds: bool, rule: str, got: object) -> None:
    """Raise AssertionError unless `holds`.

    Args:
        holds: Whether the rule is kept.
        rule: What is required, with "must".
        got: What was found in its place.

    Example:
        >>> require(1 + 1 == 2, "a sum must be right", got=2)
    """
    if not holds:
        raise AssertionError(f"{rule}, but got {got!r:.{_SHOWN}}")


def require_success(action: Callable[[], Result], rule: str) -> Result:
    """Run `action`, which must not raise, and return its result.

    Args:
        action: What must be possible.
        rule: What is required, with "must".

    Raises:
        AssertionError: It raised.

    Example:
        >>> require_success(lambda: int("7"), "a number must be read")
        7
    """
    try:
        return action()
    except Exception as error:
        raise AssertionError(f"{rule}, but got {type(error).__name__}: {error}") from error


def require_refusal(action: Callable[[], object], error: type[Exception], rule: str) -> str:
    """Run `action`, which must raise `error`, and return the message.

    Args:
        action: What must be refused.
        error: The exception that must be raised, or a base of it.
        rule: What is required, with "must".

    Raises:
        AssertionError: Nothing was raised, or something else.

    Example:
        >>> require_refusal(lambda: int("x"), ValueError, "a text that is no number must be refused")
        "invalid literal for int() with base 10: 'x'"
    """
    try:
        result = action()
    except error as refusal:
        return str(refusal)
    except Exception as other:
        raise AssertionError(f"{rule} with {error.__name__}, but got {type(other).__name__}: {other}") from other
    raise AssertionError(f"{rule} with {error.__name__}, but it returned {result!r:.{_SHOWN}}")
