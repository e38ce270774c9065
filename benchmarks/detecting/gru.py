"""The demo's neural language model, trained and sampled like the trigram model: some ten seconds a generation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from collapse_guard.demo.model import IGNORE, TinyLanguageModel
from detecting.ngram_model import N_SPECIAL, Floats
from detecting.passages import BOS, Ids, Passages

EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY, LARGEST_GRADIENT = 2, 16, 2e-2, 0.01, 1.0
_ROWS = 250
"""Documents that are scored, or written, at once."""


@dataclass(frozen=True, eq=False)
class GruModel:
    """A trained model. As the trigram model, it writes no special tokens."""

    module: TinyLanguageModel
    """The network."""

    @classmethod
    def fit(
        cls, documents: Passages, *, vocabulary_size: int, tokens: int, presented: int, rng: np.random.Generator
    ) -> GruModel:
        """Train as the demo does: AdamW under a one-cycle schedule.

        Args:
            documents: What it is trained on.
            vocabulary_size: V.
            tokens: Longest beginning of a document that is trained on.
            presented: Documents that are shown, a number of times each if there are fewer, some of them if there are
                more: the cost of training does not grow with what accumulates.
            rng: Draws the first weights, the order, and dropout.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**31)))
            module = TinyLanguageModel(vocabulary_size).train()
            _train(module, list(_batches(documents, tokens, presented, rng)))
        return cls(module.eval())

    @torch.inference_mode()
    def nll(self, documents: Passages) -> Floats:
        """n: nats of each document, summed over its tokens."""
        order = np.argsort(documents.lengths, kind="stable")
        nats = np.empty(len(documents))
        for some in _parts(order):
            rows = _padded(documents[some], int(documents.lengths[some].max()))
            logits = _without_special(self.module(rows[:, :-1]))
            nats[some] = _nats(logits, rows[:, 1:], reduction="none").reshape(len(some), -1).sum(dim=1).numpy()
        return nats

    @torch.inference_mode()
    def write(
        self, starts: Ids, length: int, *, temperature: float, top_k: int | None, rng: np.random.Generator
    ) -> Ids:
        """n length: what follows each of the n beginnings, drawn token by token.

        Args:
            starts: n k, the tokens that stand before, BOS first.
            length: Tokens that are written.
            temperature: Divides the logits.
            top_k: How many of the most probable tokens are drawn from; None: all.
            rng: Draws.
        """
        written = np.empty((len(starts), length), dtype=np.int64)
        for some in _parts(np.arange(len(starts))):
            ids, state = torch.from_numpy(starts[some]), None
            for column in range(length):
                logits, state = self.module.generate_step(ids, state)
                written[some, column] = _drawn(_without_special(logits) / temperature, top_k, rng)
                ids = torch.from_numpy(written[some, column, None])
        return written


def _train(module: TinyLanguageModel, batches: list[Tensor]) -> None:
    optimizer = torch.optim.AdamW(module.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=len(batches) + 1, pct_start=0.1
    )
    for rows in batches:
        optimizer.zero_grad()
        loss = _nats(module(rows[:, :-1]), rows[:, 1:], reduction="mean")
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(module.parameters(), LARGEST_GRADIENT)
        optimizer.step()
        schedule.step()


def _batches(documents: Passages, tokens: int, presented: int, rng: np.random.Generator) -> Iterator[Tensor]:
    rounds = -(-presented // len(documents))
    order = np.concatenate([rng.permutation(len(documents)) for _ in range(rounds)])[:presented]
    for start in range(0, presented, BATCH):
        yield _padded(documents[order[start : start + BATCH]], tokens)


def _padded(documents: Passages, tokens: int) -> Tensor:
    """n (tokens + 1): BOS, the first tokens of each document, and what is ignored."""
    lengths = np.minimum(documents.lengths, tokens)
    within = np.arange(tokens) < lengths[:, None]
    rows = np.full((len(documents), tokens + 1), IGNORE, dtype=np.int64)
    rows[:, 0] = BOS
    places = np.minimum(documents.starts[:-1, None] + np.arange(tokens), len(documents.tokens) - 1)
    rows[:, 1:][within] = documents.tokens[places][within]
    return torch.from_numpy(rows)


def _nats(logits: Tensor, labels: Tensor, *, reduction: str) -> Tensor:
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORE, reduction=reduction)


def _without_special(logits: Tensor) -> Tensor:
    logits[..., :N_SPECIAL] = -torch.inf
    return logits


def _drawn(logits: Tensor, top_k: int | None, rng: np.random.Generator) -> Ids:
    """A token of each row of logits, by its probability."""
    if top_k is not None:
        best, tokens = logits.topk(top_k, dim=1)
        return np.asarray(tokens.gather(1, _places(best, rng)[:, None])[:, 0].numpy())
    return np.asarray(_places(logits, rng).numpy())


def _places(logits: Tensor, rng: np.random.Generator) -> Tensor:
    upto = torch.softmax(logits, dim=1, dtype=torch.float64).cumsum(dim=1)
    drawn = torch.from_numpy(rng.random(len(logits))) * upto[:, -1]
    return torch.searchsorted(upto, drawn[:, None], right=True)[:, 0].clamp_max(logits.shape[1] - 1)


def _parts(places: Ids) -> list[Ids]:
    return np.array_split(places, max(1, -(-len(places) // _ROWS)))
