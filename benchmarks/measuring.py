"""Time and memory of one call: best of three in this process, peak memory in a process of its own."""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent
STATUS = Path("/proc/self/status")
REPEATS, LONG_ENOUGH = 3, 4.0
"""A call is repeated REPEATS times unless one took LONG_ENOUGH seconds."""


class Memory(NamedTuple):
    """Resident memory in MB."""

    before: float
    """With imports and data, before the call."""
    peak: float
    """The most during the call."""

    @property
    def extra(self) -> float:
        """What the call took."""
        return self.peak - self.before


def best_of(
    function: Callable[[Any], Any], data: Any, clock: Callable[[], float] = time.process_time
) -> tuple[float, Any]:
    """Seconds of the fastest call, and its value; by default seconds of processor, which other programs do not take."""
    fastest, value = float("inf"), None
    gc.collect()
    for _ in range(REPEATS):
        start = clock()
        value = function(data)
        took = clock() - start
        fastest = min(fastest, took)
        if took > LONG_ENOUGH:
            break
    return fastest, value


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Run on n cores with n threads in every pool, whatever a package asks for."""
    import torch
    from threadpoolctl import threadpool_limits

    cores = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else None
    if cores:
        os.sched_setaffinity(0, sorted(cores)[-n:])
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        with threadpool_limits(n):
            yield
    finally:
        torch.set_num_threads(before)
        if cores:
            os.sched_setaffinity(0, cores)


def peak_of(function: Callable[[Any], Any], data: Any) -> tuple[Memory, Any]:
    """Memory of one call in this process, which must not have held more before, and its value."""
    gc.collect()
    before = _resident("VmRSS")
    if STATUS.exists():
        # The peak of the import of torch is not the peak of the call.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    value = function(data)
    return Memory(before, _resident("VmHWM")), value


def in_a_process(*words: str, n_threads: int = 1) -> dict[str, Any]:
    """What `indicators.py WORDS` prints as JSON in its last line, from a process of its own.

    Raises:
        RuntimeError: The process failed; the message is the end of what it said.
    """
    environment = os.environ | {"OMP_NUM_THREADS": str(n_threads), "MKL_NUM_THREADS": str(n_threads)}
    command = [sys.executable, str(FOLDER / "indicators.py"), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr else f"exit code {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _resident(field: str) -> float:
    if not STATUS.exists():
        # Elsewhere than on Linux only the peak is known, and macOS gives it in bytes.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)
    line = next(line for line in STATUS.read_text(encoding="ascii").splitlines() if line.startswith(field))
    return int(line.split()[1]) / 2**10
