"""Records made by hand, whole and consistent with themselves: a test names what matters to it and no more.

What an indicator declares comes from the catalogue; an indicator that is not in it is an amount that rises with harm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scipy.stats import norm

from collapse_guard.indicators.base import all_indicators
from collapse_guard.records import (
    Assessment,
    Comparison,
    Direction,
    EffectScale,
    Generation,
    Mixture,
    Reading,
    Reason,
    ReasonKind,
    Severity,
    Verdict,
)

CATALOGUE = all_indicators()


def _declared(indicator: str) -> dict[str, Any]:
    metric = CATALOGUE.get(indicator)
    if metric is None:
        return {"family": "mine", "unit": "1", "direction": Direction.UP, "scale": EffectScale.LOG_RATIO}
    return {name: getattr(metric, name) for name in ("family", "unit", "direction", "scale")}


def make_reading(indicator: str = "perplexity", value: float = 100.0, /, **changes: Any) -> Reading:
    """A usable reading of 400 documents or samples, without replicates."""
    fields = {"indicator": indicator, "value": value, "n": 400, "n_minimum": 50, **_declared(indicator)}
    return Reading(**{**fields, **changes})


def make_comparison(
    indicator: str = "perplexity",
    observed: float | None = None,
    reference: float = 100.0,
    /,
    *,
    effect: float | None = None,
    **changes: Any,
) -> Comparison:
    """A comparison with the founder: what is not given follows from the values or the effect, with normal errors."""
    declared = _declared(indicator)
    scale = EffectScale(changes.get("scale", declared["scale"]))
    direction, error = changes.get("direction", declared["direction"]), changes.get("standard_error", 0.01)
    if observed is None:
        observed = scale.moved(reference, effect or 0.0)
    if effect is None:
        effect = math.log(observed / reference) if scale.is_relative else observed - reference
    margin = changes.get("margin", scale.effect_of(0.10))
    watch = changes.get("watch", margin / 2)
    harm = {Direction.UP: effect, Direction.DOWN: -effect, Direction.BOTH: abs(effect)}[direction]
    fields = {
        "indicator": indicator,
        "baseline": "founder",
        "baseline_generation": 0,
        "observed": observed,
        "reference": reference,
        "scale": scale,
        "effect": effect,
        "effect_unit": "log ratio" if scale.is_relative else declared["unit"],
        "standard_error": error,
        "degrees_of_freedom": 399.0,
        "low": effect - 1.96 * error,
        "high": effect + 1.96 * error,
        "level": 0.95,
        "direction": direction,
        "margin": margin,
        "watch": watch,
        "p_beyond_margin": float(norm.sf((harm - margin) / error)),
        "p_beyond_watch": float(norm.sf((harm - watch) / error)),
        "p_within_margin": float(norm.cdf((harm - margin) / error)),
        "method": "by hand",
        "n": 400,
        "n_reference": 400,
    }
    return Comparison(**{**fields, **changes})


def make_assessment(
    lineage: str = "newsbot",
    index: int = 0,
    readings: Mapping[str, Reading] | Sequence[Reading] = (),
    comparisons: Sequence[Comparison] = (),
    *,
    severity: Severity | None = None,
    reasons: Sequence[Reason] = (),
    real: float | None = None,
    parents: Sequence[int] | None = None,
    items: int | None = None,
    founder: int = 0,
    founding: str = "",
    wild_type: str = "",
    policy: str = "",
    **changes: Any,
) -> Assessment:
    """A generation and its verdict: the worst of its reasons, HEALTHY without any; a severity stands for a reason.

    With a `founding` it is a founder.
    """
    named = readings if isinstance(readings, Mapping) else {reading.indicator: reading for reading in readings}
    generation = Generation(
        lineage=lineage,
        index=index,
        parents=tuple((index - 1,) if index and not founding else ()) if parents is None else tuple(parents),
        mixture=None if real is None else Mixture.with_real(real),
        items=items,
        founder=index if founding else founder,
        founding=founding,
        wild_type=wild_type,
    )
    verdict = Verdict(
        severity=severity or Severity.worst([reason.severity for reason in reasons]),
        reasons=tuple(reasons) or _reasons_of(severity),
        lineage=lineage,
        generation=index,
        wild_type=wild_type,
        policy=policy,
    )
    whole = {"readings": dict(named), "comparisons": tuple(comparisons), **changes}
    return Assessment(generation=generation, verdict=verdict, **whole)


def _reasons_of(severity: Severity | None) -> tuple[Reason, ...]:
    if severity in (None, Severity.HEALTHY):
        return ()
    return (Reason(kind=ReasonKind.MISSING, severity=severity, sentence="by hand"),)
