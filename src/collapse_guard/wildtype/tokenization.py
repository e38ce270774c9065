"""The wild type's own tokenizer: a byte-level BPE that can spell any text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

IdArray = npt.NDArray[np.int64]

SPECIALS = ("<|bos|>", "<|pad|>")
"""Special tokens; their ids are their places here."""
SMALLEST_VOCABULARY = 256 + len(SPECIALS)
"""All bytes and the specials."""
_BATCH = 1024


def train_tokenizer(texts: Iterable[str], *, vocabulary_size: int) -> Tokenizer:
    """Train a byte-level BPE; the same texts in any order give the same tokenizer.

    The vocabulary is smaller than requested if fewer pairs of tokens occur twice.

    Example:
        >>> tokenizer = train_tokenizer(["low lower lowest"] * 2, vocabulary_size=300)
        >>> decode(tokenizer, encode(tokenizer, ["as low as ever"]))
        ['as low as ever']
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        min_frequency=2,
        special_tokens=list(SPECIALS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _spelling_out_specials(tokenizer)


def read_tokenizer(body: str) -> Tokenizer:
    """Read a tokenizer from its JSON."""
    return _spelling_out_specials(Tokenizer.from_str(body))


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[IdArray]:
    """Token ids of each text; nothing is added, and a special token that is spelled out in a text counts as text."""
    _spelling_out_specials(tokenizer)
    ids: list[IdArray] = []
    for start in range(0, len(texts), _BATCH):
        batch = tokenizer.encode_batch_fast(list(texts[start : start + _BATCH]), add_special_tokens=False)
        ids.extend(np.array(encoding.ids, dtype=np.int64) for encoding in batch)
    return ids


def decode(tokenizer: Tokenizer, ids: Iterable[Sequence[int] | npt.NDArray[Any]]) -> list[str]:
    """Texts of token ids, special tokens left out; bytes that are not UTF-8 become U+FFFD."""
    return list(tokenizer.decode_batch([np.asarray(row).tolist() for row in ids], skip_special_tokens=True))


def _spelling_out_specials(tokenizer: Tokenizer) -> Tokenizer:
    # Otherwise a "<|pad|>" in a document would hide from the loss. Neither JSON nor a copy keeps this setting.
    if not tokenizer.encode_special_tokens:
        tokenizer.encode_special_tokens = True
    return tokenizer
