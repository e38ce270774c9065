"""What a case is."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

ITEMS = 12
"""Items that `Case.items` makes."""
Item = Any


@dataclass(frozen=True, kw_only=True)
class Case:
    """How the contract speaks to one indicator. Items are what may be split over batches, merges and ranks."""

    metric: Callable[[], Any]
    """Make a fresh metric."""
    pure: Callable[..., Any]
    """The pure function that holds the formula; its docstring is checked."""
    items: Callable[[np.random.Generator], list[Item]]
    """Make ITEMS items; the same ones for the same generator state."""
    batch: Callable[[list[Item]], tuple[Any, ...]]
    """Arguments of `update` for a list of one or more items."""
    slow: Callable[[list[Item]], float]
    """The definition, without anything of ours."""
    collapse: Callable[[list[Item]], list[Item]]
    """A change of the items whose effect is known: it collapses them."""
    tolerance: float = 1e-5
    """Relative tolerance against the slow definition; looser than rounding only for float32 inputs."""
    empty: float = math.nan
    """Value without data."""
