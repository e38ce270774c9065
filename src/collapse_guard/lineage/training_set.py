"""What is known of the data that a generation is trained on, and who can tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from collapse_guard.records import Generation, Mixture


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """What a generation is trained on."""

    mixture: Mixture
    """The shares of real and synthetic data."""
    items: int | None = None
    """Documents in it; None: not known."""
    parents: tuple[int, ...] | None = None
    """Generations whose samples are in it; None: not known."""

    def of(self, generation: Generation) -> Generation:
        """A generation with what is known of its training set; what is not known stays as it was planned.

        Example:
            >>> planned = Generation(lineage="newsbot", index=2, parents=(1,))
            >>> TrainingSet(mixture=Mixture.with_real(0.25), parents=(0,)).of(planned).parents
            (0,)
        """
        facts = {"mixture": self.mixture, "items": self.items, "parents": self.parents}
        return generation.model_copy(update={name: fact for name, fact in facts.items() if fact is not None})


@runtime_checkable
class TrainingData(Protocol):
    """A data module, or another source of training data, that tells a guard what a generation is trained on."""

    def training_set(self) -> TrainingSet | None:
        """What was trained on so far in the run; None before training starts, and where it is not known."""
        ...


def as_told(generation: Generation, data: object, *, parents_are_given: bool) -> Generation:
    """A planned generation with what its data tell, where they tell anything.

    Args:
        generation: As it was planned.
        data: The data module of the run; any object, or None.
        parents_are_given: Whether the user named the parents, which then stay.

    Example:
        >>> planned = Generation(lineage="newsbot", index=2, parents=(1,))
        >>> as_told(planned, None, parents_are_given=False) == planned
        True
    """
    known = data.training_set() if isinstance(data, TrainingData) else None
    if known is None:
        return generation
    return (replace(known, parents=None) if parents_are_given else known).of(generation)
