"""Genetics of one lineage: how inbred it is, its forecast under each mixture, and how much real data it needs.

It is a description with its uncertainty. No verdict rests on it; a prescription does, if a verdict asks for one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collapse_guard.arrays import FloatArray
from collapse_guard.decision.policy import Policy
from collapse_guard.errors import InputError
from collapse_guard.genetics.ancestry import ancestors, healthy_ancestor, line_of_descent
from collapse_guard.genetics.depression import FEWEST as FEWEST_OF_A_CURVE
from collapse_guard.genetics.depression import DepressionFit, fit_depression
from collapse_guard.genetics.estimation import FEWEST as FEWEST_OF_A_SIZE
from collapse_guard.genetics.estimation import DriftFit, fit_drift
from collapse_guard.genetics.forecast import Law, learn, passed
from collapse_guard.genetics.migration import needed_share
from collapse_guard.genetics.pedigree import expected_inbreeding
from collapse_guard.prescription.prescribe import real_share
from collapse_guard.records import (
    Assessment,
    Comparison,
    Course,
    Depression,
    Direction,
    EffectScale,
    Forecast,
    Generation,
    Inbreeding,
    Interval,
    Outlook,
    Prescription,
    Reading,
)

ALTERNATIVES = (0.0, 0.05, 0.1, 0.2)
"""Real shares that are forecast, besides the one in use and the one that is needed."""
PURGING_SHOWN = 0.05
_BAND, _NORMAL_90, _STEP = (0.05, 0.5, 0.95), 1.645, 0.01


def outlook(assessment: Assessment, history: Sequence[Assessment], policy: Policy) -> Outlook | None:
    """The outlook of a generation's lineage; None for a founder, and if the line does not lead to one.

    Args:
        assessment: The assessment of the generation, with its comparisons.
        history: The earlier generations.
        policy: Margins, how many generations to look ahead, and how sure to be. The seed is the assessment's.
    """
    line = line_of_descent([*history, assessment])
    if len(line) < 2:
        return None
    courses = _courses(line)
    everyone = [*ancestors([*history, assessment]), assessment]
    genetics = Outlook(inbreeding=_inbreeding(line, everyone), depression=_depression(line, courses, policy.horizon))
    if courses is None:
        return genetics
    law = learn(
        courses.effects, courses.errors, synthetic_shares=courses.synthetic, mixing=courses.mixing, seed=assessment.seed
    )
    needed = _prescription([*history, assessment], genetics.inbreeding, courses, law, policy)
    index, needed_share = assessment.generation.index, needed.real_share
    shares = _different(
        [float(real_shares(line)[-1]), *sorted({*ALTERNATIVES, *([needed_share] if needed_share else [])})]
    )
    forecasts = tuple(_forecast(index, courses, law, share, policy.horizon) for share in shares)
    return genetics.model_copy(update={"forecasts": forecasts, "prescription": needed})


def real_shares(line: Sequence[Assessment]) -> FloatArray:
    """m of each generation after the founder; an unknown mixture counts as no real data."""
    return np.array([real_share(past) for past in line[1:]], dtype=np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Courses:
    """Effects of the deciding indicators over a line of descent, with the sign such that up is toward collapse."""

    newest: tuple[Comparison, ...]
    effects: FloatArray
    """[indicators, generations + 1]; the founder's is 0."""
    errors: FloatArray
    signs: FloatArray
    """-1 if the sign of an effect was changed."""
    mixing: tuple[str, ...]
    """How values of real and synthetic data mix, for each indicator."""
    synthetic: FloatArray
    """[generations]: synthetic share of each training set after the founder's."""

    def beyond(self, paths: FloatArray) -> npt.NDArray[np.bool_]:
        """Whether harm has passed its margin by then: [draws, indicators, generations]."""
        margins = np.array([comparison.margin for comparison in self.newest])
        return passed(paths, margins, [comparison.direction is Direction.BOTH for comparison in self.newest])


