"""The same work on many things, in one process or in several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from typing import Any


def over(function: Callable[..., Any], items: Sequence[Any], *arguments: Any, jobs: int) -> Iterator[Any]:
    """Yield `function(item, *arguments)` of each item, in order, as soon as it is known."""
    if jobs == 1:
        yield from (function(item, *arguments) for item in items)
        return
    # A forked process would share the threads of the tokenizer.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(function, items, *map(repeat, arguments))
