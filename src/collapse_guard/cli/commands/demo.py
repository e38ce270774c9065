"""`collapse-guard demo`: the main job end to end on real text."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from collapse_guard.cli import options
from collapse_guard.cli.terminal import output


class Sampling(StrEnum):
    """How the demo's models write."""

    PURE = "pure"
    TOP_K = "top-k"


def demo(
    seed: options.Seed = 0,
    sampling: Annotated[
        Sampling, typer.Option(help="How the models write: pure sampling drifts to noise, top-k narrows.")
    ] = Sampling.PURE,
    generations: Annotated[int, typer.Option(min=1, help="Generations of each lineage, the founder included.")] = 5,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Directory for the store, the wild type and the report.")
    ] = Path(),
    store: options.Store = None,
) -> None:
    """Watch one small language model collapse on real text, and a second one caught and brought back."""
    from collapse_guard.demo.run import run_demo

    run_demo(seed=seed, sampling=sampling.value, generations=generations, out=out, store=store, console=output())
