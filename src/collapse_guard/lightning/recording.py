"""What the callback does with a lineage: find its store, plan the generation before training, remember it after."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from collapse_guard.assessment import assess
from collapse_guard.decision.policy import Policy
from collapse_guard.errors import (
    CollapseGuardWarning,
    FingerprintMismatchError,
    LineageError,
    StoreUnreachableError,
)
from collapse_guard.evidence import Evidence
from collapse_guard.lightning.bases import Trainer, is_a
from collapse_guard.lineage.outbox import PendingRequest, save_pending
from collapse_guard.records import Assessment, Generation
from collapse_guard.report import attachments
from collapse_guard.store import LineageStore, RunStore, next_index, open_store
from collapse_guard.store.mlflow.layout import metrics
from collapse_guard.wildtype import WildType

KEPT = Path(".collapse_guard")
"""Where evidence and wild types are kept, in the working directory, while the store does not answer."""


def resolve_store(store: LineageStore | str | None, trainer: Trainer) -> LineageStore:
    """The store itself, or the one at an address; None: that of the trainer's MLFlowLogger, else `open_store()`."""
    if isinstance(store, LineageStore):
        return store
    logger = mlflow_logger(trainer)
    return open_store(store if store is not None or logger is None else logger._tracking_uri)


def mlflow_logger(trainer: Trainer) -> Any:
    """The trainer's first MLFlowLogger, of either Lightning; None where there is none."""
    return next((logger for logger in trainer.loggers if is_a(logger, "MLFlowLogger")), None)


def in_training_run(store: LineageStore, trainer: Trainer) -> LineageStore:
    """The store that keeps a generation in the run that the trainer logs to, where that run lies in the store."""
    logger = mlflow_logger(trainer)
    if logger is None or not isinstance(store, RunStore) or not store.tracks(logger._tracking_uri):
        return store
    return store.in_run(str(logger.run_id))


def plan(
    history: Sequence[Assessment], *, lineage: str, index: int | None, parents: Sequence[int] | None, wild_type: str
) -> Generation:
    """The generation that is going to be trained: found to be possible before training is paid for.

    Args:
        history: Generations of the lineage.
        lineage: Its name.
        index: Of the generation; None: one after the newest.
        parents: Generations whose samples it is trained on; None: the newest one before it.
        wild_type: Fingerprint of the wild type.

    Raises:
        FingerprintMismatchError: The lineage is measured against another wild type.
        LineageError: The generation exists already, or a parent does not.
    """
    _check_wild_type(history, lineage, wild_type)
    known = {past.generation.index: past.verdict.severity for past in history}
    index = next_index(history) if index is None else index
    if index in known:
        raise LineageError(
            f"`generation` must be new to lineage {lineage!r}, but got {index}, which is recorded as {known[index]}: "
            f"leave it out to train generation {next_index(history)}"
        )
    if parents is None:
        parents = sorted(earlier for earlier in known if earlier < index)[-1:]
    missing = [parent for parent in parents if parent not in known]
    if missing:
        raise LineageError(f"`parents` must be generations of lineage {lineage!r} ({sorted(known)}), but got {missing}")
    return Generation(lineage=lineage, index=index, parents=tuple(parents), wild_type=wild_type)


def _check_wild_type(history: Sequence[Assessment], lineage: str, wild_type: str) -> None:
    for past in history:
        if past.verdict.wild_type != wild_type:
            raise FingerprintMismatchError(
                f"lineage {lineage!r} is measured against the wild type {past.verdict.wild_type}, but got {wild_type}: "
                f"{FingerprintMismatchError.WHAT_TO_DO}"
            )


def log_readings(trainer: Trainer, assessment: Assessment, *, under: str = "") -> None:
    """Log what is finite to every logger of the trainer, as `<family>/<indicator>` at the global step."""
    values = {f"{under}{name}": value for name, value in metrics(assessment).items()}
    for logger in trainer.loggers:
        logger.log_metrics(values, step=trainer.global_step)


@dataclass(frozen=True, kw_only=True)
class Recorder:
    """Assesses a generation and adds it to its lineage; it lives on rank 0."""

    store: LineageStore
    history: Sequence[Assessment]
    wild_type: WildType
    policy: Policy

    def judge(self, evidence: Evidence, generation: Generation, *, seed: int, look: int | None = None) -> Assessment:
        """Assess the generation against those before it; `look` counts how often it was assessed already."""
        before = [past for past in self.history if past.generation.index < generation.index]
        return assess(
            self.wild_type,
            evidence,
            history=before,
            policy=self.policy,
            seed=seed,
            generation=generation,
            look=look,
        )

    def record(self, assessment: Assessment, evidence: Evidence, *, store: LineageStore) -> None:
        """Append the assessment with its report.

        Training is paid for by now: where the store refuses or does not answer, the evidence is kept, with a warning.
        """
        beside = attachments(assessment.generation.lineage, [*self.history, assessment])
        try:
            store.append(assessment, attachments=beside)
        except (StoreUnreachableError, LineageError) as error:
            path = self._keep(assessment, evidence)
            message = (
                f"generation {assessment.generation.index} of {assessment.generation.lineage!r} is not in the store: "
                f"{error}. Its evidence is kept in {path}; `collapse-guard assess --resume` sends it"
            )
            warnings.warn(message, CollapseGuardWarning, stacklevel=2)

    def _keep(self, assessment: Assessment, evidence: Evidence) -> Path:
        generation = assessment.generation
        wild_type = self.wild_type.save(KEPT / "wild-types" / self.wild_type.fingerprint)
        request = PendingRequest(
            lineage=generation.lineage,
            index=generation.index,
            parents=generation.parents,
            mixture=generation.mixture,
            items=generation.items,
            wild_type_path=str(wild_type.absolute()),
            wild_type=self.wild_type.fingerprint,
            policy=self.policy.model_dump(mode="json"),
            seed=assessment.seed,
            created=datetime.now(UTC),
        )
        return save_pending(KEPT / "pending", evidence=evidence, request=request)
