"""Real equivalent: how many real documents teach as much as the samples do, read off a frozen learning curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from scipy.special import stdtrit
from torch import Tensor

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.evidence import Losses
from collapse_guard.indicators.base import MINIMUM_GROUPS, Indicator
from collapse_guard.indicators.counts import Values, as_array
from collapse_guard.indicators.likelihood.nats import rate
from collapse_guard.indicators.rates import weighted_error
from collapse_guard.records import Direction, Interval

LEVEL = 0.95
"""Confidence of the interval."""
_LEAST_LEFT = 0.1
"""Share of the documents that must be left after a draw, so that draws differ enough to tell their spread."""
_NEAR = 2


def real_equivalent(loss: float, sizes: Values, losses: Values) -> float:
    r"""How many real documents teach a small model as much as the samples do: the learning curve, read backwards.

    The curve is the loss on real documents of the same small model after n documents of the pool; between its sizes it
    is a straight line over log n, and it is made to fall throughout. "10,000 samples teach as much about real text as
    2,100 real documents": an effective size in the strict sense, comparable over models and decodings. More samples
    teach more, so it is of the samples that there are.

    Unit: real documents, or real rows. Range: [0, inf), and at most the curve's largest size: then it is "at least".
    Collapse: down. Undefined (NaN) where the loss is. O(log k) for k sizes, after the fit of the small model.

    Args:
        loss: Loss of real documents, after the small model has learnt from the samples.
        sizes: k: numbers of real documents, rising.
        losses: k: the loss after so many.

    Source: Ours; after the effective number of a sample (Kish 1965, Survey Sampling), and the classification accuracy
        score of Ravuri and Vinyals (2019), NeurIPS, which trains on samples and tests on real images.

    Example:
        >>> round(real_equivalent(4.5, [100, 1000, 10000], [6.0, 5.0, 4.0]))
        3162
    """
    falling = np.minimum.accumulate(as_array(losses).astype(np.float64))
    return math.exp(float(np.interp(loss, falling[::-1], np.log(as_array(sizes))[::-1]))) + 0.0 * loss


@dataclass(frozen=True, kw_only=True, eq=False)
class LearningCurve:
    """What a small model knows of each evaluation document once it has learnt from so many real ones, frozen."""

    sizes: IntArray
    """k: numbers of real documents, rising."""
    rates: FloatArray
    """k d: loss of each evaluation document, such as nats per token; the mean over draws of that many documents."""
    weights: FloatArray
    """d: weight of each, such as its tokens."""
    draws: int
    """Draws of real documents at each size."""
    noise: FloatArray
    """k: variance of the mean loss after one draw of so many fresh documents."""

    @classmethod
    def of(cls, sizes: IntArray, rates: FloatArray, weights: FloatArray, *, available: int) -> Self:
        """The curve that draws without replacement give.

        The variance of n documents is about c / n with a c that changes little from size to size, so each size takes
        the mean of its own and its two neighbours' on both sides: a few draws alone would not tell.

        Args:
            sizes: k: numbers of documents drawn, rising.
            rates: k r d: loss of each evaluation document after each of r draws.
            weights: d: weight of each.
            available: Documents that were drawn from: draws of a share f of them have 1 - f of the variance of fresh
                ones.
        """
        left = 1.0 - sizes / available
        told = left > _LEAST_LEFT
        spread = (rates @ weights / weights.sum()).var(axis=1, ddof=1)[told] * sizes[told] / left[told]
        near = [spread[max(0, i - _NEAR) : i + _NEAR + 1] for i in np.minimum(np.arange(len(sizes)), len(spread) - 1)]
        noise = np.array([float(part.mean()) if len(part) else math.inf for part in near]) / sizes
        return cls(sizes=sizes, rates=rates.mean(axis=1), weights=weights, draws=rates.shape[1], noise=noise)

    @property
    def losses(self) -> FloatArray:
        """k: weighted mean loss after so many documents."""
        losses: FloatArray = self.rates @ self.weights / self.weights.sum()
        return losses

    def at(self, n: float) -> tuple[FloatArray, float]:
        """Rates (d) and noise after n documents, by straight lines over log n; the nearest size's beyond the ends."""
        place = float(np.interp(math.log(n), np.log(self.sizes), np.arange(len(self.sizes))))
        low, high = math.floor(place), math.ceil(place)
        share = place - low
        rates: FloatArray = (1.0 - share) * self.rates[low] + share * self.rates[high]
        return rates, float((1.0 - share) * self.noise[low] + share * self.noise[high])


