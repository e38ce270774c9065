"""Numbers and effects in words. Every surface uses these functions, so all of them say the same.

A value, its change and its margin are shown in one unit: in percent where the value is an amount, in points where it is
a share that may be 0, else in the unit of the value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from collapse_guard.records import Direction, EffectScale

_ONE = "1"
"""The unit of numbers without one."""


class Effective(Protocol):
    """What effects belong to: a comparison, or the noise of an indicator."""

    @property
    def scale(self) -> EffectScale:
        """What the values are."""

    @property
    def effect_unit(self) -> str:
        """Unit of an effect."""

    @property
    def direction(self) -> Direction:
        """Which way is collapse."""


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them.

    Example:
        >>> listed(["vendi"]), listed(["distinct_2", "repetition", "vendi"])
        ('vendi', 'distinct_2, repetition and vendi')
    """
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def number(value: float) -> str:
    """A number with four significant digits.

    Example:
        >>> number(92.0), number(0.05821), number(12345.6), number(2.5e-7), number(float("nan"))
        ('92.00', '0.05821', '12,346', '2.500e-07', 'not a number')
    """
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "infinite" if value > 0 else "minus infinite"
    size = abs(value)
    if value == 0 or 1e3 <= size < 1e7:
        return f"{value + 0.0:,.0f}"
    return f"{value:#.4g}".rstrip(".") if 1e-4 <= size < 1e3 else f"{value:.3e}"


def share(fraction: float, digits: int = 3) -> str:
    """A share in percent, to so many significant digits.

    Example:
        >>> share(0.25), share(1 / 3), share(0.0), share(0.9999, digits=6)
        ('25%', '33.3%', '0%', '99.99%')
    """
    return f"{100.0 * fraction:.{digits}g}%"


def percent(fraction: float) -> str:
    """A signed fraction in percent; from a million percent on as a factor.

    Example:
        >>> percent(0.1734), percent(-0.091), percent(2.7812), percent(-1e-9), percent(59999.0)
        ('+17.3%', '-9.1%', '+278%', '±0.0%', '×60,000')
    """
    if not math.isfinite(fraction):
        return number(fraction)
    if abs(fraction) >= 1e4:
        return f"×{number(1.0 + fraction)}"
    return f"{_signed(100.0 * fraction)}%" if abs(fraction) < 1.0 else f"{100.0 * fraction:+,.0f}%"


def relative(log_ratio: float) -> str:
    """A log ratio in percent.

    Example:
        >>> relative(0.0953), relative(-0.0953), relative(float("-inf"))
        ('+10.0%', '-9.1%', '-100%')
    """
    return percent(math.inf if log_ratio >= 700.0 else math.expm1(log_ratio))


def shown(value: float, scale: EffectScale) -> str:
    """A value of an indicator, in the unit of its changes.

    Example:
        >>> shown(0.0782, EffectScale.LOG_RATIO), shown(0.0782, EffectScale.SHARE)
        ('0.07820', '7.820%')
    """
    return f"{number(100.0 * value)}%" if scale is EffectScale.SHARE and math.isfinite(value) else number(value)


def phrase(of: Effective, *effects: float) -> str:
    """One effect, or from one to another: in percent, in points, or as a signed difference with its unit.

    Args:
        of: What the effects belong to.
        effects: One or more.
    """
    return f"{ends(of, *effects)}{_unit(of) if any(map(math.isfinite, effects)) else ''}"


def ends(of: Effective, *effects: float) -> str:
    """Effects without their unit, for the ends of an interval beside the effect itself."""
    return " to ".join(_effect(effect, of.scale) for effect in effects)


def size(of: Effective, effect: float) -> str:
    """An effect without its sign, for spreads."""
    return phrase(of, abs(effect)).lstrip("+±")


def with_interval(of: Effective, effect: float, low: float, high: float) -> str:
    """An effect with its interval, such as "+17.0% (+12.1% to +22.3%)"."""
    return phrase(of, effect) + ("" if math.isnan(effect) else f" ({ends(of, low, high)})")


def limit(of: Effective, harm: float, *, beside: float | None = None) -> str:
    """The change at which harm reaches a limit, such as "+10.0%"; on both sides where both are toward collapse.

    Args:
        of: What the harm belongs to.
        harm: In the unit of its effects.
        beside: An effect that is shown with the limit: of two sides only the side of the effect is shown.
    """
    if of.direction is Direction.BOTH and beside is None:
        return phrase(of, -harm, harm)
    return phrase(of, of.direction.sign(beside or 0.0) * harm)


def _effect(effect: float, scale: EffectScale) -> str:
    if scale.is_relative:
        return relative(effect)
    amount = 100.0 * effect if scale is EffectScale.SHARE else effect
    if scale is EffectScale.SHARE and abs(amount) < 1e6:
        return _signed(amount)
    return f"{'+' if 0.0 < amount < math.inf else ''}{number(amount)}"


def _signed(value: float) -> str:
    text = f"{value:+.1f}"
    return "±0.0" if float(text) == 0.0 else text


def _unit(of: Effective) -> str:
    if of.scale.is_relative:
        return ""
    unit = "points" if of.scale is EffectScale.SHARE else of.effect_unit
    return "" if unit == _ONE else f" {unit}"
