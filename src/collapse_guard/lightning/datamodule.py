"""ReinjectionDataModule: trains on real and synthetic data in the shares that the lineage asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch.utils.data import ConcatDataset, DataLoader, Dataset

from collapse_guard.errors import InputError
from collapse_guard.lightning.bases import DataModuleBase, Trainer
from collapse_guard.lightning.callback import CollapseGuard
from collapse_guard.lightning.probes import at_least
from collapse_guard.records import Mixture
from collapse_guard.reinjection import MixtureSampler

Items = Sequence[Any] | Dataset[Any]
"""A sequence or map-style dataset, of texts or tensors; `collapse_guard.reinjection` has some for large files."""


class ReinjectionDataModule(DataModuleBase):
    """Feeds a generation real data and samples of earlier generations in the shares of a `Mixture`.

    The shares are exact in every epoch, and which item comes when depends only on seed, epoch and shares: not on
    ranks or workers, nor on whether training was interrupted between epochs and resumed (`MixtureSampler`).

    With `mixture="auto"` the trainer's `CollapseGuard` says what to do: the prescription of the newest parent, where
    its guard had the action `reinject`; else all real for a founder or without synthetic data, and all newest
    otherwise.

    Args:
        real: Documents that people wrote, such as `wild_type.pool`.
        synthetic: Samples of the parent generation, or a mapping from each parent's index to its samples. The largest
            index is the newest, the others are "earlier".
        mixture: "auto", a real share (the rest is newest), or a `Mixture`.
        batch_size: Items per batch and rank.
        length: Items per epoch over all ranks; None: as many as the newest synthetic data has, the earlier if it has no
            share, the real if neither has one. A source that is smaller than its share of them is reused, and counted.
        seed: Of the order.
        collate_fn: As in `DataLoader`.
        num_workers: As in `DataLoader`.
        validation: Items for validation, in order; None: no validation.
        encode: Maps an item to what the model takes, when it is read; None: items are taken as they are.

    Attributes:
        applied: The mixture in use; None before training starts.
        sampler: The sampler in use, with `sampler.reuse`; None before training starts.

    Raises:
        InputError: An argument will not do. When training starts: a source with a positive share is empty, real texts
            are evaluation documents of the guard's wild type or near duplicates of one (WildTypeError, see
            `WildType.check_training`), or "auto" finds no guard.
    """

    def __init__(
        self,
        real: Items,
        synthetic: Items | Mapping[int, Items] | None = None,
        *,
        mixture: Mixture | float | Literal["auto"] = "auto",
        batch_size: int = 32,
        length: int | None = None,
        seed: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        num_workers: int = 0,
        validation: Items | None = None,
        encode: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__()
        at_least("batch_size", batch_size, 1)
        at_least("length", 1 if length is None else length, 1)
        self._indices, sets = _by_parent(synthetic)
        self.real, self.earlier, self.newest = real, sets[:-1], sets[-1:]
        self.validation, self.encode = validation, encode
        self.mixture = _mixture(mixture)
        self.length, self.seed = length, seed
        self._loading: dict[str, Any] = {"batch_size": batch_size, "collate_fn": collate_fn, "num_workers": num_workers}
        self.applied: Mixture | None = None
        self.sampler: MixtureSampler | None = None

    @property
    def items(self) -> int | None:
        """Items that the generation is trained on in an epoch, over all ranks; None before training."""
        return None if self.sampler is None else sum(self.sampler.counts.values())

    @property
    def parents(self) -> tuple[int, ...] | None:
        """Generations whose samples are in use; None before training, and where `synthetic` does not name them."""
        if self.applied is None or self._indices is None:
            return None
        earlier = self._indices[:-1] if self.applied.earlier else ()
        return (*earlier, *(self._indices[-1:] if self.applied.newest else ()))

    def setup(self, stage: str) -> None:
        """Refuse real texts that are nearly evaluation documents of the guard's wild type: these must stay unseen."""
        guard = self._guard()
        is_text = bool(_size(self.real)) and isinstance(_read(self.real, 0), str)
        if stage == "fit" and guard and is_text and guard.wild_type.kind == "text":
            guard.wild_type.check_training(_read(self.real, place) for place in range(_size(self.real)))

    def train_dataloader(self) -> DataLoader[Any]:
        """Mix the sources; the trainer calls it once the guard knows the lineage."""
        guard = self._guard()
        self._check_parents(guard)
        self.applied = self._resolve(guard)
        sizes = {
            "real": _size(self.real),
            "earlier": sum(map(_size, self.earlier)),
            "newest": sum(map(_size, self.newest)),
        }
        in_use = next(source for source in ("newest", "earlier", "real") if getattr(self.applied, source))
        self.sampler = MixtureSampler(sizes, self.applied, length=self.length or sizes[in_use], seed=self.seed)
        self.sampler.set_epoch(coming_epoch(self.trainer) if self.trainer else 0)
        everything: ConcatDataset[Any] = ConcatDataset(
            [_Encoded(part, self.encode) for part in (self.real, *self.earlier, *self.newest)]
        )
        # A generator of its own: the loader would draw a number from the global one in every epoch.
        own = torch.Generator().manual_seed(self.seed)
        return DataLoader(everything, sampler=self.sampler, generator=own, **self._loading)

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        """The validation items in order; nothing where there are none."""
        if self.validation is None:
            return []
        own = torch.Generator().manual_seed(self.seed)
        return DataLoader(_Encoded(self.validation, self.encode), generator=own, **self._loading)

    def _guard(self) -> CollapseGuard | None:
        trainer: Trainer = self.trainer
        callbacks = trainer.callbacks if trainer else []
        return next((callback for callback in callbacks if isinstance(callback, CollapseGuard)), None)

    def _resolve(self, guard: CollapseGuard | None) -> Mixture:
        if self.mixture is not None:
            return self.mixture
        if guard is None:
            raise InputError(
                '`mixture` must be a share or a Mixture where there is no guard to ask, but got "auto": '
                "put a CollapseGuard among the trainer's callbacks"
            )
        if guard.prescription is not None:
            return guard.prescription
        is_founder = not self.newest or (guard.generation is not None and guard.generation.index == 0)
        return Mixture(real=1.0) if is_founder else Mixture.with_real(0.0)

    def _check_parents(self, guard: CollapseGuard | None) -> None:
        own = guard.generation if guard else None
        late = [index for index in self._indices or () if own and not 0 <= index < own.index]
        if late and own:
            raise InputError(
                f"`synthetic` must be of generations before {own.index}, which is in training, but got {late}"
            )


