"""The probe for generative models of vectors: images, latents, tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from collapse_guard.arguments import whole
from collapse_guard.arrays import FloatArray
from collapse_guard.errors import InputError
from collapse_guard.evidence import Evidence
from collapse_guard.probes.isolation import untouched
from collapse_guard.probes.memory import Fitting
from collapse_guard.probes.scoring import device_of
from collapse_guard.probes.sharding import batch_generator, batches, merge
from collapse_guard.wildtype import WildType

Sampler = Callable[[nn.Module, int, torch.Generator], Tensor]
"""sample(module, n, generator) -> (n, d): n vectors drawn with the generator, in the space of the wild type."""


class EmbeddingProbe:
    """Collects samples of a model whose wild type is of vectors (`WildType.fit_arrays`).

    Args:
        sample: sample(module, n, generator) returns n samples as an (n, d) tensor, in the space of the wild type's
            vectors: the samples themselves, flattened, or their embeddings by an encoder that is the same in all
            generations. All its randomness must come from the generator, which is on the module's device.
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
            InputError: `sample` does not return vectors of the wild type's size.
        """
        if wild_type.kind != self.kind:
            raise InputError(f"`wild_type` must be of vectors, but got one of {wild_type.kind}: use a CausalLMProbe")
        width = wild_type.evaluation_vectors.shape[1]
        with untouched(module):
            drawn = list(self._batches(module, width, seed, rank, world_size))
        return Evidence(samples=np.concatenate([np.empty((0, width)), *drawn]))

    def merge(self, parts: Sequence[Evidence]) -> Evidence:
        """Put the parts of all ranks together, in the order that a single rank would have drawn them in."""
        return merge(parts, samples=self.batch_size)

    def _batches(self, module: nn.Module, width: int, seed: int, rank: int, world_size: int) -> Iterator[FloatArray]:
        fitting = Fitting(self.batch_size)
        for number, size in batches(self.n_samples, self.batch_size, rank=rank, world_size=world_size):
            yield fitting.run(partial(self._drawn, module, (size, width), seed, number))

    def _drawn(self, module: nn.Module, shape: tuple[int, int], seed: int, number: int, at_once: int) -> FloatArray:
        """The samples of a batch, at most `at_once` of them in a call."""
        (size, width), generator = shape, batch_generator(seed, number, device_of(module))
        sizes = [min(at_once, size - start) for start in range(0, size, at_once)]
        return np.concatenate([self._called(module, (part, width), generator) for part in sizes])

    def _called(self, module: nn.Module, shape: tuple[int, int], generator: torch.Generator) -> FloatArray:
        drawn = self.sample(module, shape[0], generator)
        if not isinstance(drawn, Tensor) or tuple(drawn.shape) != shape:
            got = tuple(drawn.shape) if isinstance(drawn, Tensor) else type(drawn).__name__
            raise InputError(f"`sample` must return a {shape} tensor, but got {got}")
        return drawn.detach().double().cpu().numpy()
