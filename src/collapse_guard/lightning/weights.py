"""Which weights a training keeps: the last ones, the best ones of a ModelCheckpoint, or those of a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from torch import Tensor

from collapse_guard.errors import InputError
from collapse_guard.guard.loggers import is_a
from collapse_guard.lightning.bases import Trainer

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule

AVERAGING = ("StochasticWeightAveraging", "WeightAveraging")
"""Callbacks of Lightning that put averaged weights in the place of the last ones when training ends."""


def monitoring(trainer: Trainer) -> Any:
    """The first ModelCheckpoint that keeps the best weights; None where there is none."""
    checkpoints = (one for one in trainer.callbacks if is_a(one, "ModelCheckpoint") and one.monitor is not None)
    return next((one for one in checkpoints if one.save_top_k), None)


def path_of(weights: str, trainer: Trainer) -> str | None:
    """The checkpoint whose weights are to be measured; None: the weights are measured as training leaves them.

    Raises:
        InputError: The best ones are asked for, and none was saved.
    """
    if weights == "last":
        return None
    if weights != "best":
        return weights
    keeper = monitoring(trainer)
    if keeper is None or not keeper.best_model_path:
        monitored = "" if keeper is None else f" by {keeper.monitor}"
        raise InputError(f"`weights` must be kept to be measured, but no ModelCheckpoint saved a best one{monitored}")
    return str(keeper.best_model_path)


def in_words(weights: str, trainer: Trainer) -> str:
    """Which weights are measured, for the record."""
    if weights == "last":
        averaging = [type(one).__name__ for one in trainer.callbacks if any(is_a(one, name) for name in AVERAGING)]
        return f"last, averaged by {averaging[0]}" if averaging else "last"
    if weights != "best":
        return PurePath(weights).name
    keeper = monitoring(trainer)
    return f"best by {keeper.monitor}: {PurePath(keeper.best_model_path).name}" if keeper else "best"


@contextmanager
def loaded(path: str | None, module: LightningModule, trainer: Trainer) -> Iterator[None]:
    """Put the weights of a checkpoint into the module inside, and its own ones back afterwards, to the bit.

    Args:
        path: A checkpoint of Lightning, or a safetensors file; None: the module stays as it is.
        module: Gets the weights.
        trainer: Reads the checkpoint as it would read one to go on from.
    """
    if path is None:
        yield
        return
    state = _state_of(path, trainer)
    own = {name: _copied(value) for name, value in module.state_dict().items()}
    try:
        module.load_state_dict(state, strict=module.strict_loading)
        yield
    finally:
        module.load_state_dict(own)


def _copied(value: Any) -> Any:
    """A copy in the memory of the processor."""
    return value.detach().cpu().clone() if isinstance(value, Tensor) else deepcopy(value)


def _state_of(path: str, trainer: Trainer) -> dict[str, Any]:
    if path.endswith(".safetensors"):
        from safetensors.torch import load_file

        return dict(load_file(path))
    checkpoint = trainer.strategy.load_checkpoint(path)
    return dict(checkpoint["state_dict"])
