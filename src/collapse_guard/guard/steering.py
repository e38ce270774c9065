"""Carry out the controller's decisions in the middle of a run: the same on all ranks, and logged."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence

from collapse_guard.decision.policy import Reinjection
from collapse_guard.errors import CollapseGuardWarning
from collapse_guard.guard.training import Training
from collapse_guard.records import Assessment, Decision, Severity
from collapse_guard.reinjection import MixtureSampler
from collapse_guard.reinjection.controller import Run, steer

_log = logging.getLogger("collapse_guard")


def steer_run(
    training: Training,
    look: Assessment,
    *,
    before: Severity | None,
    history: Sequence[Assessment],
    rule: Reinjection,
    dry_run: bool,
) -> Decision | None:
    """Decide on rank 0, and change the shares on every rank from the same place on; None: nothing to do.

    If that fails, nothing is changed, and a warning says so. If the training draws by no `MixtureSampler` with a source
    "real", there is nothing to change in the run.
    """
    sampler = training.sampler
    if sampler is None or "real" not in sampler.sizes:
        return None

    def decide(fetched: Sequence[int]) -> Decision | None:
        run = _run(training, sampler, max(fetched))
        return steer(look, run, before=before, history=history, rule=rule, dry_run=dry_run)

    try:
        decision = training.ranks.together(lambda: sampler.handed_out, decide)
        if decision is not None and decision.from_index is not None:
            sampler.change(decision.from_index, _weights(sampler, decision), decision.rule)
    except Exception as error:
        if training.ranks.rank == 0:
            why = training.ranks.in_words(error)
            message = f"the real share stays as it is after step {training.step}: {why}. Training goes on"
            warnings.warn(message, CollapseGuardWarning, stacklevel=2)
        return None
    if decision is not None and training.ranks.rank == 0:
        _tell(training, decision)
    return decision


def _tell(training: Training, decision: Decision) -> None:
    """Tell the user and the loggers of a decision."""
    message = f"dry run: {decision.rule}" if decision.dry_run else decision.rule
    back = "" if decision.roll_back_to is None else f"; go back to generation {decision.roll_back_to}"
    if decision.halt:
        warnings.warn(f"stop this training: {message}{back}", CollapseGuardWarning, stacklevel=2)
    else:
        _log.info("%s (from item %s of the run on)", message, decision.from_index)
    share = {"reinjection/real_share": decision.real_after}
    training.journal.log(share, step=training.step, what="the new real share")


def _run(training: Training, sampler: MixtureSampler, fetched: int) -> Run:
    schedule = sampler.schedule
    return Run(
        step=training.step,
        fetched=fetched,
        end=training.end,
        real_share=schedule.weights_at(fetched)["real"],
        real_items=sampler.sizes["real"],
        real_drawn=schedule.counts(fetched)["real"],
        real_most=schedule.most.get("real"),
    )


def _weights(sampler: MixtureSampler, decision: Decision) -> dict[str, float]:
    """The new real share; the other sources divide the rest as before."""
    now = sampler.schedule.weights_at(decision.from_index or 0)
    left = (1.0 - decision.real_after) / (1.0 - now["real"])
    return {source: decision.real_after if source == "real" else share * left for source, share in now.items()}
