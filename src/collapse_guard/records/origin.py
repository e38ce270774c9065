"""Which training a generation came from, so that one that is run again is known again."""

from __future__ import annotations

from pydantic import Field

from collapse_guard.records.record import Record


class Origin(Record):
    """The training that a generation came from."""

    training: str
    """Random name of the training; one that goes on from its checkpoint keeps it."""
    step: int = Field(ge=0)
    """Step of the training at which the generation was measured."""
    weights: str = ""
    """Digest of the weights that were measured; empty where they cannot be read on one rank."""
    measured: str = ""
    """Which weights were measured, in words, such as "best by val_loss: epoch=3.ckpt"; empty: it is not known."""

    def is_of(self, other: Origin) -> bool:
        """Whether this is what the other training came to, or had come to before.

        Example:
            >>> first = Origin(training="a", step=80)
            >>> Origin(training="a", step=80).is_of(first), Origin(training="a", step=90).is_of(first)
            (True, False)
        """
        return self.training == other.training and self.step <= other.step
