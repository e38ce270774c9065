"""assess(): measure, compare, decide. The callback, the command line and scripts all go through it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from collapse_guard.comparison import compare, obstacle
from collapse_guard.errors import FingerprintMismatchError, InputError
from collapse_guard.evidence import Evidence
from collapse_guard.indicators.lineage_readings import lineage_readings
from collapse_guard.indicators.lost import what_was_lost
from collapse_guard.indicators.measure import freeze_tail, measure, reference_readings, sample_tokens
from collapse_guard.indicators.samples import with_embeddings
from collapse_guard.policy import Policy
from collapse_guard.prescription import prescribe
from collapse_guard.records import (
    Assessment,
    Baseline,
    Comparison,
    Generation,
    Reading,
    Reason,
    ReasonKind,
    Severity,
    TailStratum,
)
from collapse_guard.verdict import decide
from collapse_guard.wildtype import WildType

Readings = Mapping[str, Reading]


def assess(
    wild_type: WildType,
    evidence: Evidence,
    *,
    history: Sequence[Assessment] = (),
    policy: Policy | None = None,
    seed: int = 0,
    generation: Generation | None = None,
) -> Assessment:
    """Assess one generation: measure its evidence, compare with founder and wild type, decide.

    Args:
        wild_type: The frozen real data.
        evidence: What was collected of the generation.
        history: Earlier generations of the lineage; the one with index 0 is the founder, the baseline of drift.
        policy: Margins and levels; None: `Policy()`.
        seed: Seed of everything random in the assessment; recorded.
        generation: What is assessed; None: the generation after the newest of `history`, in its lineage.

    Returns:
        Readings, comparisons, verdict, and the mixture asked for next.

    Raises:
        FingerprintMismatchError: When the history was measured against another wild type.
        InputError: When the evidence does not fit the wild type.
    """
    policy = policy or Policy()
    generation = _stamp(generation or _next(history), wild_type, history)
    founder = next((past for past in history if past.generation.index == 0), None)
    stratum = _stratum(evidence, founder, generation)
    evidence = with_embeddings(wild_type, evidence)
    readings = measure(wild_type, evidence, stratum=stratum)
    readings |= _of_lineage(readings, generation, history)
    reference = reference_readings(wild_type, sample_tokens=sample_tokens(wild_type, evidence))
    lost = what_was_lost(wild_type, evidence.samples, embeddings=evidence.embeddings)
    concluded = conclude(generation, readings, reference, history=history, policy=policy, stratum=stratum, seed=seed)
    return concluded.model_copy(update={"lost": lost})


def reassess(stored: Assessment, *, history: Sequence[Assessment], policy: Policy) -> Assessment:
    """Decide on a stored generation by another policy; what was measured stays as it is.

    Args:
        stored: The generation.
        history: Those of its lineage before it.
        policy: What decides now.
    """
    decided = conclude(
        stored.generation,
        stored.readings,
        stored.reference,
        history=history,
        policy=policy,
        stratum=stored.stratum,
        seed=stored.seed,
    )
    return decided.model_copy(update={"lost": stored.lost})


def conclude(
    generation: Generation,
    readings: Readings,
    reference: Readings,
    *,
    history: Sequence[Assessment],
    policy: Policy,
    stratum: TailStratum | None = None,
    seed: int = 0,
) -> Assessment:
    """Compare and decide on readings that are already there: the second half of `assess`, without the evidence."""
    founder = next((past for past in history if past.generation.index == 0), None)
    drift = founder.readings if founder else {}
    comparisons = [
        *_against(readings, drift, "founder", policy, deciding=drift.keys()),
        *_against(readings, reference, "wild_type", policy, deciding=reference.keys() - drift.keys()),
    ]
    obstacles = _obstacles(generation, readings, {**reference, **drift}, drift, policy)
    verdict = decide(comparisons, generation=generation, policy=policy, obstacles=obstacles)
    return Assessment(
        generation=generation,
        readings=dict(readings),
        reference={name: reading for name, reading in reference.items() if name in readings},
        comparisons=tuple(comparisons),
        verdict=verdict,
        stratum=stratum,
        prescription=prescribe(verdict, comparisons, generation=generation, history=history, rule=policy.reinjection),
        seed=seed,
    )


def _next(history: Sequence[Assessment]) -> Generation:
    if not history:
        return Generation(lineage="unnamed", index=0)
    newest = max((past.generation for past in history), key=lambda past: past.index)
    return Generation(lineage=newest.lineage, index=newest.index + 1, parents=(newest.index,))


def _stamp(generation: Generation, wild_type: WildType, history: Sequence[Assessment]) -> Generation:
    for past in history:
        if past.generation.wild_type not in ("", wild_type.fingerprint):
            raise FingerprintMismatchError(
                f"lineage {past.generation.lineage!r} is measured against the wild type "
                f"{past.generation.wild_type}, but got "
                f"{wild_type.fingerprint}: use that wild type, or start another lineage"
            )
        if past.generation.index >= generation.index:
            raise InputError(
                f"`history` must hold generations before {generation.index} only, but got {past.generation.index}"
            )
    return generation.model_copy(update={"wild_type": wild_type.fingerprint})


def _of_lineage(readings: Readings, generation: Generation, history: Sequence[Assessment]) -> dict[str, Reading]:
    past = {earlier.generation.index: earlier.readings for earlier in history}
    parent = past.get(max(generation.parents), {}) if generation.parents else {}
    return lineage_readings(readings, founder=past.get(0, {}), parent=parent)


def _stratum(evidence: Evidence, founder: Assessment | None, generation: Generation) -> TailStratum | None:
    if founder:
        return founder.stratum
    return freeze_tail(evidence.losses) if evidence.losses is not None and generation.index == 0 else None


def _against(
    readings: Readings, baseline: Readings, kind: Baseline, policy: Policy, *, deciding: Collection[str]
) -> list[Comparison]:
    comparisons = []
    for name, reading in readings.items():
        if name not in baseline or obstacle(reading, baseline[name]):
            continue
        margin, watch = policy.margin(name, kind).effects(reading.scale)
        comparisons.append(
            compare(
                reading,
                baseline[name],
                baseline=kind,
                baseline_generation=0 if kind == "founder" else None,
                margin=margin,
                watch=watch,
                level=policy.confidence,
                decides=name in deciding and name in policy.decides,
            )
        )
    return comparisons


def _obstacles(
    generation: Generation, readings: Readings, baseline: Readings, drift: Readings, policy: Policy
) -> list[Reason]:
    names = dict.fromkeys((*policy.decides, *policy.required))
    found = [
        _obstacle(generation, name, readings.get(name), baseline.get(name), name in drift, policy) for name in names
    ]
    reasons = [reason for reason in found if reason]
    nothing = not any(name in readings and name in baseline for name in policy.decides)
    if nothing and not reasons:
        sentence = "nothing that the policy decides on was measured: give losses or samples"
        reasons.append(Reason(kind=ReasonKind.MISSING, severity=Severity.UNDECIDED, sentence=sentence))
    return reasons


def _obstacle(
    generation: Generation,
    name: str,
    reading: Reading | None,
    reference: Reading | None,
    founder_has_it: bool,
    policy: Policy,
) -> Reason | None:
    """Why `name` cannot decide, as a reason; None where it can, or where nobody expects it to."""
    if reading is None:
        return _absence(name, founder_has_it, policy)
    if not reading.is_usable:
        kind = ReasonKind.TOO_FEW if 0 < reading.n < reading.n_minimum else ReasonKind.NOT_A_NUMBER
        return _undecided(kind, name, f"{name}: {reading.problem}" if reading.problem else f"{name} is not a number")
    if reference is not None:
        why_not = obstacle(reading, reference)
        return _undecided(ReasonKind.MISSING, name, why_not) if why_not else None
    if generation.index == 0:
        sentence = f"{name} is {reading.value:.4g}: this is the founder, so it is the baseline of later generations"
        return Reason(kind=ReasonKind.BASELINE, severity=Severity.HEALTHY, indicator=name, sentence=sentence)
    return _undecided(
        ReasonKind.MISSING,
        name,
        f"{name} has no baseline: the founder (generation 0) of this lineage was not measured for it",
    )


def _absence(name: str, founder_has_it: bool, policy: Policy) -> Reason | None:
    if name in policy.required:
        return _undecided(ReasonKind.MISSING, name, f"{name} is required by the policy, but was not measured")
    if founder_has_it:
        return _undecided(ReasonKind.MISSING, name, f"{name} was measured at the founder, but not in this generation")
    return None


def _undecided(kind: ReasonKind, name: str, sentence: str) -> Reason:
    return Reason(kind=kind, severity=Severity.UNDECIDED, indicator=name, sentence=sentence)
