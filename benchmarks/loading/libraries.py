"""One adapter for each library, as its documentation has it used; a library is imported when its turn comes."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from loading.judging import SIZES, Loader

REAL, ALL = SIZES["real"], sum(SIZES.values())
CACHE = Path(tempfile.gettempdir()) / f"mixing-loaders-{os.getuid()}"
"""Where libraries that read files of their own format find them."""


class Ours:
    """collapse_guard: a `MixtureLoader` over numbers; 8,000 items are an epoch."""

    changes_in_place = True

    def __init__(self, real_share: float) -> None:
        from collapse_guard.reinjection import MixtureLoader, MixtureSampler

        self.sampler = MixtureSampler(SIZES, _weights(real_share), length=8_000, batch_size=8)
        self.loader = MixtureLoader(_Numbers(), self.sampler)
        self.batches: Iterator[Any] | None = None

    def take(self, n: int) -> list[int]:
        items: list[int] = []
        while len(items) < n:
            if self.batches is None:
                self.batches = iter(self.loader)
            batch = next(self.batches, None)
            if batch is None:
                self.batches = None
                self.sampler.set_epoch(self.sampler.epoch + 1)
                continue
            items += batch.tolist()
        return items

    def change(self, real_share: float) -> None:
        self.sampler.change(self.sampler.handed_out, _weights(real_share))

    def state(self) -> Any:
        return self.loader.state_dict()

    def resume(self, state: Any) -> None:
        self.loader.load_state_dict(state)


class _Numbers:
    def __len__(self) -> int:
        return ALL

    def __getitem__(self, place: int) -> int:
        return place


class _Remade:
    """A library whose weights are given once: another loader takes over the state of the one before."""

    changes_in_place = False

    def __init__(self, real_share: float) -> None:
        self.real_share = real_share
        self.open(None)

    def open(self, state: Any) -> None:
        """Make the loader, from a state where there is one."""
        raise NotImplementedError

    def change(self, real_share: float) -> None:
        state = self.state()  # type: ignore[attr-defined]
        self.real_share = real_share
        self.open(state)

    def resume(self, state: Any) -> None:
        self.open(state)


class _Batched(_Remade):
    """A library whose loader gives batches, and ends with an epoch."""

    loader: Any
    batches: Iterator[Any]

    def items_of(self, batch: Any) -> list[int]:
        return batch.tolist()

    def take(self, n: int) -> list[int]:
        items: list[int] = []
        while len(items) < n:
            batch = next(self.batches, None)
            if batch is None:
                self.batches = iter(self.loader)
                continue
            items += self.items_of(batch)
        return items

    def state(self) -> Any:
        return self.loader.state_dict()


class HuggingFace(_Remade):
    """datasets: `interleave_datasets` of datasets that were shuffled before they became iterable, with `state_dict`."""

    def open(self, state: Any) -> None:
        from datasets import Dataset, interleave_datasets

        parts = [
            Dataset.from_dict({"item": list(numbers)}).shuffle(seed=0).to_iterable_dataset().repeat(None)
            for numbers in (range(REAL), range(REAL, ALL))
        ]
        shares = [self.real_share, 1.0 - self.real_share]
        self.mixed = interleave_datasets(parts, shares, seed=0)
        if state is not None:
            self.mixed.load_state_dict(state)
        self.items = iter(self.mixed)

    def take(self, n: int) -> list[int]:
        return [next(self.items)["item"] for _ in range(n)]

    def state(self) -> Any:
        return self.mixed.state_dict()


class TorchData(_Remade):
    """torchdata: `MultiNodeWeightedSampler` of shuffled sources in a `Loader`."""

    def open(self, state: Any) -> None:
        import torch
        from torchdata.nodes import Loader as NodeLoader
        from torchdata.nodes import Mapper, MultiNodeWeightedSampler, SamplerWrapper
        from torchdata.stateful_dataloader.sampler import RandomSampler

        logging.getLogger("torchdata").setLevel(logging.ERROR)
        nodes = {
            name: SamplerWrapper(RandomSampler(range(size), generator=torch.Generator().manual_seed(index)))
            for index, (name, size) in enumerate(SIZES.items())
        }
        nodes["synthetic"] = Mapper(nodes["synthetic"], _after_real)
        mixed = MultiNodeWeightedSampler(nodes, _weights(self.real_share), "CYCLE_FOREVER", 0, 1)
        self.loader = NodeLoader(mixed)
        if state is not None:
            self.loader.load_state_dict(state)
        self.items = iter(self.loader)

    def take(self, n: int) -> list[int]:
        return [next(self.items) for _ in range(n)]

    def state(self) -> Any:
        return self.loader.state_dict()


def _after_real(number: int) -> int:
    return REAL + number


class LitData(_Batched):
    """litdata: `CombinedStreamingDataset` with weights in a `StreamingDataLoader`."""

    def open(self, state: Any) -> None:
        from litdata import CombinedStreamingDataset, StreamingDataLoader, StreamingDataset

        parts = [StreamingDataset(folder, shuffle=True, seed=0) for folder in _lit_files()]
        shares = [self.real_share, 1.0 - self.real_share]
        mixed = CombinedStreamingDataset(
            parts, weights=shares, seed=0, iterate_over_all=False, force_override_state_dict=True
        )
        self.loader = StreamingDataLoader(mixed, batch_size=8)
        if state is not None:
            self.loader.load_state_dict(state)
        self.batches = iter(self.loader)


class Mosaic(_Batched):
    """mosaicml-streaming: `Stream` proportions in a `StreamingDataset`, 8,000 items an epoch."""

    def open(self, state: Any) -> None:
        _without_vision()
        from streaming import Stream, StreamingDataLoader, StreamingDataset
        from streaming.base.util import clean_stale_shared_memory

        clean_stale_shared_memory()
        shares = (self.real_share, 1.0 - self.real_share)
        streams = [Stream(local=folder, proportion=share) for folder, share in zip(_mds_files(), shares, strict=True)]
        data = StreamingDataset(streams=streams, batch_size=8, shuffle=True, shuffle_seed=0, epoch_size=8_000)
        self.loader = StreamingDataLoader(data, batch_size=8)
        if state is not None:
            self.loader.load_state_dict(state)
        self.batches = iter(self.loader)

    def items_of(self, batch: Any) -> list[int]:
        return super().items_of(batch["item"])


@cache
def _lit_files() -> tuple[str, str]:
    from litdata import optimize

    folders = (CACHE / "litdata-real", CACHE / "litdata-synthetic")
    for folder, numbers in zip(folders, (range(REAL), range(REAL, ALL)), strict=True):
        if not (folder / "index.json").exists():
            optimize(_itself, list(numbers), output_dir=str(folder), chunk_size=500, num_workers=1, verbose=False)
    return str(folders[0]), str(folders[1])


def _itself(number: int) -> int:
    return number


@cache
def _mds_files() -> tuple[str, str]:
    _without_vision()
    from streaming import MDSWriter

    folders = (CACHE / "mds-real", CACHE / "mds-synthetic")
    for folder, numbers in zip(folders, (range(REAL), range(REAL, ALL)), strict=True):
        if not (folder / "index.json").exists():
            with MDSWriter(out=str(folder), columns={"item": "int"}) as out:
                for number in numbers:
                    out.write({"item": number})
    return str(folders[0]), str(folders[1])


def _without_vision() -> None:
    """The package imports torchvision for datasets of images, which are not used here."""
    for name in ("torchvision", "torchvision.datasets", "torchvision.transforms", "torchvision.transforms.functional"):
        if name not in sys.modules:
            module = ModuleType(name)
            module.__getattr__ = lambda _: type("Missing", (), {})  # type: ignore[method-assign]
            module.__path__ = []
            sys.modules[name] = module


def _weights(real_share: float) -> dict[str, float]:
    return {"real": real_share, "synthetic": 1.0 - real_share}


LIBRARIES: dict[str, tuple[type[Loader], str]] = {
    "collapse_guard": (Ours, "collapse-guard"),
    "datasets": (HuggingFace, "datasets"),
    "torchdata": (TorchData, "torchdata"),
    "litdata": (LitData, "litdata"),
    "mosaicml-streaming": (Mosaic, "mosaicml-streaming"),
}
"""Name -> adapter, and distribution."""
