"""Supply: whether your real documents are enough for a prescription, fresh in each generation or re-used."""

from __future__ import annotations

import math

from collapse_guard.arguments import share, whole
from collapse_guard.genetics.weighting import optimal_real_weight
from collapse_guard.records import Supply


def supply(real_share: float, *, documents: int, archive: int, horizon: int) -> Supply:
    """The cost of a real share. Re-used documents help less: the lineage inbreeds like the archive (`weighting.py`).

    Args:
        real_share: Share of real data in each training set, from 0 to 1.
        documents: Documents in each training set, at least 1.
        archive: Your real documents, at least 0.
        horizon: Generations to be trained, at least 1.

    Raises:
        InputError: An argument is outside of its range.

    Example:
        >>> needs = supply(0.25, documents=1000, archive=600, horizon=10)
        >>> needs.per_generation, needs.fresh_generations, round(needs.uses, 2), round(needs.weight, 3)
        (250, 2, 4.17, 0.434)
    """
    n, available = whole("documents", documents, least=1), whole("archive", archive, least=0)
    coming = whole("horizon", horizon, least=1)
    real = math.ceil(share("real_share", real_share) * n - 1e-9)
    synthetic = n - real
    return Supply(
        per_generation=real,
        documents=n,
        archive=available,
        horizon=coming,
        fresh_generations=min(coming, available // real) if real else coming,
        weight=optimal_real_weight(real / synthetic) if real and synthetic else None,
    )
