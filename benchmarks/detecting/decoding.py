"""Ways to write with a trigram model: pure sampling, a temperature, the k most probable tokens, beam search.

All write many documents at once, of the same number of tokens. None is approximate.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from detecting.ngram_model import N_SPECIAL, Floats, NgramModel
from detecting.passages import BOS, Ids, Passages

TEMPERATURE, BEAMS, PROMPT_TOKENS = 0.7, 3, 8
TOP_K = {"top_k": 50, "narrow": 20}
"""Decoding -> how many of the most probable tokens are drawn from."""
_ROWS = 512
DECODINGS = ("pure", *TOP_K, "temperature", "beam")


def write(
    model: NgramModel,
    n: int,
    length: int,
    *,
    decoding: str,
    prompts: Passages,
    rng: np.random.Generator,
    begun: Ids | None = None,
) -> Passages:
    """Write n documents of `length` tokens by one of `DECODINGS`.

    Beam search continues documents of `prompts`; the others write from the start, or go on after the n k tokens that
    are `begun`, which are not among what is written.
    """
    if decoding == "beam":
        chosen = prompts[rng.choice(len(prompts), size=n, replace=len(prompts) < n)]
        return beam(model, first_tokens(chosen, PROMPT_TOKENS), length)
    step = MostProbable(model, TOP_K[decoding]) if decoding in TOP_K else _STEPS[decoding](model)
    rows = np.full((n, length + 2), BOS, dtype=np.int64)
    if begun is not None:
        rows[:, :2] = begun[:, -2:]
    for column in range(2, length + 2):
        rows[:, column] = step(rows[:, column - 2], rows[:, column - 1], rng)
    return Passages.of_rows(rows[:, 2:].copy())


def first_tokens(documents: Passages, n: int) -> Ids:
    """The first n tokens of each document that has as many."""
    starts = documents.starts[:-1][documents.lengths >= n]
    return np.asarray(documents.tokens[starts[:, None] + np.arange(n)])


class Pure:
    """Draw an order by its weight, then one of the occurrences of that context: the model's own probabilities."""

    def __init__(self, model: NgramModel) -> None:
        self.model, self.words = model, np.cumsum(model.words)
        self.contexts_2 = model.bigrams.places(np.arange(model.vocabulary_size))
        self.weights_2 = model.weight_2(np.arange(model.vocabulary_size))
        self.weights_3 = model.weight_3(np.arange(len(model.trigrams.contexts)))

    def __call__(self, u: Ids, v: Ids, rng: np.random.Generator) -> Ids:
        """The next token after each pair."""
        model, (choose_3, choose_2, choose) = self.model, rng.random((3, len(u)))
        place = model.context(u, v)
        by_3 = (place >= 0) & (choose_3 < self.weights_3[place])
        by_2 = ~by_3 & (choose_2 < self.weights_2[v])
        drawn = np.searchsorted(self.words, choose * self.words[-1], side="right")
        for followers, places, chosen in (
            (model.trigrams, place, by_3),
            (model.bigrams, self.contexts_2[v], by_2),
        ):
            low, high = followers.totals[places[chosen]], followers.totals[places[chosen] + 1]
            occurrence = low + (choose[chosen] * (high - low)).astype(np.int64)
            drawn[chosen] = followers.occurrences[occurrence] % model.vocabulary_size
        return np.asarray(drawn)


class Dense:
    """The probabilities of all tokens after each context, in rows."""

    def __init__(self, model: NgramModel) -> None:
        self.model = model

    @cached_property
    def after_one(self) -> npt.NDArray[np.float32]:
        """V V: p(w | v) of the bigram model."""
        model, size = self.model, self.model.vocabulary_size
        weights = model.weight_2(np.arange(size))
        rows = np.multiply.outer(1 - weights, model.words).astype(np.float32)
        before = model.bigrams.keys // size
        totals = np.bincount(before, model.bigrams.counts, minlength=size)
        rows.ravel()[model.bigrams.keys] += weights[before] * model.bigrams.counts / totals[before]
        return rows

    def rows(self, places: Ids, v: Ids) -> npt.NDArray[np.float32]:
        """n V: p(w | u, v), where `places` are those of u, v in the trigrams of the model."""
        trigrams, weights = self.model.trigrams, self.model.weight_3(places).astype(np.float32)
        rows = self.after_one[v] * (1 - weights)[:, None]
        seen = np.flatnonzero(places >= 0)
        lengths = trigrams.starts[places[seen] + 1] - trigrams.starts[places[seen]]
        row = np.repeat(seen, lengths)
        first = np.repeat(trigrams.starts[places[seen]] - np.cumsum(lengths) + lengths, lengths)
        which = first + np.arange(len(row))
        share = trigrams.counts[which] / trigrams.total(places)[row]
        rows[row, trigrams.keys[which] % self.model.vocabulary_size] += weights[row] * share
        return rows


