r"""How much weight real items should have beside synthetic ones, and why fresh real items differ from an archive.

The case with a closed form: each generation estimates a mean from n_r real items with a total weight of w and m_s
synthetic items, drawn around the last estimate, with a total weight of 1 - w. With e_t the error of the estimate, and
variances in units of the variance of one item,

    e_{t+1} = w e_real + (1 - w) (e_t + e_synthetic),   Var e_real = 1/n_r,   Var e_synthetic = 1/m_s

Fresh real items have a new error each time, which averages out. The items of an archive always have the same error,
which does not: with an archive, no weight is better than the real items alone.
"""

from __future__ import annotations

import math

from collapse_guard.arguments import above


def optimal_real_weight(ratio: float) -> float:
    r"""Weight of fresh real items that minimises the lasting error, `w* = (sqrt(r^2 + 4 r) - r) / 2`.

    It is more than their share r / (1 + r): if a tenth is real, r = 1/9, it is 0.28. Range: (0, 1); 0.618 at r = 1,
    the golden ratio. The lasting variance is then w* / n_r. It does not apply to an archive, where real items should
    have all of the weight. Cost: O(1).

    Args:
        ratio: r = n_r / m_s, real items for each synthetic one, above 0.

    Raises:
        InputError: The ratio is not above 0.

    Source: He, Xu and Cheng (2025), Golden ratio weighting prevents model collapse, arXiv:2502.18049; for r = 1.

    Example:
        >>> round(optimal_real_weight(1 / 9), 6), round(optimal_real_weight(1), 6)
        (0.282376, 0.618034)
    """
    # The same number without a subtraction, which would lose all digits for large r.
    return 2.0 / (1.0 + math.sqrt(1.0 + 4.0 / above("ratio", ratio, 0.0)))
