"""Many indicators at once: any of them may alarm, so their p-values are adjusted."""

from __future__ import annotations

import math
from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given: valid under any dependence. Holm (1979).

    A p-value that is not a number counts as 1.

    Example:
        >>> [round(p, 4) for p in holm([0.001, 0.012, 0.021, 0.04, 0.3])]
        [0.005, 0.048, 0.063, 0.08, 0.3]
    """
    known = [1.0 if math.isnan(p) else p for p in p_values]
    adjusted, running = [1.0] * len(known), 0.0
    for place, index in enumerate(sorted(range(len(known)), key=lambda i: known[i])):
        running = max(running, min(1.0, (len(known) - place) * known[index]))
        adjusted[index] = running
    return adjusted
