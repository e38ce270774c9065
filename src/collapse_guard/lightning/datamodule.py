"""ReinjectionDataModule: mixes real and synthetic data in the shares that the lineage asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.context import BaseContext
from typing import Any, Literal, cast

import torch
from torch.utils.data import ConcatDataset, DataLoader, Dataset

from collapse_guard.arguments import whole
from collapse_guard.errors import InputError
from collapse_guard.lightning.bases import DataModuleBase, Trainer
from collapse_guard.lightning.callback import CollapseGuard
from collapse_guard.lightning.epochs import coming_epoch, count_epoch, end_epoch
from collapse_guard.lightning.user_datamodule import UserDataModule
from collapse_guard.lineage.training_set import TrainingSet
from collapse_guard.records import Mixture
from collapse_guard.reinjection import MixtureLoader, MixtureSampler
from collapse_guard.reinjection.loader import RestingLoader
from collapse_guard.reinjection.sampler import SamplerState
from collapse_guard.reinjection.schedule import WhenUsedUp
from collapse_guard.reinjection.sources import EncodedItems, OrderedItems

Items = Sequence[Any] | Dataset[Any]
"""A sequence or map-style dataset, of texts or tensors; `collapse_guard.reinjection` has some for large files."""


class ReinjectionDataModule(DataModuleBase):
    """Feeds a generation real data and samples of earlier generations in the shares of a `Mixture`.

    The shares are exact, and can be changed in the middle of a run (`reinject`). Which item comes when depends only on
    seed, shares and place in the run: not on ranks or workers, nor on whether training was interrupted and resumed, be
    it in the middle of an epoch (`MixtureSampler`).

    With `mixture="auto"` the trainer's `CollapseGuard` says what to do: the mixture that the newest parent's assessment
    asks for, where the guard has the action `reinject`; else all real for a founder or without synthetic data, and all
    newest otherwise.

    Args:
        real: Documents that people wrote, such as `wild_type.pool`; None: the training data of `datamodule`.
        synthetic: Samples of the parent generation, or a mapping from each parent's index to its samples. The largest
            index is the newest, the others are "earlier".
        mixture: "auto", a real share (the rest is newest), or a `Mixture`.
        batch_size: Items per batch and rank; None: that of `datamodule`, else 32.
        length: Items per epoch over all ranks; None: the number of newest synthetic items, or of earlier ones if the
            newest have no share, or of real ones if neither has. A source smaller than its share is reused, and its
            reuse is counted.
        seed: Seed of the order.
        collate_fn: As in `DataLoader`; None: that of `datamodule`, else the default.
        num_workers: As in `DataLoader`; None: that of `datamodule`, else 0.
        persistent_workers: As in `DataLoader`.
        multiprocessing_context: As in `DataLoader`; None: that of `datamodule`, else Python's own.
        pin_memory: As in `DataLoader`.
        validation: Items for validation, in order; None: the validation of `datamodule`, else none.
        encode: Function from an item to the model's input, called when it is read; None: items stay as they are.
        datamodule: A data module of your own; its preparation, validation, test and prediction stay in use.
        max_passes: Largest number of passes through the items of `real`, `earlier` or `newest`; None: no limit.
        when_used_up: What to do at that limit: "raise" an error, or "share" its places among the other sources.
        near: Smallest similarity to an evaluation document at which a real text is refused; None: refuse only the same
            content.

    Attributes:
        sampler: The sampler in use, with `sampler.schedule` and `sampler.reuse`; None before training starts.

    Raises:
        InputError: An argument is invalid. When training starts: a source with a positive share is empty, real texts
            are evaluation documents of the guard's wild type or near duplicates of one (WildTypeError, see
            `WildType.check_training`), or there is no guard for "auto".
    """

    def __init__(
        self,
        real: Items | None = None,
        synthetic: Items | Mapping[int, Items] | None = None,
        *,
        mixture: Mixture | float | Literal["auto"] = "auto",
        batch_size: int | None = None,
        length: int | None = None,
        seed: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        num_workers: int | None = None,
        persistent_workers: bool = False,
        multiprocessing_context: str | BaseContext | None = None,
        pin_memory: bool = False,
        validation: Items | None = None,
        encode: Callable[[Any], Any] | None = None,
        datamodule: Any = None,
        max_passes: Mapping[str, float] | None = None,
        when_used_up: WhenUsedUp = "raise",
        near: float | None = 0.8,
    ) -> None:
        super().__init__()
        whole("batch_size", 1 if batch_size is None else batch_size, least=1)
        whole("length", 1 if length is None else length, least=1)
        self._user = UserDataModule(datamodule)
        if real is None and datamodule is None:
            raise InputError("`real` must be given if there is no `datamodule`, but got None: give real documents")
        self._indices, sets = _by_parent(synthetic)
        self._real, self.earlier, self.newest = real, sets[:-1], sets[-1:]
        self.validation, self.encode = validation, encode
        self.mixture = _mixture(mixture)
        self.length, self.seed, self.near = length, seed, near
        self._given = {
            "batch_size": batch_size,
            "collate_fn": collate_fn,
            "num_workers": num_workers,
            "multiprocessing_context": multiprocessing_context,
        }
        self._loading = {"persistent_workers": persistent_workers, "pin_memory": pin_memory}
        self._limits: dict[str, Any] = {"max_passes": max_passes, "when_used_up": when_used_up}
        self._interrupted: SamplerState | None = None
        self.sampler: MixtureSampler | None = None

    @property
    def real(self) -> Items:
        """Real documents."""
        return cast("Items", self._user.training.dataset) if self._real is None else self._real

    @property
    def applied(self) -> Mixture | None:
        """The shares trained on so far in the whole run; None before training starts."""
        if self.sampler is None:
            return None
        schedule = self.sampler.schedule
        place = self._position(self.sampler) if len(schedule.changes) > 1 else 0
        drawn = schedule.counts(place) if place else schedule.weights_at(0)
        total = sum(drawn.values())
        return Mixture(**{source: count / total for source, count in drawn.items()})

    def training_set(self) -> TrainingSet | None:
        """What the generation is trained on; None before training starts.

        Its parents are the generations whose samples are in use; None where `synthetic` does not name them.
        """
        applied, indices = self.applied, self._indices
        if self.sampler is None or applied is None:
            return None
        parents = None
        if indices is not None:
            parents = (indices[:-1] if applied.earlier else ()) + (indices[-1:] if applied.newest else ())
        return TrainingSet(mixture=applied, items=self.sampler.length, parents=parents)

    def prepare_data(self) -> None:
        """Prepare the data of `datamodule`."""
        self._user.prepare_data()

    def setup(self, stage: str) -> None:
        """Refuse evaluation documents of the guard's wild type, and near duplicates of them: they must stay unseen."""
        self._user.setup(self.trainer, stage)
        if stage != "fit":
            return
        self.sampler = None
        guard = self._guard()
        if guard is None or guard.wild_type.kind != "text":
            return
        guard.wild_type.check_training(_texts(self.real), near=self.near)
        # A model may come near to a real document by itself; the same content can only be a leak.
        for part in (*self.earlier, *self.newest):
            guard.wild_type.check_training(_texts(part), near=None)

    def teardown(self, stage: str) -> None:
        """Tear down `datamodule`."""
        self._user.teardown(stage)

    def train_dataloader(self) -> DataLoader[Any]:
        """Mix the sources; the trainer calls it after the guard has read the lineage."""
        if self.sampler is None:
            guard = self._guard()
            self._check_parents(guard)
            self.sampler = self._mixing(self._resolve(guard))
        if self.trainer and self._interrupted is None:
            self.sampler.set_epoch(coming_epoch(self.trainer))
        everything: ConcatDataset[Any] = ConcatDataset(
            [EncodedItems(part, self.encode) for parts in self._parts().values() for part in parts]
        )
        settings = {**self._settings(), **self._loading}
        # Lightning makes the loader of `overfit_batches` anew, with another sampler.
        trainer: Trainer = self.trainer
        if trainer and trainer.overfit_batches:
            return RestingLoader(everything, sampler=self.sampler, **settings)
        del settings["batch_size"]
        loader = _Loader(everything, self.sampler, **settings)
        loader.trainer = self.trainer
        if self.trainer and self._interrupted and self.sampler.coming % self.sampler.length == 0:
            end_epoch(self.trainer, len(loader))
        self._interrupted = None
        return loader

    def val_dataloader(self) -> Any:
        """The validation items in order; none if there are none."""
        if self.validation is None:
            return self._user.loaders("val")
        own = torch.Generator().manual_seed(self.seed)
        return RestingLoader(EncodedItems(self.validation, self.encode), generator=own, **self._settings())

    def test_dataloader(self) -> Any:
        """The test loaders of `datamodule`."""
        return self._user.loaders("test")

    def predict_dataloader(self) -> Any:
        """The prediction loaders of `datamodule`."""
        return self._user.loaders("predict")

    def reinject(self, mixture: Mixture, *, from_index: int, reason: str) -> None:
        """Change the shares from a place of the run on; all ranks must do the same.

        Args:
            mixture: The new shares.
            from_index: A place that no worker of any rank has fetched: the largest `sampler.handed_out` of all ranks.
            reason: Why; it is recorded with the schedule.

        Raises:
            InputError: Training has not started, the place was fetched already, or a source with a share is empty.
        """
        if self.sampler is None:
            raise InputError("`reinject` must be called during training, but training has not started: call it later")
        self.sampler.change(from_index, mixture, reason)

    def state_dict(self) -> dict[str, Any]:
        """The place of the run, and the schedule of its shares."""
        return {} if self.sampler is None else {"sampler": self.sampler.state_dict(self._position(self.sampler))}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Resume an interrupted run."""
        if "sampler" in state_dict:
            self._interrupted = SamplerState.from_dict(state_dict["sampler"])

    def _position(self, sampler: MixtureSampler) -> int:
        """The first place of the run that has not been trained on, over all ranks and epochs."""
        trainer: Trainer = self.trainer
        if trainer is None:
            return sampler.coming
        epochs = trainer.fit_loop.epoch_progress.current
        batches = int(trainer.fit_loop.epoch_loop.batch_progress.current.processed)
        first = int(epochs.processed) * sampler.length
        # Between two epochs Lightning still counts the batches of the last.
        if epochs.started == epochs.processed:
            return first
        is_over = batches >= trainer.num_training_batches
        return first + (sampler.length if is_over else batches * sampler.global_batch)

    def _guard(self) -> CollapseGuard | None:
        trainer: Trainer = self.trainer
        callbacks = trainer.callbacks if trainer else []
        return next((callback for callback in callbacks if isinstance(callback, CollapseGuard)), None)

    def _settings(self) -> dict[str, Any]:
        """Arguments of a loader: as given, else those of `datamodule`, else the defaults."""
        defaults = {"batch_size": 32, "collate_fn": None, "num_workers": 0, "multiprocessing_context": None}
        theirs = self._user.settings(defaults)
        settings = {name: theirs[name] if value is None else value for name, value in self._given.items()}
        if not settings["num_workers"]:
            settings["multiprocessing_context"] = None
        return settings

    def _mixing(self, mixture: Mixture) -> MixtureSampler:
        sizes = {source: sum(map(_size, parts)) for source, parts in self._parts().items()}
        shares = {"newest": mixture.newest, "earlier": mixture.earlier, "real": mixture.real}
        in_use = next(source for source, share in shares.items() if share)
        sampler = MixtureSampler(
            sizes,
            mixture,
            length=self.length or sizes[in_use],
            batch_size=self._settings()["batch_size"],
            seed=self.seed,
            in_order=tuple(source for source, parts in self._parts().items() if any(map(_is_in_order, parts))),
            **self._limits,
        )
        if self._interrupted is not None:
            _go_on(sampler, self._interrupted, mixture)
        return sampler

    def _parts(self) -> dict[str, list[Items]]:
        """The sets of each source, in the order in which their items are numbered."""
        return {"real": [self.real], "earlier": self.earlier, "newest": self.newest}

    def _resolve(self, guard: CollapseGuard | None) -> Mixture:
        if self.mixture is not None:
            return self.mixture
        if guard is None:
            raise InputError(
                '`mixture` must be a share or a Mixture if there is no guard, but got "auto": '
                "add a CollapseGuard to the trainer's callbacks"
            )
        if guard.prescription is not None and "reinject" in guard.actions:
            return guard.prescription
        is_founder = not self.newest or (guard.generation is not None and guard.generation.is_founder)
        return Mixture(real=1.0) if is_founder else Mixture.with_real(0.0)

    def _check_parents(self, guard: CollapseGuard | None) -> None:
        own = guard.generation if guard else None
        late = [index for index in self._indices or () if own and not 0 <= index < own.index]
        if late and own:
            raise InputError(
                f"`synthetic` must be of generations before {own.index}, which is in training, but got {late}: leave "
                "them out"
            )


class _Loader(MixtureLoader):
    """A loader whose state the data module keeps.

    Lightning would restore a loader's own state only where nothing asks for the number of steps before (Lightning issue
    20550), and with `limit_train_batches` only the trainer knows that an epoch is over.
    """

    trainer: Trainer = None

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        if self.trainer:
            count_epoch(self.trainer)
        yield from super().__iter__()

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        pass


def _go_on(sampler: MixtureSampler, interrupted: SamplerState, mixture: Mixture) -> None:
    """Continue an interrupted run; other shares than it began with hold from here on."""
    began = sampler.schedule.changes[0].weights
    if interrupted.index % sampler.length and interrupted.global_batch != sampler.global_batch:
        raise InputError(
            f"`batch_size` times ranks must be {interrupted.global_batch} to resume in the middle of an epoch, but got "
            f"{sampler.global_batch}: keep both, or resume from the end of an epoch"
        )
    sampler.load_state_dict(interrupted.to_dict())
    changes = sampler.schedule.changes
    if began != changes[0].weights:
        sampler.change(max(interrupted.index, changes[-1].from_index), mixture, "asked for on resuming")


def _by_parent(synthetic: Any) -> tuple[tuple[int, ...] | None, list[Items]]:
    """Indices of the parents where they are named, and the samples of each, the newest last."""
    if not isinstance(synthetic, Mapping):
        return None, [] if synthetic is None else [synthetic]
    indices = tuple(sorted(synthetic))
    return indices, [synthetic[index] for index in indices]


def _mixture(mixture: Mixture | float | str) -> Mixture | None:
    """The mixture; None for "auto"."""
    if mixture == "auto":
        return None
    if isinstance(mixture, str):
        raise InputError(f'`mixture` must be "auto", a real share or a Mixture, but got {mixture!r}')
    return mixture if isinstance(mixture, Mixture) else Mixture.with_real(mixture)


def _is_in_order(items: Items) -> bool:
    return isinstance(items, OrderedItems) and items.in_order


def _size(items: Items) -> int:
    return len(items)  # type: ignore[arg-type]


def _texts(items: Items) -> Iterator[str]:
    """The items, where they are texts."""
    if _size(items) and isinstance(items[0], str):
        yield from (items[place] for place in range(_size(items)))
