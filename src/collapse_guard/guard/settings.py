"""What every guard can be told beside its wild type, lineage and probe, for shells that pass it on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from collapse_guard.arguments import above, whole
from collapse_guard.decision.policy import Policy
from collapse_guard.errors import InputError, near
from collapse_guard.records import Mixture
from collapse_guard.store import LineageStore
from collapse_guard.wildtype import WildType

ACTIONS = ("alert", "reinject", "stop", "raise")
"""What a guard can do about a verdict."""


class Settings(TypedDict, total=False):
    """The named arguments of `GuardBase`, which says what each means."""

    policy: Policy | str | Path | None
    generation: int | None
    founding: str
    parents: Sequence[int] | None
    store: LineageStore | str | None
    actions: Sequence[str]
    assess_every_n_epochs: int | None
    assess_every_n_steps: int | None
    mixture: Mixture | None
    seed: int
    dry_run: bool
    probe_timeout: float | None
    time_budget: float | None


def wild_type_of(given: WildType | str | Path) -> WildType:
    """The wild type itself, or the one that is saved in a directory; raises InputError on anything else."""
    if isinstance(given, WildType):
        return given
    if not isinstance(given, str | Path):
        raise InputError(f"`wild_type` must be a WildType or the directory of one, but got {given!r:.80}")
    return WildType.load(given)


def check_settings(
    *,
    actions: Sequence[str],
    assess_every_n_epochs: int | None,
    assess_every_n_steps: int | None,
    mixture: object,
    probe_timeout: float | None,
    time_budget: float | None,
) -> None:
    """Refuse what no guard can do.

    Raises:
        InputError: An argument is out of range, or two do not go together.
    """
    unknown = actions if isinstance(actions, str) else next((one for one in actions if one not in ACTIONS), None)
    if unknown is not None:
        raise InputError(f"`actions` must be a sequence of actions, but got {unknown!r}: {near(unknown, ACTIONS)}")
    if "stop" in actions and assess_every_n_epochs is None and assess_every_n_steps is None:
        raise InputError("`assess_every_n_epochs` must be a number with the action stop, but got None")
    whole("assess_every_n_epochs", 1 if assess_every_n_epochs is None else assess_every_n_epochs, least=1)
    whole("assess_every_n_steps", 1 if assess_every_n_steps is None else assess_every_n_steps, least=1)
    above("probe_timeout", 1.0 if probe_timeout is None else probe_timeout, 0.0)
    above("time_budget", 1.0 if time_budget is None else time_budget, 0.0)
    if not isinstance(mixture, Mixture | None):
        raise InputError(f"`mixture` must be a Mixture or None, but got {mixture!r}")
