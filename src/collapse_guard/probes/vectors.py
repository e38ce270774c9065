"""The probe for generative models of vectors: images, latents, tables."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from copy import copy
from functools import partial
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from collapse_guard.arguments import whole
from collapse_guard.arrays import FloatArray
from collapse_guard.decision.policy import DECIDES
from collapse_guard.errors import InputError
from collapse_guard.evidence import Evidence
from collapse_guard.probes.cost import Cost, Price, part
from collapse_guard.probes.forward import device_of
from collapse_guard.probes.isolation import seed_global_generators, untouched
from collapse_guard.probes.memory import fitting_of
from collapse_guard.probes.sharding import batch_generator, batches, merge, mixed_seed
from collapse_guard.probes.shortage import fewest_samples, too_few_samples
from collapse_guard.probes.trial import failure_of
from collapse_guard.wildtype import WildType

Sampler = Callable[[nn.Module, int, torch.Generator], Tensor]
"""sample(module, n, generator) -> (n, ...): n samples drawn with the generator, in the space of the wild type."""

_N_TRIED = 16
"""Samples that a rehearsal draws."""
_NO_CHANCE = 25.0
"""Minus the logarithm of a chance that does not come about: 1e-11."""


class EmbeddingProbe:
    """Collects samples of a model whose wild type is of vectors (`WildType.fit_arrays`).

    Args:
        sample: sample(module, n, generator) returns a tensor of n samples, in the space of the wild type's vectors: the
            samples themselves, of any shape that has as many numbers, or their embeddings by an encoder that is the
            same in all generations. Its randomness should come from the generator, which is on the module's device. The
            global generators of torch, numpy and Python are given a seed for each batch too, and restored afterwards.
        n_samples: Samples to draw.
        batch_size: Samples in a call of `sample`. Which samples are drawn depends on it, and not on the number of
            ranks. Where memory is too small, `sample` is called for half as many, down to 1, with the same generator:
            other samples of the same model.

    Raises:
        InputError: `sample` is not callable, or a count is below 1.

    Example:
        >>> wild_type = WildType.fit_arrays(np.random.default_rng(0).normal(size=(400, 3)))
        >>> probe = EmbeddingProbe(lambda module, n, g: module(torch.randn(n, 2, generator=g)), n_samples=10)
        >>> probe.collect(nn.Linear(2, 3), wild_type, seed=0).samples.shape
        (10, 3)
    """

    kind = "vectors"
    """Kind of wild type that the evidence is of."""

    def __init__(self, sample: Sampler, *, n_samples: int = 2000, batch_size: int = 256) -> None:
        if not callable(sample):
            raise InputError(f"`sample` must be a function of (module, n, generator), but got {sample!r:.80}")
        whole("n_samples", n_samples, least=1)
        whole("batch_size", batch_size, least=1)
        self.sample, self.n_samples, self.batch_size = sample, n_samples, batch_size

    def collect(
        self, module: nn.Module, wild_type: WildType, *, seed: int, rank: int = 0, world_size: int = 1
    ) -> Evidence:
        """Collect this rank's part; without ranks, all of it. Leaves the module and all random states as they were.

        Raises:
            InputError: `sample` does not return samples of the wild type's size, or returns the same ones again.
        """
        self._check_kind(wild_type)
        width = wild_type.evaluation_vectors.shape[1]
        with untouched(module), part("drawing samples"):
            drawn = list(self._batches(module, width, seed, rank, world_size))
        _check_different(drawn)
        return Evidence(samples=np.concatenate([np.empty((0, width)), *drawn]))

    def merge(self, parts: Sequence[Evidence]) -> Evidence:
        """Put the parts of all ranks together, in the order that a single rank would have drawn them in.

        Raises:
            InputError: Two ranks drew the same samples.
        """
        merged = merge(parts, samples=self.batch_size)
        drawn = np.asarray(merged.samples)
        _check_different(drawn[start : start + self.batch_size] for start in range(0, len(drawn), self.batch_size))
        return merged

    def rehearse(self, module: nn.Module, wild_type: WildType, *, decides: Collection[str] = DECIDES) -> list[str]:
        """Every obstacle to `collect` that is known before training, with the one change that cures it.

        Draws up to 16 samples twice, and leaves no trace.

        Args:
            module: As in `collect`.
            wild_type: As in `collect`.
            decides: Names of the indicators that decide, for which the samples must be enough.

        Returns:
            Sentences; empty where nothing is in the way.
        """
        try:
            self._check_kind(wild_type)
        except InputError as error:
            return [str(error)]
        shape = (min(_N_TRIED, self.batch_size, self.n_samples), wild_type.evaluation_vectors.shape[1])

        def draw_twice() -> None:
            with untouched(module):
                _check_different([self._drawn(module, shape, 0, number, shape[0]) for number in range(2)])

        found = too_few_samples(wild_type, self.n_samples, decides)
        return found + failure_of(draw_twice, "`sample(module, n, generator)`", "mend it")

    def with_samples(self, n: int) -> Self:
        """The same probe, with so many samples."""
        sized = copy(self)
        sized.n_samples = n
        return sized

    def price(self, module: nn.Module, wild_type: WildType) -> Price:
        """Seconds of one process for each sample, found out by one batch of them. Leaves no trace."""
        few, cost = self.with_samples(min(self.batch_size, self.n_samples)), Cost()
        with cost.of("drawing samples"):
            few.collect(module, wild_type, seed=0)
        return Price(once=0.0, sample=cost.total.seconds / few.n_samples)

    def fewest(self, wild_type: WildType, *, decides: Collection[str] = DECIDES) -> int:
        """Samples that some indicators need to decide, with as many again to spare."""
        return fewest_samples(wild_type, decides)

    def _check_kind(self, wild_type: WildType) -> None:
        if wild_type.kind != self.kind:
            raise InputError(f"`wild_type` must be of vectors, but got one of {wild_type.kind}: use a CausalLMProbe")

    def _batches(self, module: nn.Module, width: int, seed: int, rank: int, world_size: int) -> Iterator[FloatArray]:
        fitting = fitting_of(module, self.batch_size)
        for number, size in batches(self.n_samples, self.batch_size, rank=rank, world_size=world_size):
            yield fitting.run(partial(self._drawn, module, (size, width), seed, number))

    def _drawn(self, module: nn.Module, shape: tuple[int, int], seed: int, number: int, at_once: int) -> FloatArray:
        """The samples of a batch, at most `at_once` of them in a call."""
        (size, width), generator = shape, batch_generator(seed, number, device_of(module))
        seed_global_generators(mixed_seed(seed, number))
        sizes = [min(at_once, size - start) for start in range(0, size, at_once)]
        return np.concatenate([self._called(module, (part, width), generator) for part in sizes])

    def _called(self, module: nn.Module, shape: tuple[int, int], generator: torch.Generator) -> FloatArray:
        drawn, (n, width) = self.sample(module, shape[0], generator), shape
        if not isinstance(drawn, Tensor) or drawn.shape[:1] != (n,) or drawn.numel() != n * width:
            got = tuple(drawn.shape) if isinstance(drawn, Tensor) else type(drawn).__name__
            raise InputError(
                f"`sample` must return a {shape} tensor, but got {got}: return {n} samples of any shape that has "
                f"{width} numbers"
            )
        return drawn.detach().reshape(shape).double().cpu().numpy()


def _check_different(batches: Iterable[FloatArray]) -> None:
    """Refuse a batch that is equal to an earlier one, to the bit, where that is no chance.

    Samples of a collapsed model are alike, and batches of them may be equal. What the chance is follows from the shares
    of the different samples in the batch.
    """
    seen: set[bytes] = set()
    for batch in batches:
        content = hashlib.blake2b(batch.tobytes(), digest_size=16).digest()
        if content in seen and _surprise(batch) > _NO_CHANCE:
            raise InputError(
                f"`sample` must draw new samples in each call, but got the same {len(batch)} twice, in the same order: "
                "draw with the generator that it is given, and seed no other one in it"
            )
        seen.add(content)


def _surprise(batch: FloatArray) -> float:
    """Minus the logarithm of the chance that draws by the shares of these rows come in this order."""
    counts = Counter(row.tobytes() for row in batch)
    return sum(count * math.log(len(batch) / count) for count in counts.values())
