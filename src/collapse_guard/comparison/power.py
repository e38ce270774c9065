"""Power: what would be found with this many documents or groups, and how many would decide."""

from __future__ import annotations

import math

from scipy.special import ndtri, stdtrit

from collapse_guard.comparison.betting import BETS, CLIP
from collapse_guard.comparison.contrast import Contrast
from collapse_guard.records import Direction

POWER = 0.8
LARGEST_GROWTH = 1000.0
LARGEST_BET = float(BETS.max()) / CLIP
"""Of nats per token."""
_COST = 6.0


def detectable(standard_error: float, degrees_of_freedom: float, *, level: float, margin: float) -> float:
    """Smallest harm that a one-sided t test against the margin finds with 80 % power: margin + (t_level + t_power) SE.

    Args:
        standard_error: Of the effect; taken to stay as it is.
        degrees_of_freedom: Of the t distribution.
        level: One-sided level of the test.
        margin: Harm that the hypothesis allows.

    Example:
        >>> round(detectable(0.01, 1e6, level=0.05, margin=0.1), 4)
        0.1249
    """
    quantiles = -float(stdtrit(degrees_of_freedom, level)) + float(stdtrit(degrees_of_freedom, POWER))
    return margin + quantiles * standard_error


def detectable_by_betting(standard_error: float, degrees_of_freedom: float, *, level: float, margin: float) -> float:
    r"""The same for `betting.paired_e_value` of a difference, about.

    A bet b on n documents whose mean lies d beyond the margin, with variance s^2, grows as exp(n (b d - b^2 s^2 / 2)).
    The best one, b = d / s^2, needs d = sqrt(2 L) SE for L = ln(c / level), where c is what the mean over bets costs.
    Where that is more than the largest bet B, as with few documents of little spread, d = L / (n B) + B s^2 / 2. On
    top comes z_power SE. Simulation finds 65 to 95 % for equal weights (`tests/comparison/test_power.py`).

    Args:
        standard_error: Of the effect; taken to stay as it is.
        degrees_of_freedom: The number of documents, less one.
        level: Of the test.
        margin: Harm that the hypothesis allows.
    """
    n = degrees_of_freedom + 1.0
    variance = n * standard_error**2
    log_needed = math.log(_COST / level)
    best = math.sqrt(2.0 * log_needed) * standard_error
    if best > LARGEST_BET * variance:
        best = math.log(len(BETS) / level) / (n * LARGEST_BET) + LARGEST_BET * variance / 2.0
    return margin + best + float(ndtri(POWER)) * standard_error


def samples_needed(
    contrast: Contrast, margin: float, direction: Direction, n: int, alert_level: float, pass_level: float
) -> int | None:
    """How many samples would decide at 80 % power, if effect and spread stay as they look and both sides grow alike.

    The standard error shrinks as n^-1/2, so n' = n ((z_level + z_power) SE / distance to the margin)^2. None where
    the effect is infinite, or so near the margin that a thousand times as many would not do.
    """
    signed = {Direction.UP: contrast.effect, Direction.DOWN: -contrast.effect, Direction.BOTH: abs(contrast.effect)}
    distance = margin - signed[direction]
    if not math.isfinite(distance) or abs(distance) < 1e-9 or not math.isfinite(contrast.standard_error):
        return None
    level = pass_level if distance > 0 else alert_level
    quantiles = -float(stdtrit(contrast.degrees_of_freedom, level)) + float(stdtrit(contrast.degrees_of_freedom, POWER))
    needed = n * (quantiles * contrast.standard_error / distance) ** 2
    return max(n + 1, math.ceil(needed)) if needed <= LARGEST_GROWTH * n else None
