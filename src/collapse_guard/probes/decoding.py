"""Sampling from a causal language model, with a generator of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from collapse_guard.errors import InputError
from collapse_guard.probes.forward import FORWARD, Forward


class Rows(NamedTuple):
    """Some rows of a batch, one after the other."""

    first: int
    end: int
    """One after the last."""
    of: int
    """Rows of the batch."""


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How the next token is drawn from the model's distribution.

    Collapse shows differently under each: pure sampling drifts towards noise, top-k and low temperatures narrow. So use
    the decoding that makes the next generation's training data, and the same one in all generations.
    """

    temperature: float = 1.0
    """Divides the logits; 0 takes the most likely token."""
    top_k: int | None = None
    """Only the k most likely tokens (and ties); None: all."""
    top_p: float | None = None
    """Only the most likely tokens that together reach this probability; None: all."""

    def __post_init__(self) -> None:
        """Refuse settings out of range."""
        if not (math.isfinite(self.temperature) and self.temperature >= 0.0):
            raise InputError(f"`temperature` must be a number from 0 on, but got {self.temperature}")
        if self.top_k is not None and self.top_k < 1:
            raise InputError(f"`top_k` must be at least 1 or None, but got {self.top_k}")
        if self.top_p is not None and not 0.0 < self.top_p <= 1.0:
            raise InputError(f"`top_p` must be in (0, 1] or None, but got {self.top_p}")

    def probabilities(self, logits: Tensor) -> Tensor:
        """(B, V) probabilities of the next token from (B, V) logits; a row is NaN where its logits are no distribution.

        Example:
            >>> Decoding(top_k=2).probabilities(torch.tensor([[0.0, 0.0, -1.0]])).tolist()
            [[0.5, 0.5, 0.0]]
        """
        scores = logits.float()
        scores = scores - scores.max(dim=-1, keepdim=True).values
        scores = scores / self.temperature if self.temperature else scores.masked_fill(scores < 0.0, -torch.inf)
        if self.top_k is not None:
            worst = scores.topk(min(self.top_k, scores.shape[-1])).values[:, -1:]
            scores = scores.masked_fill(scores < worst, -torch.inf)
        return _nucleus(scores.softmax(-1), self.top_p)

    def draw(self, logits: Tensor, generator: torch.Generator, rows: Rows | None = None) -> tuple[Tensor, Tensor]:
        """Draw a token for each row of (B, V) logits.

        Args:
            logits: Of the next token.
            generator: On their device.
            rows: Which rows of a larger batch they are: the tokens are those that the whole batch would draw. None:
                they are the batch.

        Returns:
            The (B,) tokens, and (B,) whether the row had a distribution at all: a collapsed model may give NaN, and on
            CUDA drawing from NaN would end the process.
        """
        probabilities = self.probabilities(logits)
        sound = probabilities.isfinite().all(-1)
        drawable = torch.where(sound[:, None], probabilities, torch.ones_like(probabilities))
        sums = cumulative(drawable)
        rows = rows or Rows(0, len(sums), of=len(sums))
        uniform = torch.rand(rows.of, 1, generator=generator, device=sums.device, dtype=sums.dtype)
        return invert(sums, uniform[rows.first : rows.end]), sound


def cumulative(weights: Tensor) -> Tensor:
    """(B, V) running sums of each row of weights, which grow at every weight above 0.

    In float32 they would stand still at the rarest tokens of a large vocabulary, which could then never be drawn: a
    collapse of our own making. Only MPS has nothing wider.
    """
    return weights.cumsum(-1, dtype=torch.float32 if weights.device.type == "mps" else torch.float64)


def invert(sums: Tensor, uniform: Tensor) -> Tensor:
    """The place in each row of (B, V) running sums where a (B, 1) number from [0, 1) falls; never one of weight 0.

    Sampling by inversion takes one random number a row instead of V: on a CPU some forty times as fast as
    `torch.multinomial`.

    Example:
        >>> invert(torch.tensor([[0.0, 1.0, 1.0, 4.0]]).repeat(3, 1), torch.tensor([[0.0], [0.24], [0.25]])).tolist()
        [1, 1, 3]
    """
    total = sums[:, -1:]
    below = (uniform * total).clamp(max=torch.nextafter(total, -total))
    return torch.searchsorted(sums, below, right=True)[:, 0]


def _nucleus(probabilities: Tensor, top_p: float | None) -> Tensor:
    """Drop the tail of each row outside the smallest set of likely tokens that reaches `top_p`."""
    if top_p is None:
        return probabilities
    ordered, places = probabilities.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    nucleus = ordered.masked_fill(before >= top_p, 0.0)
    nucleus = nucleus / nucleus.sum(-1, keepdim=True)
    return torch.zeros_like(nucleus).scatter(-1, places, nucleus)


