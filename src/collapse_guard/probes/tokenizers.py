"""One face for tokenizers of `tokenizers` and Hugging Face, and for two functions, which are only ever read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from functools import partial
from itertools import groupby
from typing import Any

from tokenizers import Tokenizer

from collapse_guard.errors import InputError

BOS = "<|bos|>"
"""The wild type's own begin-of-document token."""


UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""What stands in a text for an id that the tokenizer does not know."""


class Codec:
    """Texts to ids and back, without special tokens, padding or truncation, whatever the tokenizer is set to.

    Args:
        tokenizer: A `tokenizers.Tokenizer`; an object with `encode(text)` (ids, or something with `.ids`) and
            `decode(ids)`, as Hugging Face tokenizers have; or, beside `decode`, a function from a text to ids.
        decode: Function from a list of ids to a text; None: the tokenizer's.
        bos_token_id: Id that begins a document; None: the tokenizer's `bos_token_id`, else its token "<|bos|>".
        eos_token_id: Id, or several, that end a sample; None: the tokenizer's `eos_token_id`; without one, none ends
            early.

    Raises:
        InputError: There is no encode or decode, or no begin-of-document id.

    Example:
        >>> letters = Codec(lambda text: ["abc".index(one) for one in text], lambda ids: "abc"[ids[0]], bos_token_id=3)
        >>> letters.encode("cab"), letters.decode([1, 7])
        ([2, 0, 1], 'b�')
    """

    def __init__(
        self,
        tokenizer: Any,
        decode: Callable[[list[int]], str] | None = None,
        *,
        bos_token_id: int | None = None,
        eos_token_id: int | Sequence[int] | None = None,
    ) -> None:
        plain = _plain(tokenizer)
        encode = getattr(plain, "encode", plain if callable(plain) else None)
        decode = decode or getattr(plain, "decode", None)
        if not callable(encode) or not callable(decode):
            method = "decode" if callable(encode) else "encode"
            raise InputError(
                f"`tokenizer` must have encode and decode, but got {tokenizer!r:.100} without {method}: give a "
                "function from a text to ids, and one from ids to a text as `decode=`"
            )
        self._encode = _with(encode, add_special_tokens=False, disallowed_special=())
        self._decode = _with(decode, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        self._token_of = getattr(plain, "id_to_token", None) or getattr(plain, "convert_ids_to_tokens", None)
        self._known: dict[int, bool] = {}
        self.bos: int = _bos(tokenizer) if bos_token_id is None else bos_token_id
        self.stops = _several(getattr(tokenizer, "eos_token_id", None) if eos_token_id is None else eos_token_id)

    def encode(self, text: str) -> list[int]:
        """Ids of a text, without special tokens."""
        encoded = self._encode(text)
        return [int(token) for token in getattr(encoded, "ids", encoded)]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, without special tokens; `UNKNOWN` stands for each id that the tokenizer does not know."""
        runs = ((known, list(run)) for known, run in groupby(ids, self.knows))
        return "".join(str(self._decode(run)) if known else UNKNOWN * len(run) for known, run in runs)

    def knows(self, id_: int) -> bool:
        """Whether the tokenizer has a token for an id: a model's vocabulary may be wider."""
        if id_ not in self._known:
            self._known[id_] = self._has(id_)
        return self._known[id_]

    def _has(self, id_: int) -> bool:
        try:
            return self._token_of(id_) is not None if self._token_of else self._decode([id_]) is not None
        except (LookupError, ValueError, TypeError, OverflowError):  # what tokenizers raise of an id that they lack
            return False


def _plain(tokenizer: Any) -> Any:
    """The tokenizer, or a copy of it without padding and truncation where it is set to pad or truncate."""
    if not isinstance(tokenizer, Tokenizer) or not (tokenizer.padding or tokenizer.truncation):
        return tokenizer
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_padding()
    copy.no_truncation()
    return copy


def _several(ids: int | Sequence[int] | None) -> tuple[int, ...]:
    return () if ids is None else tuple(ids) if isinstance(ids, Sequence) else (int(ids),)


def _with(method: Callable[..., Any], **arguments: Any) -> Callable[[Any], Any]:
    """The method with those of the wanted arguments that it takes."""
    try:
        known: Collection[str] = inspect.signature(method).parameters
    except ValueError:  # of some functions in C
        known = ()
    taken = {name: value for name, value in arguments.items() if name in known}
    return partial(method, **taken)


def _bos(tokenizer: Any) -> int:
    named = getattr(tokenizer, "bos_token_id", None)
    bos = tokenizer.token_to_id(BOS) if named is None and hasattr(tokenizer, "token_to_id") else named
    if bos is None:
        raise InputError(
            f"`bos_token_id` must be given: the tokenizer names none and has no {BOS} token. Give the id that begins a "
            "document in training (often that of the end-of-text token)"
        )
    return int(bos)
