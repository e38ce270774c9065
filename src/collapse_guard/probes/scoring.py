"""Losses of a causal language model on documents: every token once, in nats, with the entropy at its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from collapse_guard.arrays import FloatArray
from collapse_guard.errors import InputError
from collapse_guard.evidence import Losses
from collapse_guard.indicators.likelihood.logits import token_entropy, token_nll
from collapse_guard.probes.forward import FORWARD, Forward, device_of
from collapse_guard.probes.memory import fitting_of

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


def score(
    module: nn.Module,
    documents: Sequence[Document],
    *,
    bos: int,
    max_length: int,
    batch_size: int,
    forward: Forward = FORWARD,
) -> Losses:
    r"""Losses of the documents under the module: \(-\sum_t \ln p(x_t \mid \text{bos}, x_{<t})\) for each.

    The entropies of these distributions come from the same forward.

    A document longer than `max_length` is cut into consecutive windows, so every token is scored exactly once and sees
    tokens before it in its window: the first window begins with `bos`, a later one with the last token of the one
    before (as "rolling" perplexity in lm-evaluation-harness). Windows of like length share a batch, are padded on the
    right, and pads are not scored: neither batch size nor neighbours matter to a causal module.

    Where a batch does not fit into memory, all is scored again by half of it, down to one window: the losses are those
    of the smaller batch. Not so a sharded module, whose ranks must forward together.

    Args:
        module: Causal language model.
        documents: Each with at least one token.
        bos: Id that begins every document.
        max_length: Most ids in a forward, and most tokens scored by it.
        batch_size: Most windows in a forward.
        forward: How the module is asked for logits.

    Raises:
        InputError: The module does not return logits, or of fewer ids than the documents have.
    """
    windows = _all_windows(documents, bos, max_length)
    return fitting_of(module, batch_size).run(lambda size: _scored(module, forward, documents, windows, size))


def _scored(
    module: nn.Module, forward: Forward, documents: Sequence[Document], windows: Sequence[_Window], batch_size: int
) -> Losses:
    token_losses = [np.empty(len(document.tokens)) for document in documents]
    entropies = np.zeros(len(documents))
    for start in range(0, len(windows), batch_size):
        batch = windows[start : start + batch_size]
        for window, (nll, entropy) in zip(batch, _nats(module, forward, batch), strict=True):
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


def check_labels(largest: int, vocabulary: int) -> None:
    """Refuse ids for which a module has no logits; on CUDA they would end the process.

    Raises:
        InputError: The largest id is not below the size of the vocabulary.
    """
    if largest >= vocabulary:
        raise InputError(
            f"the tokenizer gives the id {largest}, but the module's logits are of {vocabulary} ids, from 0 on: give "
            "the tokenizer that the module is trained with"
        )


def _nats(module: nn.Module, forward: Forward, batch: Sequence[_Window]) -> list[tuple[FloatArray, FloatArray]]:
    """Nats of each token of each window, and entropies of what the module expected there."""
    longest = max(map(len, batch))
    labels = np.full((len(batch), longest), IGNORED, dtype=np.int64)
    inputs = np.zeros_like(labels)
    for ids, targets, window in zip(inputs, labels, batch, strict=True):
        ids[: len(window)] = [window.before, *window.prompt, *window.tokens][:-1]
        targets[len(window.prompt) : len(window)] = window.tokens
    device = device_of(module)
    logits = forward(module, torch.from_numpy(inputs).to(device))
    check_labels(int(labels.max()), logits.shape[-1])
    on_device = torch.from_numpy(labels).to(device)
    nll, entropy = (
        measured(logits, on_device, ignore_index=IGNORED).double().cpu().numpy()
        for measured in (token_nll, token_entropy)
    )
    slices = [slice(len(window.prompt), len(window)) for window in batch]
    return [(nll[row, place], entropy[row, place]) for row, place in enumerate(slices)]
