"""One way into a lineage: find a place, assess, append, and keep the evidence where the store does not take it.

No trainer is known here. A guard finds a place before training is paid for and enrols when training is over
(`find_place`, `Candidate.assess`, `enrol`); a command or a script that has the evidence already does all at once
(`submit`). A generation without a number takes the next one where another process was faster, and the same evidence
without a number is stored once.

| when                                      | what a refusal leaves behind                                            |
|-------------------------------------------|-------------------------------------------------------------------------|
| before anything was measured              | nothing: another wild type, a place that is taken, a missing parent, a  |
|                                           | lineage that was founded anew for this reason already                   |
| when the founder is no baseline           | nothing: no usable reading, so its place stays free                     |
| when the store does not take the result,  | the evidence, with all that its assessment rests on, to be sent later   |
| whatever it says; when assessing fails    |                                                                         |
"""

from __future__ import annotations

import logging
import shlex
import uuid
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from collapse_guard.decision.policy import Policy
from collapse_guard.errors import (
    CollapseGuardError,
    CollapseGuardWarning,
    GenerationTakenError,
    InputError,
    LineageError,
    StoreUnreachableError,
)
from collapse_guard.evidence import Evidence
from collapse_guard.lineage.candidate import Candidate, find_place
from collapse_guard.lineage.founding import check_founder, check_founding
from collapse_guard.lineage.outbox import PENDING, WILD_TYPES, PendingRequest, save_pending
from collapse_guard.lineage.unmeasured import unmeasured
from collapse_guard.records import Assessment, Decision, TrainingCheck
from collapse_guard.report import attachments
from collapse_guard.store import LineageStore, check_append
from collapse_guard.store.mlflow.address import without_password
from collapse_guard.wildtype import WildType

_log = logging.getLogger("collapse_guard")
TURNS = 40
"""How often a generation without a number tries to take the next one: each time one that tries at once succeeds."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
"""Seconds: bounds of the pauses between two turns, which are random so that processes do not meet again."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a store did not take a generation, and where its evidence is."""

    error: CollapseGuardError
    """What the store said."""
    path: Path | None
    """Directory of the evidence; None where it could not be kept."""
    fault: str = ""
    """Why it could not be kept."""
    until: str = "the store takes it"
    """When it can be sent."""

    def sentence(self, store: str | None = None) -> str:
        """What happened and what to do, in lines; `store` is the address that the evidence is to be sent to."""
        if self.path is None:
            return f"{self.error}\nThe evidence could not be kept in {PENDING.absolute()} either: {self.fault}"
        command = ["collapse-guard", "assess", "--resume", *(["--store", without_password(store)] if store else [])]
        return (
            f"{self.error}\nThe evidence is kept in {self.path.absolute()}\n"
            f"Send it from this directory once {self.until}: {shlex.join(command)}"
        )


@dataclass(frozen=True, kw_only=True)
class Enrolled:
    """What became of a generation that was to join its lineage."""

    history: Sequence[Assessment]
    """The lineage up to the generation, which is the last one; empty where the lineage could not be read."""
    is_new: bool = False
    """Whether it was appended now, and not there before."""
    refusal: Refusal | None = None
    """Why the store did not take it; None: it is in its lineage."""

    @property
    def assessment(self) -> Assessment:
        """The assessment of the generation; raises the store's error where its lineage could not be read."""
        if self.refusal and not self.history:
            raise self.refusal.error
        return self.history[-1]

    @property
    def already_stored(self) -> str:
        """A sentence where the same evidence was in the store before; empty where it was appended, or refused."""
        if self.is_new or self.refusal:
            return ""
        generation = self.assessment.generation
        return (
            f"This evidence is already stored as generation {generation.index} of {generation.lineage}: nothing was "
            "added. If another generation gave the same, say its number: `--generation`, or `generation=` in Python."
        )


