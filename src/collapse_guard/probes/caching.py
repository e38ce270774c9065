"""Caching: the next token's logits from what a model of Hugging Face's form keeps of earlier ids."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from collapse_guard.probes.causality import moved, rounding_of
from collapse_guard.probes.forward import CACHES, cache_of, device_of, part_with_cache
from collapse_guard.probes.memory import is_out_of_memory


class CachedStep:
    """`generate_step` of a part whose forward takes a cache.

    Args:
        part: The model.
        name: Of the cache, in its forward.
    """

    def __init__(self, part: nn.Module, name: str) -> None:
        self.part, self.name = part, name

    def __call__(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        """(B, V) logits after (B, T) ids that are new, and what is kept for the next ones."""
        output = self.part(ids, use_cache=True, **{self.name: state})
        kept = next((getattr(output, name) for name in CACHES if name in vars(output)), None)
        return output.logits[:, -1], kept


def cached_step(module: nn.Module, logits: Tensor, rows: list[list[int]]) -> CachedStep | None:
    """The cache of the module, or of a part of it, where it gives the same logits as without; else None.

    That is tried out, in three forwards, rather than believed: a wrapper may change the logits of what it wraps, and
    not every cache can be continued.

    Args:
        module: In eval mode.
        logits: (B, T, V), its logits of `rows`, T at least 2.
        rows: B rows of T ids.
    """
    within = part_with_cache(module)
    if within is None:
        return None
    part = module.get_submodule(within)
    step = CachedStep(part, str(cache_of(part)))
    ids = torch.tensor(rows, device=device_of(module))
    length, state = ids.shape[1], None
    places = [0, *range(max(1, length - 2), length + 1)]
    try:
        for start, end in pairwise(places):
            cached, state = step(ids[:, start:end], state)
            if state is None or moved(cached, logits[:, end - 1]) > rounding_of(logits):
                return None
    except Exception as error:  # whatever it is, the module is sampled without the cache
        if is_out_of_memory(error):
            raise
        return None
    return step
