"""The losses of a causal language model on documents: every token once, in nats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from collapse_guard.errors import InputError
from collapse_guard.evidence import FloatArray, Losses
from collapse_guard.indicators.likelihood import token_nll

IGNORED = -100
"""Label of a pad."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """A document to score."""

    id: str
    tokens: Sequence[int]
    n_bytes: int


@dataclass(frozen=True)
class _Window:
    document: int
    start: int
    before: int
    tokens: Sequence[int]


def logits_of(output: Any) -> Tensor:
    """The (B, T, V) logits of a module's output: the output itself, or its `.logits`.

    Raises:
        InputError: It is neither.
    """
    logits = output if isinstance(output, Tensor) else getattr(output, "logits", None)
    if not isinstance(logits, Tensor) or logits.ndim != 3:
        got = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else f"{type(output).__name__}"
        raise InputError(
            "the module's forward(ids) must return logits of shape (batch, time, vocabulary), or an object that has "
            f"them as `.logits`, but got {got}: give CollapseGuard a probe of your own (an object with `collect`)"
        )
    return logits


def device_of(module: nn.Module) -> torch.device:
    """Device of the module's parameters; the CPU where it has none."""
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))


def score(module: nn.Module, documents: Sequence[Document], *, bos: int, max_length: int, batch_size: int) -> Losses:
    r"""Losses of the documents under the module: \(-\sum_t \ln p(x_t \mid \text{bos}, x_{<t})\) for each.

    A document longer than `max_length` is cut into consecutive windows, so every token is scored exactly once and sees
    tokens before it in its window: the first window begins with `bos`, a later one with the last token of the one
    before (as "rolling" perplexity in lm-evaluation-harness). Windows of like length share a batch, are padded on the
    right, and pads are not scored: neither batch size nor neighbours matter to a causal module.

    Args:
        module: forward(ids), ids (B, T) int64, returns logits (B, T, V) of the next token, or an object with `.logits`.
        documents: Each with at least one token.
        bos: Id that begins every document.
        max_length: Most ids in a forward, and most tokens scored by it.
        batch_size: Windows in a forward.

    Raises:
        InputError: The module does not return logits.
    """
    token_losses = [np.empty(len(document.tokens)) for document in documents]
    for batch in _batches(documents, bos, max_length, batch_size):
        for window, nll in zip(batch, _nll(module, batch), strict=True):
            token_losses[window.document][window.start : window.start + len(nll)] = nll
    return Losses(
        documents=tuple(document.id for document in documents),
        nll=np.array([losses.sum() for losses in token_losses]),
        n_tokens=np.array([len(losses) for losses in token_losses], dtype=np.int64),
        n_bytes=np.array([document.n_bytes for document in documents], dtype=np.int64),
        token_nll=tuple(token_losses),
    )


def _batches(documents: Sequence[Document], bos: int, max_length: int, batch_size: int) -> Iterator[list[_Window]]:
    windows = [
        _Window(
            number, start, document.tokens[start - 1] if start else bos, document.tokens[start : start + max_length]
        )
        for number, document in enumerate(documents)
        for start in range(0, len(document.tokens), max_length)
    ]
    windows.sort(
        key=lambda window: -len(window.tokens)
    )  # the longest first: where memory is too small, it shows at once
    for start in range(0, len(windows), batch_size):
        yield windows[start : start + batch_size]


def _nll(module: nn.Module, batch: Sequence[_Window]) -> list[FloatArray]:
    """Nats of each token of each window."""
    longest = max(len(window.tokens) for window in batch)
    labels = np.full((len(batch), longest), IGNORED, dtype=np.int64)
    for row, window in zip(labels, batch, strict=True):
        row[: len(window.tokens)] = window.tokens
    inputs = np.empty_like(labels)
    inputs[:, 0] = [window.before for window in batch]
    inputs[:, 1:] = np.where(labels == IGNORED, 0, labels)[:, :-1]
    device = device_of(module)
    logits = logits_of(module(torch.from_numpy(inputs).to(device)))
    nll = token_nll(logits, torch.from_numpy(labels).to(device), ignore_index=IGNORED).double().cpu().numpy()
    return [row[: len(window.tokens)] for row, window in zip(nll, batch, strict=True)]
