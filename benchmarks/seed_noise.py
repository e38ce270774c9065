"""Measure how much another seed moves each indicator: founders of the demo's model that differ only in their seed.

    python benchmarks/seed_noise.py [--founders 9] [--out FOLDER]

Each founder is trained as `collapse-guard demo` trains its own, on real passages that its seed draws, and assessed as
generation 0 of a lineage of its own; half a minute each. Then `collapse-guard calibrate` says what follows from it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import torch
from rich.console import Console

from collapse_guard.demo.corpus import passages
from collapse_guard.demo.progress import progress_display
from collapse_guard.demo.run import Bench, Lineage, Sizes, one_generation, quiet_libraries
from collapse_guard.store import open_store
from collapse_guard.wildtype import WildType


def main() -> None:
    parser = argparse.ArgumentParser(description="What another seed does to each indicator.")
    parser.add_argument("--founders", type=int, default=9, metavar="N", help="one founder and its controls")
    parser.add_argument("--out", type=Path, default=Path("seed-noise"), metavar="FOLDER", help="store and policy")
    arguments = parser.parse_args()
    uri, names = train(arguments.founders, arguments.out)
    controls = [word for name in names[1:] for word in ("--control", name)]
    policy = ["--out", str(arguments.out / "policy.toml")]
    command = ["collapse-guard", "calibrate", "--lineage", names[0], *controls, "--store", uri, *policy]
    subprocess.run([str(Path(sys.executable).with_name(command[0])), *command[1:]], check=True)  # noqa: S603


def train(founders: int, out: Path, sizes: Sizes | None = None) -> tuple[str, list[str]]:
    """Train and assess founders of seeds 0, 1, ...; returns the address of the store, and their lineages."""
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    uri = f"sqlite:///{(out / 'mlflow.db').absolute()}"
    wild_type, store = WildType.fit(passages(), seed=0), open_store(uri)
    names = ["founder", *(f"control-{seed}" for seed in range(1, founders))]
    with quiet_libraries(), progress_display(Console(stderr=True)) as progress:
        for seed, name in enumerate(names):
            bench = Bench(
                wild_type=wild_type,
                store=store,
                uri=uri,
                out=out,
                sampling="pure",
                sizes=sizes or Sizes(),
                seed=seed,
            )
            one_generation(bench, Lineage(name=name, actions=("alert",)), 0, progress)
    return uri, names


if __name__ == "__main__":
    main()
