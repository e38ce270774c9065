"""How the commands grow: processor time and memory of each at two sizes, as a job in CI pays for them.

python benchmarks/sizes.py                 # about ten minutes
python benchmarks/sizes.py --scale 0.1     # a tenth of each size
python benchmarks/sizes.py --large         # a wild type of 1 GB of text instead: ten minutes, and 4 GB of disk
python benchmarks/sizes.py --generations   # a lineage of 300 generations instead, a process for each: half an hour
python benchmarks/sizes.py --images        # images of 12,288 numbers instead, in this process: half a minute
python benchmarks/sizes.py --cache         # samples of a GPT-2 with and without its cache, in this process: two minutes
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from collapse_guard.demo.corpus import passages

SIZES = {"profile": 100_000, "assess": 100_000, "curate": 200_000}
"""Command -> texts at the full size; half of it is measured too."""
LARGE = 5_500_000
"""Texts of 1 GB."""
LONG = 300
"""Generations of a long lineage; what they cost is told at each twelfth of it."""
REAL = 10_000
"""Documents of the wild type that samples are compared with."""
JOB = 2_000
"""Samples of an ordinary job, beside its losses."""
LOSSES = 600
IMAGES, SHAPE = 2_000, (3, 64, 64)
"""Images that the wild type is made of, twice as many as a generation has, and what one is."""
WRITTEN, LENGTH = 64, 128
"""Samples of a GPT-2 of four layers, and tokens of each."""


class Cost(NamedTuple):
    """What a command took."""

    seconds: float
    """Of all processors, the system's part included."""
    megabytes: float
    """Peak of resident memory."""


class Line(NamedTuple):
    """A command at a size, and at half of it where it grows with it."""

    what: str
    n: int
    cost: Cost
    half: Cost | None

    def __str__(self) -> str:
        """A row of the table."""
        growth = f"x {self.cost.seconds / self.half.seconds:.1f}" if self.half else ""
        return f"| {self.what} | {self.n:,} | {self.cost.seconds:.1f} s | {growth} | {self.cost.megabytes:,.0f} MB |"


def fragments(n: int, seed: int, characters: int = 150) -> Iterator[str]:
    """Texts of pieces of 6 to 14 words out of real passages, so that words are real and hardly any 5-gram repeats."""
    real, rng = [passage.split() for passage in passages()], random.Random(seed)  # noqa: S311
    for _ in range(n):
        words: list[str] = []
        while sum(map(len, words)) + len(words) < characters:
            start, length = rng.randrange(20), rng.randint(6, 14)
            words += rng.choice(real)[start : start + length]
        yield " ".join(words)


