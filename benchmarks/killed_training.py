"""Check that a training which is killed and run again is one generation: python benchmarks/killed_training.py.

Each trial trains a generation with a guard that looks at it in the run and assesses it at the end, in an MLflow store.
The process is killed at a random moment of its processor time, without a chance to clean up, and then the training is
run again: from the beginning, from its newest checkpoint, or as the founder that it was to be. The lineage must then
have each generation once, whole, and no evidence may be left over.

    python benchmarks/killed_training.py [--trials 50] [--seed 0]

The exit code is 1 if a lineage is not as it should be.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow.store.tracking.sqlalchemy_store  # noqa: F401 - before processes are forked from this one
import numpy as np
import pytorch_lightning as pl
import torch
from mlflow import MlflowClient
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import nn

from checkpoints import newest_whole
from collapse_guard.assessment import assess
from collapse_guard.errors import LineageError
from collapse_guard.evidence import Evidence
from collapse_guard.lightning import CollapseGuard
from collapse_guard.lineage.outbox import PENDING, list_pending
from collapse_guard.probes import CausalLMProbe
from collapse_guard.report import attachments
from collapse_guard.store import open_store
from collapse_guard.wildtype import WildType

LINEAGE = "killed"
WAYS = ("from the beginning", "from its checkpoint", "as the founder")
EPOCHS, LENGTH = 2, 12


class Judged(NamedTuple):
    """What came of a trial."""

    way: str
    was_recorded: bool
    """Whether the generation was in the store when the process was killed."""
    fault: str
    """What is wrong with the lineage; empty: nothing."""


class Model(pl.LightningModule):
    """A small causal language model."""

    def __init__(self, vocabulary_size: int) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(vocabulary_size, 8), nn.Linear(8, vocabulary_size)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.embedding(ids))

    def training_step(self, batch: torch.Tensor, batch_index: int) -> torch.Tensor:  # noqa: ARG002
        return nn.functional.cross_entropy(self(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.5)


def main() -> int:
    arguments = _arguments()
    wild_type = WildType.fit(
        [f"the {i % 17} small {i * 7 % 60} documents of number {i}" for i in range(300)],
        vocabulary_size=300,
        group_tokens=128,
    )
    # What it imports is then there for every process that is forked from this one.
    attachments("warm", [assess(wild_type, Evidence(samples=list(wild_type.pool[:60])))])
    with tempfile.TemporaryDirectory(prefix="killed-") as folder:
        judged = [*_trials(Path(folder), wild_type, arguments.trials, arguments.seed)]
    Console(width=100).print(_table(judged))
    for number, one in enumerate(judged):
        if one.fault:
            print(f"trial {number}, {one.way}: {one.fault}")
    return int(any(one.fault for one in judged))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Training that is killed and run again.")
    parser.add_argument("--trials", type=int, default=50, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _trials(folder: Path, wild_type: WildType, n: int, seed: int) -> Any:
    empty, founded = folder / "empty", folder / "founded"
    empty.mkdir()
    _child(lambda: MlflowClient(_address(empty)).search_experiments(), None)
    shutil.copytree(empty, founded)
    begun, seconds = _child(lambda: _train(founded, wild_type, "as the founder"), None)
    if begun:
        raise RuntimeError("the founder could not be trained")
    rng = np.random.default_rng(seed)
    for number in track(range(n), "killing", console=Console(stderr=True)):
        # Spread over the run, more of them before the commit; each way has its share of all of them.
        moment = seconds * ((number + rng.random()) / n) ** 2
        way, home = WAYS[number % len(WAYS)], folder / str(number)
        if way != "as the founder":
            shutil.copytree(founded, home, ignore=shutil.ignore_patterns("checkpoints"))
        elif number == WAYS.index(way):
            shutil.copytree(empty, home)  # the other founders make the tables too, which takes longer than the rest
        yield _trial(home, wild_type, way, moment)
        shutil.rmtree(folder / str(number))


def _trial(home: Path, wild_type: WildType, way: str, moment: float) -> Judged:
    index = 0 if way == "as the founder" else 1
    _child(lambda: _train(home, wild_type, WAYS[0] if index else way), moment)
    was_recorded = index in _seen(home)
    status, _ = _child(lambda: _train(home, wild_type, way), None)
    fault = f"the second run ended with {status}" if status else ""
    found = _seen(home)
    if found != [*range(index + 1)]:
        fault = f"generations {found} are stored"
    if list_pending(home / PENDING):
        fault = "evidence is left over"
    return Judged(way, was_recorded, fault)


def _child(action: Callable[[], object], moment: float | None) -> tuple[int, float]:
    """Run in a process of its own, which ends at once at a moment of its processor time; its status and its time."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            if moment is not None:
                signal.setitimer(
                    signal.ITIMER_PROF, max(moment, 1e-3)
                )  # unhandled, it ends the process where it stands
            action()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status, usage = os.wait4(pid, 0)
    return status, usage.ru_utime + usage.ru_stime


def _train(home: Path, wild_type: WildType, way: str) -> None:
    home.mkdir(exist_ok=True)
    os.chdir(home)
    stream = os.open("messages.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    pl.seed_everything(len(_stored(home)) and 1, verbose=False)
    guard = CollapseGuard(
        wild_type,
        LINEAGE,
        CausalLMProbe(wild_type.tokenizer, n_samples=50, max_new_tokens=12, n_documents=60),
        store=_address(home),
        generation=0 if way == "as the founder" else None,
        actions=("alert", "reinject"),
        assess_every_n_steps=2,
    )
    keep = pl.callbacks.ModelCheckpoint(home / "checkpoints", "{step}", save_top_k=-1, every_n_train_steps=1)
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=EPOCHS,
        callbacks=[guard, keep],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=home,
    )
    rows = [[0, *wild_type.tokenizer.encode(text).ids[:8]] for text in wild_type.pool[: 4 * LENGTH]]
    items = torch.tensor([row + [1] * (9 - len(row)) for row in rows])
    loader = torch.utils.data.DataLoader(items, batch_size=16, shuffle=True)
    kept = (home / "checkpoints").glob("*.ckpt")
    with contextlib.suppress(*([LineageError] if way == "as the founder" and _stored(home) else [])):
        trainer.fit(Model(300), loader, ckpt_path=newest_whole(kept) if way == "from its checkpoint" else None)


def _seen(home: Path) -> list[int]:
    """The numbers of the generations in the store. Another process reads it: no connection may be open at a fork."""
    home.mkdir(exist_ok=True)
    path = home / "stored.json"
    path.unlink(missing_ok=True)
    _child(lambda: path.write_text(json.dumps([*_stored(home)])), None)
    return json.loads(path.read_text()) if path.exists() else ["unreadable"]


def _stored(home: Path) -> dict[int, Any]:
    """The generations in the store, by their numbers, read whole."""
    if not (home / "mlflow.db").exists():
        return {}
    return {past.generation.index: past for past in open_store(_address(home)).history_so_far(LINEAGE)}


def _address(home: Path) -> str:
    return f"sqlite:///{home / 'mlflow.db'}"


def _table(judged: list[Judged]) -> Table:
    ways: dict[str, list[Judged]] = defaultdict(list)
    for one in judged:
        ways[one.way].append(one)
    table = Table("run again", "trials", "killed after the commit", "lineages that are wrong")
    for way, alike in [*ways.items(), ("all", judged)]:
        counts = len(alike), sum(one.was_recorded for one in alike), sum(bool(one.fault) for one in alike)
        table.add_row(way, *map(str, counts))
    return table


if __name__ == "__main__":
    sys.exit(main())
