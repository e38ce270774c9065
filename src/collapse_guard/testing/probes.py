"""What every probe keeps."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from collapse_guard.evidence import Evidence
from collapse_guard.measurement.measure import measure
from collapse_guard.probes import Probe
from collapse_guard.probes.isolation import untouched
from collapse_guard.probes.probe import check_probe, merged
from collapse_guard.testing.requirements import require, require_success
from collapse_guard.wildtype import WildType

RANKS = (2, 3, 7)
"""Numbers of processes that the evidence must not depend on."""


class ProbeContract(ABC):
    """What every `Probe` keeps: subclass it in a test file and say how probe, module and wild type are made.

    The module should have dropout, and the probe few samples: each check collects evidence up to a dozen times.
    """

    tolerance: float = 1e-5
    """Largest relative difference of losses and vectors between numbers of processes: batches of another size round in
    another way. Texts and ids must be equal."""

    @abstractmethod
    def make_probe(self) -> Probe:
        """Return the probe; called once in each test."""

    @abstractmethod
    def make_module(self) -> nn.Module:
        """Return a module that the probe can measure, trained or not; called once in each test."""

    @abstractmethod
    def make_wild_type(self) -> WildType:
        """Return a wild type of the probe's kind; called once in each test, so return the same one each time."""

    def test_it_is_a_probe_for_the_wild_type(self) -> None:
        """It has `collect`, and `kind`, where it has one, is that of the wild type."""
        wild_type, probe = self.make_wild_type(), self.make_probe()
        require_success(lambda: check_probe(probe, wild_type), "the probe must be for the wild type")

    def test_the_evidence_can_be_measured(self) -> None:
        """An `Evidence` that fits the wild type and gives at least one reading."""
        wild_type, evidence = self.make_wild_type(), self._collect(self.make_probe(), self._module())
        rule = "the evidence must fit the wild type"
        readings = require_success(lambda: measure(wild_type, evidence), rule)
        require(bool(readings), "the evidence must give a reading of at least one indicator", readings)

    def test_the_seed_alone_decides_what_is_drawn(self) -> None:
        """The same seed gives the same evidence, bit for bit, whatever the state of the global generators."""
        probe, module = self.make_probe(), self._module()
        first, second = (self._collect(probe, module, state=state) for state in (1, 2))
        rule = "the same seed must give the same evidence: draw from a generator made from `seed`, not the global one"
        _require_equal(second, first, rule, tolerance=0.0)

    def test_the_evidence_does_not_depend_on_the_number_of_processes(self) -> None:
        """The parts of 2, 3 or 7 ranks, merged in the order of the ranks, are the evidence of one."""
        probe, module = self.make_probe(), self._module()
        alone = self._collect(probe, module)
        for world_size in RANKS:
            parts = [self._collect(probe, module, rank=rank, world_size=world_size) for rank in range(world_size)]
            rule = f"the parts of {world_size} ranks"
            together = require_success(lambda: merged(probe, parts), f"{rule} must merge")  # noqa: B023
            _require_equal(together, alone, f"{rule} must merge to the evidence of one rank", self.tolerance)

    def test_dropout_is_off_while_measuring(self) -> None:
        """A module in train mode gives the evidence that it gives in eval mode."""
        probe, module = self.make_probe(), self._module()
        training, evaluating = (self._collect(probe, module.train(mode)) for mode in (True, False))
        rule = "a module in train mode must be measured in eval mode: collect inside `with untouched(module):`"
        _require_equal(training, evaluating, rule, tolerance=0.0)

    def test_measuring_leaves_no_trace(self) -> None:
        """Weights, modes, `requires_grad`, gradients and global generators are as before, part by part."""
        probe, module = self.make_probe(), self._module()
        for number, part in enumerate(module.modules()):
            part.training = number % 2 == 0
        for number, parameter in enumerate(module.parameters()):
            parameter.requires_grad_(number % 2 == 0)
        with untouched(nn.Identity()), torch.enable_grad():
            _seed(1)
            # No seed leads to a state after a draw, so a probe that seeds is seen whatever was seeded before.
            for draw in (torch.rand, np.random.random, random.randbytes):
                draw(1)
            before = dict(_traces(module))
            self._collected(probe, module)
            after = dict(_traces(module))
        changed = [what for what in before if before[what] != after[what]]
        rule = "measuring must leave the process as it was: collect inside `with untouched(module):`"
        require(not changed, rule, changed)

    def _module(self) -> nn.Module:
        """The module, with the same weights in every run of the tests."""
        with untouched(nn.Identity()):
            torch.manual_seed(0)
            return self.make_module()

    def _collect(self, probe: Probe, module: nn.Module, *, state: int = 0, **place: int) -> Evidence:
        """Collect with the global generators in a state, and put them back."""
        modes = [(part, part.training) for part in module.modules()]
        with untouched(nn.Identity()), torch.enable_grad():
            _seed(state)
            evidence = self._collected(probe, module, **place)
        for part, training in modes:
            part.training = training
        return evidence

    def _collected(self, probe: Probe, module: nn.Module, *, rank: int = 0, world_size: int = 1) -> Evidence:
        wild_type = self.make_wild_type()
        evidence = require_success(
            lambda: probe.collect(module, wild_type, seed=5, rank=rank, world_size=world_size),
            f"rank {rank} of {world_size} must collect its part",
        )
        require(isinstance(evidence, Evidence), "`collect` must return an Evidence", evidence)
        return evidence


def _seed(state: int) -> None:
    torch.manual_seed(state)
    np.random.seed(state)
    random.seed(state)


def _traces(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """What measuring may not change, by name."""
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        yield name, tensor.detach().cpu().tolist()
        yield f"requires_grad of {name}", tensor.requires_grad
        yield f"gradient of {name}", None if tensor.grad is None else tensor.grad.tolist()
    for name, part in module.named_modules():
        yield f"mode of {name or 'the module'}", part.training
    yield "random state of torch", torch.get_rng_state().tolist()
    yield "random state of numpy", repr(np.random.get_state(legacy=False))
    yield "random state of Python", random.getstate()
    yield "gradients are switched on", torch.is_grad_enabled()


def _require_equal(got: Any, expected: Any, rule: str, tolerance: float) -> None:
    """Records part by part, so that the message names the part that differs."""
    ours, theirs = _parts(got), _parts(expected)
    if type(got) is type(expected) and theirs and ours.keys() == theirs.keys():
        for name, part in theirs.items():
            _require_equal(ours[name], part, f"{rule}: `{name}`", tolerance)
    else:
        require(_close(got, expected, tolerance), f"{rule} must be {expected!r:.200}", got)


def _parts(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    return {part.name: getattr(value, part.name) for part in fields(value)} if is_dataclass(value) else {}


def _close(got: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, np.ndarray) and isinstance(got, np.ndarray):
        same_shape = got.shape == expected.shape
        return same_shape and bool(np.allclose(got, expected, rtol=tolerance, atol=0.0, equal_nan=True))
    if isinstance(expected, (list, tuple)) and isinstance(got, (list, tuple)):
        pairs = zip(got, expected, strict=False)
        return len(got) == len(expected) and all(_close(one, other, tolerance) for one, other in pairs)
    return type(got) is type(expected) and bool(got == expected)
