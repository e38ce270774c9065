"""One face for the tokenizers of `tokenizers` and Hugging Face, which are only ever read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from tokenizers import Tokenizer

from collapse_guard.errors import InputError

BOS = "<|bos|>"
"""The wild type's own begin-of-document token."""


class Codec:
    """Texts to ids and back, without special tokens, padding or truncation, whatever the tokenizer is set to.

    Args:
        tokenizer: A `tokenizers.Tokenizer`, or an object with `encode(text)` (ids, or something with `.ids`) and
            `decode(ids)`, as Hugging Face tokenizers have.
        bos_token_id: Id that begins a document; None: the tokenizer's `bos_token_id`, else its token "<|bos|>".
        eos_token_id: Id that ends a sample; None: the tokenizer's `eos_token_id`; without one, none ends early.

    Raises:
        InputError: There is no encode or decode, or no begin-of-document id.
    """

    def __init__(self, tokenizer: Any, *, bos_token_id: int | None = None, eos_token_id: int | None = None) -> None:
        for method in ("encode", "decode"):
            if not callable(getattr(tokenizer, method, None)):
                raise InputError(
                    f"`tokenizer` must have encode and decode, but got {tokenizer!r:.100} without {method}"
                )
        plain = _plain(tokenizer)
        self._encode = _with(plain.encode, add_special_tokens=False)
        self._decode = _with(plain.decode, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        self.bos: int = _bos(tokenizer) if bos_token_id is None else bos_token_id
        self.eos: int | None = getattr(tokenizer, "eos_token_id", None) if eos_token_id is None else eos_token_id

    def encode(self, text: str) -> list[int]:
        """Ids of a text, without special tokens."""
        encoded = self._encode(text)
        return [int(token) for token in getattr(encoded, "ids", encoded)]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, without special tokens."""
        return str(self._decode(list(ids)))


def _plain(tokenizer: Any) -> Any:
    """The tokenizer, or a copy of it without padding and truncation where it is set to pad or truncate."""
    if not isinstance(tokenizer, Tokenizer) or not (tokenizer.padding or tokenizer.truncation):
        return tokenizer
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_padding()
    copy.no_truncation()
    return copy


def _with(method: Callable[..., Any], **arguments: bool) -> Callable[[Any], Any]:
    """The method with those of the wanted arguments that it takes."""
    known = inspect.signature(method).parameters
    taken = {name: value for name, value in arguments.items() if name in known}
    return lambda value: method(value, **taken)


def _bos(tokenizer: Any) -> int:
    named = getattr(tokenizer, "bos_token_id", None)
    bos = tokenizer.token_to_id(BOS) if named is None and hasattr(tokenizer, "token_to_id") else named
    if bos is None:
        raise InputError(
            f"`bos_token_id` must be given: the tokenizer names none and has no {BOS} token. Give the id that begins a "
            "document in training (often that of the end-of-text token)"
        )
    return int(bos)
