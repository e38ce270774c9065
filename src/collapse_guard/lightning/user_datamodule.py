"""The user's data module behind one that mixes: its preparation and its other loaders stay in use."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

from torch.utils.data import DataLoader, IterableDataset

from collapse_guard.errors import InputError


@runtime_checkable
class DataModule(Protocol):
    """What a data module must have: the hooks of a LightningDataModule of either Lightning."""

    def prepare_data(self) -> None:
        """Download and prepare, on one process."""
        ...

    def setup(self, stage: str) -> None:
        """Read, on every process."""
        ...

    def teardown(self, stage: str) -> None:
        """Clean up after the stage."""
        ...

    def train_dataloader(self) -> Any:
        """The training data."""
        ...


class UserDataModule:
    """The user's data module, or none."""

    def __init__(self, datamodule: Any) -> None:
        if datamodule is not None and not isinstance(datamodule, DataModule):
            raise InputError(f"`datamodule` must be a LightningDataModule, but got {datamodule!r:.80}")
        self.datamodule: Any = datamodule

    @cached_property
    def training(self) -> DataLoader[Any]:
        """Its training loader.

        Raises:
            InputError: It has several loaders, or a dataset without items by number.
        """
        loader = self.datamodule.train_dataloader()
        if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset):
            raise InputError(
                f"`datamodule` must have one training DataLoader over a map-style dataset, but got {loader!r:.80}: "
                "give `real` and `collate_fn` instead"
            )
        return loader

    def settings(self, defaults: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of its training loader; the defaults without a data module."""
        if self.datamodule is None:
            return dict(defaults)
        return {name: getattr(self.training, name) for name in defaults}

    def prepare_data(self) -> None:
        """As the trainer would call it."""
        if self.datamodule is not None:
            self.datamodule.prepare_data()

    def setup(self, trainer: Any, stage: str) -> None:
        """As the trainer would call it; the training data are read again."""
        vars(self).pop("training", None)
        if self.datamodule is not None:
            self.datamodule.trainer = trainer
            self.datamodule.setup(stage)

    def teardown(self, stage: str) -> None:
        """As the trainer would call it."""
        if self.datamodule is not None:
            self.datamodule.teardown(stage)

    def loaders(self, stage: str) -> Any:
        """Its loaders for validation ("val"), test or prediction; none where it has none."""
        if self.datamodule is None or not _is_overridden(self.datamodule, f"{stage}_dataloader"):
            return []
        return getattr(self.datamodule, f"{stage}_dataloader")()


def _is_overridden(datamodule: Any, hook: str) -> bool:
    """Whether it is not the hook of Lightning itself, which raises."""
    function = getattr(type(datamodule), hook, None)
    return function is not None and not function.__module__.startswith(("pytorch_lightning.", "lightning."))
