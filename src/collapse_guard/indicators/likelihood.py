"""Likelihood: how surprised a model is by real text. A mean is always a sum of nats / a sum of units."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import ArrayLike
from torch import Tensor

from collapse_guard.errors import InputError
from collapse_guard.indicators.base import EvidenceKind, Indicator
from collapse_guard.records import Direction

_CHUNK = 2**22
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
    if logits.ndim < 2 or logits.shape[:-1] != labels.shape:
        raise InputError(
            f"`logits` must have the shape of `labels` and an axis of the vocabulary, but got {tuple(logits.shape)} "
            f"and labels of {tuple(labels.shape)}: shift and cut the labels first"
        )
    return torch.cat(list(_chunk_nll(logits, labels.long(), ignore_index))).reshape(labels.shape)


def _chunk_nll(logits: Tensor, labels: Tensor, ignore_index: int) -> Iterator[Tensor]:
    size = max(1, _CHUNK * len(logits) // max(1, logits.numel()))
    for z, y in zip(torch.split(logits, size), torch.split(labels, size), strict=True):
        if z.numel() > _CHUNK and z.ndim > 2:
            yield from _chunk_nll(z[0], y[0], ignore_index)
        else:
            rows = z.reshape(-1, z.shape[-1])
            rows = rows if rows.dtype == torch.float64 else rows.float()
            yield F.cross_entropy(rows, y.reshape(-1), ignore_index=ignore_index, reduction="none")


def perplexity(nats: ArrayLike | Tensor, n_tokens: ArrayLike | Tensor) -> float:
    r"""Perplexity: the number of equally likely tokens that would be as surprising, `exp(sum nats / sum tokens)`.

    Unit: choices per token. Range: [1, inf). Collapse: up, though a series need not be monotone. Undefined (NaN)
    without tokens; infinite above 709 nats per token. O(d) for d documents. Depends on the tokenizer, not on batches
    or their order.

    Args:
        nats: Sums of nats, of documents or of anything else.
        n_tokens: Scored tokens of each.

    Source: Jelinek et al. (1977), J. Acoust. Soc. Am. 62:S63.

    Example:
        >>> round(perplexity([math.log(8), math.log(2)], [1, 3]), 6)
        2.0
    """
    rate = _rate(nats, n_tokens)
    return math.exp(rate) if not rate > 709.0 else math.inf


def bits_per_byte(nats: ArrayLike | Tensor, n_bytes: ArrayLike | Tensor) -> float:
    r"""Bits needed for a byte of UTF-8 text: `sum nats / (ln 2 * sum bytes)`; comparable across tokenizers.

    Range: [0, inf). Collapse: up. Undefined (NaN) without bytes. O(d).

    Args:
        nats: Sums of nats of documents.
        n_bytes: UTF-8 bytes of the scored text of each.

    Source: Gao et al. (2020), The Pile, section 3.1.

    Example:
        >>> bits_per_byte([16 * math.log(2)], [8])
        2.0
    """
    return _rate(nats, n_bytes) / math.log(2)


def tail_loss(nats: ArrayLike | Tensor, n_tokens: ArrayLike | Tensor, in_tail: ArrayLike | Tensor) -> float:
    r"""Nats per token over the documents that the founder found hardest: `sum nats / sum tokens` over the frozen tail.

    Unit: nats per token. Range: [0, inf). Collapse: up, and before perplexity does: the tail is forgotten first.
    Undefined (NaN) without documents in the tail. O(d).

    The documents were chosen for their loss at the founder, so the founder's own value is biased up (regression to the
    mean) and a healthy generation reads slightly better than its founder: the bias hides harm, it never invents any.

    Args:
        nats: d: sums of nats of documents.
        n_tokens: d: scored tokens.
        in_tail: d: whether the document belongs to the founder's frozen tail (`stratum.freeze_tail`).

    Source: Shumailov et al. (2024), Nature 631:755 (early collapse is the loss of tails).

    Example:
        >>> tail_loss([2.0, 9.0, 6.0], [2, 3, 2], [False, True, True])
        3.0
    """
    chosen = _tensor(in_tail).bool()
    return _rate(_tensor(nats)[chosen], _tensor(n_tokens)[chosen])


def tail_token_loss(token_nats: ArrayLike | Tensor, in_tail: ArrayLike | Tensor) -> float:
    r"""Mean nats over the tokens that the founder found hardest, wherever they stand.

    Unit: nats per token. Range: [0, inf). Collapse: up. Undefined (NaN) without tokens in the tail. O(t). The
    selection biases the founder's value up as in `tail_loss`, and more so: single tokens vary more than documents.

    Args:
        token_nats: t: nats of scored tokens.
        in_tail: t: whether the token belongs to the founder's frozen tail.

    Source: Shumailov et al. (2024), Nature 631:755.

    Example:
        >>> tail_token_loss([0.5, 8.0, 6.0], [False, True, True])
        7.0
    """
    chosen = _tensor(token_nats)[_tensor(in_tail).bool()]
    return _rate(chosen, torch.ones_like(chosen))


class _OfLosses(Indicator):
    family = "likelihood"
    direction = Direction.UP
    value_range = (0.0, math.inf)
    evidence: ClassVar[EvidenceKind] = "losses"


class Perplexity(_OfLosses):
    """Perplexity over batches of logits; see `perplexity`.

    As input to `update`: `logits` (B, T, V) of any float type, and `labels` (B, T), already shifted. Nats add up in
    float64 and tokens in int64, so the value does not depend on the batch size and counters do not saturate. Value:
    float64.

    Args:
        ignore_index: Label of positions that are not scored: pads.

    Example:
        >>> metric = Perplexity()
        >>> metric.update(torch.zeros(2, 3, 50), torch.tensor([[4, 5, 6], [7, -100, -100]]))
        >>> metric.compute()
        tensor(50.0000, dtype=torch.float64)
    """

    name = "perplexity"
    unit = "choices per token"
    value_range = (1.0, math.inf)
    minimum_n = 30
    scale = "difference"
    undefined = "no token is scored"

    def __init__(self, ignore_index: int = -100, **kwargs: Any) -> None:
        """Begin without tokens."""
        super().__init__(**kwargs)
        self.ignore_index = ignore_index
        # The setting is part of the names: see Indicator.
        self._nats, self._tokens = f"nats_ignoring_{ignore_index}", f"n_tokens_ignoring_{ignore_index}"
        self._add_sum(self._nats)
        self._add_sum(self._tokens, dtype=torch.int64)

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Add a batch."""
        nll = token_nll(logits.detach(), labels, self.ignore_index)
        setattr(self, self._nats, getattr(self, self._nats) + nll.sum(dtype=torch.float64))
        setattr(self, self._tokens, getattr(self, self._tokens) + (labels != self.ignore_index).sum())

    def compute(self) -> Tensor:
        """Perplexity of everything since the last reset; NaN where every label was ignored."""
        return self._scalar(perplexity(getattr(self, self._nats), getattr(self, self._tokens)))