def cost_of(*command: str) -> Cost:
    """Run `collapse-guard` with these arguments in a process of its own; raises CalledProcessError where it fails."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", "from collapse_guard.cli import main; main()", *command], stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1, 3):
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def lines(folder: Path, scale: float) -> Iterator[Line]:
    """Measure one command after the other, in a folder that is empty."""
    wild_type, store = _profiled(folder), _store(folder)
    lineage = ("--wild-type", wild_type, "--store", store, "--founder", "--lineage")
    job = (_file(folder, JOB, seed=2), "--losses", _losses(folder, Path(wild_type)))
    cost_of("assess", *job, *lineage, "first")
    yield Line("`assess` of 2,000 samples and 600 losses", JOB, cost_of("assess", *job, *lineage, "second"), None)
    yield Line("`gate`", 1, cost_of("gate", "--lineage", "second", "--store", store), None)
    for command in SIZES:
        n = round(SIZES[command] * scale)
        half, whole = (_grown(command, folder, size, wild_type, lineage) for size in (n // 2, n))
        yield Line(f"`{command}`", n, whole, half)


def large(folder: Path, scale: float) -> Iterator[Line]:
    """Measure what a wild type of much text costs: to make it, in the first job that uses it, and in the next."""
    n = round(LARGE * scale)
    half, whole = (_grown("profile", folder, size, "", ()) for size in (n // 2, n))
    yield Line("`profile`", n, whole, half)
    job = ("assess", _file(folder, JOB, seed=2), "--founder", "--store", _store(folder))
    for what in ("first", "next"):
        cost = cost_of(*job, "--wild-type", str(folder / f"profile-{n}"), "--lineage", what)
        yield Line(f"the {what} `assess` of {JOB:,} samples with it", n, cost, None)


def long(folder: Path, scale: float) -> Iterator[Line]:
    """Measure what a generation costs behind ever more others; each is assessed by a process of its own."""
    n, wild_type = round(LONG * scale), _profiled(folder)
    lineage = ("--losses", _losses(folder, Path(wild_type)), "--wild-type", wild_type, "--store", _store(folder))
    # The first job makes what is kept with the wild type.
    cost_of("assess", _file(folder, JOB, seed=2), *lineage, "--lineage", "before", "--founder")
    for generation in range(n + 1):
        founds = () if generation else ("--founder",)
        cost = cost_of("assess", _file(folder, JOB, seed=3 + generation), *lineage, "--lineage", "long", *founds)
        if generation % max(1, n // 12) == 0:
            yield Line(f"`assess` of generation {generation}", JOB, cost, None)


def images(folder: Path, scale: float) -> Iterator[Line]:  # noqa: ARG001 - as the others
    """Measure what rows of many numbers cost: a wild type of images, its founder and a later generation."""
    from collapse_guard import Evidence, WildType, assess

    n = round(IMAGES * scale)
    real, first, second = (shown(size, seed) for seed, size in enumerate((n, n // 2, n // 2)))
    what = f"images of {real[0].size:,} numbers"
    wild_type, cost = _done(lambda: WildType.fit_arrays(real))
    yield Line(f"a wild type of {what}", n, cost, None)
    founder, cost = _done(lambda: assess(wild_type, Evidence(samples=first)))
    yield Line(f"the founder, {what}", n // 2, cost, None)
    _, cost = _done(lambda: assess(wild_type, Evidence(samples=second), history=[founder]))
    yield Line(f"a later generation, {what}", n // 2, cost, None)


def shown(n: int, seed: int) -> np.ndarray:
    """Images that vary along 48 patterns, with noise on each pixel."""
    patterns = np.random.default_rng(48).normal(size=(48, *SHAPE))
    rng = np.random.default_rng(seed)
    return 0.1 * np.tensordot(rng.normal(size=(n, 48)), patterns, axes=1) + 0.05 * rng.normal(size=(n, *SHAPE))


def cache(folder: Path, scale: float) -> Iterator[Line]:  # noqa: ARG001 - as the others
    """Measure what samples of a model cost, with its cache of what it has read, and without."""
    from transformers import GPT2Config, GPT2LMHeadModel

    from collapse_guard import CausalLMProbe, WildType

    wild_type = WildType.fit(fragments(200, seed=0))
    torch.manual_seed(0)
    model = GPT2LMHeadModel(
        GPT2Config(
            n_layer=4, n_embd=256, n_head=4, vocab_size=wild_type.vocabulary_size, bos_token_id=0, eos_token_id=1
        )
    ).eval()
    n, written = max(1, round(WRITTEN * scale)), []
    for name, module in {"with": model, "without": _Uncached(model)}.items():
        probe = CausalLMProbe(
            lambda text: wild_type.encode([text])[0].tolist(),
            decode=lambda ids: wild_type.decode([np.array(ids)])[0],
            bos_token_id=0,
            n_samples=n,
            n_documents=0,
            max_new_tokens=max(2, round(LENGTH * scale)),
            score_samples=False,
        )
        evidence, cost = _done(lambda probe=probe, module=module: probe.collect(module, wild_type, seed=0))
        written.append(list(evidence.samples))
        yield Line(f"samples of a GPT-2 {name} its cache", n, cost, None)
    if written[0] != written[1]:
        raise RuntimeError("samples with the cache must be those without it, but they differ")


class _Uncached(torch.nn.Module):
    """A model that nobody finds the cache of."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.hidden = (model,)
        self.somewhere = torch.nn.Parameter(torch.zeros(1))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """All logits."""
        return self.hidden[0](input_ids=ids, use_cache=False).logits


def _done(work: Callable[[], Any]) -> tuple[Any, Cost]:
    """What work in this process gives on one thread, and its cost; the memory is the peak so far."""
    from threadpoolctl import threadpool_limits

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    before = time.process_time()
    try:
        with threadpool_limits(1):
            done = work()
    finally:
        torch.set_num_threads(threads)
    return done, Cost(time.process_time() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _profiled(folder: Path) -> str:
    """The wild type of an ordinary job."""
    wild_type = str(folder / "wild")
    cost_of("profile", _file(folder, REAL, seed=1), "--out", wild_type)
    return wild_type


def _store(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


def _grown(command: str, folder: Path, n: int, wild_type: str, lineage: Sequence[str]) -> Cost:
    """A command on n texts."""
    out = folder / f"{command}-{n}"
    return cost_of(command, _file(folder, n, seed=3), *_rest(command, out, wild_type, lineage))


def _rest(command: str, out: Path, wild_type: str, lineage: Sequence[str]) -> Sequence[str]:
    """What a command gets beside its texts."""
    if command == "assess":
        return (*lineage, out.name)
    return ("--out", str(out)) if command == "profile" else ("--wild-type", wild_type, "--out", str(out))


def _file(folder: Path, n: int, seed: int) -> str:
    path = folder / f"{n}-{seed}.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps({'text': text})}\n" for text in fragments(n, seed))
    return str(path)


def _losses(folder: Path, wild_type: Path) -> str:
    """Losses of a made-up model on the first evaluation documents."""
    from collapse_guard.wildtype import WildType

    evaluation, rng = WildType.load(wild_type).evaluation[:LOSSES], random.Random(0)  # noqa: S311
    rows = (
        {"document": name, "nll": rng.gauss(3.0, 0.3) * len(text.split()), "n_tokens": len(text.split())}
        for name, text in zip(evaluation.hashes, evaluation, strict=True)
    )
    path = folder / "losses.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return str(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="part of the full sizes")
    parser.set_defaults(measure=lines)
    options = {"--large": large, "--generations": long, "--images": images, "--cache": cache}
    for option, measure in options.items():
        parser.add_argument(option, dest="measure", action="store_const", const=measure, help=measure.__doc__)
    chosen = parser.parse_args(arguments)
    print("| what | texts | processor time | twice the texts | memory |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for line in chosen.measure(Path(folder), chosen.scale):
            print(line, flush=True)


if __name__ == "__main__":
    main()