def enrol(store: LineageStore, candidate: Candidate, assessment: Assessment, evidence: Evidence) -> Enrolled:
    """Append an assessed generation to its lineage, and attach its report; keep its evidence where the store refuses.

    Args:
        store: Where the lineage is.
        candidate: The generation as it was planned.
        assessment: What `candidate.assess` made of the evidence.
        evidence: What was collected.

    Raises:
        LineageError: The generation was stored with another content when it was planned, or it is a founder that
            nothing can be compared with.
    """

    def save(candidate: Candidate, assessment: Assessment) -> Path:
        return save_pending(PENDING, evidence=evidence, request=_request_of(candidate, assessment))

    return _enter(store, candidate, assessment, evidence, save)


def keep(
    candidate: Candidate,
    evidence: Evidence,
    error: Exception,
    *,
    look: int | None = None,
    decisions: Sequence[Decision] = (),
    training_check: TrainingCheck | None = None,
) -> Refusal:
    """Keep the evidence of a generation that could not be assessed, for an error that is none of the evidence.

    Args:
        candidate: The generation as it was planned.
        evidence: What was collected.
        error: What `candidate.assess` raised.
        look: As in `Candidate.assess`.
        decisions: As in `Candidate.assess`.
        training_check: As in `Candidate.assess`.
    """
    known = unmeasured(candidate.generation, candidate.policy, "").model_copy(
        update={
            "seed": candidate.seed,
            "look": look,
            "decisions": tuple(decisions),
            "training_check": training_check,
            "origin": candidate.origin,
        }
    )
    request = _request_of(candidate, known)
    fault = CollapseGuardError(f"the evidence could not be assessed: {type(error).__name__}: {error}".rstrip(": "))
    refusal = _refusal(fault, lambda: save_pending(PENDING, evidence=evidence, request=request))
    return replace(refusal, until="that is mended")


def submit(
    store: LineageStore,
    wild_type: WildType,
    request: PendingRequest,
    evidence: Evidence,
    *,
    path: Path | None = None,
) -> Enrolled:
    """Find a place for a generation from evidence that is there already, assess it and enrol it.

    Args:
        store: Where the lineage is.
        wild_type: What it is measured against.
        request: What is asked for.
        evidence: What was collected.
        path: Where the evidence waits already; None: it is kept where the store does not take it.

    Raises:
        FingerprintMismatchError: Its founder is measured against another wild type.
        InputError: The evidence does not fit the wild type.
        LineageNotFoundError: The store does not have the lineage, and the request is not for generation 0, its founder.
        LineageError: The generation is stored with another content, a parent is not stored, it is a founder that
            nothing can be compared with, or the lineage cannot be founded anew so.
    """

    def save() -> Path:
        return path or save_pending(PENDING, evidence=evidence, request=request)

    try:
        candidate = _candidate(store, wild_type, request)
    except StoreUnreachableError as error:
        return Enrolled(history=(), refusal=_refusal(error, save))
    except CollapseGuardError:
        raise
    except Exception as error:
        return Enrolled(history=(), refusal=_refusal(_failure(error, request.lineage), save))
    twin = candidate.twin(evidence.digest())
    if twin is not None:
        return _sent_again(store, candidate, twin)
    check_founding(candidate.history, candidate.generation.index, candidate.generation.founding)
    assessment = candidate.assess(
        evidence, look=request.look, decisions=request.decisions, training_check=request.training_check
    )
    return _enter(store, candidate, assessment, evidence, lambda *_: save())


def _candidate(store: LineageStore, wild_type: WildType, request: PendingRequest) -> Candidate:
    place = find_place(
        store,
        wild_type,
        lineage=request.lineage,
        policy=Policy.from_dict(request.policy),
        seed=request.seed,
        index=request.index,
        parents=request.parents,
        mixture=request.mixture,
        items=request.items,
        founding=request.founding,
        must_exist=True,
        may_exist=True,
    )
    return replace(place, origin=request.origin)


Save = Callable[[Candidate, Assessment], Path]
"""Keeps the evidence of a candidate, and returns its directory."""


