"""A `DataLoader` that records how far it was consumed, not how far its workers have fetched ahead."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from collapse_guard.errors import InputError
from collapse_guard.reinjection.sampler import MixtureSampler, in_process_group

FORKS_CAN_HANG = sys.version_info < (3, 11, 10)
"""Whether a worker of this Python can hang when it is forked while another thread of its parent takes the interpreter's
lock, such as a thread of a process group that has just ended a broadcast (cpython issue 112275)."""

REST = 0.1
"""Seconds for the threads of a process group to come to rest."""


class RestingLoader(DataLoader[Any]):
    """A `DataLoader` that waits for the threads of a process group to rest before it forks, if forks can hang."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """The batches, after a pause if workers are forked from a rank."""
        if FORKS_CAN_HANG and self.num_workers and in_process_group():
            time.sleep(REST)
        return super().__iter__()


class MixtureLoader(RestingLoader):
    """Loads what a `MixtureSampler` draws, and resumes in the middle of an epoch.

    Use it in training loops without Lightning; with Lightning, use `ReinjectionDataModule`. Save `state_dict()` with
    the model after any step. A batch counts as consumed when the loop asks for it; batches that workers have fetched
    ahead are fetched again. Nothing is drawn from a global generator.

    Args:
        dataset: The items, numbered as in the sampler: a `ConcatDataset` of its sources, in order.
        sampler: Chooses the items, and sets the batch size.
        settings: Further arguments of `DataLoader`, such as `num_workers` and `collate_fn`.

    Raises:
        InputError: The dataset and the sources of the sampler differ in their number of items.

    Example:
        >>> sizes, both = {"real": 4, "newest": 8}, {"real": 1, "newest": 1}
        >>> sampler = MixtureSampler(sizes, both, length=8, batch_size=2)
        >>> loader = MixtureLoader(range(12), sampler)
        >>> batches = iter(loader)
        >>> _, _, state = next(batches), next(batches), loader.state_dict()
        >>> rest = [batch.tolist() for batch in batches]
        >>> again = MixtureLoader(range(12), MixtureSampler(sizes, {"real": 1}, length=8, batch_size=2))
        >>> again.load_state_dict(state)
        >>> [batch.tolist() for batch in again] == rest
        True
    """

    sampler: MixtureSampler

    def __init__(self, dataset: Dataset[Any], sampler: MixtureSampler, **settings: Any) -> None:
        total, got = sum(sampler.sizes.values()), len(dataset)  # type: ignore[arg-type]
        if got != total:
            raise InputError(
                f"`dataset` must have the {total} items of the sampler's sources, but got {got}: "
                "concatenate them in its order"
            )
        # With a generator of its own the loader draws nothing from the global one.
        settings.setdefault("generator", torch.Generator().manual_seed(sampler.seed))
        super().__init__(dataset, batch_size=sampler.batch_size, sampler=sampler, **settings)
        self._consumed = sampler.coming

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """The remaining batches of this rank in this epoch."""
        self._consumed = self.sampler.coming
        for batch in super().__iter__():
            self._consumed = self.sampler.after(self._consumed)
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """What a run needs to resume after the newest batch."""
        return self.sampler.state_dict(self._consumed)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Resume an interrupted run; see `MixtureSampler.load_state_dict`."""
        self.sampler.load_state_dict(state_dict)
        self._consumed = self.sampler.coming