def _courses(line: Sequence[Assessment]) -> _Courses | None:
    tables = [{c.indicator: c for c in past.comparisons if _is_drift(c, past)} for past in line[1:]]
    # The worst slice is another one in each generation, and chance alone makes it worse the more there are.
    deciding = [c for c in tables[-1].values() if c.decides and not c.slice]
    complete = tuple(c for c in deciding if all(_is_known(table.get(c.indicator)) for table in tables))
    if not complete:
        return None
    effects = np.zeros((2, len(complete), len(line)))
    for i, comparison in enumerate(complete):
        for t, table in enumerate(tables, 1):
            effects[:, i, t] = table[comparison.indicator].effect, table[comparison.indicator].standard_error
    signs = np.array([-1.0 if comparison.direction is Direction.DOWN else 1.0 for comparison in complete])
    return _Courses(
        newest=complete,
        effects=effects[0] * signs[:, None],
        errors=effects[1],
        signs=signs,
        mixing=tuple(mixing_of(line[-1].readings[comparison.indicator]) for comparison in complete),
        synthetic=1.0 - real_shares(line),
    )


def _is_drift(comparison: Comparison, past: Assessment) -> bool:
    return comparison.baseline == "founder" and not past.verdict.disbelieves(comparison.indicator)


def mixing_of(reading: Reading) -> str:
    """How an effect mixes, with up toward collapse."""
    if reading.scale is EffectScale.LOG_RATIO:
        return "minus_log" if reading.direction is Direction.DOWN else "log"
    # Losses too: a perfect learner of a mixture would lose less (`minus_log`), but a small neural model lost a quarter
    # more than in proportion, because synthetic documents take the place of real ones (docs/forecast.md).
    return "amount"


def _is_known(comparison: Comparison | None) -> bool:
    return comparison is not None and math.isfinite(comparison.effect) and math.isfinite(comparison.standard_error)


def _different(shares: Sequence[float]) -> list[float]:
    """Drop shares that nearly equal an earlier one."""
    distinct: list[float] = []
    for share in shares:
        if all(abs(share - other) >= _STEP / 2 for other in distinct):
            distinct.append(share)
    return distinct


def _forecast(index: int, courses: _Courses, law: Law, share: float, horizon: int) -> Forecast:
    synthetic = np.full(horizon, 1.0 - share)
    beyond = courses.beyond(law.paths(synthetic, noise=False))
    bands = np.quantile(law.paths(synthetic) * courses.signs[:, None], _BAND, axis=0)
    return Forecast(
        real_share=share,
        generations=tuple(range(index + 1, index + 1 + horizon)),
        courses={
            comparison.indicator: Course(
                low=_rounded(bands[0, i]),
                median=_rounded(bands[1, i]),
                high=_rounded(bands[2, i]),
                crossed=_rounded(beyond[:, i].mean(axis=0)),
            )
            for i, comparison in enumerate(courses.newest)
        },
        crossed=_rounded(beyond.any(axis=1).mean(axis=0)),
    )


def _rounded(values: FloatArray) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)


def _prescription(
    history: Sequence[Assessment], inbreeding: Inbreeding | None, courses: _Courses, law: Law, policy: Policy
) -> Prescription:
    rule = policy.reinjection

    def kept(share: float) -> FloatArray:
        """Probability for each indicator, and for all of them, to stay within the margin under a real share."""
        beyond = courses.beyond(law.paths(np.full(policy.horizon, 1.0 - share), noise=False))[..., -1]
        return np.append(1.0 - beyond.mean(axis=0), 1.0 - beyond.any(axis=1).mean())

    assured = _smallest(lambda share: bool(kept(share)[-1] >= rule.assurance))
    even = _smallest(lambda share: bool(kept(share)[-1] >= 0.5))
    asking = kept(max(0.0, (assured if assured is not None else 1.0) - _STEP))[:-1]
    by_target, fault = _of_fixation(rule.target_fixation, inbreeding)
    infeasible = fault or _gone(history[-1]) or ("" if assured is not None else _why_not(law))
    ancestor = healthy_ancestor(history) if infeasible else None
    return Prescription(
        real_share=assured,
        even_share=even,
        assurance=rule.assurance,
        horizon=policy.horizon,
        indicator=courses.newest[int(asking.argmin())].indicator if assured != 0.0 else "",
        fixation_share=by_target,
        infeasible=infeasible,
        roll_back_to=ancestor.generation.index if ancestor else None,
    )


def _smallest(holds: Callable[[float], bool]) -> float | None:
    """The smallest real share, in steps of a hundredth, that holds; by bisection, since more real data never harms."""
    low, high = -1, round(1.0 / _STEP)
    if not holds(1.0):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle * _STEP) else (middle, high)
    return round(high * _STEP, 2)


