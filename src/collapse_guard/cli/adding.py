"""Adding a generation to its lineage from evidence, and keeping the evidence where the store does not answer."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from collapse_guard.assessment import assess
from collapse_guard.decision.policy import Policy
from collapse_guard.errors import LineageError, StoreUnreachableError
from collapse_guard.evidence import Evidence
from collapse_guard.lineage.outbox import PendingRequest, save_pending
from collapse_guard.records import Assessment, Generation, Mixture
from collapse_guard.report import attachments
from collapse_guard.store import LineageStore, check_append, next_index, open_store
from collapse_guard.store.mlflow.address import without_password
from collapse_guard.wildtype import WildType

PENDING = Path(".collapse_guard", "pending")
"""Where evidence waits in the working directory."""


@dataclass(frozen=True, kw_only=True)
class Added:
    """A generation that is in its lineage now."""

    history: list[Assessment]
    """The generations up to it; it is the last one."""
    is_new: bool
    """Whether it was not there before."""

    @property
    def note(self) -> str:
        """What to tell where nothing was added; empty where the generation is new."""
        if self.is_new:
            return ""
        generation = self.history[-1].generation
        return f"Generation {generation.index} of {generation.lineage} was in the store already: nothing was added."


def add_generation(
    store: LineageStore, wild_type: WildType, request: PendingRequest, evidence: Evidence, *, is_resent: bool = False
) -> Added:
    """Assess a generation and append it with its report.

    Args:
        store: Where its lineage is.
        wild_type: What it is measured against.
        request: What is asked for.
        evidence: What was collected of it.
        is_resent: Whether the evidence may have been sent before, by a process that was killed before it could say so:
            then a generation without a number that reads exactly as the newest one is that one.

    Raises:
        LineageError: The generation is stored with another content, or a parent is not stored.
        FingerprintMismatchError: The lineage is measured against another wild type.
        InputError: The evidence does not fit the wild type.
        StoreUnreachableError: The store does not answer.
    """
    stored = store.history_so_far(request.lineage)
    index = next_index(stored) if request.index is None else request.index
    earlier = [past for past in stored if past.generation.index < index]
    assessment = assess(
        wild_type,
        evidence,
        history=earlier,
        policy=Policy.from_dict(request.policy),
        seed=request.seed,
        generation=_generation(request, index, earlier),
    )
    if is_resent and request.index is None and stored and _read_the_same(assessment, stored[-1]):
        return Added(history=stored, is_new=False)
    history = [*earlier, assessment]
    is_new = check_append(stored, assessment)
    store.append(assessment, attachments=attachments(request.lineage, history))
    return Added(history=history, is_new=is_new)


def _read_the_same(one: Assessment, other: Assessment) -> bool:
    return bool(one.to_dict()["readings"] == other.to_dict()["readings"])


def _generation(request: PendingRequest, index: int, earlier: Sequence[Assessment]) -> Generation:
    known = [past.generation.index for past in earlier]
    parents = tuple(known[-1:]) if request.parents is None else request.parents
    missing = [parent for parent in parents if parent not in known]
    if missing:
        raise LineageError(
            f"parents of generation {index} must be earlier generations of lineage `{request.lineage}` "
            f"({', '.join(map(str, known)) or 'there are none'}), but got {', '.join(map(str, missing))}"
        )
    founder = Mixture(real=1.0) if index == 0 else None
    mixture = request.mixture or founder
    return Generation(lineage=request.lineage, index=index, parents=parents, mixture=mixture, items=request.items)


def add_or_keep(store: str | None, wild_type: WildType, request: PendingRequest, evidence: Evidence) -> Added:
    """As `add_generation`; where the store does not answer, keep the evidence and say in the error how to send it."""
    try:
        return add_generation(open_store(store), wild_type, request, evidence)
    except StoreUnreachableError as error:
        raise StoreUnreachableError(f"{error}\n{_keep(request, evidence, store)}") from error


def _keep(request: PendingRequest, evidence: Evidence, store: str | None) -> str:
    try:
        path = save_pending(PENDING, evidence=evidence, request=request)
    except OSError as error:
        return f"The evidence could not be kept in {PENDING.absolute()} either: {error}"
    command = ["collapse-guard", "assess", "--resume", *(["--store", without_password(store)] if store else [])]
    return (
        f"The evidence is kept in {path.absolute()}\n"
        f"Send it from this directory once the store answers: {shlex.join(command)}"
    )
