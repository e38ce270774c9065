"""Measure with less memory: what does not fit is done again in smaller parts."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from collapse_guard.probes.weights import is_sharded

Result = TypeVar("Result")

_log = logging.getLogger("collapse_guard")

_SAYS = (
    "out of memory",  # CUDA, HIP, MPS and XPU
    "defaultcpuallocator",
    "not enough memory",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    "resource_exhausted",  # XLA
    "failed to allocate memory",
)
"""What torch's plain RuntimeErrors say where a device or a library reports that its memory is used up."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is used up, of the processor or of a device.

    Example:
        >>> is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory")), is_out_of_memory(RuntimeError("shapes"))
        (True, False)
    """
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error).lower() for said in _SAYS)


class Fitting:
    """A batch size that is halved, down to 1, where memory is too small for it; what fitted is remembered.

    Args:
        size: The largest that is tried.
        least: The smallest.

    Example:
        >>> def forward(size):
        ...     if size > 2:
        ...         raise MemoryError
        ...     return size
        >>> batch = Fitting(10)
        >>> batch.run(forward), batch.size
        (2, 2)
    """

    def __init__(self, size: int, *, least: int = 1) -> None:
        self.size, self.least = size, least

    def run(self, attempt: Callable[[int], Result]) -> Result:
        """Return what `attempt` makes of the largest size that memory allows.

        Raises:
            Exception: What `attempt` raises for any other reason, or still with the smallest size.
        """
        while True:
            try:
                return attempt(self.size)
            except Exception as error:
                if self.size <= self.least or not is_out_of_memory(error):
                    raise
                why = str(error) or type(error).__name__
            # After the error is gone, because it holds all that the attempt had in memory.
            _release()
            self.size = max(self.least, self.size // 2)
            _log.info("memory is too small, so %s at a time are measured: %.200s", self.size, why)


def fitting_of(module: nn.Module, size: int) -> Fitting:
    """The batch size of a module; of a sharded one it stays, because one rank alone must not forward again.

    Example:
        >>> fitting_of(nn.Linear(2, 2), 64).least
        1
    """
    return Fitting(size, least=size if is_sharded(module) else 1)


def _release() -> None:
    gc.collect(1)  # what was made lately
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
