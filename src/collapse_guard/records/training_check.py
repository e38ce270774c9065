"""What was found of evaluation documents in texts that a model is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field, model_validator

from collapse_guard.records.record import Record

Count = Annotated[int, Field(ge=0)]

MOST_EXAMPLES = 3
"""Documents that are shown."""
_COUNTED = ("texts", "words", "too_short", "leaking", "of_pool", "pieces", "copies")


class TrainingCheck(Record):
    """Texts that a model is trained on, held against the evaluation documents of a wild type. Its text is one line.

    Example:
        >>> print(TrainingCheck(texts=320, words=12_000, evaluation=2_000, of_pool=288))
        320 training texts, 12,000 words, 288 of the pool, none with an evaluation document
    """

    texts: Count
    """Texts that were looked at: whole documents, parts of them, or windows of several."""
    words: Count
    """Words in them."""
    too_short: Count = 0
    """Other texts, of so few words that nothing can be told of them."""
    leaking: Count = 0
    """Texts that hold an evaluation document, or a large part of one."""
    of_pool: Count = 0
    """Other texts that are of the pool."""
    pieces: Count = 0
    """How many documents, or parts of one, the texts hold that are not of the pool: one for each text, and more for
    windows of several documents, by their length."""
    copies: Count = 0
    """How many of these are evaluation documents."""
    evaluation: Annotated[int, Field(ge=1)]
    """Evaluation documents of the wild type."""
    found: tuple[str, ...] = ()
    """Content hashes of the evaluation documents that were found, sorted."""
    examples: tuple[str, ...] = ()
    """Openings of up to three of these, quoted and escaped."""
    untold: tuple[str, ...] = ()
    """Where some were found: content hashes of others that parts of texts may not tell, because they have fewer than 23
    words, or most of them in common with other documents; sorted."""
    whole: bool = False
    """Whether these are all texts that the model is trained on, as whoever gave them says."""

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.leaking + self.of_pool > self.texts:
            raise ValueError(
                f"leaking and of_pool must be at most {self.texts} texts together, but got {self.leaking} and "
                f"{self.of_pool}"
            )
        if self.copies > self.pieces:
            raise ValueError(f"copies must be at most {self.pieces}, the pieces, but got {self.copies}")
        n = len({*self.found, *self.untold})
        if n > self.evaluation or n < len(self.found) + len(self.untold):
            raise ValueError(
                f"found and untold must be different ones of {self.evaluation} documents, but got {len(self.found)} "
                f"and {len(self.untold)}"
            )
        return self

    @classmethod
    def together(cls, checks: Sequence[TrainingCheck]) -> TrainingCheck:
        """One or more checks of different texts against one wild type, such as those of all ranks, as one. It is of all
        texts where one of them is.

        Example:
            >>> one = TrainingCheck(texts=16, words=600, evaluation=50, leaking=1, pieces=1, copies=1, found=("a",))
            >>> both = TrainingCheck.together([one, one])
            >>> both.texts, both.copies, both.found
            (32, 2, ('a',))
        """
        sums = {name: sum(getattr(one, name) for one in checks) for name in _COUNTED}
        examples = dict.fromkeys(example for one in checks for example in one.examples)
        found = {document for one in checks for document in one.found}
        return cls(
            **sums,
            evaluation=checks[0].evaluation,
            found=tuple(sorted(found)),
            examples=tuple(examples)[:MOST_EXAMPLES],
            untold=tuple(sorted({document for one in checks for document in one.untold} - found)),
            whole=any(one.whole for one in checks),
        )

    def __str__(self) -> str:
        """How many texts were looked at, and what they hold."""
        n = f"{'all ' if self.whole else ''}{self.texts:,}"
        facts = [f"{n} training text{'' if self.texts == 1 else 's'}", f"{self.words:,} words"]
        if self.too_short:
            facts.append(f"{self.too_short:,} more too short to tell")
        facts.append(f"{self.of_pool:,} of the pool")
        held = f"{len(self.found):,} of {self.evaluation:,} evaluation documents"
        facts.append(f"{self.leaking:,} with {held}" if self.found else "none with an evaluation document")
        return ", ".join(facts)
