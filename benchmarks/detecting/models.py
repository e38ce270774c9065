"""The two kinds of language model that lineages are grown with, behind one door."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from detecting.decoding import TEMPERATURE, TOP_K, write
from detecting.ngram_model import Floats, NgramModel
from detecting.passages import BOS, Ids, Passages
from detecting.sizes import Sizes

TRIGRAM, GRU = "trigram", "gru"
MODELS = (TRIGRAM, GRU)


class Model(Protocol):
    """A trained language model."""

    def nll(self, documents: Passages) -> Floats:
        """n: nats of each document, summed over its tokens."""
        ...


def trained(kind: str, documents: Passages, *, vocabulary_size: int, sizes: Sizes, rng: np.random.Generator) -> Model:
    """A model of one of `MODELS`."""
    if kind == TRIGRAM:
        return NgramModel.fit(documents, vocabulary_size=vocabulary_size, rng=rng)
    from detecting.gru import GruModel

    return GruModel.fit(
        documents, vocabulary_size=vocabulary_size, tokens=sizes.tokens, presented=sizes.presented, rng=rng
    )


def written(
    model: Model,
    n: int,
    length: int,
    *,
    decoding: str,
    founding: Passages,
    begun: Ids | None,
    rng: np.random.Generator,
) -> Ids:
    """n length: what a model writes.

    Args:
        model: The model.
        n: Documents.
        length: Tokens of each.
        decoding: One of `decoding.DECODINGS`; a neural model has no beam search.
        founding: Documents that beam search continues.
        begun: n k, the prompts that are continued; None: documents are written from the start.
        rng: Draws.
    """
    if isinstance(model, NgramModel):
        texts = write(model, n, length, decoding=decoding, prompts=founding, rng=rng, begun=begun)
        return texts.tokens.reshape(n, length)
    from detecting.gru import GruModel

    if not isinstance(model, GruModel):
        raise TypeError(f"a model must be one of {', '.join(MODELS)}, but got {type(model).__name__}")
    starts = np.full((n, 1), BOS, dtype=np.int64)
    return model.write(
        starts if begun is None else np.hstack([starts, begun]),
        length,
        temperature=TEMPERATURE if decoding == "temperature" else 1.0,
        top_k=TOP_K.get(decoding),
        rng=rng,
    )
