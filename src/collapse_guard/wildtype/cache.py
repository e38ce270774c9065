"""A small cache for the wild types of the last calls."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Cache(OrderedDict[Key, Value]):
    """A cache by key that drops the least recently used value first."""

    def __init__(self, most: int = 4) -> None:
        """Begin empty, with room for `most` values."""
        super().__init__()
        self.most = most

    def of(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value of a key; it is made if it is missing.

        Example:
            >>> squares = Cache(most=2)
            >>> [squares.of(n, lambda n=n: n * n) for n in (1, 2, 1, 3)], list(squares)
            ([1, 4, 1, 9], [1, 3])
        """
        if key not in self:
            self[key] = make()
        self.move_to_end(key)
        while len(self) > self.most:
            self.popitem(last=False)
        return self[key]
