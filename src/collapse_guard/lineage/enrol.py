"""One way into a lineage: plan a generation, assess it, and append it, or keep its evidence until the store takes it.

No trainer is known here. A guard plans before training is paid for and enrols when training is over (`plan`,
`Candidate.assess`, `enrol`); a command or a script that has the evidence already does all at once (`submit`).

| when                                      | what a refusal leaves behind                                            |
|-------------------------------------------|-------------------------------------------------------------------------|
| before anything was measured (`plan`)     | nothing: another wild type, a place that is taken, a missing parent     |
| when the store does not take the result   | the evidence, with all that its assessment rests on, to be sent later   |
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from collapse_guard.assessment import assess, check_wild_type
from collapse_guard.decision.policy import Policy
from collapse_guard.errors import CollapseGuardError, FingerprintMismatchError, LineageError, StoreUnreachableError
from collapse_guard.evidence import Evidence
from collapse_guard.lineage.founding import joined
from collapse_guard.lineage.outbox import PENDING, WILD_TYPES, PendingRequest, save_pending
from collapse_guard.records import Assessment, Decision, Generation, Mixture
from collapse_guard.report import attachments
from collapse_guard.store import LineageStore, check_append, next_index
from collapse_guard.store.mlflow.address import without_password
from collapse_guard.wildtype import WildType


def plan(
    history: Sequence[Assessment],
    *,
    lineage: str,
    wild_type: str,
    index: int | None = None,
    parents: Sequence[int] | None = None,
    mixture: Mixture | None = None,
    items: int | None = None,
    may_exist: bool = False,
) -> Generation:
    """The place of a generation in its lineage, checked before anything is paid for.

    Args:
        history: The generations of the lineage that are stored.
        lineage: Its name.
        wild_type: Fingerprint of the wild type that it is measured against.
        index: Of the generation; None: one after the newest.
        parents: Generations whose samples it is trained on; None: the newest one before it.
        mixture: What it is trained on; None: real data only for the founder, else not known.
        items: Documents that it is trained on; None: not known.
        may_exist: Whether it may be stored already, as where the same evidence is sent twice.

    Raises:
        FingerprintMismatchError: The lineage is measured against another wild type.
        LineageError: The generation exists already, or a parent is no earlier generation of the lineage.
    """
    check_wild_type(history, wild_type)
    stored = {past.generation.index: past.verdict.severity for past in history}
    index = next_index(history) if index is None else index
    if index in stored and not may_exist:
        raise LineageError(
            f"`generation` must be new to lineage {lineage!r}, but got {index}, which is recorded as {stored[index]}: "
            f"leave it out to train generation {next_index(history)}"
        )
    earlier = sorted(past for past in stored if past < index)
    parents = earlier[-1:] if parents is None else parents
    missing = [parent for parent in parents if parent not in earlier]
    if missing:
        raise LineageError(
            f"`parents` of generation {index} must be earlier generations of lineage {lineage!r} "
            f"({_listed(earlier) or 'there are none'}), but got {_listed(missing)}"
        )
    if mixture is None and index == 0:
        mixture = Mixture(real=1.0)
    return Generation(
        lineage=lineage, index=index, parents=tuple(parents), mixture=mixture, items=items, wild_type=wild_type
    )


def _listed(indices: Sequence[int]) -> str:
    return ", ".join(map(str, indices))


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A generation on its way into its lineage: planned, and not stored yet."""

    generation: Generation
    """Its place, and what is known of its training set."""
    history: Sequence[Assessment]
    """The generations of the lineage that were stored when it was planned."""
    wild_type: WildType
    """What it is measured against."""
    policy: Policy
    """What decides on it."""
    seed: int = 0
    """Seed of its assessment."""

    @property
    def earlier(self) -> list[Assessment]:
        """The stored generations before it."""
        return [past for past in self.history if past.generation.index < self.generation.index]

    @property
    def prescription(self) -> Mixture | None:
        """The mixture that the assessment of its newest parent asks for; None where it has no opinion."""
        newest = max(self.generation.parents, default=None)
        return next((past.prescription for past in self.history if past.generation.index == newest), None)

    def assess(self, evidence: Evidence, *, look: int | None = None, decisions: Sequence[Decision] = ()) -> Assessment:
        """Assess it against the generations before it.

        Args:
            evidence: What was collected of it.
            look: How often it was assessed before, in its training; None: it is assessed only once.
            decisions: What was done in the middle of its training.

        Raises:
            InputError: The evidence does not fit the wild type.
        """
        assessment = assess(
            self.wild_type,
            evidence,
            history=self.earlier,
            policy=self.policy,
            seed=self.seed,
            generation=self.generation,
            look=look,
        )
        return assessment.model_copy(update={"decisions": tuple(decisions)})


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a store did not take a generation, and where its evidence is."""

    error: CollapseGuardError
    """What the store said."""
    path: Path | None
    """Directory of the evidence; None where it could not be kept."""
    fault: str = ""
    """Why it could not be kept."""

    def sentence(self, store: str | None = None) -> str:
        """What happened and what to do, in lines; `store` is the address that the evidence is to be sent to."""
        if self.path is None:
            return f"{self.error}\nThe evidence could not be kept in {PENDING.absolute()} either: {self.fault}"
        command = ["collapse-guard", "assess", "--resume", *(["--store", without_password(store)] if store else [])]
        return (
            f"{self.error}\nThe evidence is kept in {self.path.absolute()}\n"
            f"Send it from this directory once the store takes it: {shlex.join(command)}"
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


def enrol(store: LineageStore, candidate: Candidate, assessment: Assessment, evidence: Evidence) -> Enrolled:
    """Append an assessed generation to its lineage, with its report; keep its evidence where the store refuses.

    Args:
        store: Where the lineage is.
        candidate: The generation as it was planned.
        assessment: What `candidate.assess` made of the evidence.
        evidence: What was collected.

    Raises:
        LineageError: The generation was stored with another content when it was planned.
    """

    def save() -> Path:
        return save_pending(PENDING, evidence=evidence, request=_request_of(candidate, assessment))

    return _append(store, candidate, assessment, save)


def submit(
    store: LineageStore,
    wild_type: WildType,
    request: PendingRequest,
    evidence: Evidence,
    *,
    path: Path | None = None,
) -> Enrolled:
    """Plan, assess and enrol a generation from evidence that is there already.

    Args:
        store: Where the lineage is.
        wild_type: What it is measured against.
        request: What is asked for.
        evidence: What was collected.
        path: Where the evidence waits already; None: it is kept where the store does not take it. What waited may have
            been sent before, by a process that was killed before it could say so: a generation without a number that
            is in all the newest one is that one.

    Raises:
        FingerprintMismatchError: The lineage is measured against another wild type.
        InputError: The evidence does not fit the wild type.
        LineageNotFoundError: The store does not have the lineage, and the request is not for generation 0, its founder.
        LineageError: The generation is stored with another content, or a parent is not stored.
    """

    def save() -> Path:
        return path or save_pending(PENDING, evidence=evidence, request=request)

    try:
        stored = joined(store, request.lineage, index=request.index, must_exist=True)
    except StoreUnreachableError as error:
        return Enrolled(history=(), refusal=_refusal(error, save))
    if path and request.index is None and stored and _is_newest(stored, wild_type, request, evidence):
        return Enrolled(history=stored)
    candidate = _candidate(stored, wild_type, request)
    assessment = candidate.assess(evidence, look=request.look, decisions=request.decisions)
    return _append(store, candidate, assessment, save)


Save = Callable[[], Path]
"""Keeps the evidence, and returns its directory; raises OSError where the system refuses."""


def _append(store: LineageStore, candidate: Candidate, assessment: Assessment, save: Save) -> Enrolled:
    lineage, is_new = assessment.generation.lineage, check_append(candidate.history, assessment)
    history = [*candidate.earlier, assessment]
    try:
        store.append(assessment)
        store.attach(lineage, assessment.generation.index, attachments(lineage, history))
    except (StoreUnreachableError, LineageError, FingerprintMismatchError) as error:
        return Enrolled(history=history, refusal=_refusal(error, save))
    return Enrolled(history=history, is_new=is_new)


def _refusal(error: CollapseGuardError, save: Save) -> Refusal:
    try:
        return Refusal(error=error, path=save())
    except OSError as fault:
        return Refusal(error=error, path=None, fault=str(fault))


def _is_newest(stored: Sequence[Assessment], wild_type: WildType, request: PendingRequest, evidence: Evidence) -> bool:
    """Whether the newest generation is what comes of the evidence in its place."""
    newest = stored[-1]
    try:
        again = _candidate(stored, wild_type, request.model_copy(update={"index": newest.generation.index}))
    except LineageError:  # its parents are not before the newest
        return False
    assessment = again.assess(evidence, look=request.look, decisions=request.decisions)
    return assessment.to_dict() == newest.to_dict()


def _candidate(stored: Sequence[Assessment], wild_type: WildType, request: PendingRequest) -> Candidate:
    generation = plan(
        stored,
        lineage=request.lineage,
        wild_type=wild_type.fingerprint,
        index=request.index,
        parents=request.parents,
        mixture=request.mixture,
        items=request.items,
        may_exist=True,
    )
    return Candidate(
        generation=generation,
        history=stored,
        wild_type=wild_type,
        policy=Policy.from_dict(request.policy),
        seed=request.seed,
    )


def _request_of(candidate: Candidate, assessment: Assessment) -> PendingRequest:
    """What is to be asked for later, beside a copy of the wild type, which may be nowhere but in memory."""
    generation, wild_type = assessment.generation, candidate.wild_type
    return PendingRequest(
        lineage=generation.lineage,
        index=generation.index,
        parents=generation.parents,
        mixture=generation.mixture,
        items=generation.items,
        wild_type_path=str(wild_type.save(WILD_TYPES / wild_type.fingerprint).absolute()),
        wild_type=wild_type.fingerprint,
        policy=candidate.policy.model_dump(mode="json"),
        seed=assessment.seed,
        look=assessment.look,
        decisions=assessment.decisions,
        created=datetime.now(UTC),
    )