Step = Callable[[Tensor, Any], tuple[Any, Any]]
"""step(ids, state) -> (logits, state), as `generate_step` of a module."""


class _NextLogits:
    """The (B, V) logits after a prefix that grows from call to call."""

    def __init__(self, module: nn.Module, forward: Forward, step: Step | None, max_length: int, limit: float) -> None:
        self.module, self.forward, self.max_length, self.limit = module, forward, max_length, limit
        self.step = step
        self.state: Any = None
        self.seen = 0

    def __call__(self, prefix: Tensor) -> Tensor:
        if self.step is None or prefix.shape[1] > self.limit:
            return self.forward(self.module, prefix[:, -self.max_length :])[:, -1]
        logits, self.state = self.step(prefix[:, self.seen :], self.state)
        self.seen = prefix.shape[1]
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise InputError(
                f"generate_step(ids, state) must return (B, V) logits of the next token and a state, but got {got}"
            )
        return logits


def generate(
    module: nn.Module,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    decoding: Decoding,
    generator: torch.Generator,
    max_length: int,
    stops: Collection[int] = (),
    at_once: int | None = None,
    forward: Forward = FORWARD,
    step: Step | None = None,
    to_the_end: bool = False,
) -> list[list[int]]:
    """Continue each prompt by up to `max_new_tokens` tokens; all rows advance together.

    Any causal module works: its forward runs again on the whole prefix for every token. A module that has

        generate_step(ids, state) -> (logits, state)

    is asked for one token at a time instead: `ids` (B, T) int64 are the tokens that it has not seen yet, `state` is
    None at first and then what it returned last, `logits` (B, V) are those of the next token.

    Args:
        module: Causal language model.
        prompts: B prompts as ids, each with at least one.
        max_new_tokens: Most tokens of a sample.
        decoding: How a token is drawn.
        generator: On the module's device.
        max_length: Largest number of ids per forward; a longer prefix keeps its last ones. Not for `generate_step`.
        stops: Ids each of which ends a sample, and is not part of it.
        at_once: Most rows per forward, one part of the rows after the other; None: all. Every row is given the same
            random numbers for any `at_once`, so its tokens are the same up to the rounding of its logits.
        forward: How the module is asked for the logits of a whole prefix.
        step: In the place of a `generate_step` that the module lacks, for prefixes of up to `max_length` ids.
        to_the_end: Whether as many tokens are drawn as may be, whatever has ended: sharded modules, whose ranks must
            forward together, are asked equally often so, and only for whole prefixes.

    Returns:
        The new ids of each row. A row ends early if the model gives no distribution (NaN).

    Raises:
        InputError: The module does not return logits.
    """
    first, state, size = min(map(len, prompts)), generator.get_state(), len(prompts)
    own = None if to_the_end else getattr(module, "generate_step", None)
    ending = _Ending(torch.tensor(sorted(stops), dtype=torch.int64, device=generator.device), is_awaited=not to_the_end)
    continued: list[list[int]] = []
    for begin in range(0, size, at_once or size):
        rows = Rows(begin, min(begin + (at_once or size), size), of=size)
        generator.set_state(state)
        draw = partial(decoding.draw, generator=generator, rows=rows)
        next_logits = _NextLogits(module, forward, own or step, max_length, math.inf if own else max_length)
        part = prompts[rows.first : rows.end]
        continued += _continued(part, next_logits, draw, first, max_new_tokens, ending)
    return continued


class _Ending(NamedTuple):
    """When a sample ends before its longest length."""

    stops: Tensor
    """Ids that end it, on the device of the generator."""
    is_awaited: bool
    """Whether drawing is over when all rows have ended."""


def _continued(
    prompts: Sequence[Sequence[int]],
    next_logits: _NextLogits,
    draw: Callable[[Tensor], tuple[Tensor, Tensor]],
    first: int,
    max_new_tokens: int,
    ending: _Ending,
) -> list[list[int]]:
    """The new ids of some rows; tokens are drawn from the place `first` on, where the shortest prompt of all ends."""
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=ending.stops.device)
    ids = lengths.new_zeros(len(prompts), int(lengths.max()) + max_new_tokens)
    for row, prompt in zip(ids, prompts, strict=True):
        row[: len(prompt)] = torch.tensor(prompt)
    ends = lengths + max_new_tokens
    for place in range(first, ids.shape[1]):
        drawn, sound = draw(next_logits(ids[:, :place]))
        open_ = lengths <= place
        ids[:, place] = torch.where(open_, drawn, ids[:, place])
        stopped = open_ & (~sound | torch.isin(drawn, ending.stops))
        ends = torch.where(stopped, ends.clamp(max=place), ends)
        if ending.is_awaited and bool((ends <= place + 1).all()):
            break
    rows = zip(ids.tolist(), lengths.tolist(), ends.tolist(), strict=True)
    return [row[start:end] for row, start, end in rows]
