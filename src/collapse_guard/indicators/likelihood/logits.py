"""What logits say of each token, in nats: how surprising it is, and how uncertain the model was about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from collapse_guard.errors import InputError

LOGITS_AT_ONCE = 2**20
"""Logits that are normalised at once: bounds the memory beside the logits themselves, and keeps it in cache."""


def token_nll(logits: Tensor, labels: Tensor, ignore_index: int = -100) -> Tensor:
    r"""Nats of each label under its logits: `logsumexp(z) - z[label]`, in float32 or better.

    Logits are normalised a chunk at a time, so neither half-precision nor shifted (not contiguous) ones are ever copied
    whole, and the memory beside them is bounded.

    Args:
        logits: (..., V) of any float type.
        labels: (...) token ids, already shifted: `labels[t]` is what `logits[t]` predicts.
        ignore_index: Label of positions that are not scored.

    Returns:
        (...) nats >= 0, in float64 for float64 logits and in float32 otherwise; 0 where the label is `ignore_index`.

    Raises:
        InputError: The shapes do not fit.

    Example:
        >>> token_nll(torch.tensor([[0.0, 0.0], [200.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 1, -100]))
        tensor([  0.6931, 200.0000,   0.0000])
    """

    def nats(rows: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(rows, targets, ignore_index=ignore_index, reduction="none")

    return _of_chunks(nats, logits, labels)


def token_entropy(logits: Tensor, labels: Tensor, ignore_index: int = -100) -> Tensor:
    r"""Entropy of each next-token distribution in nats: \(-\sum_v p_v \ln p_v\) with p the softmax of the logits.

    As chunked as `token_nll`. What is impossible (a logit of -inf, or one so low that its probability is 0) adds
    nothing.

    Args:
        logits: (..., V) of any float type.
        labels: (...) token ids, already shifted; only those that are `ignore_index` matter.
        ignore_index: Label of positions that are not scored.

    Returns:
        (...) nats from 0 to ln V, in float64 for float64 logits and in float32 otherwise; 0 where the label is
        `ignore_index`.

    Raises:
        InputError: The shapes do not fit.

    Example:
        >>> token_entropy(torch.tensor([[0.0, 0.0], [200.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 1, -100]))
        tensor([0.6931, 0.0000, 0.0000])
    """

    def nats(rows: Tensor, targets: Tensor) -> Tensor:
        log_p = rows.log_softmax(-1)
        p = log_p.exp()
        # 0 ln 0 is 0, and in floating point 0 times -inf is not.
        products = log_p.clamp_(min=torch.finfo(log_p.dtype).min).mul_(p)
        return products.sum(-1).abs_().masked_fill_(targets == ignore_index, 0.0)

    return _of_chunks(nats, logits, labels)


def _of_chunks(nats: Callable[[Tensor, Tensor], Tensor], logits: Tensor, labels: Tensor) -> Tensor:
    if logits.ndim < 2 or logits.shape[:-1] != labels.shape:
        raise InputError(
            f"`logits` must have the shape of `labels` and an axis of the vocabulary, but got {tuple(logits.shape)} "
            f"and labels of {tuple(labels.shape)}: shift and cut the labels first"
        )
    dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
    # Written in place: many small results between large chunks would fragment the memory.
    values, done = torch.empty(labels.numel(), dtype=dtype, device=logits.device), 0
    for rows, targets in _chunks(logits, labels.long()):
        values[done : done + len(targets)] = nats(rows, targets)
        done += len(targets)
    return values.reshape(labels.shape)


def _chunks(logits: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows of logits in float32 or better with their labels, few enough to be normalised at once."""
    size = max(1, LOGITS_AT_ONCE * len(logits) // max(1, logits.numel()))
    for z, y in zip(torch.split(logits, size), torch.split(labels, size), strict=True):
        if z.numel() > LOGITS_AT_ONCE and z.ndim > 2:
            yield from _chunks(z[0], y[0])
        else:
            rows = z.reshape(-1, z.shape[-1])
            yield (rows if rows.dtype == torch.float64 else rows.float()), y.reshape(-1)
