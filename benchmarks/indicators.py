"""How long the indicators take beside the recipes in common use: one run, one thread, ratios.

    python benchmarks/indicators.py

Each row is measured at n and at 2n, so that the growth shows. Times are the best of three.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from threadpoolctl import threadpool_limits
from torchmetrics.text import Perplexity as TorchmetricsPerplexity

from collapse_guard.evidence import Evidence
from collapse_guard.indicators.diversity import distinct_n
from collapse_guard.indicators.likelihood import Perplexity
from collapse_guard.indicators.measure import measure
from collapse_guard.indicators.spread import vendi
from collapse_guard.wildtype import WildType

Function = Callable[[Any], Any]


@dataclass(frozen=True)
class Row:
    """One indicator at one size."""

    what: str
    size: str
    data: Any
    ours: Function
    recipe: Function | None
    recipe_name: str


def best_of(function: Function, data: Any, *, repeats: int = 3) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(data)
        times.append(time.perf_counter() - start)
        if times[-1] > 2.0:
            break
    return min(times)


def all_distinct(ids: np.ndarray) -> list[float]:
    return [distinct_n([ids], n) for n in (1, 2, 3, 4)]


def sets_of_tuples(ids: np.ndarray) -> list[float]:
    units = ids.tolist()
    grams = [list(zip(*(units[i:] for i in range(n)), strict=False)) for n in (1, 2, 3, 4)]
    return [len(set(found)) / len(found) for found in grams]


def perplexity_with(metric: type) -> Function:
    def run(batch: tuple[torch.Tensor, torch.Tensor]) -> float:
        one = metric(ignore_index=-100)
        one.update(*batch)
        return float(one.compute())

    return run


def eigenvalues_of_the_kernel(x: np.ndarray) -> float:
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(unit @ unit.T / len(x))
    values = values[values > 1e-12]
    return math.exp(-(values * np.log(values)).sum())


def zipf(rng: np.random.Generator, size: int, types: int) -> np.ndarray:
    return rng.zipf(1.2, size=size).clip(max=types) - 1


def texts(rng: np.random.Generator, n: int) -> list[str]:
    return [" ".join(f"w{i}" for i in zipf(rng, 50, 8000)) for _ in range(n)]


def rows(rng: np.random.Generator) -> list[Row]:
    wild_type = WildType.fit(texts(rng, 3000), near_duplicate_threshold=1.0)
    found = []
    for n in (500_000, 1_000_000):
        data = zipf(rng, n, 50_000)
        found.append(Row("distinct_1..4", f"{n:,} ids", data, all_distinct, sets_of_tuples, "sets of tuples"))
    for b in (4, 8):
        logits, labels = 3 * torch.randn(b, 256, 32_000), torch.randint(32_000, (b, 256))
        ours, theirs = perplexity_with(Perplexity), perplexity_with(TorchmetricsPerplexity)
        found.append(Row("perplexity", f"{b} x 256 x 32k", (logits, labels), ours, theirs, "torchmetrics"))
    for n in (2000, 4000):
        x = rng.normal(size=(n, 384))
        found.append(Row("vendi", f"{n} x 384", x, vendi, eigenvalues_of_the_kernel, "n x n eigenvalues"))
    for n in (2000, 4000):
        evidence = Evidence(samples=texts(rng, n))
        found.append(Row("measure()", f"{n} texts", evidence, lambda e: measure(wild_type, e), None, ""))
    return found


def main() -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    torch.manual_seed(0)
    console = Console(width=120)
    table = Table("what", "size", "seconds", "growth", "recipe", "seconds", "growth", "ratio", title="one thread")
    with threadpool_limits(1):
        before: tuple[float, float] | None = None
        for i, row in enumerate(track(rows(np.random.default_rng(0)), "timing", console=console, transient=True)):
            ours = best_of(row.ours, row.data)
            recipe = best_of(row.recipe, row.data) if row.recipe else math.nan
            growth = [f"x {now / then:.1f}" for now, then in zip((ours, recipe), before or (), strict=False)]
            second = [*growth, "", ""][:2] if i % 2 else ["", ""]
            rival = [f"{recipe:.3f}", second[1], f"{recipe / ours:.1f}"] if row.recipe else ["", "", ""]
            table.add_row(row.what, row.size, f"{ours:.3f}", second[0], row.recipe_name, *rival)
            before = ours, recipe
    console.print(table)


if __name__ == "__main__":
    main()
