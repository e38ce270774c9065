"""CollapseGuardCallback: the guard of a training by `Trainer` of Hugging Face. It translates hooks, decides nothing."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any, Self, Unpack, cast

from torch import nn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from collapse_guard.errors import CollapseGuardWarning, InputError
from collapse_guard.evidence import Evidence
from collapse_guard.guard.base import GuardBase
from collapse_guard.guard.ranks import Ranks
from collapse_guard.guard.settings import Settings
from collapse_guard.guard.training import Training
from collapse_guard.probes import CausalLMProbe
from collapse_guard.probes.isolation import untouched
from collapse_guard.probes.probe import Probe
from collapse_guard.store.mlflow.active import ActiveRun
from collapse_guard.transformers.journal import TrainerJournal
from collapse_guard.transformers.reading import data_of, end_of, rows_of, sampler_of, tokenizer_of, weights_of
from collapse_guard.wildtype import WildType

_log = logging.getLogger("collapse_guard")
_KEY = "collapse_guard"
"""What a checkpoint says of a guard stands under this word and its lineage, beside the states of other callbacks."""


class CollapseGuardCallback(GuardBase, TrainerCallback):
    """Assesses the generation that a `Trainer` trains, adds it to its lineage, and acts on the verdict.

    When training starts, the guard checks store, lineage and wild type, and rehearses the measurement. When it ends,
    the model is measured with the weights that the trainer has then: the best ones with `load_best_model_at_end`, else
    the last ones. Which it was is in the record. Measuring leaves no trace: unless the guard acts, losses and weights
    are bit for bit those of a run without it. A training that goes on from a checkpoint is the same generation.

    Readings are in the trainer's log history and in the MLflow run that is active, such as that of an `MLflowCallback`.
    `attach` sends them to all reporters.

    What is said of arguments, attributes and actions in `Guard` holds here too. `stop` sets
    `control.should_training_stop`. `reinject` needs a trainer that draws by a `MixtureSampler` (`docs/huggingface.md`).

    Args:
        wild_type: The frozen real data, or the directory of a saved one.
        lineage: Name of the lineage.
        probe: Collects the evidence; None: `CausalLMProbe.from_model` of the model in training and the trainer's
            `processing_class`.
        settings: Further arguments of `Guard`, such as `generation`, `policy`, `store`, `actions` and
            `assess_every_n_steps`.

    Raises:
        InputError: An argument is invalid. When training begins: there is no tokenizer, the lineage does not fit, or
            something is in the way of the measurement.
    """

    def __init__(
        self, wild_type: WildType | str | Path, lineage: str, probe: Probe | None = None, **settings: Unpack[Settings]
    ) -> None:
        super().__init__(wild_type, lineage, _ModelsOwn() if probe is None else probe, **settings)
        self._probe_is_models_own = probe is None
        self._trainer: Trainer | None = None
        self._loader: Any = None
        self._run: ActiveRun | None = None
        self._has_plain_names = True

    def attach(self, trainer: Trainer) -> Self:
        """Send the readings to all reporters of the trainer, such as TensorBoard, as `Trainer.log` does.

        It is put before the other callbacks, or moved there: reporters close when training ends, and the generation is
        measured then. Logging takes back the flag that a log is due, which another callback sets after it.

        Args:
            trainer: The trainer, before it trains.

        Returns:
            The guard itself.
        """
        callbacks = trainer.callback_handler.callbacks
        callbacks[:] = [self, *(callback for callback in callbacks if callback is not self)]
        self._trainer = trainer
        return self

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **given: Any,
    ) -> None:
        """Check store, lineage and wild type, and rehearse; the outcome is the same on all ranks."""
        self._forget()
        if state.is_hyper_param_search:
            message = "a search for hyperparameters is no generation: the guard measures and records none of its trials"
            warnings.warn(message, CollapseGuardWarning, stacklevel=2)
            return
        if self._probe_is_models_own:
            self.probe = CausalLMProbe.from_model(given["model"], tokenizer_of(given["processing_class"]))
        self._loader, self._run = given["train_dataloader"], None
        training = self._now(args, state)
        if "reinject" in self.actions and training.sampler is None:
            raise InputError(
                "`actions` must be without reinject where the trainer does not draw by a `MixtureSampler`: "
                "docs/huggingface.md says how to let it in"
            )
        self._begin(training)
        self._enter(state)
        self._rehearse(training, given["model"])
        if training.ranks.rank == 0:
            self._tell_of_reporters(args)
            self._see_rows(given["model"])

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> TrainerControl:
        """Assess in the run after every n-th step but the last, before a checkpoint is saved."""
        if self._is_due(state.global_step - 1, state.global_step) and state.global_step < state.max_steps:
            self._look_and_act(args, state, control, given["model"])
        if control.should_save:
            self._keep(state)
        return control

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> TrainerControl:
        """Assess in the run after every n-th epoch but the last, before a checkpoint is saved."""
        is_whole = float(state.epoch).is_integer() and state.global_step < state.max_steps
        if is_whole and self._is_due_after(int(state.epoch), state.num_train_epochs):
            self._look_and_act(args, state, control, given["model"])
        return control

    def on_train_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **given: Any,
    ) -> None:
        """Assess the generation, record it, act.

        Raises:
            CollapsedError: On all ranks, when the verdict is COLLAPSED and the actions include `raise`.
        """
        if self._planned is not None:
            self._end(self._now(args, state, weights_of(args, state)), given["model"])

    def _look_and_act(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: nn.Module
    ) -> None:
        if self._look(self._now(args, state), model):
            control.should_training_stop = True
        self._keep(state)

    def _now(self, args: TrainingArguments, state: TrainerState, weights: str = "last") -> Training:
        self._run = self._run or ActiveRun.current()
        sampler = sampler_of(self._loader)
        return Training(
            # A run that was trained to its end does one more step where it goes on within an epoch.
            step=min(state.global_step, state.max_steps),
            ranks=Ranks.current(),
            journal=TrainerJournal(state, self._run, self._trainer),
            data=data_of(self._loader, state, sampler),
            sampler=sampler,
            end=end_of(args, state, sampler),
            weights=weights,
        )

    def _tell_of_reporters(self, args: TrainingArguments) -> None:
        """Say which reporters the readings will not reach."""
        others = sorted(set(args.report_to or ()) - {"mlflow"}) if self._trainer is None else []
        if others:
            message = (
                f"readings will not be in {', '.join(others)}, because a trainer does not tell its callbacks who it "
                "is: take the guard out of `callbacks`, and call `guard.attach(trainer)` before `trainer.train()`"
            )
            warnings.warn(message, CollapseGuardWarning, stacklevel=2)

    def _see_rows(self, model: nn.Module) -> None:
        """Look for evaluation documents in what the training loader reads."""
        try:
            with untouched(model):
                for rows in rows_of(self._loader):
                    self._see(rows)
        except Exception as error:  # of a dataset that is read in another way
            _log.info("the training data could not be read", exc_info=error)

    def _enter(self, state: TrainerState) -> None:
        """Go on with what a checkpoint says of the guard, or begin anew."""
        # Not by `ExportableState`: what restores that makes another callback, with arguments from the checkpoint, and
        # a checkpoint of a training without the guard could not be followed by one with it.
        kept = _kept(state)
        known = kept.get(self._key)
        if known is None:
            self._has_plain_names = not any(key.startswith(_KEY) for key in kept)
        else:
            self._has_plain_names = known["has_plain_names"]
            self._resume(known)
            self._restore(known.get("sampler"), int(state.epoch or 0))
        self._keep(state)

    def _restore(self, kept: dict[str, Any] | None, epoch: int) -> None:
        """The shares of an interrupted run, whose items the trainer itself passes over."""
        sampler = sampler_of(self._loader)
        if kept is not None and sampler is not None:
            sampler.load_state_dict({**kept, "index": epoch * sampler.length})

    def _keep(self, state: TrainerState) -> None:
        """Put what a checkpoint is to say of the guard where the trainer saves it; nothing of what is no generation."""
        if self._planned is None:
            return
        sampler = sampler_of(self._loader)
        mixing = {} if sampler is None else {"sampler": sampler.state_dict(0)}
        own = {**self._state(), **mixing, "has_plain_names": self._has_plain_names}
        _kept(state)[self._key] = own

    @property
    def _key(self) -> str:
        return f"{_KEY} {self.lineage}"

    @property
    def _under(self) -> str:
        return "" if self._has_plain_names else self.lineage


def _kept(state: TrainerState) -> dict[str, Any]:
    """What a checkpoint says of callbacks, which the trainer has as a mapping from its first step on."""
    return cast("dict[str, Any]", state.stateful_callbacks)


class _ModelsOwn:
    """Stands for the probe of a model that is not known before training begins."""

    kind = "text"

    def collect(self, module: nn.Module, wild_type: WildType, **place: int) -> Evidence:  # noqa: ARG002
        raise InputError(
            "`probe` must be given where no training has begun: `probe=CausalLMProbe.from_model(model, tokenizer)`"
        )
