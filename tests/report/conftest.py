"""Two lineages of five generations, built by hand: `replace` collapses, `guarded` is caught and comes back.

The numbers are those of a small GRU on real text; the reasons follow from the p-values as the table in verdict.py says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import pytest

from building import make_assessment, make_comparison, make_reading
from collapse_guard.records import (
    Assessment,
    Comparison,
    LostItem,
    Mixture,
    Reading,
    Reason,
    ReasonKind,
    Severity,
)

WILD_TYPE = "9f2c4be0d17a44e1a6b8c0d2e4f60718"
POLICY = "5d1e0c9ab7f34426"

# standard error of the effect, margin, whether it decides
KINDS = {
    "perplexity": (0.008, 0.0953, True),
    "tail_loss": (0.02, 0.0953, True),
    "bits_per_byte": (0.004, 0.0953, False),
    "distinct_2": (0.012, 0.0953, True),
    "rare_coverage": (0.03, 0.2231, True),
    "total_variance": (0.01, 0.0953, True),
    "vendi": (0.015, 0.1398, True),
}

REPLACE = {
    "perplexity": (92.1, 348.2, 577.9, 684.4, 760.3),
    "tail_loss": (7.52, 8.61, 9.12, 9.30, 9.41),
    "bits_per_byte": (1.92, 2.48, 2.70, 2.77, 2.81),
    "distinct_2": (0.0782, 0.0603, 0.0531, 0.0502, 0.0487),
    "rare_coverage": (0.431, 0.262, 0.201, 0.177, 0.158),
    "total_variance": (0.912, 0.846, 0.791, 0.763, 0.741),
    "vendi": (21.4, 17.9, 15.8, 14.9, 14.2),
}
GUARDED = {
    "perplexity": (92.1, 346.9, 131.2, 98.4, 95.8),
    "tail_loss": (7.52, 8.60, 7.91, 7.59, 7.56),
    "bits_per_byte": (1.92, 2.48, 2.07, 1.94, 1.93),
    "distinct_2": (0.0782, 0.0605, 0.0727, 0.0771, 0.0776),
    "rare_coverage": (0.431, 0.263, 0.388, 0.421, 0.427),
    "total_variance": (0.912, 0.848, 0.894, 0.903, 0.909),
    "vendi": (21.4, 18.0, 20.6, 21.2, 21.3),
}
REAL_SHARES = {"replace": (1.0, 0.0, 0.0, 0.0, 0.0), "guarded": (1.0, 0.0, 0.5, 0.5, 0.5)}

SEVERITY_OF = {
    ReasonKind.BEYOND_MARGIN: Severity.COLLAPSED,
    ReasonKind.NOT_SHOWN: Severity.UNDECIDED,
    ReasonKind.BEYOND_WATCH: Severity.WATCH,
    ReasonKind.WITHIN_MARGIN: Severity.HEALTHY,
}


def compare_by_hand(indicator: str, observed: float, reference: float, /, **changes: object) -> Comparison:
    error, margin, decides = KINDS[indicator]
    fields = {"standard_error": error, "margin": margin, "decides": decides, **changes}
    return make_comparison(indicator, observed, reference, **fields)


def make_reason(comparison: Comparison) -> Reason:
    if comparison.p_beyond_margin < 0.001:
        kind = ReasonKind.BEYOND_MARGIN
    elif comparison.p_within_margin > 0.05:
        kind = ReasonKind.NOT_SHOWN
    elif comparison.p_beyond_watch < 0.001:
        kind = ReasonKind.BEYOND_WATCH
    else:
        kind = ReasonKind.WITHIN_MARGIN
    sentence = (
        f"{comparison.indicator} is {comparison.observed:.4g} against {comparison.reference:.4g} of the founder: "
        f"it changed by {100 * math.expm1(comparison.effect):+.1f}%"
    )
    return Reason(kind=kind, severity=SEVERITY_OF[kind], indicator=comparison.indicator, sentence=sentence)


def assess_by_hand(
    lineage: str,
    index: int,
    readings: Mapping[str, Reading],
    comparisons: Sequence[Comparison] = (),
    *,
    reasons: Sequence[Reason] | None = None,
    **changes: object,
) -> Assessment:
    if reasons is None:
        reasons = [make_reason(comparison) for comparison in comparisons if comparison.decides]
    ordered = sorted(reasons, key=lambda reason: -reason.severity.rank)
    fields = {"wild_type": WILD_TYPE, "policy": POLICY, "seed": 7, **changes}
    return make_assessment(lineage, index, readings, comparisons, reasons=ordered, **fields)


def make_history(lineage: str, values: Mapping[str, Sequence[float]], shares: Sequence[float]) -> list[Assessment]:
    history = []
    for index, real in enumerate(shares):
        readings = {name: make_reading(name, column[index]) for name, column in values.items()}
        comparisons = (
            [compare_by_hand(name, column[index], column[0]) for name, column in values.items()] if index else []
        )
        history.append(assess_by_hand(lineage, index, readings, comparisons, real=real))
        if history[-1].verdict.severity is Severity.COLLAPSED:
            history[-1] = history[-1].model_copy(update={"prescription": Mixture.with_real(0.5)})
    return history


def make_lost(kind: str, what: str, *, observed: int = 0, total: int = 1) -> LostItem:
    return LostItem(
        kind=kind, what=what, real_count=100, expected=12.5, observed=observed, chance=3.7e-6, lost_in_all=total
    )


@pytest.fixture(scope="session")
def replace() -> list[Assessment]:
    return make_history("demo-replace", REPLACE, REAL_SHARES["replace"])


@pytest.fixture(scope="session")
def guarded() -> list[Assessment]:
    return make_history("demo-guarded", GUARDED, REAL_SHARES["guarded"])


@pytest.fixture(scope="session")
def histories(replace, guarded) -> dict[str, list[Assessment]]:
    return {"demo-replace": replace, "demo-guarded": guarded}


@pytest.fixture(scope="session")
def build() -> Callable[..., Assessment]:
    return assess_by_hand


@pytest.fixture(scope="session")
def read() -> Callable[..., Reading]:
    return make_reading


@pytest.fixture(scope="session")
def compared() -> Callable[..., Comparison]:
    return compare_by_hand


@pytest.fixture(scope="session")
def lose() -> Callable[..., LostItem]:
    return make_lost
