"""Probe: how the guard collects evidence of a module."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import nn

from collapse_guard.evidence import Evidence
from collapse_guard.wildtype import WildType


@runtime_checkable
class Probe(Protocol):
    """What `CollapseGuard` asks for evidence; any object with this method will do.

    The guard calls it on all ranks, with the module in eval mode and without gradients, and puts the process back as
    it was. Each rank returns its part of the evidence: the parts are joined in the order of the ranks, or by the
    probe's own `merge(parts)` where it has one. No document may be in two parts.

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
            seed: Of everything random; another one in each generation.
            rank: This process, from 0.
            world_size: Number of processes.
        """
        ...
