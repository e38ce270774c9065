"""CollapseGuard: the guard as a callback of Lightning. It translates the hooks of a trainer, and does nothing else."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from torch import nn

from collapse_guard.errors import CollapseGuardWarning, InputError
from collapse_guard.guard.base import GuardBase
from collapse_guard.guard.loggers import Loggers, is_a
from collapse_guard.guard.ranks import Ranks
from collapse_guard.guard.settings import Settings
from collapse_guard.guard.training import Training
from collapse_guard.lightning.bases import CallbackBase, Trainer
from collapse_guard.lightning.epochs import is_complete, is_over, steps_of_batch
from collapse_guard.lightning.sampling import n_items, sampler_of
from collapse_guard.lightning.weights import in_words, loaded, monitoring, path_of
from collapse_guard.probes.isolation import placed
from collapse_guard.probes.probe import Probe
from collapse_guard.probes.weights import gathering, is_sharded
from collapse_guard.records import Generation
from collapse_guard.wildtype import WildType

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule


class CollapseGuard(GuardBase, CallbackBase):
    """The guard as a callback, for trainers of `pytorch_lightning` and `lightning.pytorch`.

    It takes the arguments of `GuardBase`, acts like it, and has its attributes. A `fast_dev_run` is rehearsed and not
    recorded, and training that raised is not recorded.

    A trainer may have several guards, each with its own lineage. The first one owns the trainer's MLflow run and the
    plain metric names; the others log under `<lineage>/`, spelt in ASCII (`metric_name` of `store.mlflow.layout`).

    | weights  | what is measured at the end                                                                       |
    |----------|---------------------------------------------------------------------------------------------------|
    | `"last"` | the weights as training leaves them. A callback that puts averaged weights in their place (SWA,   |
    |          | EMA) comes before the guard, wherever it stands in the list                                       |
    | `"best"` | those that the first ModelCheckpoint with a `monitor` keeps                                       |
    | a path   | those of that checkpoint of Lightning or safetensors file, which may be written in training       |

    Args:
        wild_type: As in `GuardBase`.
        lineage: As in `GuardBase`.
        probe: As in `GuardBase`.
        weights: Which weights are measured; None: the last, and where a ModelCheckpoint keeps the best ones, a warning
            before training says so.
        settings: As in `GuardBase`.
    """

    def __init__(
        self,
        wild_type: WildType | str | Path,
        lineage: str,
        probe: Probe,
        *,
        weights: str | Path | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        self.weights = weights
        self._is_first = True
        super().__init__(wild_type, lineage, probe, **settings)

    @property
    def generation(self) -> Generation | None:
        """The generation in training, with parents and wild type; None before training."""
        return self._planned

    @property
    def state_key(self) -> str:
        """One state per lineage."""
        return self._generate_state_key(lineage=self.lineage)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002
        """Check store, lineage and wild type before training; the outcome is the same on all ranks."""
        if stage != "fit":
            return
        self._forget()
        trainer.callbacks = _guards_last(trainer.callbacks)
        self._is_first = next(guard for guard in trainer.callbacks if isinstance(guard, CollapseGuard)) is self
        self._check_weights(trainer)
        if not trainer.fast_dev_run:
            self._begin(self._seen(trainer))

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Rehearse the measurement with the model where it is to be measured.

        Raises:
            InputError: Something is in its way, or the weights of a checkpoint are to be put into shards.
        """
        module = _measured(trainer, pl_module)
        if self.weights not in (None, "last") and is_sharded(module):
            raise InputError(
                f"`weights` must be 'last' for a model whose weights are in shards, but got {str(self.weights)!r}: "
                "train with 'last', and measure the checkpoint afterwards with `guard.assess(module)`"
            )
        self._rehearse(self._seen(trainer), module)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Look for evaluation documents in the first batches."""
        self._see(batch)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Assess in the run after every n-th step, before checkpoints are saved."""
        if self._is_due(*steps_of_batch(trainer)) and not is_over(trainer):
            self._look_at(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Assess in the run after the validation that ends an epoch, before checkpoints are saved."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking and trainer.is_last_batch:
            self.on_train_epoch_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Assess in the run if no validation ended the epoch."""
        if self._is_due_after(trainer.current_epoch + 1, trainer.max_epochs):
            self._look_at(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Assess the generation, record it, act.

        Raises:
            CollapsedError: On all ranks, when the verdict is COLLAPSED and the actions include `raise`.
        """
        if self._planned is not None:
            self._end(self._kept(trainer, pl_module), _measured(trainer, pl_module))

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Assess a generation whose training was over before this fit began: it is measured, or known to be recorded.

        Raises:
            CollapsedError: As in `on_train_end`.
        """
        if not self._is_trained and is_complete(trainer):
            with placed(pl_module, trainer.strategy.root_device):
                self.on_train_end(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """The generation in training and its in-run assessments; never the policy."""
        return self._state()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume with the in-run assessments of an interrupted run of the same generation."""
        self._resume(state_dict)

    def _look_at(self, trainer: Trainer, module: LightningModule) -> None:
        sampler = sampler_of(trainer)
        end = None if sampler is None else n_items(trainer, sampler)
        # All ranks have the same verdict: stopping on one alone would leave the others waiting for it.
        seen = self._seen(trainer, weights="in training", sampler=sampler, end=end)
        if self._look(seen, _measured(trainer, module)):
            trainer.should_stop = True

    def _seen(self, trainer: Trainer, **parts: Any) -> Training:
        """The training as it stands."""
        timeout = getattr(trainer.strategy, "_timeout", None)
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else None
        seen = {
            "step": trainer.global_step,
            "ranks": Ranks(trainer.global_rank, trainer.world_size, seconds),
            "journal": Loggers(trainer.loggers),
            "data": trainer.datamodule,
            "context": trainer.precision_plugin.forward_context,
        }
        return Training(**{**seen, **parts})

    def _kept(self, trainer: Trainer, module: LightningModule) -> Training:
        """The training at its end, with the weights that are kept."""
        weights = str(self.weights or "last")

        @contextmanager
        def context() -> Iterator[None]:
            path = path_of(weights, trainer)
            with loaded(path, module, trainer), trainer.precision_plugin.forward_context():
                yield

        return self._seen(trainer, weights=in_words(weights, trainer), context=context)

    def _check_weights(self, trainer: Trainer) -> None:
        """Refuse the best weights where nothing keeps them; tell of those that are kept and not measured."""
        keeper = monitoring(trainer)
        if self.weights == "best" and keeper is None:
            raise InputError(
                "`weights` must be 'last' or a path where no ModelCheckpoint has a `monitor`, but got 'best': "
                "add one, as ModelCheckpoint(monitor='val_loss')"
            )
        if self.weights is None and keeper is not None and trainer.is_global_zero and not trainer.fast_dev_run:
            message = (
                f"a ModelCheckpoint keeps the best weights by {keeper.monitor}, and the guard will measure the last "
                "ones. If the best ones are what is used afterwards, say `weights='best'`; if not, `weights='last'`"
            )
            warnings.warn(message, CollapseGuardWarning, stacklevel=2)

    @property
    def _under(self) -> str:
        return "" if self._is_first else self.lineage


def _measured(trainer: Trainer, module: LightningModule) -> nn.Module:
    return gathering(module, trainer.strategy.model)


def _guards_last(callbacks: list[Any]) -> list[Any]:
    """Guards behind all callbacks but those that save checkpoints, so that they measure what the others leave.

    A new list: the trainer goes through the old one while it calls this.
    """
    guards = [one for one in callbacks if isinstance(one, CollapseGuard)]
    saving = [one for one in callbacks if is_a(one, "Checkpoint")]
    return [*(one for one in callbacks if one not in guards and one not in saving), *guards, *saving]
