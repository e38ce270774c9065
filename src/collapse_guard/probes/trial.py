"""A trial: forwards of a few ids, which show beforehand what keeps a module from being asked for logits."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from typing import Any

import torch
from torch import Tensor, nn

from collapse_guard.errors import InputError
from collapse_guard.probes.causality import LENGTH, check_causal, trial_rows
from collapse_guard.probes.forward import Forward, device_of, in_short
from collapse_guard.probes.scoring import check_labels


class _OutsideError(Exception):
    """An embedding is asked for a row that it has not: on CUDA that would end the process."""

    def __init__(self, name: str, rows: int, index: int) -> None:
        super().__init__(f"`{name}` has {rows} rows, but is asked for row {index}")
        self.name, self.rows, self.index = name, rows, index


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Forwards of a few ids, as those of the measurement will be."""

    forward: Forward
    tokens: Sequence[int]
    """Of real documents, one after the other."""
    bos: int
    largest: int
    """Largest id that will be given."""
    longest: int
    """Most ids that a forward would be given without a limit."""
    max_length: int

    def obstacles(self, module: nn.Module) -> list[str]:
        """What keeps the module from being asked for logits; it is in eval mode, and inside `untouched`."""
        rows = trial_rows(self.tokens, bos=self.bos, longest=min(self.longest, self.max_length))
        if rows is None:
            return []
        first, second, changed = rows
        with _embeddings_watched(module):
            try:
                logits = check_causal(module, self.forward, (first, [*second[:-1], self.largest], changed))
                if logits is not None:
                    check_labels(self.largest, logits.shape[-1])
            except InputError as error:
                return [str(error)]
            except _OutsideError as error:
                if error.index >= LENGTH:
                    return [
                        f"the tokenizer gives the id {error.index}, but the module's `{error.name}` has rows for "
                        f"{error.rows} ids, from 0 on: give the tokenizer that the module is trained with"
                    ]
            except Exception as error:
                return self._too_long(module) or [self._fails(error)]
            return self._too_long(module)

    def _too_long(self, module: nn.Module) -> list[str]:
        """Say that a forward takes fewer ids than it will be given, and how many; found by bisection."""
        longest = min(self.longest, self.max_length)
        row = [self.bos, *islice(cycle(self.tokens), longest - 1)]
        ids = torch.tensor([row], device=device_of(module))
        error = self._failure(module, ids)
        if error is None:
            return []
        fits = bisect_left(range(1, longest), True, key=lambda size: bool(self._failure(module, ids[:, :size])))
        if not fits:
            return [self._fails(error)]
        return [f"`max_length={self.max_length}` is above the {fits} ids that a forward takes: max_length={fits}"]

    def _fails(self, error: Exception) -> str:
        return f"{self.forward.said} fails, {in_short(error)}: mend it, or give `logits=`"

    def _failure(self, module: nn.Module, ids: Tensor) -> Exception | None:
        try:
            self.forward(module, ids)
        except Exception as error:
            return error
        return None


def failure_of(action: Callable[[], Any], what: str, cure: str) -> list[str]:
    """What an action fails with, and the cure; nothing where it does not fail. An InputError says its cure itself.

    Example:
        >>> failure_of(lambda: {}["a"], "`generate`", "mend it")
        ["`generate` fails, KeyError: 'a': mend it"]
    """
    try:
        action()
    except InputError as error:
        return [str(error)]
    except Exception as error:
        return [f"{what} fails, {in_short(error)}: {cure}"]
    return []


@contextmanager
def _embeddings_watched(module: nn.Module) -> Iterator[None]:
    """Have embeddings raise before they are asked for a row that they have not.

    Compiled modules would keep the hooks, and subclasses may be given something else than rows.
    """
    is_compiled = any(hasattr(part, "_orig_mod") for part in module.modules())
    hooks = [
        part.register_forward_pre_hook(partial(_check_rows, name))
        for name, part in module.named_modules()
        if isinstance(part, nn.Embedding) and type(part).forward is nn.Embedding.forward and not is_compiled
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _check_rows(name: str, embedding: nn.Embedding, inputs: tuple[Any, ...]) -> None:
    ids = inputs[0] if inputs else None
    if isinstance(ids, Tensor) and ids.numel() and int(ids.max()) >= embedding.num_embeddings:
        raise _OutsideError(name, embedding.num_embeddings, int(ids.max()))
