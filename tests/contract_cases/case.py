"""What a case is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ITEMS = 12
"""Items that `Case.items` makes."""
CHECKS = {
    "half": "half-precision inputs are computed in more than half",
    "empty": "without data the value is NaN",
    "range": "values stay in the declared range",
    "collapse": "a known collapse moves the value the declared way",
    "batches": "each batch alone has the value of the slow definition",
}
"""The checks that a case may be exempt from."""
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
    exempt: Mapping[str, str] = field(default_factory=dict)
    """Check (a key of CHECKS) -> why it does not apply, in words."""
