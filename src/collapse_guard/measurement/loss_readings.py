"""Readings of the likelihood family.

Of losses on wild-type documents: one replicate per document, paired across generations by its id. Of losses on samples:
one replicate per group of samples, not paired, because no two generations write the same.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.evidence import Losses
from collapse_guard.indicators.base import MINIMUM_GROUPS, Indicator
from collapse_guard.indicators.groups import content_order
from collapse_guard.indicators.likelihood.documents import BitsPerByte, CvarLoss, TailLoss, TailTokenLoss
from collapse_guard.indicators.likelihood.nats import (
    bits_per_byte,
    cvar_loss,
    cvar_parts,
    entropy,
    founder_perplexity,
    own_perplexity,
    perplexity,
    tail_loss,
    tail_token_loss,
)
from collapse_guard.indicators.likelihood.tokens import Entropy, FounderPerplexity, OwnPerplexity, Perplexity
from collapse_guard.measurement.stratum import in_tail
from collapse_guard.records import Reading, TailStratum


class _Rates(NamedTuple):
    """Sums over documents, and the units that they are shared among."""

    documents: tuple[str, ...]
    sums: FloatArray
    units: IntArray | FloatArray


def loss_readings(losses: Losses, stratum: TailStratum | None) -> list[Reading]:
    """Readings that losses on wild-type documents allow.

    Bits per byte need bytes, the tail a frozen stratum, its tokens token losses, and entropy that it was measured.
    """
    readings = [_perplexity(losses)]
    if losses.n_bytes is not None:
        readings.append(_bits_per_byte(losses, losses.n_bytes))
    if stratum is not None:
        readings.append(_tail_loss(losses, stratum))
    if stratum is not None and stratum.tokens and losses.token_nll is not None:
        readings.append(_tail_token_loss(losses.documents, losses.token_nll, stratum))
    readings.append(_cvar_loss(losses))
    if losses.entropy is not None:
        readings.append(_entropy(losses, losses.entropy))
    return readings


def output_readings(own: Losses | None, founder: Losses | None, size: int) -> list[Reading]:
    """own_perplexity and founder_perplexity of samples, with the nats per token of groups of samples as replicates.

    Samples are put into groups by a hash of their numbers, so neither what they say nor the order in which they were
    scored matters, and a drift along the run is spread over all groups. The last group is left out unless it is full;
    the value is that of all samples.

    Args:
        own: Losses of the generation on its own samples (`Evidence.own_losses`); None: no own_perplexity.
        founder: Losses of the founder on the same samples (`Evidence.founder_losses`); None: no founder_perplexity.
        size: Samples in a group (`WildType.group_samples`).
    """
    readings = []
    if own is not None:
        readings.append(_of_samples(OwnPerplexity, own_perplexity(own.nll, own.n_tokens), own, size))
    if founder is not None:
        readings.append(
            _of_samples(FounderPerplexity, founder_perplexity(founder.nll, founder.n_tokens), founder, size)
        )
    return readings


def _perplexity(losses: Losses) -> Reading:
    value = perplexity(losses.nll, losses.n_tokens)
    return _reading(Perplexity, value, _Rates(losses.documents, losses.nll, losses.n_tokens))


def _bits_per_byte(losses: Losses, n_bytes: IntArray) -> Reading:
    value = bits_per_byte(losses.nll, n_bytes)
    empty = np.flatnonzero(n_bytes < 1)
    problem = f"document {losses.documents[empty[0]]!r} has no bytes" if len(empty) else ""
    return _reading(BitsPerByte, value, _Rates(losses.documents, losses.nll / math.log(2), n_bytes), problem=problem)


def _tail_loss(losses: Losses, stratum: TailStratum) -> Reading:
    chosen = in_tail(losses, stratum)
    rates = _Rates(tuple(np.array(losses.documents)[chosen].tolist()), losses.nll[chosen], losses.n_tokens[chosen])
    n_minimum = math.ceil(TailLoss.minimum_n / stratum.share - 1e-9)
    problem = _missing(rates.documents, stratum.documents)
    if not problem and len(rates.documents) < TailLoss.minimum_n:
        problem = (
            f"the founder's tail has {len(rates.documents)} documents, {TailLoss.minimum_n} are needed: "
            f"score at least {n_minimum} wild-type documents"
        )
    value = tail_loss(losses.nll, losses.n_tokens, chosen)
    return _reading(TailLoss, value, rates, problem=problem, n=len(losses), n_minimum=n_minimum)


def _tail_token_loss(documents: tuple[str, ...], token_nll: tuple[FloatArray, ...], stratum: TailStratum) -> Reading:
    known = dict(zip(documents, token_nll, strict=True))
    held = tuple(document for document in sorted(stratum.tokens) if document in known)
    short = [document for document in held if max(stratum.tokens[document]) >= len(known[document])]
    problem = _missing(held, tuple(stratum.tokens))
    if short:
        problem = (
            f"{len(short)} documents have fewer tokens than at the founder (first: {short[0]!r}): another tokenizer?"
        )
        held = ()
    nats = [np.asarray(known[document], dtype=np.float64)[list(stratum.tokens[document])] for document in held]
    pooled = np.concatenate(nats) if nats else np.zeros(0)
    sums = np.array([part.sum() for part in nats])
    rates = _Rates(held, sums, np.array([len(part) for part in nats], dtype=np.int64))
    return _reading(TailTokenLoss, tail_token_loss(pooled, np.ones(len(pooled), bool)), rates, problem=problem)


def _cvar_loss(losses: Losses) -> Reading:
    value = cvar_loss(losses.nll, losses.n_tokens)
    # Documents weigh the same; the weight still changes with the tokenizer, so that generations of two are kept apart.
    weight = losses.n_tokens.mean() if len(losses) else 1.0
    parts = cvar_parts(losses.nll, losses.n_tokens)
    rates = _Rates(losses.documents, weight * parts, np.full(len(losses), weight))
    return _reading(CvarLoss, value, rates, problem=_not_finite(losses.documents, losses.nll))


def _entropy(losses: Losses, nats: FloatArray) -> Reading:
    rates = _Rates(losses.documents, nats, losses.n_tokens)
    return _reading(Entropy, entropy(nats, losses.n_tokens), rates, what="entropies")


def _of_samples(metric: type[Indicator], value: float, losses: Losses, size: int) -> Reading:
    n, n_minimum = len(losses), MINIMUM_GROUPS * size
    order = content_order([document.encode() for document in losses.documents])
    groups = order[: n // size * size].reshape(-1, size)
    replicates = losses.nll[groups].sum(axis=1) / losses.n_tokens[groups].sum(axis=1)
    not_finite = _not_finite(losses.documents, losses.nll, of="sample")
    return metric.reading(
        value=math.nan if not_finite else value,
        n=n,
        n_minimum=n_minimum,
        replicates=tuple(replicates.tolist()),
        group=f"{size} samples",
        problem=not_finite or (f"{n} samples were scored, {n_minimum} are needed" if n < n_minimum else ""),
    )


def _reading(
    metric: type[Indicator],
    value: float,
    rates: _Rates,
    *,
    problem: str = "",
    what: str = "losses",
    n: int | None = None,
    n_minimum: int | None = None,
) -> Reading:
    n = len(rates.documents) if n is None else n
    n_minimum = metric.minimum_n if n_minimum is None else n_minimum
    not_finite = _not_finite(rates.documents, rates.sums, what)
    with np.errstate(divide="ignore", invalid="ignore"):
        replicates = tuple((rates.sums / rates.units).tolist())
    return metric.reading(
        value=math.nan if not_finite else value,
        n=n,
        n_minimum=n_minimum,
        replicates=replicates,
        weights=tuple(rates.units.astype(np.float64).tolist()),
        keys=rates.documents,
        group="document",
        problem=problem
        or not_finite
        or (f"{n} documents were scored, {n_minimum} are needed" if n < n_minimum else ""),
    )


def _not_finite(documents: tuple[str, ...], sums: FloatArray, what: str = "losses", *, of: str = "document") -> str:
    bad = np.flatnonzero(~np.isfinite(sums))
    if not len(bad):
        return ""
    return f"{len(bad)} of {len(documents)} {what} are not finite (first: {of} {documents[bad[0]]!r})"


def _missing(present: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    missing = sorted(set(wanted) - set(present))
    if not missing:
        return ""
    return (
        f"{len(missing)} of the {len(wanted)} documents of the founder's tail were not scored (first: {missing[0]!r}): "
        "score the same documents in every generation"
    )
