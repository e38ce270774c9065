r"""Drift and immigration: how the fixation index of a lineage moves, where it settles, and what holds it there.

n samples are drawn for each generation (`samples` in the code). They take the place of the 2N genes of N individuals in
genetics. Real data are immigrants: each item of a training set is fresh real data with probability m; otherwise the
previous model wrote it. n may be an effective size, so it need not be a whole number.

A generation has two steps. Mixing the text of a model of fixation index F with real data gives (1 - m)^2 F, since two
items can only descend from one if both are synthetic (`after_immigration`). Fitting a model to n items of a mixture of
F gives 1/n + (1 - 1/n) F, since two draws from that model are the same item with probability 1/n (`after_drift`). F can
be counted after either step, which gives the two laws in use:

- `model`: two draws from the fitted model, which may draw one item of its training set twice. Counted after drift,
  F' = 1/n + (1 - 1/n) (1 - m)^2 F: the law of `worlds`, and of the indicator `fixation_index` of what a model writes.
- `mixture`: two different items of the training set, or, equivalently, two draws from the mixture before n items are
  drawn from it. Counted after immigration, G' = (1 - m)^2 [1/n + (1 - 1/n) G]: Wright's island model.

They describe one process: G_t = (1 - m_{t+1})^2 F_t. Both settle near 1/(1 + 2 n m), which is Wright's 1/(1 + 4 N m).

Source: Wright (1931), Evolution in Mendelian populations, Genetics 16:97; Wright (1951), Ann. Eugenics 15:323.
"""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

from collapse_guard.arguments import above, numbers, share
from collapse_guard.arrays import FloatArray
from collapse_guard.errors import InputError

Census = Literal["model", "mixture"]
"""Where in a generation the fixation index is counted; see the top of the file."""


def after_immigration(fixation: FloatArray | float, real_share: FloatArray | float) -> Any:
    """F of a mixture of a model's text with a share of real data, (1 - m)^2 F; nothing is checked. O(1).

    Example:
        >>> round(after_immigration(0.5, 0.1), 6)
        0.405
    """
    return (1.0 - real_share) ** 2 * fixation


def after_drift(fixation: FloatArray | float, samples: FloatArray | float) -> Any:
    """F of a model fitted to n draws from a mixture of fixation index F: 1/n + (1 - 1/n) F; nothing is checked. O(1).

    Example:
        >>> round(after_drift(0.5, 10), 6)
        0.55
    """
    # In this order it cannot round to more than 1.
    return fixation + (1.0 - fixation) / samples


def stationary_fixation(*, samples: float, real_share: float, census: Census = "model") -> float:
    """F that a lineage with real data tends to: F* = 1 / (1 + (n - 1) m (2 - m)), about 1/(1 + 2 n m).

    Counted as `mixture` (Wright's island model) it is (1 - m)^2 times that. Range: [1/n, 1], as `mixture` [0, 1]; 1
    without real data. Collapse: up. Cost: O(1).

    Args:
        samples: n, at least 1.
        real_share: m, from 0 to 1.
        census: Where F is counted; see the top of the file.

    Raises:
        InputError: An argument is outside of its range.

    Source: Wright (1931), Genetics 16:97; derived at the top of `worlds/drift.py`.

    Example:
        >>> round(stationary_fixation(samples=100, real_share=0.1), 6)
        0.05048
        >>> round(stationary_fixation(samples=100, real_share=0.1, census="mixture"), 6)
        0.040888
    """
    n, m = float(numbers("samples", samples, least=1.0)), share("real_share", real_share)
    limit = 1.0 / (1.0 + (n - 1.0) * m * (2.0 - m))
    return limit if _checked_census(census) == "model" else float(after_immigration(limit, m))


def needed_share(target: float, *, samples: float, census: Census = "model") -> float:
    """Share m of fresh real data that holds F at `target`: 1 - sqrt((1 - 1/(n F*))/(1 - 1/n)).

    Counted as `mixture` it is 1 - sqrt(F* / (1/n + (1 - 1/n) F*)), which exists for every target. Range: [0, 1].
    Cost: O(1).

    Args:
        target: F*, at most 1; counted as `model` above 1/n, which drift gives even if all data are real.
        samples: n, above 1.
        census: Where F is counted; see the top of the file.

    Raises:
        InputError: An argument is outside of its range, or no share of real data can reach the target.

    Source: inverse of `stationary_fixation`.

    Example:
        >>> round(needed_share(0.05, samples=1000), 6)
        0.009555
        >>> round(needed_share(0.05, samples=1000, census="mixture"), 6)
        0.009367
    """
    n = above("samples", samples, 1.0)
    share("target", target)
    if _checked_census(census) == "mixture":
        return 1.0 - math.sqrt(target / after_drift(target, n))
    if n * target <= 1.0:
        raise InputError(
            f"`target` must be above 1/n = {1.0 / n:.3g}, but got {target!r}: {n:g} items drift that far even if all "
            "of them are real; use more samples or a higher target"
        )
    return 1.0 - math.sqrt((1.0 - 1.0 / (n * target)) / (1.0 - 1.0 / n))


def _checked_census(census: Any) -> str:
    if census not in get_args(Census):
        raise InputError(f"`census` must be one of {list(get_args(Census))}, but got {census!r}: give one of them")
    return str(census)
