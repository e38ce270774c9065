"""The stored generations that a command judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from collapse_guard.decision.gaps import as_of_now
from collapse_guard.errors import LineageError
from collapse_guard.records import Assessment
from collapse_guard.store import LineageStore, open_store

if TYPE_CHECKING:
    from collapse_guard.decision.policy import Policy


def judged(
    store: str | None, lineage: str, generation: int | None, policy: Path | None
) -> tuple[list[Assessment], Policy | None]:
    """The generations of a lineage up to one, oldest first, decided again by the policy where one is given.

    The verdict on the last one says what is missing of its lineage now: without its founder it passes no more. Without
    a policy, those between may be abridged.
    """
    new_policy = None if policy is None else _load(policy)
    lineages = open_store(store)
    stored, missing = _stored(lineages, lineage, generation, whole=new_policy is not None), lineages.missing(lineage)
    known = [past.generation.index for past in stored]
    if generation is not None and generation not in known:
        how = f". It was stored, and is missing: {missing[generation]}" if generation in missing else ""
        raise LineageError(
            f"`--generation` must be one of lineage `{lineage}` ({', '.join(map(str, known))}), but got "
            f"{generation}{how}"
        )
    history = [past for past in stored if generation is None or past.generation.index <= generation]
    if new_policy is not None:
        history = _replayed(history, new_policy, missing)
    return as_of_now(history, missing, is_newest=generation is None), new_policy


def _stored(store: LineageStore, lineage: str, generation: int | None, *, whole: bool) -> Sequence[Assessment]:
    """The ledger, where its whole records are all that is asked for; else all generations."""
    ledger = [] if whole else store.ledger(lineage)
    is_enough = ledger and generation in (None, ledger[-1].generation.index)
    return ledger if is_enough else store.history(lineage)


def _load(policy: Path) -> Policy:
    from collapse_guard.decision.policy import Policy

    return Policy.load(policy)


def _replayed(history: list[Assessment], policy: Policy, missing: Mapping[int, str]) -> list[Assessment]:
    # What decides again takes four times as long to load as what reads a stored verdict.
    from collapse_guard.assessment import replay

    return replay(history, policy, missing=missing)
