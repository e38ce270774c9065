"""The instruments of a wild type that measure texts, as it was fitted with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

import numpy.typing as npt
from tokenizers import Tokenizer

from collapse_guard.arguments import several
from collapse_guard.arrays import FloatArray
from collapse_guard.corpus import lexicon
from collapse_guard.corpus.embedding import TfidfEmbedder
from collapse_guard.errors import InputError
from collapse_guard.wildtype.contents import Contents, Settings, TextContents, TextSettings, of_texts
from collapse_guard.wildtype.geometry import Geometry
from collapse_guard.wildtype.tokenization import IdArray, decode, encode


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Instruments:
    """What a wild type measures with: tokenizer, words, embedder, geometry and group sizes."""

    settings: Settings
    """How it was fitted."""
    contents: Contents
    """Documents or vectors, and the instruments."""

    @property
    def geometry(self) -> Geometry:
        """Up to 2,048 points of the pool, which distances are measured to; it needs no embedder."""
        return self.contents.geometry

    @property
    def tokenizer(self) -> Tokenizer:
        """Byte-level BPE trained on the pool; "<|bos|>" is 0 and "<|pad|>" is 1."""
        return self._texts.tokenizer

    @property
    def vocabulary_size(self) -> int:
        """Number of tokens of the tokenizer, special tokens included."""
        return int(self._texts.tokenizer.get_vocab_size())

    @property
    def group_tokens(self) -> int:
        """Token budget of a group of text samples."""
        return self._text_settings.group_tokens

    @property
    def group_samples(self) -> int:
        """Samples in a group of vectors."""
        return self.settings.group_samples

    @property
    def rare_words(self) -> Mapping[str, int]:
        """The frozen rare set: word -> occurrences in the wild type."""
        return MappingProxyType(self._texts.rare_words)

    @property
    def known_words(self) -> Mapping[str, int]:
        """Every word -> occurrences in evaluation and pool."""
        return MappingProxyType(self._texts.known_words)

    def encode(self, texts: Sequence[str]) -> list[IdArray]:
        """Token ids of each text; no special token is added, and any text can be encoded."""
        return encode(self._texts.tokenizer, several("texts", texts))

    def decode(self, ids: Iterable[Sequence[int] | npt.NDArray[Any]]) -> list[str]:
        """Texts of token ids, special tokens left out; the inverse of `encode`."""
        return decode(self._texts.tokenizer, ids)

    def words(self, text: str) -> list[str]:
        """Lower-cased words of a text; see `lexicon.words`."""
        return lexicon.words(text)

    @property
    def can_embed(self) -> bool:
        """Whether `embed` has an embedder: not for vectors, and not if a custom one was left out on loading."""
        return isinstance(self.contents, TextContents) and self.contents.embedder is not None

    @property
    def embeds_by_itself(self) -> bool:
        """Whether its embedder is its own, saved with it: what is embedded with it follows from its files."""
        return isinstance(self.contents, TextContents) and isinstance(self.contents.embedder, TfidfEmbedder)

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Embed texts with the frozen embedder: n d.

        Raises:
            InputError: The custom embedder was not given to `load`, or does not return a finite n d array.
        """
        contents = self._texts
        if contents.embedder is None:
            name = contents.embedder_check.name if contents.embedder_check else ""
            raise InputError(
                f"the wild type was fitted with the custom embedder {name}, which is not saved with it: "
                "give it on loading, `WildType.load(path, embedder=...)`"
            )
        return contents.embedder(several("texts", texts))

    @property
    def _texts(self) -> TextContents:
        return of_texts(self.contents)

    @property
    def _text_settings(self) -> TextSettings:
        _ = self._texts
        return cast(TextSettings, self.settings)
