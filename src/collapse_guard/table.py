"""Table: rows with named columns of numbers and of texts, whatever library they came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[np.float64] | tuple[str, ...]
"""Numbers, NaN where one is missing; or texts, "" where one is missing."""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of different things, of which each has a name and one kind of values.

    Example:
        >>> table = Table({"age": np.array([41.0, 29.0]), "city": ("Oslo", "Bern")})
        >>> len(table), [city for _, city in table]
        (2, ['Oslo', 'Bern'])
    """

    columns: Mapping[str, Column]
    """Name -> the values of all rows; at least one column."""

    def __len__(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values())))

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Each row, as the values of its columns."""
        return zip(*self.columns.values(), strict=True)
