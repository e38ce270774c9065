"""The demo's loop: two lineages of the same small language model, one retrained on its own samples, one guarded.

Both lineages start from real data only. After that every generation is trained on its mixture: `demo-replace` on its
parent's samples and nothing else, `demo-guarded` on what the guard asks for.
"""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import MLFlowLogger
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from torch import nn

from collapse_guard.corpus.documents import Documents
from collapse_guard.demo.corpus import passages
from collapse_guard.demo.model import TinyLanguageModel, encoder
from collapse_guard.demo.progress import LEGEND, TrainingBar, header, progress_display, row
from collapse_guard.errors import CollapseGuardWarning
from collapse_guard.evidence import Evidence
from collapse_guard.lightning import CollapseGuard, ReinjectionDataModule
from collapse_guard.probes import CausalLMProbe
from collapse_guard.records import Mixture
from collapse_guard.report import figure_png, html
from collapse_guard.report.palette import SEVERITIES
from collapse_guard.store import LineageStore, dashboard_link, open_store
from collapse_guard.whole_files import write_whole
from collapse_guard.wildtype import WildType

Sampling = Literal["pure", "top-k"]
ACTIONS = {"demo-replace": ("alert",), "demo-guarded": ("alert", "reinject")}


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Size of the demo; the defaults take about four minutes on two cores."""

    training_passages: int = 3000
    epochs: int = 2
    batch_size: int = 16
    tokens: int = 48
    width: int = 128

    @property
    def steps(self) -> int:
        """Optimiser steps of one training."""
        return self.epochs * math.ceil(self.training_passages / self.batch_size)


@dataclass(kw_only=True)
class Lineage:
    """One lineage of the demo as it grows."""

    name: str
    actions: tuple[str, ...]
    synthetic: dict[int, list[str]] = field(default_factory=dict)
    """Generation -> the samples that it wrote for its successor."""

    def mixture(self, generation: int) -> Mixture | Literal["auto"]:
        """Real data for the founder; then the parent's samples only, or what the guard asks for."""
        if "reinject" in self.actions:
            return "auto"
        return Mixture(real=1.0) if generation == 0 else Mixture(real=0.0, newest=1.0)


class WritingProbe(CausalLMProbe):
    """A probe that keeps the samples that it measured: the next generation is trained on them."""

    written: list[str]

    def collect(
        self, module: nn.Module, wild_type: WildType, *, seed: int, rank: int = 0, world_size: int = 1
    ) -> Evidence:
        """Collect as usual, and keep the samples."""
        evidence = super().collect(module, wild_type, seed=seed, rank=rank, world_size=world_size)
        self.written = [str(sample) for sample in evidence.samples or ()]
        return evidence


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The settings that all generations of the demo share."""

    wild_type: WildType
    store: LineageStore
    uri: str
    out: Path
    sampling: Sampling
    sizes: Sizes
    seed: int

    def probe(self) -> WritingProbe:
        """A probe that decodes as the demo does, with the wild type's own tokenizer."""
        return WritingProbe(
            tokenizer=self.wild_type.tokenizer,
            n_samples=self.sizes.training_passages,
            max_new_tokens=self.sizes.tokens,
            max_length=2 * self.sizes.tokens,
            top_k=50 if self.sampling == "top-k" else None,
            batch_size=250,
        )


def run_demo(
    *,
    seed: int = 0,
    sampling: Sampling = "pure",
    generations: int = 5,
    out: Path = Path(),
    store: str | None = None,
    console: Console | None = None,
    sizes: Sizes | None = None,
) -> None:
    """Retrain both lineages, write `report.html` and `collapse.png` under `out`, and print how to look at them.

    Args:
        seed: Seed of everything: the same seed gives the same numbers on the same machine. Another machine rounds in
            another order: with the defaults its numbers differ by up to 4%; on the machines tried, the last verdicts
            were the same.
        sampling: How the models write: "pure" sampling drifts toward noise, "top-k" (50) narrows.
        generations: Generations of each lineage, founder included.
        out: Directory for the store, the wild type and the report.
        store: MLflow tracking URI; None: `mlflow.db` under `out`.
        console: Where to print; None: standard output.
        sizes: Size of the demo.
    """
    console, began = console or Console(), time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    uri = store or f"sqlite:///{(out / 'mlflow.db').absolute()}"
    opened = open_store(uri)
    with quiet_libraries(), one_thread(), progress_display(console) as progress:
        wild_type = _fit_wild_type(out, seed, progress)
        bench = Bench(
            wild_type=wild_type,
            store=opened,
            uri=uri,
            out=out,
            sampling=sampling,
            sizes=sizes or Sizes(),
            seed=seed,
        )
        lineages = _lineages(opened)
        _introduce(console, bench, lineages, generations)
        for generation in range(generations):
            for lineage in lineages:
                one_generation(bench, lineage, generation, progress)
                console.print(row(bench.store.latest(lineage.name)))
    _conclude(console, bench, [lineage.name for lineage in lineages], time.monotonic() - began)


def _fit_wild_type(out: Path, seed: int, progress: Progress) -> WildType:
    task = progress.add_task("fitting the wild type", total=None)
    wild_type = WildType.fit(passages(), seed=seed)
    wild_type.save(_free_path(out / "wild-type", wild_type))
    progress.remove_task(task)
    return wild_type


