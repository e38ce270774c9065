"""assess(): measure, compare, decide and prescribe. The callback, the command line and scripts all use it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from collapse_guard.decision.baselines import comparisons_of
from collapse_guard.decision.confounders import is_of_samples, other_prompts
from collapse_guard.decision.founder import founded_anew
from collapse_guard.decision.gaps import NONE_MISSING, gaps_of
from collapse_guard.decision.leak import leak_of
from collapse_guard.decision.leaked_founder import beside_a_leak, nobody_looked, unseen_by
from collapse_guard.decision.obstacles import obstacles_of
from collapse_guard.decision.other_units import in_other_units
from collapse_guard.decision.policy import Policy
from collapse_guard.decision.unseen import Unseen
from collapse_guard.decision.verdict import decide
from collapse_guard.errors import FingerprintMismatchError, InputError
from collapse_guard.evidence import Evidence
from collapse_guard.indicators.base import reading_of
from collapse_guard.measurement.intake import intake_of
from collapse_guard.measurement.lineage_readings import lineage_readings
from collapse_guard.measurement.lost import what_was_lost
from collapse_guard.measurement.measure import founding_budget, measure, reference_readings, sample_tokens
from collapse_guard.measurement.other_unit import unit_of_samples
from collapse_guard.measurement.prompts import warn_of_prompts_within
from collapse_guard.measurement.samples import tokenized, with_embeddings
from collapse_guard.measurement.slices import slice_coverage
from collapse_guard.measurement.stratum import freeze_tail
from collapse_guard.prescription.outlook import outlook
from collapse_guard.prescription.prescribe import prescribe
from collapse_guard.records import (
    Assessment,
    Comparison,
    Generation,
    OtherUnit,
    Reading,
    Severity,
    TailStratum,
    TrainingCheck,
    founder_before,
    founder_of,
    of_foundation,
)
from collapse_guard.records.readings import Readings
from collapse_guard.wildtype import WildType

_log = logging.getLogger("collapse_guard")


def assess(
    wild_type: WildType,
    evidence: Evidence,
    *,
    history: Sequence[Assessment] = (),
    policy: Policy | None = None,
    seed: int = 0,
    generation: Generation | None = None,
    look: int | None = None,
    training_check: TrainingCheck | None = None,
    missing: Mapping[int, str] = NONE_MISSING,
) -> Assessment:
    """Assess one generation: measure its evidence, compare with founder and wild type, decide.

    Args:
        wild_type: The frozen real data.
        evidence: What was collected from the generation.
        history: Earlier generations of the lineage; the newest founder is the baseline of drift, which is the one with
            index 0 unless the lineage was founded anew. A later generation without its founder is UNDECIDED.
        policy: Margins and levels; None: `Policy()`.
        seed: Seed of everything random in the assessment; recorded.
        generation: The generation to assess; None: the one after the newest of `history`, in its lineage. With a
            `founding`, the lineage is founded anew: it is compared with none of `history`.
        look: How often this generation was assessed before, during its training; these assessments share its part of
            alpha. None: it is assessed only once.
        training_check: What was found of evaluation documents in its training texts (`WildType.leaks_in`); None: nobody
            looked.
        missing: Number of each generation that the lineage is known to have had -> how it is restored, for the verdict.

    Returns:
        Readings, comparisons, verdict, and the mixture for the next generation. What was read is counted in `intake`,
        and logged as INFO by the logger "collapse_guard".

    Raises:
        FingerprintMismatchError: Its founder was measured against another wild type.
        InputError: The evidence does not fit the wild type.
        PolicyError: The policy has a margin for a slice that the wild type does not have.
    """
    policy = policy or Policy()
    if policy.slices:
        policy.check_slices(() if wild_type.slices is None else wild_type.slices.names)
    generation = _stamp(generation or _next(history), wild_type, history)
    founder = founder_of(of_foundation(history, generation), generation)
    stratum = _stratum(evidence, founder, generation)
    given = tokenized(wild_type, evidence)
    warn_of_prompts_within(evidence)
    intake = intake_of(wild_type, given)
    for part in intake:
        _log.info("read %s", part)
    embedded = with_embeddings(wild_type, given)
    budget = founding_budget(founder.readings) if founder else None
    readings = measure(wild_type, embedded, stratum=stratum, budget=budget)
    readings |= _of_lineage(readings, generation, history)
    length = sample_tokens(wild_type, embedded)
    reference = reference_readings(wild_type, sample_tokens=length, budget=founding_budget(readings))
    lost = what_was_lost(wild_type, embedded.samples, embeddings=embedded.embeddings)
    concluded = conclude(
        generation,
        readings,
        reference,
        history=history,
        policy=policy,
        stratum=stratum,
        seed=seed,
        look=look,
        training_check=training_check,
        other_unit=unit_of_samples(wild_type, embedded),
        missing=missing,
    )
    covered = slice_coverage(wild_type, embedded.samples)
    facts = {"evidence": evidence.digest(), "lost": lost, "slices": covered, "intake": intake}
    return _with_outlook(concluded.model_copy(update=facts), history, policy)


def moved(
    assessment: Assessment,
    generation: Generation,
    *,
    history: Sequence[Assessment],
    policy: Policy,
    missing: Mapping[int, str] = NONE_MISSING,
) -> Assessment:
    """The assessment of the same evidence in another place, behind the same founder; nothing is measured again.

    Args:
        assessment: In the place before.
        generation: The place now.
        history: The earlier generations of the lineage.
        policy: Margins and levels.
        missing: As in `assess`.
    """
    of_lineage = {metric.name for metric in reading_of("lineage")}
    readings = {name: reading for name, reading in assessment.readings.items() if name not in of_lineage}
    readings |= _of_lineage(readings, generation, history)
    return _again(assessment, generation, readings, history=history, policy=policy, missing=missing)


def reassess(
    stored: Assessment,
    *,
    history: Sequence[Assessment],
    policy: Policy,
    missing: Mapping[int, str] = NONE_MISSING,
) -> Assessment:
    """Decide on a stored generation by another policy; its readings stay as they are.

    Args:
        stored: The generation.
        history: The earlier generations of its lineage.
        policy: The policy that decides now.
        missing: As in `assess`.
    """
    return _again(stored, stored.generation, stored.readings, history=history, policy=policy, missing=missing)


def replay(
    stored: Sequence[Assessment], policy: Policy, *, missing: Mapping[int, str] = NONE_MISSING
) -> list[Assessment]:
    """Decide on all stored generations of a lineage by another policy, one after the other.

    Args:
        stored: The generations, oldest first.
        policy: What decides now.
        missing: As in `assess`.
    """
    if stored and stored[-1].slices is not None:
        policy.check_slices([one.name for one in stored[-1].slices.shares])
    decided: list[Assessment] = []
    for assessment in stored:
        decided.append(reassess(assessment, history=decided, policy=policy, missing=missing))
    return decided


def conclude(
    generation: Generation,
    readings: Readings,
    reference: Readings,
    *,
    history: Sequence[Assessment],
    policy: Policy,
    stratum: TailStratum | None = None,
    seed: int = 0,
    look: int | None = None,
    training_check: TrainingCheck | None = None,
    other_unit: OtherUnit | None = None,
    missing: Mapping[int, str] = NONE_MISSING,
) -> Assessment:
    """Compare and decide on existing readings, without a forecast."""
    past = of_foundation(history, generation)
    founder = founder_of(past, generation)
    drift, unseen = founder.readings if founder else {}, unseen_by(founder, policy)
    comparisons = comparisons_of(
        generation, readings, reference, drift=drift, policy=policy, history=past, look=look, unseen=unseen
    )
    of_founder = founder.other_unit if founder else None
    of_something_else = other_prompts(readings, drift) + in_other_units(
        other_unit, of_founder, readings, policy.decides
    )
    if any(reason.severity is Severity.UNDECIDED for reason in of_something_else):
        comparisons = [_shown_only(one) if is_of_samples(readings[one.indicator]) else one for one in comparisons]
    leaks = leak_of(generation, readings, policy, training_check)
    evidence = _by_this_policy(past, drift, policy, unseen) if policy.rotate_folds else past
    if founder:
        spoilt = beside_a_leak(
            comparisons, readings, founder, generation=generation, history=evidence, policy=policy, look=look
        )
        comparisons = [
            _shown_only(one) if any(reason.is_about(one.indicator) for reason in spoilt) else one for one in comparisons
        ]
        leaks += spoilt
    present = [earlier.generation.index for earlier in past]
    obstacles = gaps_of(generation.index, present, missing, founder=generation.founder)
    if founder or generation.is_founder:
        obstacles += obstacles_of(generation, readings, reference, drift=drift, policy=policy)
    obstacles += leaks + of_something_else
    obstacles += founded_anew(generation, history)
    verdict = decide(comparisons, evidence, generation=generation, policy=policy, obstacles=obstacles, look=look)
    if founder:
        remarks = nobody_looked(verdict, readings, founder)
        verdict = verdict.model_copy(update={"reasons": (*verdict.reasons, *remarks)})
    return Assessment(
        generation=generation,
        readings=dict(readings),
        reference={name: reading for name, reading in reference.items() if name in readings},
        comparisons=tuple(comparisons),
        verdict=verdict,
        training_check=training_check,
        other_unit=other_unit,
        stratum=stratum,
        seed=seed,
        look=look,
    )


def check_wild_type(history: Sequence[Assessment], generation: Generation) -> None:
    """Refuse a generation that is to be measured against another wild type than its founder.

    Args:
        history: The lineage. What counts from another founder may be measured against another wild type.
        generation: The generation, with the wild type that it is to be measured against.

    Raises:
        FingerprintMismatchError: It names both.
    """
    for past in history:
        is_of_same_founder = past.generation.founder == generation.founder
        if is_of_same_founder and past.generation.wild_type not in ("", generation.wild_type):
            raise FingerprintMismatchError(
                f"lineage {past.generation.lineage!r} is measured against the wild type {past.generation.wild_type}, "
                f"but got {generation.wild_type}: {FingerprintMismatchError.WHAT_TO_DO}"
            )


def _again(
    assessment: Assessment,
    generation: Generation,
    readings: Readings,
    *,
    history: Sequence[Assessment],
    policy: Policy,
    missing: Mapping[int, str],
) -> Assessment:
    """The assessment with what is concluded from its readings now; all else that is known of its evidence stays."""
    decided = conclude(
        generation,
        readings,
        assessment.reference,
        history=history,
        policy=policy,
        stratum=assessment.stratum,
        seed=assessment.seed,
        look=assessment.look,
        training_check=assessment.training_check,
        other_unit=assessment.other_unit,
        missing=missing,
    )
    concluded = ("generation", "readings", "reference", "comparisons", "verdict")
    facts = {name: getattr(decided, name) for name in concluded}
    return _with_outlook(assessment.model_copy(update=facts), history, policy)


def _with_outlook(concluded: Assessment, history: Sequence[Assessment], policy: Policy) -> Assessment:
    """Add the outlook of the lineage, and the mixture that follows from it."""
    past = of_foundation(history, concluded.generation)
    ahead = outlook(concluded, past, policy)
    mixture = prescribe(concluded, history=past, ahead=ahead, rule=policy.reinjection)
    return concluded.model_copy(update={"outlook": ahead, "prescription": mixture})


def _by_this_policy(history: Sequence[Assessment], drift: Readings, policy: Policy, unseen: Unseen) -> list[Assessment]:
    """The history with the comparisons that this policy would have made: on its folds, against its margins."""
    return [past if past.generation.is_founder else _compared_anew(past, drift, policy, unseen) for past in history]


def _compared_anew(past: Assessment, drift: Readings, policy: Policy, unseen: Unseen) -> Assessment:
    comparisons = comparisons_of(
        past.generation, past.readings, past.reference, drift=drift, policy=policy, unseen=unseen
    )
    return past.model_copy(update={"comparisons": tuple(comparisons)})


def _shown_only(comparison: Comparison) -> Comparison:
    return comparison.model_copy(update={"decides": False})


def _next(history: Sequence[Assessment]) -> Generation:
    if not history:
        return Generation(lineage="unnamed", index=0)
    newest = max((past.generation for past in history), key=lambda past: past.index)
    return Generation(lineage=newest.lineage, index=newest.index + 1, parents=(newest.index,), founder=newest.founder)


def _stamp(generation: Generation, wild_type: WildType, history: Sequence[Assessment]) -> Generation:
    for past in history:
        if past.generation.index >= generation.index:
            raise InputError(
                f"`history` must hold generations before {generation.index} only, but got {past.generation.index}"
            )
    founder = generation.index if generation.founding else founder_before(history, generation.index)
    stamped = generation.model_copy(update={"wild_type": wild_type.fingerprint, "founder": founder})
    check_wild_type(history, stamped)
    return stamped


def _of_lineage(readings: Readings, generation: Generation, history: Sequence[Assessment]) -> dict[str, Reading]:
    past = {earlier.generation.index: earlier.readings for earlier in of_foundation(history, generation)}
    parent = past.get(max(generation.parents), {}) if generation.parents else {}
    return lineage_readings(readings, founder=past.get(generation.founder, {}), parent=parent)


def _stratum(evidence: Evidence, founder: Assessment | None, generation: Generation) -> TailStratum | None:
    if founder:
        return founder.stratum
    return freeze_tail(evidence.losses) if evidence.losses is not None and generation.is_founder else None
