"""What was collected of a generation: losses on wild-type documents, generated samples, embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.errors import InputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Samples = Sequence[str] | Sequence[Sequence[int]] | npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Losses:
    """Sums of nats over wild-type documents; the same documents in every generation.

    Pads and BOS are not counted. A document of zero tokens is refused: it has no loss.
    """

    documents: tuple[str, ...]
    """Id of each document; content hashes where a probe measured them."""
    nll: FloatArray
    """d: negative log-likelihood in nats, summed over the document. NaN and infinity are kept: they decide nothing."""
    n_tokens: IntArray
    """d: scored tokens of the document."""
    n_bytes: IntArray | None = None
    """d: UTF-8 bytes of the scored text, for bits per byte; None where not known."""
    token_nll: tuple[FloatArray, ...] | None = None
    """Per document, the nats of each scored token, where known: the token stratum of the tail needs them."""

    def __post_init__(self) -> None:
        """Check that all parts speak of the same documents."""
        object.__setattr__(self, "nll", np.asarray(self.nll, dtype=np.float64))
        object.__setattr__(self, "n_tokens", np.asarray(self.n_tokens, dtype=np.int64))
        count = len(self.documents)
        for name in ("nll", "n_tokens", "n_bytes", "token_nll"):
            part = getattr(self, name)
            if part is not None and len(part) != count:
                raise InputError(f"`{name}` must have one entry per document ({count}), but got {len(part)}")
        if len(set(self.documents)) != count:
            twice = next(d for i, d in enumerate(self.documents) if d in self.documents[:i])
            raise InputError(f"`documents` must be unique, but {twice!r} stands twice: give each document one row")
        if count and int(self.n_tokens.min()) < 1:
            empty = self.documents[int(self.n_tokens.argmin())]
            raise InputError(f"`n_tokens` must be at least 1, but document {empty!r} has {int(self.n_tokens.min())}")

    def __len__(self) -> int:
        """Number of documents."""
        return len(self.documents)


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What was collected of one generation; indicators that need a part which is missing are not read."""

    samples: Samples | None = None
    """Generated samples: texts, token ids of the wild type's own tokenizer, or an n d array of vectors."""
    losses: Losses | None = None
    """Losses of the generation on wild-type documents."""
    embeddings: npt.NDArray[np.floating[Any]] | None = None
    """n d: embeddings of the samples; None: the wild type's frozen embedder makes them from texts."""

    def __post_init__(self) -> None:
        """Refuse evidence of nothing and a single text where a list of texts is meant."""
        if self.samples is None and self.losses is None and self.embeddings is None:
            raise InputError("an Evidence needs `samples`, `losses` or `embeddings`, but got none of them")
        if isinstance(self.samples, str):
            raise InputError("`samples` must be a sequence of texts, but got one str: wrap it in a list")
