"""The weights of a module: a name, which the same weights share, and whether this process holds all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

_AT_ONCE = 2**26
"""Bytes that are copied from a device at once."""
_MARKS = ("device_mesh", "_fsdp_flattened", "ds_id")
"""What parameters of FSDP2 (`DTensor`), of FSDP1 and of ZeRO-3 have, and others have not."""


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
        part = held(tensor)
        digest.update(f"{name} {part.dtype} {tuple(part.shape)}".encode())
        n_values += part.numel()
        for piece in _pieces(part):
            digest.update(piece.cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest() if n_values else ""


def held(tensor: Tensor) -> Tensor:
    """What this process holds of it: all, or its part where it is a `DTensor` or one of ZeRO-3."""
    part = getattr(tensor, "ds_tensor", tensor)
    return part.to_local().detach() if hasattr(part, "to_local") else part.detach()


def is_sharded(module: nn.Module) -> bool:
    """Whether ranks hold parts of the weights each, so that they must forward together: FSDP, or DeepSpeed ZeRO-3.

    Example:
        >>> is_sharded(nn.Linear(2, 2))
        False
    """
    return any(map(_is_part, module.parameters())) or any(map(_gathers, module.modules()))


@contextmanager
def shards_kept(module: nn.Module) -> Iterator[None]:
    """Leave weights in the shards that they are in.

    A forward of FSDP2 without a backward leaves some of them whole. An optimizer that is made then is given those, and
    trains them for nothing.

    Example:
        >>> with shards_kept(nn.Linear(2, 2)):
        ...     pass
    """
    before = sum(map(_is_part, module.parameters()))
    try:
        yield
    finally:
        if sum(map(_is_part, module.parameters())) < before:
            for part in module.modules():
                if _is_a(part, "FSDPModule"):
                    part.reshard()  # type: ignore[operator]


def gathering(module: nn.Module, around: object) -> nn.Module:
    """What can be asked for a forward: the module, or what is around it where only that gathers its shards (FSDP1).

    Args:
        module: What is trained.
        around: What a strategy put around it, if anything.

    Example:
        >>> layer = nn.Linear(2, 2)
        >>> gathering(layer, nn.Sequential(layer)) is layer
        True
    """
    return around if isinstance(around, nn.Module) and _gathers(around) else module


def _gathers(part: nn.Module) -> bool:
    return _is_a(part, "FullyShardedDataParallel")


def _is_a(part: nn.Module, name: str) -> bool:
    return any(kind.__name__ == name for kind in type(part).__mro__)


def _is_part(parameter: nn.Parameter) -> bool:
    return any(hasattr(parameter, mark) for mark in _MARKS)


def _pieces(tensor: Tensor) -> Iterator[Tensor]:
    flat = tensor.detach().contiguous().flatten()
    step = max(1, _AT_ONCE // max(1, flat.element_size()))
    return (flat[start : start + step] for start in range(0, len(flat), step))
