"""Do a thing once for all ranks: every rank gets the same result or the same error, and none waits forever.

Whatever may fail on one rank is tried before the ranks meet, and all of them meet whether it failed or not.
"""

from __future__ import annotations

import io
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, TypeVar, cast

import torch
from torch import distributed

from collapse_guard.errors import CollapseGuardError, InputError

Part = TypeVar("Part")
Result = TypeVar("Result")

_PATIENCE = 0.9
"""Share of the process group's time-out that a rank may take, so that those that wait for it do not give up first."""


@dataclass(frozen=True)
class Ranks:
    """The processes that train together. Several of them meet in the default group of `torch.distributed`."""

    rank: int = 0
    """This process, from 0."""
    world_size: int = 1
    """Number of processes."""
    timeout: float | None = None
    """Seconds that a process waits for the others when they meet; None: not known."""

    @classmethod
    def current(cls) -> Ranks:
        """The processes of the default group; one process alone where there is none.

        Example:
            >>> Ranks.current()
            Ranks(rank=0, world_size=1, timeout=None)
        """
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size(), _group_timeout())

    def on_rank_zero(self, action: Callable[[], Result]) -> Result:
        """Run `action` on rank 0 and return its result on all ranks; if it raises, all ranks raise.

        Example:
            >>> Ranks().on_rank_zero(lambda: 7)
            7
        """
        if self.world_size == 1:
            return action()
        result, own = _attempt(action) if self.rank == 0 else (None, None)
        shared = [(result, own and _portable(own, 0))]
        self._meet(lambda: distributed.broadcast_object_list(shared, src=0))
        result, remote = shared[0]
        if failure := own or remote:
            raise failure
        return cast("Result", result)

    def together(self, action: Callable[[], Part], conclude: Callable[[Sequence[Part]], Result]) -> Result:
        """Run `action` on every rank and `conclude` on rank 0, with the results of all ranks in order; the same on all.

        If `action` raises on one rank, all ranks raise what the first one that failed has to say.

        Example:
            >>> Ranks().together(lambda: 7, sum)
            7
        """
        if self.world_size == 1:
            return conclude([action()])
        part, own = _attempt(action)
        failures: list[str | None] = [None] * self.world_size
        failure = own and _of_rank(own, self.rank)
        self._meet(lambda: distributed.all_gather_object(failures, failure))
        if first := next(filter(None, failures), None):
            raise CollapseGuardError(first) from own
        parts, lost = _attempt(lambda: self._meet(lambda: self._gathered(part)))

        def concluded() -> Result:
            if lost is not None:
                raise lost
            return conclude(cast("list[Part]", parts))

        return self.on_rank_zero(concluded)

    def patience(self, seconds: float | None) -> float | None:
        """The seconds that a rank may take: those allowed, or less where the other ranks would not wait as long.

        Example:
            >>> Ranks().patience(60.0)
            60.0
            >>> two = Ranks(rank=0, world_size=2, timeout=100.0)
            >>> two.patience(None), two.patience(60.0)
            (90.0, 60.0)
        """
        limits = [] if seconds is None else [seconds]
        if self.world_size > 1 and self.timeout is not None:
            limits.append(_PATIENCE * self.timeout)
        return min(limits, default=None)

    def in_words(self, error: Exception) -> str:
        """An error as a statement, the same on the rank that it happened on and on the others."""
        return str(_portable(error, self.rank)) if self.world_size > 1 else _statement(error)

    def _gathered(self, part: Any) -> list[Any]:
        parts: list[Any] = [None] * self.world_size if self.rank == 0 else []
        distributed.gather_object(part, parts or None)
        return parts

    def _meet(self, meet: Callable[[], Result]) -> Result:
        """What comes of a meeting of all ranks; an error of ours where one of them does not come."""
        try:
            return meet()
        except RuntimeError as error:
            raise CollapseGuardError(
                f"rank {self.rank} waited in vain for the others, of which one ended or does not answer: {error!s:.200}"
            ) from error


def _group_timeout() -> float | None:
    """Seconds that the default group waits; None where its backend does not say."""
    try:
        group = distributed.distributed_c10d._get_default_group()
        return float(group._get_backend(torch.device("cpu")).options._timeout.total_seconds())
    except (AttributeError, RuntimeError):
        return None


def _statement(error: Exception) -> str:
    """Our own error as it is, another one with its type and the place in the code.

    Example:
        >>> _statement(CollapseGuardError("the store is gone")), _statement(ZeroDivisionError("no loss"))
        ('the store is gone', 'ZeroDivisionError: no loss')
    """
    if isinstance(error, CollapseGuardError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({PurePath(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}".rstrip(": ") + place


def _attempt(action: Callable[[], Result]) -> tuple[Result | None, Exception | None]:
    """The result, or the error; what cannot be sent to another rank is an error too."""
    try:
        result = action()
        _check_sendable(result)
    except Exception as error:
        return None, error
    return result, None


def _check_sendable(result: object) -> None:
    try:
        torch.save(result, io.BytesIO())
    except Exception as error:
        raise InputError(f"what a rank collects must be sent to rank 0, but cannot be: {error}") from error


def _portable(error: Exception, rank: int) -> CollapseGuardError:
    """The error to raise on the other ranks: our own exceptions as they are, any other one as its text."""
    if isinstance(error, CollapseGuardError) and _is_sendable(error):
        return error
    return CollapseGuardError(_of_rank(error, rank))


def _of_rank(error: Exception, rank: int) -> str:
    return f"rank {rank} failed{':' if isinstance(error, CollapseGuardError) else ' with'} {_statement(error)}"


def _is_sendable(error: CollapseGuardError) -> bool:
    """Whether another rank can make it again from its message; not so where a class takes more."""
    try:
        return str(type(error)(str(error))) == str(error)
    except TypeError:
        return False
