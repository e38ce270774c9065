"""Next-token logits of a module: of its forward(ids), or of a function that the user gives."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from collapse_guard.errors import InputError

Logits = Callable[[nn.Module, Tensor], Any]
"""logits(module, ids) -> (B, T, V) logits of the next token from (B, T) ids, or an object that holds them."""
CACHES = ("cache", "past_key_values")
"""Names under which a forward of Hugging Face's form takes and returns what it keeps of earlier ids, newest first."""

SAMPLES_ALONE = (
    "or, for samples alone, `generate=`, a function of (module, prompts, seed) that returns texts, with "
    "`n_documents=0` and `score_samples=False`"
)
"""What fits where a module gives no logits of next ids."""
GIVE_DECODER = "give `logits=`, a function of (module, ids) that returns its decoder's logits of the next ids"
_GIVE = "give `logits=`, a function of (module, ids) that returns logits of shape (batch, time, vocabulary)"


@dataclass(frozen=True)
class Forward:
    """How logits are read: `forward(module, ids)`.

    Example:
        >>> ids = torch.tensor([[0, 1]])
        >>> Forward()(nn.Embedding(3, 5), ids).shape
        torch.Size([1, 2, 5])
        >>> Forward(lambda module, ids: (module(ids) * 2.0, None))(nn.Embedding(3, 5), ids).shape
        torch.Size([1, 2, 5])
    """

    logits: Logits | None = None
    """The user's; None: the module's forward(ids)."""

    def __post_init__(self) -> None:
        """Refuse what is no function."""
        if self.logits is not None and not callable(self.logits):
            raise InputError(
                "`logits` must be a function of (module, ids) that returns logits, or None, but got "
                f"{self.logits!r:.80}: write one"
            )

    def __call__(self, module: nn.Module, ids: Tensor) -> Tensor:
        """(B, T, V) logits of the next token after each of (B, T) ids.

        Raises:
            InputError: What is returned holds no such logits.
        """
        output = module(ids) if self.logits is None else self.logits(module, ids)
        return logits_of(output, ids, said=self.said)

    @property
    def said(self) -> str:
        """What is asked for logits, in words."""
        return "the module's forward(ids)" if self.logits is None else "`logits(module, ids)`"

    def misfit(self, module: nn.Module, error: Exception) -> str:
        """Why ids alone cannot be given to the module, and what to do, as a sentence; empty: another error."""
        if self.logits is not None or isinstance(error, InputError):
            return ""
        if is_encoder_decoder(module):
            return (
                "the module is an encoder-decoder, which predicts a text from another one, and CausalLMProbe scores "
                f"texts on their own: {GIVE_DECODER}, {SAMPLES_ALONE} ({in_short(error)})"
            )
        if not (isinstance(error, NotImplementedError) or _cannot_take_ids(module)):
            return ""
        within = part_with_cache(module)
        cure = f"give `logits=lambda module, ids: module.{within}(ids).logits`" if within else _GIVE
        return f"the module's forward cannot be called as forward(ids): {cure} ({in_short(error)})"


FORWARD = Forward()
"""The module's own."""


def logits_of(output: Any, ids: Tensor, *, said: str = "the module's forward(ids)") -> Tensor:
    """The (B, T, V) logits of a module's output for (B, T) ids.

    They are the output itself, its `.logits`, its entry "logits", or the first part of a tuple that has their shape, as
    where a forward returns (logits, loss).

    Raises:
        InputError: It is none of these.
    """
    logits = _found(output, tuple(ids.shape))
    if isinstance(logits, Tensor) and logits.ndim == 3 and logits.shape[:2] == ids.shape:
        return logits
    got = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(output).__name__
    is_last_alone = isinstance(logits, Tensor) and logits.ndim == 3 and logits.shape[:2] == (len(ids), 1)
    cure = _GIVE
    if is_last_alone:
        cure = (
            "it returns those of the last place alone: give `logits=lambda module, ids: module(ids, ids)[0]`, or what "
        )
        cure += "else has it return all"
    raise InputError(
        f"{said} must return logits of shape (batch, time, vocabulary), or an object that has them as `.logits`, but "
        f"got {got} for ids of shape {tuple(ids.shape)}: {cure}"
    )


def _found(output: Any, shape: tuple[int, ...]) -> Any:
    if isinstance(output, Tensor):
        return output
    if isinstance(output, tuple | list) and not hasattr(output, "logits"):
        tensors = [part for part in output if isinstance(part, Tensor) and part.ndim == 3]
        return next((part for part in tensors if tuple(part.shape[:2]) == shape), next(iter(tensors), None))
    if isinstance(output, Mapping) and not hasattr(output, "logits"):
        return output.get("logits")
    return getattr(output, "logits", None)


def in_short(error: Exception) -> str:
    """Kind and first line of an error.

    Example:
        >>> in_short(ValueError("no\\nmore"))
        'ValueError: no'
    """
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first:.200}" if first else type(error).__name__


def device_of(module: nn.Module) -> torch.device:
    """Device of the module's parameters; the CPU if it has none."""
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))


def is_encoder_decoder(module: nn.Module) -> bool:
    """Whether the module, or a part of it, says so of itself, as models of Hugging Face's do."""
    return any(getattr(getattr(part, "config", None), "is_encoder_decoder", False) is True for part in module.modules())


def part_with_cache(module: nn.Module) -> str | None:
    """Name of the first part whose forward takes a cache; "": the module itself; None: there is none."""
    return next((name for name, part in module.named_modules() if cache_of(part)), None)


def cache_of(part: nn.Module) -> str | None:
    """The name under which its forward takes a cache of earlier ids; None: it takes none."""
    taken = inspect.signature(part.forward).parameters
    return next((name for name in CACHES if name in taken and "use_cache" in taken), None)


def _cannot_take_ids(module: nn.Module) -> bool:
    try:
        inspect.signature(module.forward).bind(None)
    except TypeError:
        return True
    return False
