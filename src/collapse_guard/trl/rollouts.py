"""The rollouts of a training: what its model wrote to its prompts, of which the newest are the evidence."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from torch import nn

from collapse_guard.arguments import whole
from collapse_guard.corpus.chat import is_chat, render, written_by
from collapse_guard.errors import InputError
from collapse_guard.evidence import Evidence
from collapse_guard.guard.ranks import Ranks
from collapse_guard.wildtype import WildType


class Rollout(NamedTuple):
    """One of them."""

    prompt: str
    sample: str
    is_truncated: bool | None
    """Whether it was cut before its end; None: it is not known."""
    step: int
    """Training step, from 1, that it was drawn for; 0: it is not known."""


class Rollouts:
    """A probe that draws nothing: the newest rollouts of the training, over all ranks.

    Args:
        n_samples: Most rollouts that are kept.

    Raises:
        InputError: It is not a whole number from 2 on.

    Example:
        >>> rollouts = Rollouts(2)
        >>> rollouts.add(["Who won?"] * 3, ["Nobody.", "She did.", "He did."], None, ends=(), step=1)
        >>> rollouts.is_full, rollouts.steps, [one.sample for one in rollouts.newest]
        (True, 'rollouts of step 1', ['She did.', 'He did.'])
    """

    kind = "text"
    """Kind of wild type that the evidence is for."""

    def __init__(self, n_samples: int) -> None:
        self.n_samples = whole("n_samples", n_samples, least=2)
        self.newest: deque[Rollout] = deque(maxlen=n_samples)

    def add(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        ids: Sequence[Sequence[int]] | None,
        *,
        ends: Collection[int],
        step: int,
    ) -> None:
        """Add rollouts of this rank.

        Args:
            prompts: n: texts, or chats.
            completions: n: texts, or the messages that answer a chat.
            ids: n: their token ids; None: they are not known.
            ends: Ids that end a completion; empty: they are not known.
            step: Training step, from 1.
        """
        place = Ranks.current()
        if self.newest.maxlen != (most := -(-self.n_samples // place.world_size)):
            self.newest = deque(self.newest, maxlen=most)
        for number, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
            cut = _is_cut(ids[number], ends) if ids is not None and ends else None
            self.newest.append(Rollout(_text(prompt), _written(completion), cut, step))

    @property
    def is_full(self) -> bool:
        """Whether this rank has its part of them."""
        return len(self.newest) == self.newest.maxlen

    @property
    def steps(self) -> str:
        """Which training steps they were drawn for, in words."""
        steps = [rollout.step for rollout in self.newest if rollout.step]
        if not steps:
            return "rollouts"
        first, last = min(steps), max(steps)
        return f"rollouts of step {last}" if first == last else f"rollouts of steps {first} to {last}"

    def collect(self, module: nn.Module, wild_type: WildType, *, seed: int, rank: int, world_size: int) -> Evidence:  # noqa: ARG002
        """This rank's rollouts.

        Raises:
            InputError: There are none.
        """
        if not self.newest:
            raise InputError(
                "`reward_funcs` must have `guard.observe` among them, but no rollout was seen: "
                "`GRPOTrainer(..., reward_funcs=[reward, guard.observe], callbacks=[guard])`"
            )
        cut = [rollout.is_truncated for rollout in self.newest]
        return Evidence(
            samples=[rollout.sample for rollout in self.newest],
            prompts=[rollout.prompt for rollout in self.newest],
            truncated=None if None in cut else cut,
        )


def _is_cut(ids: Sequence[int], ends: Collection[int]) -> bool:
    """As TRL counts `completions/clipped_ratio`."""
    return not len(ids) or int(ids[-1]) not in ends


def _text(prompt: Any) -> str:
    """A prompt as one text; a chat with its roles."""
    if isinstance(prompt, str):
        return prompt
    if is_chat(prompt):
        return render(prompt)
    raise InputError(
        f"`prompts` must be texts or chats, but got {prompt!r:.80}: give the dataset such a column `prompt`"
    )


def _written(completion: Any) -> str:
    """What the model wrote; of messages, those that it wrote itself and not the answers of tools."""
    return completion if isinstance(completion, str) else written_by(completion, "assistant")
