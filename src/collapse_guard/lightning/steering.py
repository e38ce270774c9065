"""Carry out the controller's decisions in the middle of a run: the same on all ranks, and logged."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence

from torch.utils.data import DataLoader

from collapse_guard.decision.policy import Reinjection
from collapse_guard.errors import CollapseGuardWarning
from collapse_guard.lightning import ranks
from collapse_guard.lightning.bases import Trainer
from collapse_guard.lightning.logging import log
from collapse_guard.records import Assessment, Decision, Severity
from collapse_guard.reinjection import MixtureSampler
from collapse_guard.reinjection.controller import Run, steer

_log = logging.getLogger("collapse_guard")


def steer_run(
    trainer: Trainer,
    look: Assessment,
    *,
    before: Severity | None,
    history: Sequence[Assessment],
    rule: Reinjection,
    dry_run: bool,
) -> Decision | None:
    """Decide on rank 0, and change the shares on every rank from the same place on; None: nothing to do.

    If the trainer's loader has no `MixtureSampler` with a source "real", there is nothing to change in the run.
    """
    sampler = sampler_of(trainer)
    if sampler is None:
        return None

    def decide(fetched: Sequence[int]) -> Decision | None:
        run = _run(trainer, sampler, max(fetched))
        return steer(look, run, before=before, history=history, rule=rule, dry_run=dry_run)

    decision = ranks.together(trainer, lambda: sampler.handed_out, decide)
    if decision is None:
        return None
    if decision.from_index is not None:
        sampler.change(decision.from_index, _weights(sampler, decision), decision.rule)
    return decision


def tell(trainer: Trainer, decision: Decision) -> None:
    """Tell the user and the loggers of a decision, on rank 0."""
    if not trainer.is_global_zero:
        return
    message = f"dry run: {decision.rule}" if decision.dry_run else decision.rule
    back = "" if decision.roll_back_to is None else f"; go back to generation {decision.roll_back_to}"
    if decision.halt:
        warnings.warn(f"stop this training: {message}{back}", CollapseGuardWarning, stacklevel=2)
    else:
        _log.info("%s (from item %s of the run on)", message, decision.from_index)
    share = {"reinjection/real_share": decision.real_after}
    log(trainer.loggers, share, step=trainer.global_step, what="the new real share")


def sampler_of(trainer: Trainer) -> MixtureSampler | None:
    """The sampler of the trainer's training loader, where it mixes real items with others."""
    loaders = trainer.fit_loop._combined_loader
    samplers = (loader.sampler for loader in (loaders.flattened if loaders else ()) if isinstance(loader, DataLoader))
    mixing = (sampler for sampler in samplers if isinstance(sampler, MixtureSampler) and "real" in sampler.sizes)
    return next(mixing, None)


def _run(trainer: Trainer, sampler: MixtureSampler, fetched: int) -> Run:
    schedule = sampler.schedule
    return Run(
        step=trainer.global_step,
        fetched=fetched,
        end=_end(trainer, sampler),
        real_share=schedule.weights_at(fetched)["real"],
        real_items=sampler.sizes["real"],
        real_drawn=schedule.counts(fetched)["real"],
        real_most=schedule.most.get("real"),
    )


def _end(trainer: Trainer, sampler: MixtureSampler) -> int | None:
    ends = []
    if trainer.max_epochs is not None and trainer.max_epochs > 0:
        ends.append(trainer.max_epochs * sampler.length)
    if trainer.max_steps > 0:
        ends.append(trainer.max_steps * trainer.accumulate_grad_batches * sampler.global_batch)
    return min(ends, default=None)


def _weights(sampler: MixtureSampler, decision: Decision) -> dict[str, float]:
    """The new real share; the other sources divide the rest as before."""
    now = sampler.schedule.weights_at(decision.from_index or 0)
    left = (1.0 - decision.real_after) / (1.0 - now["real"])
    return {source: decision.real_after if source == "real" else share * left for source, share in now.items()}
