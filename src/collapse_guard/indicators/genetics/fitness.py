"""Relative fitness: how well a generation still fits real text, against its founder."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from collapse_guard.arrays import FloatArray
from collapse_guard.indicators.base import Indicator
from collapse_guard.indicators.counts import Values
from collapse_guard.indicators.likelihood.nats import rate
from collapse_guard.records.readings import Direction, Reading, Relatives, are_usable


def relative_fitness(nats: Values, n_tokens: Values, founder_nats: Values, founder_tokens: Values) -> float:
    r"""Relative fitness: the founder's perplexity over that of the generation, `exp(founder rate - rate)`.

    How well a generation still predicts real text: W / W_0 of inbreeding depression; rates are nats per token.
    Range: [0, inf). Collapse: down; 1 is as good as the founder, more is better. Undefined (NaN) without tokens, or
    where both losses are infinite. It does not depend on batches nor, but for noise, on the number of documents, as
    long as both models scored the same ones. O(d) for d documents.

    Args:
        nats: Sums of nats of wild-type documents under the generation.
        n_tokens: Scored tokens of each.
        founder_nats: Sums of nats of the same documents under the founder.
        founder_tokens: Tokens of each that the founder scored.

    Source: Charlesworth and Willis (2009), The genetics of inbreeding depression, Nat. Rev. Genet. 10:783, for W / W_0;
    Jelinek et al. (1977), J. Acoust. Soc. Am. 62:S63, for perplexity.

    Example:
        >>> round(relative_fitness([math.log(32)], [1], founder_nats=[math.log(16)], founder_tokens=[1]), 6)
        0.5
    """
    gain = rate(founder_nats, founder_tokens) - rate(nats, n_tokens)
    return math.exp(gain) if not gain > 709.0 else math.inf


class RelativeFitness(Indicator):
    """Relative fitness over documents; see `relative_fitness`.

    As input to `update`: `nats`, `n_tokens` and `founder_nats`, each (d,) for d documents that generation and founder
    have scored token for token alike. Sums are float64. Value: float64.

    Example:
        >>> metric = RelativeFitness()
        >>> metric.update(torch.tensor([30.0, 50.0]), torch.tensor([10, 10]), torch.tensor([30.0, 30.0]))
        >>> metric.compute()
        tensor(0.3679, dtype=torch.float64)
    """

    name, place = "relative_fitness", 40
    family = "genetics"
    unit = "share of the founder's fitness"
    direction = Direction.DOWN
    value_range = (0.0, math.inf)
    minimum_n = 30
    evidence = "lineage"
    undefined = "no token is scored, or both losses are infinite"
    cost = "O(d) for d documents"
    misses = "what a model writes: a model may score well and sample poorly"
    definitions = (1, 2, 3)
    _states = (
        ("fitness_nats", torch.float64),
        ("fitness_tokens", torch.int64),
        ("fitness_founder_nats", torch.float64),
    )

    @classmethod
    def read(cls, relatives: Relatives) -> Reading | None:
        """Value of the documents that generation and founder have scored; None where either has no perplexity."""
        if not are_usable("perplexity", relatives.here, relatives.founder):
            return None
        own, first = relatives.here["perplexity"], relatives.founder["perplexity"]
        shared = sorted(set(own.keys) & set(first.keys))
        value = relative_fitness(*_sums(own, shared), *_sums(first, shared))
        return cls.reading(value=value, n=len(shared), n_minimum=own.n_minimum, group=own.group)

    def update(self, nats: Tensor, n_tokens: Tensor, founder_nats: Tensor) -> None:
        """Add documents."""
        self._add_up(nats.sum(dtype=torch.float64), n_tokens.sum(), founder_nats.sum(dtype=torch.float64))

    def compute(self) -> Tensor:
        """Relative fitness of everything since the last reset."""
        nats, tokens, founder_nats = self._totals
        return self._scalar(relative_fitness(nats, tokens, founder_nats, tokens))


def _sums(reading: Reading, keys: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """Nats and tokens of the documents with these keys."""
    places = {key: i for i, key in enumerate(reading.keys)}
    chosen = [places[key] for key in keys]
    weights = np.array(reading.weights)[chosen]
    return np.array(reading.replicates)[chosen] * weights, weights
