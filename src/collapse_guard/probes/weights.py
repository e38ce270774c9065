"""A name for the weights of a module: the same weights have the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import chain

import torch
from torch import Tensor, nn

_AT_ONCE = 2**26
"""Bytes that are copied from a device at once."""


def weights_digest(module: nn.Module) -> str:
    """32 hexadecimal digits of the parameters and buffers that this process holds, by name, type, shape and bits.

    Returns:
        The digest; empty where the process holds no parameter, as where a strategy keeps them elsewhere.

    Example:
        >>> layer = nn.Linear(2, 2)
        >>> before = weights_digest(layer)
        >>> weights_digest(layer) == before
        True
        >>> _ = layer.bias.data.add_(1.0)
        >>> weights_digest(layer) == before
        False
    """
    digest, n_values = hashlib.blake2b(digest_size=16), 0
    for name, tensor in chain(module.named_parameters(), module.named_buffers()):
        held = tensor.to_local() if hasattr(tensor, "to_local") else tensor.detach()
        digest.update(f"{name} {held.dtype} {tuple(held.shape)}".encode())
        n_values += held.numel()
        for part in _parts(held):
            digest.update(part.cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest() if n_values else ""


def _parts(tensor: Tensor) -> Iterator[Tensor]:
    flat = tensor.detach().contiguous().flatten()
    step = max(1, _AT_ONCE // max(1, flat.element_size()))
    return (flat[start : start + step] for start in range(0, len(flat), step))
