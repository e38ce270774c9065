"""Readings of the likelihood family: one replicate per wild-type document, paired across generations by its id."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from collapse_guard.evidence import FloatArray, IntArray, Losses
from collapse_guard.indicators.base import Indicator
from collapse_guard.indicators.likelihood import (
    BitsPerByte,
    Perplexity,
    TailLoss,
    TailTokenLoss,
    bits_per_byte,
    perplexity,
    tail_loss,
    tail_token_loss,
)
from collapse_guard.indicators.stratum import in_tail
from collapse_guard.records import Reading, TailStratum


class _Rates(NamedTuple):
    """Sums over documents, and the units that they are shared among."""

    documents: tuple[str, ...]
    sums: FloatArray
    units: IntArray


def loss_readings(losses: Losses, stratum: TailStratum | None) -> list[Reading]:
    """Readings that the losses allow: bits per byte need bytes, the tail a frozen stratum, its tokens token losses."""
    readings = [_perplexity(losses)]
    if losses.n_bytes is not None:
        readings.append(_bits_per_byte(losses, losses.n_bytes))
    if stratum is not None:
        readings.append(_tail_loss(losses, stratum))
    if stratum is not None and stratum.tokens and losses.token_nll is not None:
        readings.append(_tail_token_loss(losses.documents, losses.token_nll, stratum))
    return readings


def _perplexity(losses: Losses) -> Reading:
    value = perplexity(losses.nll, losses.n_tokens)
    return _reading(Perplexity, value, _Rates(losses.documents, losses.nll, losses.n_tokens))


def _bits_per_byte(losses: Losses, n_bytes: IntArray) -> Reading:
    units = np.asarray(n_bytes, dtype=np.int64)
    value = bits_per_byte(losses.nll, units)
    empty = np.flatnonzero(units < 1)
    problem = f"document {losses.documents[empty[0]]!r} has no bytes" if len(empty) else ""
    return _reading(BitsPerByte, value, _Rates(losses.documents, losses.nll / math.log(2), units), problem=problem)


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


def _reading(
    metric: type[Indicator],
    value: float,
    rates: _Rates,
    *,
    problem: str = "",
    n: int | None = None,
    n_minimum: int | None = None,
) -> Reading:
    n = len(rates.documents) if n is None else n
    n_minimum = metric.minimum_n if n_minimum is None else n_minimum
    not_finite = _not_finite(rates)
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


def _not_finite(rates: _Rates) -> str:
    bad = np.flatnonzero(~np.isfinite(rates.sums))
    if not len(bad):
        return ""
    return f"{len(bad)} of {len(rates.documents)} losses are not finite (first: document {rates.documents[bad[0]]!r})"


def _missing(present: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    missing = sorted(set(wanted) - set(present))
    if not missing:
        return ""
    return (
        f"{len(missing)} of the {len(wanted)} documents of the founder's tail were not scored (first: {missing[0]!r}): "
        "score the same documents in every generation"
    )
