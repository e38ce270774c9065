"""Evidence over generations: how e-values accumulate, and how a level is shared among generations without a last one.

Accumulation needs E[e_t | past] <= 1: each generation judged on documents that no earlier verdict has seen. Sharing a
level needs nothing: it is a union bound.
"""

from __future__ import annotations

from collections.abc import Sequence


def product(e_values: Sequence[float]) -> list[float]:
    """The e-process of harm that begins with the first generation: P(it ever reaches 1/a) <= a (Ville 1939).

    Example:
        >>> [round(m, 4) for m in product([1.2, 0.8, 1.5, 2.0, 0.9, 3.0])]
        [1.2, 0.96, 1.44, 2.88, 2.592, 7.776]
    """
    running, found = 1.0, []
    for e_value in e_values:
        running *= e_value
        found.append(running)
    return found


def cusum(e_values: Sequence[float]) -> list[float]:
    """The CUSUM e-detector M_t = max(M_{t-1}, 1) e_t of harm that may begin late (Shin, Ramdas and Rinaldo 2024).

    The threshold 1/a bounds the mean time to a false alarm, not its probability: see `horizon_p`.

    Example:
        >>> [round(m, 4) for m in cusum([1.2, 0.8, 1.5, 2.0, 0.9, 3.0])]
        [1.2, 0.96, 1.5, 3.0, 2.7, 8.1]
    """
    running, found = 0.0, []
    for e_value in e_values:
        running = max(running, 1.0) * e_value
        found.append(running)
    return found


def shiryaev_roberts(e_values: Sequence[float]) -> list[float]:
    """The Shiryaev-Roberts e-detector M_t = (M_{t-1} + 1) e_t: the sum over all beginnings, where CUSUM is the largest.

    Example:
        >>> [round(m, 4) for m in shiryaev_roberts([1.2, 0.8, 1.5, 2.0, 0.9, 3.0])]
        [1.2, 1.76, 4.14, 10.28, 10.152, 33.456]
    """
    running, found = 0.0, []
    for e_value in e_values:
        running = (running + 1.0) * e_value
        found.append(running)
    return found


def horizon_p(statistic: float, horizon: int) -> float:
    """The level at which an e-detector alarms within `horizon` generations: min(1, T/M).

    Both e-detectors are at most the sum over beginnings s <= t of e_s ... e_t, a submartingale whose expectation is at
    most t. By Doob's inequality P(max over t <= T of M_t >= T/a) <= a.

    Args:
        statistic: M_t of `cusum` or `shiryaev_roberts`; with horizon 1 also of `product`.
        horizon: T.

    Example:
        >>> horizon_p(400.0, horizon=20)
        0.05
    """
    return min(1.0, horizon / statistic) if statistic > 0.0 else 1.0


def spending_share(t: int) -> float:
    """The share of a level that the t-th of unboundedly many looks may spend: 1/((t + 1)(t + 2)), which sums to 1.

    Example:
        >>> spending_share(0), round(sum(spending_share(t) for t in range(100_000)), 4)
        (0.5, 1.0)
    """
    return 1.0 / ((t + 1) * (t + 2))