class BitsPerByte(_OfLosses):
    """Bits per byte over documents; see `bits_per_byte`.

    As input to `update`: `nats` (d,) and `n_bytes` (d,) of d documents. Value: float64.

    Example:
        >>> metric = BitsPerByte()
        >>> metric.update(torch.tensor([10.0, 30.0]), torch.tensor([20, 20]))
        >>> metric.compute()
        tensor(1.4427, dtype=torch.float64)
    """

    name = "bits_per_byte"
    unit = "bits per byte"
    minimum_n = 30
    undefined = "the scored text has no bytes"

    nats_of_bytes: Tensor
    n_bytes: Tensor

    def __init__(self, **kwargs: Any) -> None:
        """Begin without documents."""
        super().__init__(**kwargs)
        self._add_sum("nats_of_bytes")
        self._add_sum("n_bytes", dtype=torch.int64)

    def update(self, nats: Tensor, n_bytes: Tensor) -> None:
        """Add documents."""
        self.nats_of_bytes = self.nats_of_bytes + nats.sum(dtype=torch.float64)
        self.n_bytes = self.n_bytes + n_bytes.sum()

    def compute(self) -> Tensor:
        """Bits per byte of everything since the last reset."""
        return self._scalar(bits_per_byte(self.nats_of_bytes, self.n_bytes))


class TailLoss(_OfLosses):
    """Loss over the founder's hardest documents; see `tail_loss`.

    As input to `update`: `nats` (d,), `n_tokens` (d,) and `in_tail` (d,) of d documents. Value: float64.

    Example:
        >>> metric = TailLoss()
        >>> metric.update(torch.tensor([2.0, 9.0]), torch.tensor([2, 3]), torch.tensor([False, True]))
        >>> metric.compute()
        tensor(3., dtype=torch.float64)
    """

    name = "tail_loss"
    unit = "nats per token"
    minimum_n = 10
    scale = "difference"
    undefined = "no document of the tail is scored"

    tail_nats: Tensor
    tail_tokens: Tensor

    def __init__(self, **kwargs: Any) -> None:
        """Begin without documents."""
        super().__init__(**kwargs)
        self._add_sum("tail_nats")
        self._add_sum("tail_tokens", dtype=torch.int64)

    def update(self, nats: Tensor, n_tokens: Tensor, in_tail: Tensor) -> None:
        """Add documents."""
        self.tail_nats = self.tail_nats + nats[in_tail].sum(dtype=torch.float64)
        self.tail_tokens = self.tail_tokens + n_tokens[in_tail].sum()

    def compute(self) -> Tensor:
        """Nats per token over the tail documents since the last reset."""
        return self._scalar(tail_loss(self.tail_nats, self.tail_tokens, in_tail=True))


class TailTokenLoss(_OfLosses):
    """Loss over the founder's hardest tokens; see `tail_token_loss`.

    As input to `update`: `token_nats` and `in_tail`, of any one shape. Value: float64.

    Example:
        >>> metric = TailTokenLoss()
        >>> metric.update(torch.tensor([[0.5, 8.0], [6.0, 1.0]]), torch.tensor([[False, True], [True, False]]))
        >>> metric.compute()
        tensor(7., dtype=torch.float64)
    """

    name = "tail_token_loss"
    unit = "nats per token"
    minimum_n = 10
    scale = "difference"
    undefined = "no token of the tail is scored"

    hard_nats: Tensor
    n_hard: Tensor

    def __init__(self, **kwargs: Any) -> None:
        """Begin without documents."""
        super().__init__(**kwargs)
        self._add_sum("hard_nats")
        self._add_sum("n_hard", dtype=torch.int64)

    def update(self, token_nats: Tensor, in_tail: Tensor) -> None:
        """Add tokens."""
        self.hard_nats = self.hard_nats + token_nats[in_tail].sum(dtype=torch.float64)
        self.n_hard = self.n_hard + in_tail.sum()

    def compute(self) -> Tensor:
        """Mean nats over the tail tokens since the last reset."""
        return self._scalar(_rate(self.hard_nats, self.n_hard))


def _rate(nats: ArrayLike | Tensor, units: ArrayLike | Tensor) -> float:
    total = float(_tensor(units).sum())
    return float(_tensor(nats).sum()) / total if total else math.nan


def _tensor(values: ArrayLike | Tensor) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64)
