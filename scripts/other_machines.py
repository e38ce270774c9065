"""Run the tests as other machines would: python scripts/other_machines.py [MACHINE ...] [-- PYTEST ARGUMENTS].

A machine is another set of kernels, another number of threads, other habits, another order, or other work beside. What
turns red on one of them knows the machine that it was written on. `make machines` runs them all, in an hour or two.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

ROOT = Path(__file__).parents[1]
BUSY = "while True: pass"
VECTORS = ("default", "avx2", "avx512")
"""As torch names them, each with those before it."""


class Machine(NamedTuple):
    """What it sets in the environment, the options of pytest, and how many loops keep its cores busy."""

    environment: dict[str, str]
    options: tuple[str, ...] = ()
    busy: int = 0


def kernels(aten: str, blas: str, mkl: str, onednn: str, threads: int) -> dict[str, str]:
    """The vector units and threads that torch, MKL, oneDNN, NumPy and OpenBLAS use; NumPy knows what to leave out."""
    numpy = {"default": "X86_V3 X86_V4 AVX512_ICL", "avx2": "X86_V4 AVX512_ICL", "avx512": ""}[aten]
    return {
        "ATEN_CPU_CAPABILITY": aten,
        "MKL_ENABLE_INSTRUCTIONS": mkl,
        "NPY_DISABLE_CPU_FEATURES": numpy,
        "ONEDNN_MAX_CPU_ISA": onednn,
        "OPENBLAS_CORETYPE": blas,
        **{f"{pool}_NUM_THREADS": str(threads) for pool in ("MKL", "OMP", "OPENBLAS")},
    }


MACHINES = {
    "old": Machine(kernels("default", "Nehalem", "SSE4_2", "SSE41", threads=1)),
    "amd": Machine(kernels("avx2", "Zen", "AVX2", "AVX2", threads=2)),
    "intel": Machine(kernels("avx512", "SkylakeX", "AVX512", "AVX512_CORE", threads=1)),
    "shuffled": Machine({}, ("--random-order", "--random-order-bucket=global")),
    "ci": Machine({"CI": "true", "GITHUB_ACTIONS": "true", "LC_ALL": "C", "TERM": "dumb", "TZ": "Asia/Kathmandu"}),
    "busy": Machine({}, busy=2),
}


def main() -> int:
    """0 where the tests pass on every machine, else 1."""
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    names, options = words[:end], words[end + 1 :]
    if unknown := set(names) - set(MACHINES):
        sys.exit(f"MACHINE must be one of {', '.join(MACHINES)}, but got {', '.join(sorted(unknown))}")
    found = {name: _outcome(name, MACHINES[name], options) for name in names or MACHINES}
    for name, outcome in found.items():
        print(f"{name}: {outcome}")
    return int("FAILED" in found.values())


def _outcome(name: str, machine: Machine, options: Sequence[str]) -> str:
    if not _has(machine.environment.get("ATEN_CPU_CAPABILITY", VECTORS[0])):
        return "left out: this processor lacks its vector units"
    print(f"\n{name}: {machine.environment} {' '.join(machine.options)} {machine.busy} busy loops", flush=True)
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", *machine.options, *options]
    with _busy(machine.busy):
        done = subprocess.run(command, cwd=ROOT, env=os.environ | machine.environment, check=False)  # noqa: S603
    return "FAILED" if done.returncode else "passed"


def _has(vectors: str) -> bool:
    best = torch.backends.cpu.get_cpu_capability().lower()
    return vectors in VECTORS[: VECTORS.index(best) + 1 if best in VECTORS else 1]


@contextmanager
def _busy(n: int) -> Iterator[None]:
    loops = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(n)]  # noqa: S603
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()


if __name__ == "__main__":
    raise SystemExit(main())
