"""Other units of samples: what looks like another unit than that of real rows is no collapse, and is not judged."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from collapse_guard.comparison.effects import listed, number
from collapse_guard.decision.confounders import is_of_samples
from collapse_guard.errors import FOUND_ANEW
from collapse_guard.records import OtherUnit, Reason, ReasonKind, Severity
from collapse_guard.records.readings import Readings

_ALIKE = 1.2
"""Factors that differ by less are one."""
_LOOKS = {
    "standardised": "standardised, in deviations from the mean",
    "scaled": "scaled to another range",
    "logarithm": "like logarithms of real values",
    "exponential": "like exponentials of real values",
}


def in_other_units(
    here: OtherUnit | None, founder: OtherUnit | None, readings: Readings, decides: Collection[str]
) -> list[Reason]:
    """The reason why samples in another unit cannot be judged: UNDECIDED; or a remark where a unit is only possible.

    Args:
        here: What the samples of the generation look like; None: they are in the unit of the wild type.
        founder: What those of the founder look like; None for the founder itself.
        readings: Of the generation.
        decides: Names of the indicators that decide.
    """
    about = [name for name in decides if name in readings and is_of_samples(readings[name])]
    sure = {whose: unit for whose, unit in {"samples": here, "founder's samples": founder}.items() if _is_sure(unit)}
    if about and sure:
        first, *others = about
        return [
            Reason(
                kind=ReasonKind.IMPLAUSIBLE,
                severity=Severity.UNDECIDED,
                indicator=first,
                others=tuple(others),
                sentence=_not_judged(sure, is_founders=founder is not None and _is_sure(founder)),
            )
        ]
    if here is None or not about:
        return []
    grew = "grew" if here.factors[0] > 1.0 else "shrank"
    hint = (
        f"{_what('samples', here)}. Values around 0 look the same in another unit: if they are in one, give them in "
        f"that of the wild type; else the cloud {grew}"
    )
    return [Reason(kind=ReasonKind.NEAR_A_UNIT, severity=Severity.HEALTHY, sentence=hint)]


def _is_sure(unit: OtherUnit | None) -> bool:
    return unit is not None and unit.is_told_apart


def _not_judged(sure: Mapping[str, OtherUnit | None], *, is_founders: bool) -> str:
    found = "; ".join(_what(whose, unit) for whose, unit in sure.items() if unit is not None)
    again = f", and {FOUND_ANEW}" if is_founders else ", and assess them again"
    return f"{found}. That is another unit rather than a collapse: give samples in the unit of the wild type{again}"


def _what(whose: str, unit: OtherUnit) -> str:
    are = "is" if unit.n_columns == 1 else "are"
    looks = f"look{'s' if unit.n_columns == 1 else ''} {_LOOKS[unit.way]}" if unit.way in _LOOKS else ""
    times = f"{are} about {_times(unit.factors)} real values at all quantiles"
    median = f"the median{'' if unit.n_columns == 1 else f' of column {unit.columns[0]}'} is {number(unit.here)}"
    return f"{_columns(unit)} of the {whose} {looks or times} ({median}, where real rows have {number(unit.there)})"


def _columns(unit: OtherUnit) -> str:
    if unit.n_columns == unit.of > 1:
        return "all columns"
    if unit.n_columns == 1:
        return f"column {unit.columns[0]}"
    more = unit.n_columns - len(unit.columns)
    return f"columns {listed([*unit.columns, f'{more} more'] if more else unit.columns)}"


def _times(factors: Sequence[float]) -> str:
    """One factor, or one for each of the first columns."""
    is_one = max(factors) < _ALIKE * min(factors)
    shown = [f"{factor:.3g}" for factor in (factors[:1] if is_one else factors)]
    return f"{listed(shown)} times"