def _enter(
    store: LineageStore, candidate: Candidate, assessment: Assessment, evidence: Evidence, save: Save
) -> Enrolled:
    """Append, from the place that the candidate has, or without a number from the next one that is free."""
    check_founder(assessment)
    is_new = check_append(candidate.history, assessment)
    turns = Retrying(
        retry=retry_if_exception_type(GenerationTakenError),
        stop=stop_after_attempt(1 if candidate.is_numbered else TURNS),
        wait=wait_random_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE),
        reraise=True,
    )
    try:
        for turn in turns:
            with turn:
                if turn.retry_state.attempt_number > 1:
                    candidate = candidate.in_next_place(store)
                    assessment = candidate.assess_again(assessment, evidence)
                twin = candidate.twin(assessment.evidence)
                if twin is not None:
                    return _sent_again(store, candidate, twin)
                store.append(assessment)
    except Exception as error:
        fault = error if isinstance(error, CollapseGuardError) else _failure(error, assessment.generation.lineage)
        refusal = _refusal(fault, lambda: save(candidate, assessment))
        return Enrolled(history=[*candidate.earlier, assessment], refusal=refusal)
    except BaseException as interruption:
        fault = LineageError(f"{type(interruption).__name__}: it is not known whether the store has the generation")
        sentence = _refusal(fault, lambda: save(candidate, assessment)).sentence(store.address)
        warnings.warn(sentence, CollapseGuardWarning, stacklevel=3)
        raise
    history = [*candidate.earlier, assessment]
    _illustrate(store, history)
    return Enrolled(history=history, is_new=is_new)


def _sent_again(store: LineageStore, candidate: Candidate, index: int) -> Enrolled:
    """The stored generation with the same evidence, whose run a process that was killed may have left unfinished."""
    stored = store.history(candidate.generation.lineage)
    history = [past for past in stored if past.generation.index <= index]
    try:
        store.append(history[-1])
    except CollapseGuardError as error:
        _log.info("generation %d is stored, but the store could not be brought up to date: %s", index, error)
    return Enrolled(history=history)


def _illustrate(store: LineageStore, history: Sequence[Assessment]) -> None:
    """Draw the report and attach it; whatever fails, the generation is stored."""
    generation = history[-1].generation
    try:
        store.attach(generation.lineage, generation.index, attachments(generation.lineage, history))
    except Exception as error:
        again = shlex.join(["collapse-guard", "report", "--lineage", generation.lineage])
        message = (
            f"generation {generation.index} of {generation.lineage!r} is stored, but its report could not be drawn or "
            f"kept ({without_password(str(error)) or type(error).__name__}): `{again}` draws it"
        )
        warnings.warn(message, CollapseGuardWarning, stacklevel=4)


def _failure(error: Exception, lineage: str) -> LineageError:
    """What no store should raise, as an error of ours: a full disk, a defect."""
    _log.debug("the store failed", exc_info=error)
    said = without_password(str(error)) or "it says no more"
    failure = LineageError(f"the store could not take a generation of {lineage!r}: {type(error).__name__}: {said}")
    failure.__cause__ = error
    return failure


def _refusal(error: CollapseGuardError, save: Callable[[], Path]) -> Refusal:
    try:
        return Refusal(error=error, path=save())
    except Exception as fault:
        return Refusal(error=error, path=None, fault=str(fault) or type(fault).__name__)


def _request_of(candidate: Candidate, assessment: Assessment) -> PendingRequest:
    """What is to be asked for later, beside a copy of the wild type, which may be nowhere but in memory."""
    generation, wild_type = assessment.generation, candidate.wild_type
    return PendingRequest(
        lineage=generation.lineage,
        index=generation.index if candidate.is_numbered or not generation.index else None,
        parents=generation.parents,
        mixture=generation.mixture,
        items=generation.items,
        founding=generation.founding,
        wild_type_path=str(_kept(wild_type).absolute()),
        wild_type=wild_type.fingerprint,
        policy=candidate.policy.model_dump(mode="json"),
        seed=assessment.seed,
        look=assessment.look,
        decisions=assessment.decisions,
        training_check=assessment.training_check,
        origin=assessment.origin,
        created=datetime.now(UTC),
    )


def _kept(wild_type: WildType) -> Path:
    """A copy of the wild type, under another name where a copy of before was damaged or is being written."""
    try:
        return wild_type.save(WILD_TYPES / wild_type.fingerprint)
    except (OSError, InputError):
        return wild_type.save(WILD_TYPES / f"{wild_type.fingerprint}-{uuid.uuid4().hex[:8]}")
