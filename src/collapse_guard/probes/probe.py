"""Probe: how a guard collects evidence of a module, and what else a probe may offer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol, runtime_checkable

from torch import nn

from collapse_guard.errors import InputError
from collapse_guard.evidence import Evidence
from collapse_guard.probes.cost import Price
from collapse_guard.probes.sharding import merge
from collapse_guard.wildtype import WildType


@runtime_checkable
class Probe(Protocol):
    """What `CollapseGuard` asks for evidence; any object with this method works.

    The guard calls it on all ranks, with the module in eval mode and without gradients, and puts the process back as
    it was. Each rank returns its part of the evidence: the parts are joined in the order of the ranks, or by the
    probe itself where it is a `MergingProbe`. No document may be in two parts. A probe that measures one kind of wild
    type only says which (`OneKindProbe`).

    Example:
        >>> class Greetings:
        ...     def collect(self, module, wild_type, *, seed, rank, world_size):
        ...         return Evidence(samples=["hello"] * 4)
        >>> isinstance(Greetings(), Probe)
        True
    """

    def collect(self, module: nn.Module, wild_type: WildType, *, seed: int, rank: int, world_size: int) -> Evidence:
        """Collect this rank's part of the evidence.

        Args:
            module: The LightningModule in training.
            wild_type: The frozen real data; `wild_type.evaluation` are the documents to score.
            seed: Seed of everything random; another one in each generation.
            rank: This process, from 0.
            world_size: Number of processes.
        """
        ...


@runtime_checkable
class MergingProbe(Probe, Protocol):
    """A probe that puts the parts of all ranks together itself, such as in the order that one rank would draw in."""

    def merge(self, parts: Sequence[Evidence]) -> Evidence:
        """All evidence from the parts of rank 0, 1, 2, ..."""
        ...


@runtime_checkable
class RehearsingProbe(Probe, Protocol):
    """A probe that says before training what will keep it from measuring."""

    def rehearse(self, module: nn.Module, wild_type: WildType, *, decides: Collection[str]) -> Sequence[str]:
        """Every obstacle that is known beforehand, as a sentence with the one change that cures it; none: empty.

        It is called on all ranks, with the module in eval mode and without gradients. A few documents and samples,
        once, and without a trace. It must say nothing where the measurement would work.

        Args:
            module: As in `collect`.
            wild_type: As in `collect`.
            decides: Names of the indicators that decide, for which the evidence must be enough.
        """
        ...


@runtime_checkable
class ReadingProbe(Probe, Protocol):
    """A probe that can read the ids of a training batch, in which a guard looks for evaluation documents."""

    def text_of(self, ids: Sequence[int]) -> str:
        """The text of ids; those that no tokenizer knows stand for nothing that is looked for."""
        ...


@runtime_checkable
class SizedProbe(Probe, Protocol):
    """A probe that can draw fewer samples where time is short, and says what they cost."""

    @property
    def n_samples(self) -> int:
        """Samples that it draws."""
        ...

    def with_samples(self, n: int) -> Probe:
        """The same probe, with so many samples."""
        ...

    def price(self, module: nn.Module, wild_type: WildType) -> Price:
        """What a measurement by one process takes, found out by a small one. It leaves no trace."""
        ...

    def fewest(self, wild_type: WildType, *, decides: Collection[str]) -> int:
        """Samples that some indicators need to decide, with some to spare."""
        ...


@runtime_checkable
class OneKindProbe(Probe, Protocol):
    """A probe that measures one kind of wild type only."""

    kind: str
    """`WildType.kind` of those it measures: "text" or "vectors"."""


def merged(probe: Probe, parts: Sequence[Evidence]) -> Evidence:
    """The evidence of all ranks, put together by the probe itself where it does that.

    Example:
        >>> class Greetings:
        ...     def collect(self, module, wild_type, *, seed, rank, world_size): ...
        >>> merged(Greetings(), [Evidence(samples=["a"]), Evidence(samples=["b"])]).samples
        ['a', 'b']
    """
    return probe.merge(parts) if isinstance(probe, MergingProbe) else merge(parts)


def check_probe(probe: object, wild_type: WildType) -> None:
    """Refuse what is no probe, and a probe for another kind of wild type.

    Raises:
        InputError: It has no `collect`, or its `kind` is not that of the wild type.
    """
    if not isinstance(probe, Probe):
        raise InputError(f"`probe` must have a method `collect`, but got {probe!r:.80}: see `Probe`")
    if isinstance(probe, OneKindProbe) and probe.kind != wild_type.kind:
        raise InputError(f"`probe` must be for a wild type of {wild_type.kind}, but got one for {probe.kind}")
