"""The founder's tail: its hardest documents and tokens, frozen, and their places in later generations."""

from __future__ import annotations

import math

import numpy as np

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.evidence import Losses
from collapse_guard.indicators.likelihood.nats import check_share
from collapse_guard.records import TailStratum

TAIL_SHARE = 0.1
"""Share of the documents, and of the tokens, that are the tail."""


def freeze_tail(losses: Losses, *, share: float = TAIL_SHARE) -> TailStratum:
    """Freeze the documents and tokens that the founder finds hardest; later generations are scored on the same ones.

    Ties go to the document that comes first by id, then to the earlier token, so the order of documents does not
    matter. Documents whose loss is not finite have no rank and are left out. O(t log t) for t tokens.

    Args:
        losses: The founder's losses.
        share: Share of documents and, where `token_nll` is known, of all tokens that are the tail; rounded up.

    Raises:
        InputError: `share` is not in (0, 1].

    Example:
        >>> founder = Losses(documents=("a", "b", "c"), nll=[1.0, 9.0, 4.0], n_tokens=[1, 3, 2])
        >>> freeze_tail(founder, share=0.3).documents
        ('b',)
    """
    check_share("share", share)
    ranked = sorted((i for i in range(len(losses)) if math.isfinite(losses.nll[i])), key=lambda i: losses.documents[i])
    rates = losses.nll[ranked] / losses.n_tokens[ranked]
    documents = tuple(losses.documents[ranked[i]] for i in _largest(rates, share))
    return TailStratum(share=share, documents=documents, tokens=_hardest_tokens(losses, ranked, share))


def _largest(values: FloatArray, share: float) -> IntArray:
    """Indices of the share of values that are largest, the largest first; ties in order."""
    count = math.ceil(share * len(values) - 1e-9)
    return np.argsort(-values, kind="stable")[:count]


def _hardest_tokens(losses: Losses, ranked: list[int], share: float) -> dict[str, tuple[int, ...]]:
    if losses.token_nll is None or not ranked:
        return {}
    parts = [losses.token_nll[i] for i in ranked]
    nats = np.concatenate(parts)
    hardest = _largest(np.where(np.isfinite(nats), nats, -np.inf), share)
    owners = np.repeat(np.arange(len(ranked)), [len(part) for part in parts])[hardest]
    starts = np.cumsum([0, *(len(part) for part in parts)])
    positions = hardest - starts[owners]
    return {
        losses.documents[ranked[owner]]: tuple(sorted(positions[owners == owner].tolist()))
        for owner in np.unique(owners)
    }
