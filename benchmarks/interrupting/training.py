"""One start of a run, in processes of its own: a real trainer writes down what every step of every rank is given.

Processes are forked from one that has imported Lightning, which takes longer than a run. Two ranks are forked too, and
told so by the environment: Lightning would start scripts anew. They meet over a file, so that no port can be taken.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import tempfile
import warnings
from collections.abc import Mapping
from multiprocessing.context import ForkProcess
from pathlib import Path
from threading import Event
from typing import Any

import pytorch_lightning as pl
import torch
from torch import distributed

from collapse_guard.lightning import ReinjectionDataModule
from interrupting.trial import Trial

_FIRST = {"real": 0, "earlier": 10_000, "newest": 20_000}
"""Number of the first document of each source."""

_WHEN: dict[str, dict[str, Any]] = {
    "step": {"every_n_train_steps": 1},
    "epoch": {"every_n_epochs": 1, "save_on_train_epoch_end": True},
    "validation": {"every_n_epochs": 1, "save_on_train_epoch_end": False},
}


class Forgetful(ReinjectionDataModule):
    """Does not say where it is."""

    def state_dict(self) -> dict[str, Any]:
        return {}


class Start:
    """A start of a run in a process group of its own.

    Args:
        trial: What is trained.
        folder: Where files are written: what the ranks see, checkpoints, messages.
        ranks: Number of processes.
        checkpoint: Where to go on; None: at the beginning.
        is_killed: Whether it is to be killed: it waits for that in its last step, however late the kill comes.
        is_forgetful: Whether the data module does not keep its state.
    """

    def __init__(
        self,
        trial: Trial,
        folder: Path,
        *,
        ranks: int,
        checkpoint: Path | None = None,
        is_killed: bool = False,
        is_forgetful: bool = False,
    ) -> None:
        folder.mkdir(parents=True)
        self.folder, self.ranks = folder, ranks
        self._process = ForkProcess(target=_lead, args=(trial, folder, ranks, checkpoint, is_killed, is_forgetful))
        self._process.start()

    @property
    def is_running(self) -> bool:
        """Whether its first process is."""
        return self._process.exitcode is None

    @property
    def exit_code(self) -> int | None:
        """Of its first process; None while it is running."""
        return self._process.exitcode

    def wait(self, seconds: float) -> None:
        """Wait for its end, but not for ever."""
        self._process.join(seconds)

    def kill(self) -> None:
        """Kill every process of it by SIGKILL, also those that its first process left behind."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid or 0, signal.SIGKILL)
        self._process.kill()
        self._process.join()


def _lead(trial: Trial, folder: Path, ranks: int, checkpoint: Path | None, is_killed: bool, is_forgetful: bool) -> None:
    """The first process: it leads the group, starts the other ranks, and is rank 0."""
    os.setsid()
    stream = os.open(folder / "messages.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    # An unfinished checkpoint is kept here, and nothing stays behind elsewhere.
    tempfile.tempdir = str(folder)
    others = [
        ForkProcess(target=_train, args=(trial, folder, rank, ranks, checkpoint, is_killed, is_forgetful))
        for rank in range(1, ranks)
    ]
    for process in others:
        process.start()
    _train(trial, folder, 0, ranks, checkpoint, is_killed, is_forgetful)
    for process in others:
        process.join()
    if any(process.exitcode for process in others):
        raise SystemExit(1)


def _train(
    trial: Trial, folder: Path, rank: int, ranks: int, checkpoint: Path | None, is_killed: bool, is_forgetful: bool
) -> None:
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    if ranks > 1:
        os.environ |= {"LOCAL_RANK": str(rank), "NODE_RANK": "0", "WORLD_SIZE": str(ranks)}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
        distributed.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=ranks)
    with (folder / f"rank{rank}.jsonl").open("w") as stream:
        module = _Written(stream, is_killed)
        checkpoints = pl.callbacks.ModelCheckpoint(
            folder / "checkpoints", "{step}", save_top_k=-1, **_WHEN[trial.keeps]
        )
        trainer = pl.Trainer(
            accelerator="cpu",
            devices=ranks,
            strategy="ddp" if ranks > 1 else "auto",
            max_epochs=trial.epochs,
            accumulate_grad_batches=trial.accumulate,
            val_check_interval=trial.validate_every,
            reload_dataloaders_every_n_epochs=int(trial.is_reloaded),
            callbacks=[_Changing(trial.changes), checkpoints],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
        )
        trainer.fit(module, datamodule=_data(trial, ranks, is_forgetful), ckpt_path=checkpoint)
    if distributed.is_initialized():
        distributed.barrier()  # whoever ends first would end the other


def _data(trial: Trial, ranks: int, is_forgetful: bool) -> ReinjectionDataModule:
    items = {source: range(_FIRST[source], _FIRST[source] + size) for source, size in trial.sizes.items()}
    synthetic = {index: items[source] for index, source in enumerate(("earlier", "newest")) if source in items}
    if "newest" not in items:
        synthetic[1] = range(0)
    return (Forgetful if is_forgetful else ReinjectionDataModule)(
        items["real"],
        synthetic,
        mixture=trial.mixture,
        batch_size=trial.global_batch // ranks,
        length=trial.length,
        seed=trial.seed,
        num_workers=trial.workers,
        persistent_workers=trial.is_persistent,
        validation=range(3),
        collate_fn=list,  # of numbers: for tensors, workers would need sockets, whose paths must be short
    )


class _Written(pl.LightningModule):
    """Writes down each step before it counts: epoch, batch, steps that this model was trained on, and documents."""

    trained: torch.Tensor

    def __init__(self, stream: Any, is_killed: bool) -> None:
        super().__init__()
        self.layer, self._stream, self._is_killed = torch.nn.Linear(1, 1), stream, is_killed
        self.register_buffer("trained", torch.zeros((), dtype=torch.int64))

    def training_step(self, batch: list[int], batch_index: int) -> torch.Tensor:
        line = [self.current_epoch, batch_index, int(self.trained), batch]
        self._stream.write(json.dumps(line) + "\n")
        self._stream.flush()
        last = (self.trainer.max_epochs, self.trainer.num_training_batches)
        if self._is_killed and (self.current_epoch + 1, batch_index + 1) == last:
            Event().wait()
        self.trained += 1
        return self.layer(torch.tensor(batch)[:, None] * 1e-4).mean()

    def validation_step(self, batch: list[int], batch_index: int) -> None:  # noqa: ARG002
        return None

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-3)


class _Changing(pl.Callback):
    """Changes the shares after the steps that were drawn, from the first place on that no rank has fetched."""

    def __init__(self, changes: Mapping[tuple[int, int], Any]) -> None:
        self._changes = changes

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_index: int) -> None:  # noqa: ARG002
        mixture = self._changes.get((trainer.current_epoch, batch_index))
        if mixture is None:
            return
        data = trainer.datamodule
        place = torch.tensor(data.sampler.handed_out)
        if distributed.is_initialized():
            distributed.all_reduce(place, distributed.ReduceOp.MAX)
        data.reinject(mixture, from_index=int(place), reason=f"after {trainer.current_epoch}, {batch_index}")