def _free_path(path: Path, wild_type: WildType) -> Path:
    """The path itself or, if it holds a wild type of another seed, a path beside it named by the fingerprint."""
    if not path.exists() or WildType.load(path).fingerprint == wild_type.fingerprint:
        return path
    return path.with_name(f"{path.name}-{wild_type.fingerprint[:8]}")


def _lineages(store: LineageStore) -> list[Lineage]:
    """Both lineages, under free names: an earlier demo, finished or interrupted, stays as it is."""
    known, number, ending = set(store.lineages()), 1, ""
    while known & {name + ending for name in ACTIONS}:
        number += 1
        ending = f"-{number}"
    return [Lineage(name=name + ending, actions=actions) for name, actions in ACTIONS.items()]


def one_generation(bench: Bench, lineage: Lineage, generation: int, progress: Progress) -> None:
    """Train one generation and let the guard measure it; its samples may train the next generation."""
    sizes, seed = bench.sizes, 1000 * bench.seed + generation
    torch.manual_seed(seed)
    module = TinyLanguageModel(bench.wild_type.vocabulary_size, sizes.width)
    probe = bench.probe()
    guard = CollapseGuard(
        wild_type=bench.wild_type,
        lineage=lineage.name,
        probe=probe,
        generation=generation,
        store=bench.store,
        actions=lineage.actions,
        seed=seed,
    )
    data = ReinjectionDataModule(
        real=_draw(bench.wild_type.pool, sizes.training_passages, seed),
        synthetic=lineage.synthetic,
        mixture=lineage.mixture(generation),
        length=sizes.training_passages,
        batch_size=sizes.batch_size,
        encode=encoder(bench.wild_type.tokenizer, sizes.tokens),
        seed=seed,
    )
    bar = TrainingBar(progress, f"{lineage.name} generation {generation}", sizes.steps)
    _trainer(bench, lineage, generation, [guard, bar]).fit(module, datamodule=data)
    lineage.synthetic = {generation: probe.written}


def _draw(pool: Documents, n: int, seed: int) -> Documents:
    """Draw a training set of real passages, different in every generation: a source of fresh real data."""
    return pool.select(np.random.default_rng(seed).permutation(len(pool))[:n].tolist())


def _trainer(bench: Bench, lineage: Lineage, generation: int, callbacks: list[pl.Callback]) -> pl.Trainer:
    logger = MLFlowLogger(
        experiment_name="collapse_guard",
        run_name=f"{lineage.name} generation {generation}",
        tracking_uri=bench.uri,
        artifact_location=(bench.out / "mlruns").absolute().as_uri(),
    )
    return pl.Trainer(
        accelerator="cpu",
        max_epochs=bench.sizes.epochs,
        gradient_clip_val=1.0,
        callbacks=callbacks,
        logger=logger,
        log_every_n_steps=25,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _introduce(console: Console, bench: Bench, lineages: list[Lineage], generations: int) -> None:
    wild, sizes = bench.wild_type, bench.sizes
    console.print(
        f"[bold]wild type[/bold] {wild.fingerprint[:8]}: {len(wild.evaluation):,} passages to measure on, "
        f"{len(wild.pool):,} to train on (State of the Union, 1790-2026)"
    )
    console.print(
        f"[bold]{escape(lineages[0].name)}[/bold] is trained on its parent's samples only, "
        f"[bold]{escape(lineages[1].name)}[/bold] on what the guard asks for; {generations} generations, "
        f"{sizes.training_passages:,} passages each, {bench.sampling} sampling\n"
    )
    console.print(f"[dim]{LEGEND}[/dim]\n")
    console.print(header())


def _conclude(console: Console, bench: Bench, names: list[str], seconds: float) -> None:
    histories = {name: bench.store.history(name) for name in names}
    report, picture = bench.out / "report.html", bench.out / "collapse.png"
    write_whole(report, [html(histories, title="Model collapse, caught and brought back").encode()])
    write_whole(picture, [figure_png(histories)])
    option = "" if bench.uri.endswith("/mlflow.db") and bench.out == Path() else f" --store {bench.uri}"
    for name, history in histories.items():
        verdict = history[-1].verdict
        colour = SEVERITIES[verdict.severity].terminal
        console.print(f"\n[bold]{escape(name)}[/bold]: [{colour}]{verdict.severity}[/{colour}]")
        for reason in [r for r in verdict.reasons if r.severity is verdict.severity][:3]:
            console.print(f"  {escape(reason.sentence)}", highlight=False)
    console.print(f"\n{seconds:.0f} s. Report: {report}, picture: {picture}. Next:", highlight=False, soft_wrap=True)
    for name in names:
        console.print(f"  collapse-guard gate --lineage {name}{option}", highlight=False, soft_wrap=True)
    console.print(f"  collapse-guard ui{option}", highlight=False, soft_wrap=True)
    console.print(f"  then open http://127.0.0.1:5000{dashboard_link(bench.store)}", highlight=False, soft_wrap=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one thread: so small a model gains nothing from a second, and on one it always sums in the same order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silence what the libraries repeat for every training, and the guard's alerts: the table shows the verdicts."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning.pytorch", "mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CollapseGuardWarning)
            warnings.filterwarnings("ignore", module="pytorch_lightning")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
