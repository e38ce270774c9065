"""The guard leaves no trace: after measuring, the state of the process is as before, also after an error."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from collapse_guard.probes.weights import shards_kept

_TELLS_OF_PADS = "warn_if_padding_and_no_attention_mask"
"""Method by which models of Hugging Face say that a mask is missing."""


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Measure inside: `module` is in eval mode and builds no graph; afterwards everything is as before.

    Restored are the random states of torch, CUDA, numpy and Python, the train/eval mode of every submodule one by one
    (a user may keep a frozen part in eval mode), `requires_grad`, and the shards that weights are in.

    Gradients are switched off with `no_grad`, not `inference_mode`: what a module caches during its forward, such as
    rotary tables, would otherwise break the next training step.

    Example:
        >>> layer = nn.Dropout()
        >>> with untouched(layer):
        ...     layer.training
        False
        >>> layer.training
        True
    """
    modes = [(part, part.training) for part in module.modules()]
    needs_grad = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    with _random_states_kept(), _pads_untold(module), shards_kept(module):
        try:
            module.eval()
            with torch.no_grad():
                yield
        finally:
            for part, training in modes:
                part.training = training
            for parameter, required in needs_grad:
                parameter.requires_grad_(required)


def seed_global_generators(seed: int) -> None:
    """Seed those of torch, on all devices, of numpy and of Python; inside `untouched`, which restores them.

    Example:
        >>> with untouched(nn.Identity()):
        ...     seed_global_generators(1)
        ...     first = random.random()
        ...     seed_global_generators(1)
        ...     first == random.random()
        True
    """
    torch.manual_seed(seed % 2**63)
    np.random.seed(seed % 2**32)
    random.seed(seed)


@contextmanager
def placed(module: nn.Module, device: torch.device) -> Iterator[None]:
    """Move a module from the CPU to `device` inside, and back afterwards; its bits do not change.

    A module on another device stays there: it may be spread over devices.

    Example:
        >>> with placed(nn.Linear(2, 2), torch.device("cpu")):
        ...     pass
    """
    moves = device.type != "cpu" and {part.device.type for part in module.parameters()} == {"cpu"}
    try:
        if moves:
            module.to(device)
        yield
    finally:
        if moves:
            module.to("cpu")


@contextmanager
def _pads_untold(module: nn.Module) -> Iterator[None]:
    """Models of Hugging Face do not say that a mask is missing: what is before a pad does not depend on it.

    They would say it once in a process, and not of the rows of a user any more. Compiled ones do not say it.
    """
    tells = (part for part in module.modules() if hasattr(type(part), _TELLS_OF_PADS))
    parts = [part for part in tells if _TELLS_OF_PADS not in vars(part)] if not _is_compiled(module) else []
    try:
        for part in parts:
            vars(part)[_TELLS_OF_PADS] = _says_nothing
        yield
    finally:
        for part in parts:
            vars(part).pop(_TELLS_OF_PADS, None)


def _is_compiled(module: nn.Module) -> bool:
    """Whether a change of an attribute could have a part of it compiled anew."""
    return any(hasattr(part, "_orig_mod") or part._compiled_call_impl is not None for part in module.modules())


def _says_nothing(*_: object) -> None:
    pass


@contextmanager
def _random_states_kept() -> Iterator[None]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])
        for device, state in enumerate(cuda):
            torch.cuda.set_rng_state(state, device)