class TopTokens:
    """The k most probable tokens after each context that is met, worked out when it is met first."""

    def __init__(self, model: NgramModel, k: int) -> None:
        self.model, self.dense, self.k = model, Dense(model), k
        n = len(model.trigrams.contexts) + model.vocabulary_size
        self.tokens, self.log_p = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
        self.known = np.zeros(n, dtype=bool)

    def __call__(self, u: Ids, v: Ids) -> Ids:
        """The rows of `tokens` and `log_p` that hold, in any order, what may follow each pair."""
        n = len(self.model.trigrams.contexts)
        place = self.model.context(u, v)
        slots = np.where(place >= 0, place, n + v)
        new, first = np.unique(slots, return_index=True)
        first = first[~self.known[new]]
        for some in np.array_split(first, -(-len(first) // _ROWS)) if len(first) else ():
            self._learn(slots[some], place[some], v[some])
        return slots

    def _learn(self, slots: Ids, places: Ids, v: Ids) -> None:
        rows = self.dense.rows(places, v)
        best = np.argpartition(rows, -self.k, axis=1)[:, -self.k :]
        self.tokens[slots] = best
        self.log_p[slots] = np.log(np.take_along_axis(rows, best, axis=1))
        self.known[slots] = True


class MostProbable:
    """Draw from the k most probable tokens alone."""

    def __init__(self, model: NgramModel, k: int) -> None:
        self.top = TopTokens(model, min(k, model.vocabulary_size - 2))

    def __call__(self, u: Ids, v: Ids, rng: np.random.Generator) -> Ids:
        """The next token after each pair."""
        slots = self.top(u, v)
        upto = np.cumsum(np.exp(self.top.log_p[slots]), axis=1)
        column = (upto < (rng.random(len(u)) * upto[:, -1])[:, None]).sum(axis=1)
        drawn: Ids = self.top.tokens[slots, np.minimum(column, self.top.k - 1)]
        return drawn


class Tempered:
    r"""Draw from p(w | u, v)^(1/T), normalised.

    A row of that is a multiple of the bigram model's row to the same power, and something more for each token that was
    seen after the two: so it is drawn as a mixture of the two parts, and no row is ever written out.
    """

    def __init__(self, model: NgramModel, temperature: float = TEMPERATURE) -> None:
        self.model, power, size = model, 1.0 / temperature, model.vocabulary_size
        trigrams, plain = model.trigrams, Dense(model).after_one
        base = plain ** np.float32(power)
        place = np.repeat(np.arange(len(trigrams.contexts)), np.diff(trigrams.starts))
        weight, key = model.weight_3(place), trigrams.keys % size**2
        shorter = (1 - weight) * plain.ravel()[key]
        more = (shorter + weight * trigrams.counts / trigrams.total(place)) ** power
        more -= (1 - weight) ** power * base.ravel()[key]
        self.base = _upto(base.ravel())
        self.base_ends = self.base[::size]
        self.more = _upto(np.maximum(more, 0.0))
        self.more_ends = self.more[trigrams.starts]
        self.scale = np.append((1 - model.weight_3(np.arange(len(trigrams.contexts)))) ** power, 1.0)

    def __call__(self, u: Ids, v: Ids, rng: np.random.Generator) -> Ids:
        """The next token after each pair."""
        size, place = self.model.vocabulary_size, self.model.context(u, v)
        base = self.base_ends[v + 1] - self.base_ends[v]
        more = np.where(place >= 0, self.more_ends[place + 1] - self.more_ends[place], 0.0)
        drawn = rng.random(len(u)) * (self.scale[place] * base + more)
        by_more = drawn < more
        in_base = self.base_ends[v] + (drawn - more) / self.scale[place]
        tokens = np.searchsorted(self.base, in_base, side="right") - 1 - v * size
        chosen = np.searchsorted(self.more, self.more_ends[place[by_more]] + drawn[by_more], side="right") - 1
        tokens[by_more] = self.model.trigrams.keys[np.minimum(chosen, len(self.more) - 2)] % size
        return np.asarray(np.clip(tokens, N_SPECIAL, size - 1))


_STEPS = {"pure": Pure, "temperature": Tempered}


def _upto(values: npt.NDArray[np.floating]) -> Floats:
    """m + 1: the sum of all before each place."""
    return np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])


def beam(model: NgramModel, prompts: Ids, length: int, beams: int = BEAMS) -> Passages:
    """The most probable continuation of each prompt that a search with so many beams finds, without the prompt.

    A beam can only be among the best if its last token is among the `beams` most probable ones, so no more are looked
    at. Nothing is drawn.
    """
    top, n = TopTokens(model, beams), len(prompts)
    written = np.empty((n, beams, 0), dtype=np.int64)
    last = np.repeat(prompts[:, None, -2:], beams, axis=1)
    score = np.where(np.arange(beams) == 0, 0.0, -np.inf) + np.zeros((n, 1))
    for _ in range(length):
        slots = top(last[..., 0].ravel(), last[..., 1].ravel()).reshape(n, beams)
        scores = (score[..., None] + top.log_p[slots]).reshape(n, beams * beams)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :beams]
        score = np.take_along_axis(scores, best, axis=1)
        token = np.take_along_axis(top.tokens[slots].reshape(n, beams * beams), best, axis=1)
        parent = best // beams
        written = np.concatenate([np.take_along_axis(written, parent[..., None], axis=1), token[..., None]], axis=2)
        before = np.take_along_axis(last[..., 1], parent, axis=1)
        last = np.stack([before, token], axis=2)
    return Passages.of_rows(written[:, 0])
