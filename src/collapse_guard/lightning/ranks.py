"""Do a thing once for all ranks: every rank gets the same result or the same error, and none waits forever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from torch import distributed

from collapse_guard.errors import CollapseGuardError
from collapse_guard.lightning.bases import Trainer

Result = TypeVar("Result")


def on_rank_zero(trainer: Trainer, action: Callable[[], Result]) -> Result:
    """Run `action` on rank 0 and return its result on all ranks; if it raises, all ranks raise."""
    result, own = _attempt(action) if trainer.is_global_zero else (None, None)
    result, remote = trainer.strategy.broadcast((result, own and _portable(own, 0)))
    if failure := own or remote:
        raise failure
    return cast("Result", result)


def gather(trainer: Trainer, action: Callable[[], Result]) -> list[Result]:
    """Run `action` on every rank and return all results on rank 0, in order; nothing on the others.

    If it raises on one rank, all ranks raise.
    """
    if trainer.world_size == 1:
        return [action()]
    part, own = _attempt(action)
    failures: list[CollapseGuardError | None] = [None] * trainer.world_size
    distributed.all_gather_object(failures, own and _portable(own, trainer.global_rank))
    if failure := own or next(filter(None, failures), None):
        raise failure
    parts: list[Any] = [None] * trainer.world_size if trainer.is_global_zero else []
    distributed.gather_object(part, parts or None)
    return parts


def _attempt(action: Callable[[], Result]) -> tuple[Result | None, Exception | None]:
    try:
        return action(), None
    except Exception as error:
        return None, error


def _portable(error: Exception, rank: int) -> CollapseGuardError:
    """The error to raise on the other ranks: our own exceptions as they are, any other one as its text."""
    if isinstance(error, CollapseGuardError):
        return error
    return CollapseGuardError(f"rank {rank} failed with {type(error).__name__}: {error}")
