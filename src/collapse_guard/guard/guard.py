"""Guard: a generation that a loop of one's own trains, without any trainer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from torch import nn

from collapse_guard.errors import InputError
from collapse_guard.guard.base import GuardBase
from collapse_guard.guard.ranks import Ranks
from collapse_guard.guard.training import Training
from collapse_guard.records import Generation, Mixture, Verdict
from collapse_guard.reinjection import MixtureSampler


class GenerationInTraining:
    """The generation that a loop trains. `Guard.generation` makes it.

    Attributes:
        should_stop: Whether the loop is to end, the same on all ranks; only with the action `stop` or `raise`.
    """

    def __init__(self, guard: Guard, module: nn.Module, data: object, sampler: MixtureSampler | None) -> None:
        self._guard, self._module, self._data, self._sampler = guard, module, data, sampler
        self._steps = self._epochs = 0
        self.should_stop = False

    @property
    def index(self) -> int:
        """Its number in the lineage."""
        return cast("Generation", self._guard._planned).index

    @property
    def prescription(self) -> Mixture | None:
        """The mixture that its newest parent's assessment asks for; None: it asks for nothing."""
        return self._guard.prescription

    @property
    def verdict(self) -> Verdict | None:
        """The newest verdict, the same on all ranks; None before the first."""
        return self._guard.verdict

    def step(self, step: int | None = None, batch: object = None) -> None:
        """Say that a training step is done, on all ranks; look, where a look is due (`assess_every_n_steps`).

        Args:
            step: Its number, from 0, as `enumerate` gives it over the whole training; None: one after the last.
            batch: What it was trained on: evaluation documents are looked for in the first ones; None: not said.

        Raises:
            InputError: The step is before the last one.
        """
        done = self._steps + 1 if step is None else step + 1
        if done < self._steps:
            raise InputError(f"`step` must not go back, but got {step} after {self._steps - 1}: count over all epochs")
        if batch is not None:
            self._guard._see(batch)
        before, self._steps = self._steps, done
        if self._guard._is_due(before, done):
            self._look()

    def end_epoch(self) -> None:
        """Say that an epoch is done, on all ranks; look, where a look is due (`assess_every_n_epochs`)."""
        self._epochs += 1
        if self._guard._is_due_after(self._epochs, None):
            self._look()

    def _look(self) -> None:
        self.should_stop |= self._guard._look(self._now(), self._module)

    def _now(self) -> Training:
        return Training(step=self._steps, ranks=Ranks.current(), data=self._data, sampler=self._sampler)


class Guard(GuardBase):
    """The guard of a training loop of your own: each `generation` is assessed, recorded, and acted on.

    It takes the arguments of `GuardBase`, acts like it, and has its attributes. Several processes that train together
    are those of the default group of `torch.distributed`.

    Example:
        >>> import torch
        >>> from collapse_guard import EmbeddingProbe, WildType
        >>> wild_type = WildType.fit_arrays(torch.randn(400, 3, generator=torch.manual_seed(0)).numpy())
        >>> probe = EmbeddingProbe(lambda module, n, g: module(torch.randn(n, 3, generator=g)), n_samples=200)
        >>> guard = Guard(wild_type, "tables", probe, generation=0, store="memory:", actions=())
        >>> with guard.generation(torch.nn.Linear(3, 3)) as generation:
        ...     for step in range(10):
        ...         generation.step(step)
        >>> generation.verdict.generation
        0
    """

    @contextmanager
    def generation(
        self, model: nn.Module, *, data: object = None, sampler: MixtureSampler | None = None
    ) -> Iterator[GenerationInTraining]:
        """Train a generation inside; all ranks enter it. It is assessed and recorded where the block ends.

        Nothing is recorded where the block raises. Before it begins, lineage and store are checked and the measurement
        is rehearsed.

        Args:
            model: What is trained, on its device, with the weights that are kept when the block ends.
            data: A `TrainingData` that says what the generation is trained on, such as a data module; None: `mixture`.
            sampler: What mixes the training data, so that `reinject` can raise the real share; None: nothing does.

        Raises:
            CollapsedError: At the end, on all ranks, when the verdict is COLLAPSED and the actions include `raise`.
            InputError: The lineage, its number, the store or the model does not fit.
        """
        attended = GenerationInTraining(self, model, data, sampler)
        self._begin(attended._now())
        self._rehearse(attended._now(), model)
        yield attended
        self._end(attended._now(), model)