class Learnt(NamedTuple):
    """What `RealEquivalent` is read from."""

    losses: Losses
    """Losses of the evaluation documents under the small model that was fitted on all samples."""
    curve: LearningCurve
    """Its learning curve on real documents, with the same evaluation documents in the same order."""


class RealEquivalent(Indicator):
    """How many real documents the samples are worth; see `real_equivalent`.

    As input to `update`: `nats` (d,) and `n_tokens` (d,) of d documents under the small model that was fitted on the
    samples. Value: float64.

    Args:
        sizes: Numbers of real documents on the learning curve, rising.
        losses: Its loss after so many.

    Example:
        >>> metric = RealEquivalent([100, 1000], [6.0, 4.0])
        >>> metric.update(torch.tensor([10.0, 40.0]), torch.tensor([2, 8]))
        >>> metric.compute()
        tensor(316.2278, dtype=torch.float64)
    """

    name, place = "real_equivalent", 40
    family = "reverse"
    unit = "real documents"
    direction = Direction.DOWN
    value_range = (0.0, math.inf)
    evidence = "learning"
    minimum_n = MINIMUM_GROUPS
    definitions = (2, 5)
    cost = "O(t) for t tokens of samples and of documents, but for sorting"
    misses = "what only a long context shows; and it grows with the number of samples, so compare it at equal numbers"
    undefined = "no document is scored"
    _states = (("nats_equivalent", torch.float64), ("n_tokens_equivalent", torch.int64))

    @classmethod
    def read(cls, learnt: Learnt) -> Interval:
        """Its value with an interval; an end beyond the learning curve is 0 or infinite.

        The error is that of the paired difference from the curve over documents, and that of drawing the samples and
        the curve's own documents; the ends are the curve read backwards at the loss plus and minus so much.
        """
        curve, losses = learnt.curve, learnt.losses
        means, loss = curve.losses, rate(losses.nll, losses.n_tokens)
        value = real_equivalent(loss, curve.sizes, means)
        if math.isnan(value):
            return Interval(value=value, low=value, high=value, level=LEVEL)
        rates, noise = curve.at(value)
        apart = losses.rates - rates
        apart -= np.average(apart, weights=curve.weights)
        over_documents = weighted_error(curve.weights, apart) / float(curve.weights.sum())
        error = math.sqrt(over_documents**2 + noise * (1.0 + 1.0 / curve.draws))
        reach = float(stdtrit(len(apart) - 1.0, (1.0 + LEVEL) / 2.0)) * error
        falling = np.minimum.accumulate(means)
        low, high = (real_equivalent(loss + sign * reach, curve.sizes, means) for sign in (1.0, -1.0))
        return Interval(
            value=value,
            low=0.0 if loss + reach > falling[0] else low,
            high=math.inf if loss - reach < falling[-1] else high,
            level=LEVEL,
        )

    def __init__(self, sizes: Sequence[int], losses: Sequence[float], **kwargs: Any) -> None:
        """Begin without documents."""
        super().__init__(**kwargs)
        self.sizes, self.losses = sizes, losses

    def update(self, nats: Tensor, n_tokens: Tensor) -> None:
        """Add documents."""
        self._add_up(nats.sum(dtype=torch.float64), n_tokens.sum())

    def compute(self) -> Tensor:
        """How many real documents everything since the last reset is worth."""
        return self._scalar(real_equivalent(rate(*self._totals), self.sizes, self.losses))
