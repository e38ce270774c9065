"""Which item of which source comes when: a pure function of seed, epoch and shares, whatever the ranks and workers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import distributed
from torch.utils.data import DistributedSampler

from collapse_guard.errors import InputError
from collapse_guard.records import Mixture

SOURCES = ("real", "earlier", "newest")
"""The sources of a `Mixture`, in the order in which their items are numbered."""

IndexArray = npt.NDArray[np.int64]


def exact_counts(mixture: Mixture, length: int) -> dict[str, int]:
    """Split `length` over the sources by largest remainder: they sum to `length`, each less than one off its share.

    Example:
        >>> exact_counts(Mixture(real=0.25, newest=0.75), 10)
        {'real': 3, 'earlier': 0, 'newest': 7}
    """
    shares = np.array([getattr(mixture, source) for source in SOURCES])
    exact = shares / shares.sum() * length  # the shares of a mixture sum to one within 1e-6 only
    counts = np.floor(exact).astype(int)
    by_remainder = np.argsort(counts - exact, kind="stable")
    counts[by_remainder[: length - counts.sum()]] += 1
    return dict(zip(SOURCES, counts.tolist(), strict=True))


class MixtureSampler(DistributedSampler[int]):
    """Draws a fixed number of items per epoch from real, earlier and newest data, in exact proportions.

    The items are numbered through: first all real ones, then earlier, then newest (`ConcatDataset` in that order). In
    every epoch each source gives its share of `length` to the item. A source is walked through in a shuffled order that
    goes on from epoch to epoch, so no item comes again before all items of its source have come; after that a new order
    begins and `reuse` counts. Rank r of w takes the items r, r + w, r + 2w, ... of the one global order; a tail of less
    than w is dropped.

    Lightning leaves a `DistributedSampler` as it is and tells it the epoch. Nothing is drawn from a global generator.

    Args:
        sizes: Number of items of each source; a missing one has none.
        mixture: Shares of the sources.
        length: Items per epoch over all ranks; it never changes.
        seed: Of the order.
        num_replicas: Ranks; None: as torch.distributed says, 1 where it is not in use.
        rank: This rank; None: as torch.distributed says.

    Raises:
        InputError: A source with a positive share is empty, a size is negative, or `length` is below one item per rank.

    Example:
        >>> sampler = MixtureSampler({"real": 2, "newest": 6}, Mixture.with_real(0.5), length=8)
        >>> order = list(sampler)
        >>> sum(index < 2 for index in order), sampler.reuse
        (4, {'real': 2, 'earlier': 0, 'newest': 0})
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        mixture: Mixture,
        *,
        length: int,
        seed: int = 0,
        num_replicas: int | None = None,
        rank: int | None = None,
    ) -> None:
        self.sizes = {source: _size(sizes, source) for source in SOURCES}
        self.mixture = mixture
        _check_sources(self.sizes, mixture)
        world, own = _place(num_replicas, rank)
        if length < world:
            raise InputError(f"`length` must be at least one item for each of the {world} rank(s), but got {length}")
        items: Any = range(length)
        super().__init__(items, num_replicas=world, rank=own, shuffle=False, seed=seed, drop_last=True)
        self.num_samples = length // world
        self.total_size = self.num_samples * world
        self.counts = exact_counts(mixture, length)

    @property
    def reuse(self) -> dict[str, int]:
        """Source -> how many draws, up to the end of this epoch, were of items that had been drawn before.

        Of real data it counts towards memorisation: above a few passes, collect more real documents.
        """
        drawn = {source: count * (self.epoch + 1) for source, count in self.counts.items()}
        return {source: max(0, drawn[source] - self.sizes[source]) for source in SOURCES}

    def global_order(self) -> IndexArray:
        """Indices of the current epoch over all ranks, in order; rank r takes every w-th from the r-th on."""
        offsets = np.cumsum([0, *self.sizes.values()])
        items = [offset + self._items(place) for place, offset in enumerate(offsets[:-1])]
        shuffled: IndexArray = self._generator(len(SOURCES), self.epoch).permutation(np.concatenate(items))
        return shuffled

    def __iter__(self) -> Iterator[int]:
        """The indices of this rank in this epoch."""
        return iter(self.global_order()[self.rank : self.total_size : self.num_replicas].tolist())

    def _items(self, place: int) -> IndexArray:
        """This epoch's stretch of the endless walk through a source: one shuffled pass after the other."""
        source = SOURCES[place]
        size, count = self.sizes[source], self.counts[source]
        if not count:
            return np.empty(0, dtype=np.int64)
        start = self.epoch * count
        first, last = start // size, (start + count - 1) // size
        walk = np.concatenate([self._generator(place, pass_).permutation(size) for pass_ in range(first, last + 1)])
        return walk[start - first * size :][:count]

    def _generator(self, stream: int, number: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, stream, number])


def _check_sources(sizes: Mapping[str, int], mixture: Mixture) -> None:
    for source, size in sizes.items():
        share = getattr(mixture, source)
        if share and not size:
            raise InputError(
                f"`mixture` asks for a share of {share:g} of {source} data, but there is none: "
                f"give {source} data, or a mixture without it"
            )


def _place(num_replicas: int | None, rank: int | None) -> tuple[int, int]:
    running = distributed.is_available() and distributed.is_initialized()
    world = num_replicas if num_replicas is not None else distributed.get_world_size() if running else 1
    return world, rank if rank is not None else distributed.get_rank() if running else 0


def _size(sizes: Mapping[str, int], source: str) -> int:
    size = sizes.get(source, 0)
    if size < 0:
        raise InputError(f"`sizes` must not be negative, but got {size} {source} items")
    return size
