"""Losses of a causal language model on documents: every token once, in nats, with the entropy at its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from collapse_guard.arrays import FloatArray
from collapse_guard.errors import InputError
from collapse_guard.evidence import Losses
from collapse_guard.indicators.likelihood.logits import token_entropy, token_nll
from collapse_guard.probes.memory import Fitting

IGNORED = -100
"""Label of a pad."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """A document to score."""

    id: str
    tokens: Sequence[int]
    n_bytes: int
    prompt: Sequence[int] = ()
    """The prompt that the tokens continue; it is read and not scored."""


@dataclass(frozen=True)
class _Window:
    document: int
    start: int
    """Of what is scored, in the tokens of the document."""
    before: int
    prompt: Sequence[int]
    tokens: Sequence[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.tokens)


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
    """Device of the module's parameters; the CPU if it has none."""
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))


def score(module: nn.Module, documents: Sequence[Document], *, bos: int, max_length: int, batch_size: int) -> Losses:
    r"""Losses of the documents under the module: \(-\sum_t \ln p(x_t \mid \text{bos}, x_{<t})\) for each.

    The entropies of these distributions come from the same forward.

    A document longer than `max_length` is cut into consecutive windows, so every token is scored exactly once and sees
    tokens before it in its window: the first window begins with `bos`, a later one with the last token of the one
    before (as "rolling" perplexity in lm-evaluation-harness). Windows of like length share a batch, are padded on the
    right, and pads are not scored: neither batch size nor neighbours matter to a causal module.

    Where a batch does not fit into memory, all is scored again by half of it, down to one window: the losses are those
    of the smaller batch.

    Args:
        module: forward(ids), ids (B, T) int64, returns logits (B, T, V) of the next token, or an object with `.logits`.
        documents: Each with at least one token.
        bos: Id that begins every document.
        max_length: Most ids in a forward, and most tokens scored by it.
        batch_size: Most windows in a forward.

    Raises:
        InputError: The module does not return logits.
    """
    windows = _all_windows(documents, bos, max_length)
    return Fitting(batch_size).run(lambda size: _scored(module, documents, windows, size))


def _scored(module: nn.Module, documents: Sequence[Document], windows: Sequence[_Window], batch_size: int) -> Losses:
    token_losses = [np.empty(len(document.tokens)) for document in documents]
    entropies = np.zeros(len(documents))
    for start in range(0, len(windows), batch_size):
        batch = windows[start : start + batch_size]
        for window, (nll, entropy) in zip(batch, _nats(module, batch), strict=True):
            token_losses[window.document][window.start : window.start + len(nll)] = nll
            entropies[window.document] += entropy.sum()
    return Losses(
        documents=tuple(document.id for document in documents),
        nll=np.array([losses.sum() for losses in token_losses]),
        n_tokens=np.array([len(losses) for losses in token_losses], dtype=np.int64),
        n_bytes=np.array([document.n_bytes for document in documents], dtype=np.int64),
        token_nll=tuple(token_losses),
        entropy=entropies,
    )


def _all_windows(documents: Sequence[Document], bos: int, max_length: int) -> list[_Window]:
    windows = [
        window
        for number, document in enumerate(documents)
        for window in _windows(number, document, bos, max_length)
        if window.tokens
    ]
    windows.sort(key=lambda window: -len(window))  # the longest first: where memory is too small, it shows at once
    return windows


def _windows(number: int, document: Document, bos: int, max_length: int) -> Iterator[_Window]:
    """Consecutive windows of prompt and tokens, also those that hold nothing but prompt."""
    ids, prompt_length = [*document.prompt, *document.tokens], len(document.prompt)
    for start in range(0, len(ids), max_length):
        first, end = max(start, prompt_length), start + max_length
        before = ids[start - 1] if start else bos
        yield _Window(number, first - prompt_length, before, ids[start : min(prompt_length, end)], ids[first:end])


def _nats(module: nn.Module, batch: Sequence[_Window]) -> list[tuple[FloatArray, FloatArray]]:
    """Nats of each token of each window, and entropies of what the module expected there."""
    longest = max(map(len, batch))
    labels = np.full((len(batch), longest), IGNORED, dtype=np.int64)
    inputs = np.zeros_like(labels)
    for ids, targets, window in zip(inputs, labels, batch, strict=True):
        ids[: len(window)] = [window.before, *window.prompt, *window.tokens][:-1]
        targets[len(window.prompt) : len(window)] = window.tokens
    device = device_of(module)
    logits = logits_of(module(torch.from_numpy(inputs).to(device)))
    on_device = torch.from_numpy(labels).to(device)
    nll, entropy = (
        measured(logits, on_device, ignore_index=IGNORED).double().cpu().numpy()
        for measured in (token_nll, token_entropy)
    )
    slices = [slice(len(window.prompt), len(window)) for window in batch]
    return [(nll[row, place], entropy[row, place]) for row, place in enumerate(slices)]