class _Encoded(Dataset[Any]):
    """A dataset whose items are encoded when they are read."""

    def __init__(self, items: Items, encode: Callable[[Any], Any] | None) -> None:
        self.items, self.encode = items, encode

    def __len__(self) -> int:
        return _size(self.items)

    def __getitem__(self, place: int) -> Any:
        item = _read(self.items, place)
        return item if self.encode is None else self.encode(item)


def coming_epoch(trainer: Trainer) -> int:
    """The epoch that the trainer is about to run, at the time it asks for its data.

    When training is resumed, Lightning tells a sampler its epoch only after workers have fetched the first batches
    (Lightning issue 21938), and `trainer.current_epoch` is that of the last completed epoch. A checkpoint taken at
    the last batch of an epoch, but before its end, resumes with the next epoch too.
    """
    progress = trainer.fit_loop.epoch_progress.current
    is_over: bool = progress.started > progress.processed and trainer.is_last_batch
    return int(progress.processed + is_over)


def _by_parent(synthetic: Any) -> tuple[tuple[int, ...] | None, list[Items]]:
    """Indices of the parents where they are named, and the samples of each, the newest last."""
    if not isinstance(synthetic, Mapping):
        return None, [] if synthetic is None else [synthetic]
    indices = tuple(sorted(synthetic))
    return indices, [synthetic[index] for index in indices]


def _mixture(mixture: Mixture | float | str) -> Mixture | None:
    """The mixture; None for "auto"."""
    if isinstance(mixture, Mixture):
        return mixture
    if isinstance(mixture, str):
        if mixture == "auto":
            return None
        raise InputError(f'`mixture` must be "auto", a real share or a Mixture, but got {mixture!r}')
    return Mixture.with_real(mixture)


def _size(items: Items) -> int:
    return len(items)  # type: ignore[arg-type]


def _read(items: Items, place: int) -> Any:
    return items[place]