def _gone(assessment: Assessment) -> str:
    """A sentence about a deciding indicator that fell to nothing; empty if none did."""
    gone = [c.indicator for c in assessment.comparisons if c.decides and math.isinf(c.harm) and c.harm > 0.0]
    return f"{gone[0]} fell to nothing: what is lost does not come back from the model's own samples" if gone else ""


def _why_not(law: Law) -> str:
    if bool(law.undiluted.any()):
        return (
            "harm grew in generations that were trained on real data only, so it does not come from synthetic data: "
            "look at the real data and at the training"
        )
    return "even with real data alone, an indicator may leave its margin"


def _of_fixation(target: float | None, inbreeding: Inbreeding | None) -> tuple[float | None, str]:
    """Share of fresh real data for a target of the fixation index, and why there is none."""
    if target is None or inbreeding is None or inbreeding.size is None:
        return None, ""
    size = inbreeding.size.value
    if math.isinf(size):
        return 0.0, ""
    try:
        return round(needed_share(target, samples=size), 4), ""
    except InputError:
        return None, (
            f"a fixation index of {target:g} cannot be held at an effective size of {size:,.0f} {inbreeding.of}: one "
            "generation loses more than that"
        )


def _inbreeding(line: Sequence[Assessment], everyone: Sequence[Assessment]) -> Inbreeding | None:
    readings = [past.readings.get("homozygosity") for past in line]
    usable = [reading for reading in readings if reading is not None and reading.is_usable and reading.value < 1.0]
    if len(usable) < len(line):
        return None
    identity = np.array([1.0 - reading.value for reading in usable])
    fixation = 1.0 - identity / identity[0]
    error = identity[-1] / identity[0] * math.hypot(*(_relative_error(reading) for reading in (usable[0], usable[-1])))
    fitness = line[-1].readings.get("relative_fitness")
    size = None
    if len(line) > FEWEST_OF_A_SIZE:
        size = _of(fit_drift(fixation, real_shares=real_shares(line), reference="founder"), "size")
    return Inbreeding(
        fixation=Interval(
            value=fixation[-1], low=fixation[-1] - _NORMAL_90 * error, high=fixation[-1] + _NORMAL_90 * error
        ),
        of=usable[-1].drawn or "tokens",
        size=size,
        expected=_expected([past.generation for past in everyone]),
        fitness=fitness.value if fitness is not None and fitness.is_usable else None,
    )


def _relative_error(reading: Reading) -> float:
    """Standard error of the diversity of a reading, as a part of it."""
    groups = np.array(reading.replicates)
    return float(groups.std(ddof=1)) / math.sqrt(len(groups)) / (1.0 - reading.value) if len(groups) > 1 else 0.0


def _expected(pedigree: Sequence[Generation]) -> float | None:
    """F that chance alone gives to the last of a pedigree, counted from the founder; None where it is not all known."""
    known = {generation.index for generation in pedigree}
    inherited = {parent for generation in pedigree if not generation.is_founder for parent in generation.parents}
    if any(generation.items is None for generation in pedigree) or not known.issuperset(inherited):
        return None
    path = expected_inbreeding(pedigree)
    return float(1.0 - (1.0 - path[-1]) / (1.0 - path[0]))


def _depression(line: Sequence[Assessment], courses: _Courses | None, horizon: int) -> Depression | None:
    names = [comparison.indicator for comparison in courses.newest] if courses else []
    if courses is None or len(line) <= FEWEST_OF_A_CURVE or "perplexity" not in names:
        return None
    rise, shares = courses.effects[names.index("perplexity")], real_shares(line)
    fit = fit_depression(rise, real_share=shares)
    purged = bool(fit.p_purging < PURGING_SHOWN)
    if not purged:
        fit = fit_depression(rise, real_share=shares, purging=False)
    ahead = np.append(shares, np.full(horizon, shares[-1]))
    return Depression(
        load=_of(fit, "load"),
        size=_of(fit, "size"),
        purging=_of(fit, "purging") if purged else None,
        curve=_rounded(fit.curve(len(ahead), real_share=ahead)),
    )


def _of(fit: DepressionFit | DriftFit, name: str) -> Interval:
    value, low, high = (float(getattr(fit, name + end)) for end in ("", "_low", "_high"))
    return Interval(value=value, low=low, high=high, level=fit.level)
