"""Evidence: what was collected from a generation, such as losses on wild-type documents, samples and embeddings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import several
from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.errors import InputError

_NUMBER = re.compile("0|[1-9][0-9]{0,17}")
Samples = Sequence[str] | Sequence[Sequence[int]] | npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Losses:
    """Losses in nats, summed over each document: documents of the wild type, the same in every generation, or samples.

    Padding and BOS are not counted. A document of zero tokens is refused: it has no loss.
    """

    documents: tuple[str, ...]
    """Id of each document; a probe uses content hashes."""
    nll: FloatArray
    """d: negative log-likelihood in nats, summed over the document. NaN and infinity are kept, but decide nothing."""
    n_tokens: IntArray
    """d: scored tokens of the document."""
    n_bytes: IntArray | None = None
    """d: UTF-8 bytes of the scored text, for bits per byte; None if not known."""
    token_nll: tuple[FloatArray, ...] | None = None
    """Per document, the nats of each scored token; None if not known. The token stratum of the tail needs them."""

    entropy: FloatArray | None = None
    """d: entropies in nats of the next-token distributions, summed over the document; None if not known."""

    def __post_init__(self) -> None:
        """Check that all parts describe the same documents."""
        for name, dtype in (
            ("nll", np.float64),
            ("n_tokens", np.int64),
            ("n_bytes", np.int64),
            ("entropy", np.float64),
        ):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=dtype))
        count = len(self.documents)
        for name in ("nll", "n_tokens", "n_bytes", "token_nll", "entropy"):
            part = getattr(self, name)
            if part is not None and len(part) != count:
                raise InputError(f"`{name}` must have one entry per document ({count}), but got {len(part)}")
        if len(set(self.documents)) != count:
            twice = next(d for i, d in enumerate(self.documents) if d in self.documents[:i])
            raise InputError(f"`documents` must be unique, but {twice!r} occurs twice: give each document one row")
        if count and int(self.n_tokens.min()) < 1:
            empty = self.documents[int(self.n_tokens.argmin())]
            raise InputError(f"`n_tokens` must be at least 1, but document {empty!r} has {int(self.n_tokens.min())}")

    def __len__(self) -> int:
        """Number of documents."""
        return len(self.documents)


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What was collected from one generation. An indicator is not read if a part that it needs is missing."""

    samples: Samples | None = None
    """Generated samples: texts, token ids of the wild type's own tokenizer, or an n d array of vectors."""
    losses: Losses | None = None
    """Losses of the generation on wild-type documents."""
    embeddings: npt.NDArray[np.floating[Any]] | None = None
    """n d: embeddings of the samples; None: the wild type's frozen embedder makes them from the texts."""

    own_losses: Losses | None = None
    """Losses of the generation on its own samples; the documents are the numbers of the samples: "0", "1", ..."""
    founder_losses: Losses | None = None
    """Losses of the founder on the samples of this generation; the documents are the numbers of the samples."""

    def __post_init__(self) -> None:
        """Refuse empty evidence, a single text instead of a list, and losses of samples that are not numbered."""
        if all(getattr(self, field.name) is None for field in fields(self)):
            names = ", ".join(f"`{field.name}`" for field in fields(self))
            raise InputError(f"an Evidence needs one of {names}, but got none of them")
        several("samples", self.samples)
        _check_numbers("own_losses", self.own_losses)
        _check_numbers("founder_losses", self.founder_losses)


def _check_numbers(name: str, losses: Losses | None) -> None:
    documents = () if losses is None else losses.documents
    wrong = next((document for document in documents if not _NUMBER.fullmatch(document)), None)
    if wrong is not None:
        raise InputError(
            f"`{name}` must have the numbers of samples as documents, from 0, but got {wrong!r:.80}: "
            "give losses on wild-type documents as `losses`"
        )
