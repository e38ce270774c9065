"""Doing a thing once for all ranks: every rank gets the same result, or the same error, and none waits for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from torch import distributed

from collapse_guard.errors import CollapseGuardError
from collapse_guard.lightning.bases import Trainer

Result = TypeVar("Result")


def on_rank_zero(trainer: Trainer, action: Callable[[], Result]) -> Result:
    """Run `action` on rank 0 and return its result on all ranks; where it raises, all ranks raise."""
    result: Result | None = None
    own: Exception | None = None
    if trainer.is_global_zero:
        try:
            result = action()
        except Exception as error:
            own = error
    result, told = trainer.strategy.broadcast((result, own and _told(own, 0)))
    if failure := own or told:
        raise failure
    return cast("Result", result)


def gather(trainer: Trainer, action: Callable[[], Result]) -> list[Result]:
    """Run `action` on every rank and return all results on rank 0, in order; nothing on the others.

    Where it raises on one rank, all ranks raise.
    """
    if trainer.world_size == 1:
        return [action()]
    own: Exception | None = None
    part: Result | None = None
    try:
        part = action()
    except Exception as error:
        own = error
    told: list[CollapseGuardError | None] = [None] * trainer.world_size
    distributed.all_gather_object(told, own and _told(own, trainer.global_rank))
    if failure := own or next(filter(None, told), None):
        raise failure
    parts: list[Any] = [None] * trainer.world_size if trainer.is_global_zero else []
    distributed.gather_object(part, parts or None)
    return parts


def _told(error: Exception, rank: int) -> CollapseGuardError:
    """What the other ranks are told of an error: any exception of ours travels as it is, another one as its text."""
    if isinstance(error, CollapseGuardError):
        return error
    return CollapseGuardError(f"rank {rank} failed with {type(error).__name__}: {error}")
