"""A causal language model small enough to be retrained ten times in minutes: a GRU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

BOS, PAD, IGNORE = "<|bos|>", "<|pad|>", -100


class TinyLanguageModel(pl.LightningModule):
    """Embedding, one GRU layer, and the embedding again as output layer (tied).

    Args:
        vocabulary_size: V.
        width: Hidden units of the GRU.
        embedding_dim: Width of the embedding.
        learning_rate: Peak of the one-cycle schedule.
    """

    def __init__(
        self,
        vocabulary_size: int,
        width: int = 128,
        embedding_dim: int = 64,
        learning_rate: float = 2e-2,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.learning_rate = learning_rate
        self.embedding = nn.Embedding(vocabulary_size, embedding_dim)
        self.recurrence = nn.GRU(embedding_dim, width, batch_first=True)
        self.narrow = nn.Linear(width, embedding_dim)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))
        self.dropout = nn.Dropout(0.1)
        nn.init.normal_(self.embedding.weight, std=0.05)

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) ids -> (B, T, V) logits of the next token."""
        return self._logits(self.recurrence(self._embed(ids))[0])

    def generate_step(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        """One step of sampling, for CausalLMProbe: (B, T) new ids -> (B, V) logits of the next token, and the state."""
        hidden, state = self.recurrence(self._embed(ids), state)
        return self._logits(hidden[:, -1]), state

    def training_step(self, batch: Tensor, batch_index: int) -> Tensor:  # noqa: ARG002 - Lightning's signature
        """Mean nats per token of a (B, T + 1) batch that starts with BOS; pads are not scored."""
        labels = batch[:, 1:]
        loss = functional.cross_entropy(self(batch[:, :-1]).flatten(0, 1), labels.flatten(), ignore_index=IGNORE)
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        """AdamW under a one-cycle schedule."""
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.learning_rate, weight_decay=0.01)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.learning_rate, total_steps=steps + 1, pct_start=0.1
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _embed(self, ids: Tensor) -> Tensor:
        embedded: Tensor = self.dropout(self.embedding(ids.clamp_min(0)))
        return embedded

    def _logits(self, hidden: Tensor) -> Tensor:
        return functional.linear(self.dropout(self.narrow(hidden)), self.embedding.weight, self.bias)


def encoder(tokenizer: Tokenizer, length: int) -> Callable[[str], Tensor]:
    """A function from a text to (length + 1,) ids: BOS, the first `length` tokens, and IGNORE as padding."""
    bos = tokenizer.token_to_id(BOS)

    def encode(text: str) -> Tensor:
        ids = tokenizer.encode(text).ids[:length]
        return torch.tensor([bos, *ids, *[IGNORE] * (length - len(ids))])

    return encode
