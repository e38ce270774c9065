"""What was made for the wild types of the last calls, so that it is not made again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(OrderedDict[Key, Value]):
    """The values that were asked for last, by key; the one not used for longest is forgotten first."""

    def __init__(self, most: int = 4) -> None:
        """Begin empty, to keep at most so many."""
        super().__init__()
        self.most = most

    def of(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value of a key, made where it is not there.

        Example:
            >>> squares = Recent(most=2)
            >>> [squares.of(n, lambda n=n: n * n) for n in (1, 2, 1, 3)], list(squares)
            ([1, 4, 1, 9], [1, 3])
        """
        if key not in self:
            self[key] = make()
        self.move_to_end(key)
        while len(self) > self.most:
            self.popitem(last=False)
        return self[key]
