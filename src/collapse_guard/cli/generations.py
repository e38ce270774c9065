"""The stored generations that a command judges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from collapse_guard.errors import LineageError
from collapse_guard.records import Assessment
from collapse_guard.store import open_store

if TYPE_CHECKING:
    from collapse_guard.decision.policy import Policy


def judged(
    store: str | None, lineage: str, generation: int | None, policy: Path | None
) -> tuple[list[Assessment], Policy | None]:
    """The generations of a lineage up to one, oldest first, decided again by the policy where one is given."""
    new_policy = None if policy is None else _load(policy)
    stored = open_store(store).history(lineage)
    known = [past.generation.index for past in stored]
    if generation is not None and generation not in known:
        raise LineageError(
            f"`--generation` must be one of lineage `{lineage}` ({', '.join(map(str, known))}), but got {generation}"
        )
    history = [past for past in stored if generation is None or past.generation.index <= generation]
    return (history if new_policy is None else _replayed(history, new_policy)), new_policy


def _load(policy: Path) -> Policy:
    from collapse_guard.decision.policy import Policy

    return Policy.load(policy)


def _replayed(history: list[Assessment], policy: Policy) -> list[Assessment]:
    # What decides again takes four times as long to load as what reads a stored verdict.
    from collapse_guard.assessment import replay

    return replay(history, policy)
