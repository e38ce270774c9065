"""Measure the generation in training, and record it. Training is paid for by then: a failure is told, never raised."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import cast

from torch import nn

from collapse_guard.errors import CollapseGuardError, CollapseGuardWarning, InputError
from collapse_guard.evidence import Evidence
from collapse_guard.guard.journal import costs_of, readings_of
from collapse_guard.guard.training import Training
from collapse_guard.lineage.candidate import Candidate
from collapse_guard.lineage.enrol import enrol, keep
from collapse_guard.lineage.training_set import with_training_set
from collapse_guard.lineage.unmeasured import unmeasured
from collapse_guard.probes.cost import Cost, part
from collapse_guard.probes.isolation import seed_global_generators, untouched
from collapse_guard.probes.probe import Probe, merged
from collapse_guard.probes.sharding import mixed_seed
from collapse_guard.probes.time_limit import within
from collapse_guard.probes.weights import is_sharded
from collapse_guard.records import Assessment, Decision, Origin, TrainingCheck
from collapse_guard.store import LineageStore
from collapse_guard.store.mlflow.address import without_password

_log = logging.getLogger("collapse_guard")
Part = tuple[Evidence, TrainingCheck | None]


@dataclass(kw_only=True)
class Measurement:
    """One measurement of the generation in training: evidence of all ranks, assessed on rank 0, the same on all."""

    training: Training
    module: nn.Module
    candidate: Candidate
    """The generation in training, on rank 0 with its history."""
    store: LineageStore | None
    """Where it is to be recorded; known on rank 0 only."""
    probe: Probe
    seed: int
    """Of the guard."""
    seeded_as: int
    """Number of the generation whose samples it draws: its own, or that of the stored one with the same weights."""
    timeout: float | None
    look: int | None
    """How often it was judged before; None: it is judged only once."""
    decisions: Sequence[Decision]
    """Made in its training."""
    parents_are_given: bool
    """Whether the user named them."""
    seen: TrainingCheck | None
    """What this rank found in the texts that it trains on; None: nothing was looked at."""
    under: str
    """Put before the names of metrics for loggers, where another guard owns the plain ones."""
    evidence: Evidence | None = None
    """What was collected, on rank 0."""
    fault: str = ""
    """What went wrong and what to do, in words; empty: nothing."""
    is_kept: bool = False
    """Whether the store did not take it, on rank 0: then its evidence is kept beside."""
    _is_in_run: bool = field(default=False, init=False)
    _warned: Sequence[warnings.WarningMessage] = field(default=(), init=False)
    _is_sharded: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """See how the weights are kept, which decides on who measures what."""
        self._is_sharded = is_sharded(self.module)

    def assess(self, origin: Origin | None) -> Assessment:
        """Collect on all ranks, judge on rank 0, record there what is final, and share the assessment.

        Args:
            origin: Of a generation whose training is over, which is recorded; None: a look at one in training.
        """
        # Told later: where warnings are errors, they must not come between the record and what is known of it.
        try:
            with warnings.catch_warnings(record=True) as self._warned:
                warnings.simplefilter("always")
                return self._assessed(origin)
        except BaseException:
            self._pass_on()
            raise

    def _assessed(self, origin: Origin | None) -> Assessment:
        ranks = self.training.ranks
        try:
            with untouched(self.module):
                return ranks.together(self._collect, lambda parts: self._judge(parts, origin))
        except Exception as error:
            _log.info("generation %s was not measured", self.candidate.generation.index, exc_info=error)
            why = without_password(ranks.in_words(error))
            self.fault = self._of_look(why) if origin is None else self._of_generation(why)
            return unmeasured(self.candidate.generation, self.candidate.policy, why)

    def tell(self, assessment: Assessment, cost: Cost, *, of_faults: bool) -> None:
        """Tell the user and the loggers, on rank 0, once the record is made.

        Args:
            assessment: What came of it.
            cost: What the guard took so far.
            of_faults: Whether to warn of what went wrong.
        """
        if self.fault and of_faults:
            warnings.warn(self.fault, CollapseGuardWarning, stacklevel=3)
        self._pass_on()
        generation = assessment.generation
        readings = readings_of(assessment, self.under)
        self.training.journal.log(
            {**readings, **costs_of(cost, self.under)},
            step=self.training.step,
            what=f"the readings of generation {generation.index} of {generation.lineage!r}",
            in_run=readings if self._is_in_run else (),
        )

    def _collect(self) -> Part:
        """This rank's part of the evidence, and what it found in its training texts."""
        rank, world_size = self.training.ranks.rank, self.training.ranks.world_size
        if self._is_sharded:  # every forward needs all ranks, so all of them do all of it
            rank, world_size = 0, 1
        place, wild_type = {"rank": rank, "world_size": world_size}, self.candidate.wild_type
        seed = mixed_seed(self.seed, self.seeded_as)
        seed_global_generators(mixed_seed(seed, rank))
        with part("collecting evidence"), self.training.context():
            evidence = self._asked("collect", lambda: self.probe.collect(self.module, wild_type, seed=seed, **place))
        return evidence, self.seen

    def _asked(self, method: str, ask: Callable[[], object]) -> Evidence:
        """What a method of the probe returns in time."""
        limit = self.training.ranks.patience(self.timeout)
        evidence = within(limit, ask, late=_late(method, limit, self.timeout))
        if not isinstance(evidence, Evidence):
            raise InputError(f"`probe.{method}` must return an Evidence, but got {type(evidence).__name__}")
        return evidence

    def _judge(self, parts: Sequence[Part], origin: Origin | None) -> Assessment:
        evidences = [evidence for evidence, _ in parts[: 1 if self._is_sharded else None]]
        seen = [check for _, check in parts if check is not None]
        self.evidence = self._asked("merge", lambda: merged(self.probe, evidences))
        _check_not_empty(self.evidence)
        trained = with_training_set(
            self.candidate.generation, self.training.data, parents_are_given=self.parents_are_given
        )
        candidate = replace(self.candidate, generation=trained, origin=origin)
        check = TrainingCheck.together(seen) if seen else None
        try:
            with part("assessing"):
                assessment = candidate.assess(
                    self.evidence, look=self.look, decisions=self.decisions, training_check=check
                )
        except CollapseGuardError:
            raise
        except Exception as error:  # which is none of the evidence
            if origin is None:
                raise
            refusal = keep(
                candidate, self.evidence, error, look=self.look, decisions=self.decisions, training_check=check
            )
            raise CollapseGuardError(refusal.sentence(self.store.address if self.store else None)) from error
        return assessment if origin is None else self._record(candidate, assessment, self.evidence)

    def _record(self, candidate: Candidate, assessment: Assessment, evidence: Evidence) -> Assessment:
        """Add the generation to its lineage, in the trainer's run if its guard owns that."""
        store, generation = cast("LineageStore", self.store), candidate.generation
        place = store if self.under else self.training.journal.place(store, self.training.step)
        with part("recording"):
            enrolled = enrol(place, candidate, assessment, evidence)
        if enrolled.refusal:
            self.is_kept = True
            lost = f"generation {generation.index} of {generation.lineage!r} is not in the store"
            self.fault = f"{lost}: {enrolled.refusal.sentence(store.address)}"
            return assessment
        self.fault = enrolled.already_stored
        self._is_in_run = place is not store
        return enrolled.assessment

    def _pass_on(self) -> None:
        """Each warning once, however often a probe gave it."""
        told = {(str(one.message), one.category, one.filename, one.lineno): one for one in self._warned}
        for one in told.values():
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)

    def _of_look(self, why: str) -> str:
        return (
            f"the model could not be measured after step {self.training.step}: {why}. Training goes on, and "
            "later looks are tried without another warning. Mend it before the generation is measured at its end"
        )

    def _of_generation(self, why: str) -> str:
        generation = self.candidate.generation
        return (
            f"generation {generation.index} of {generation.lineage!r} is trained, but was not measured: {why}. It is "
            "not in its lineage, and its number is free. Save its weights, mend what failed, and measure it: "
            "`guard.assess(module)`"
        )


def _late(method: str, limit: float | None, timeout: float | None) -> str:
    advice = "give `probe_timeout` more seconds"
    if limit != timeout:
        advice = "give the process group a longer time-out, as `DDPStrategy(timeout=...)`, because the other ranks wait"
    return f"`probe.{method}` did not end within {limit or 0.0:g} s: {advice}, or let the probe collect less"


def _check_not_empty(evidence: Evidence) -> None:
    collected = [getattr(evidence, part.name) for part in fields(Evidence) if part.name != "sources"]
    if not any(part is not None and len(part) for part in collected):
        raise InputError("`probe.collect` must return at least one sample, loss or score, but got none")
