"""What every guard can be told beside its wild type, lineage and probe, for shells that pass it on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from collapse_guard.decision.policy import Policy
from collapse_guard.records import Mixture
from collapse_guard.store import LineageStore


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
