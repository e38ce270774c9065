"""RolloutGuard: the guard of a training by reinforcement, whose rollouts are the samples. It generates none itself."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from torch import nn

from collapse_guard.errors import CollapseGuardError, CollapseGuardWarning, InputError
from collapse_guard.guard.ranks import Ranks
from collapse_guard.guard.settings import Settings
from collapse_guard.guard.training import Training
from collapse_guard.measurement.prompts import FEWEST_PROMPTS
from collapse_guard.transformers import CollapseGuardCallback
from collapse_guard.transformers.journal import TrainerJournal
from collapse_guard.trl.rollouts import Rollouts
from collapse_guard.wildtype import WildType

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

PROMPTED = ("distinct_within_prompts", "distinct_between_prompts")
"""Indicators that need enough prompts."""


class RolloutGuard(CollapseGuardCallback):
    """Assesses what a model writes while it is trained by reinforcement, such as by TRL's `GRPOTrainer`.

    It is a callback, and its `observe` stands among the reward functions, where it sees each rollout with its prompt
    and rewards none: `GRPOTrainer(..., reward_funcs=[reward, guard.observe], callbacks=[guard])`. The newest rollouts
    are the evidence, so no sample is drawn a second time.

    What the model writes when the training begins is the baseline: in a lineage that is founded, the first `n_samples`
    rollouts are generation 0, and those with which the training ends are generation 1. A later training with the same
    lineage adds one generation. Looks during the training compare the newest rollouts with the founder.

    Args:
        wild_type: Frozen real texts of the kind that the model is to write, or the directory of saved ones.
        lineage: Name of the lineage.
        n_samples: Rollouts of all ranks that are measured, the newest ones.
        settings: Further arguments of `Guard`, such as `generation`, `store`, `actions` and `assess_every_n_steps`. The
            policy is the preset "rl" unless another is given: it decides by the diversity within prompts and between
            them, by copies, few phrases, and empty and cut samples, because perplexity moves whenever a model is
            trained by reinforcement.

    Raises:
        InputError: An argument is invalid.
    """

    def __init__(
        self,
        wild_type: WildType | str | Path,
        lineage: str,
        *,
        n_samples: int = 2000,
        **settings: Unpack[Settings],
    ) -> None:
        self.rollouts = Rollouts(n_samples)
        settings.setdefault("policy", "rl")
        super().__init__(wild_type, lineage, self.rollouts, **settings)
        self._module: nn.Module | None = None
        self._ends: frozenset[int] = frozenset()
        self._is_warned_of_rollouts = False

    def observe(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]] | None = None,
        trainer_state: TrainerState | None = None,
        **_: Any,
    ) -> list[None]:
        """A reward function that gives no reward: it keeps the rollouts, but not those of an evaluation.

        Args:
            prompts: n: texts, or chats.
            completions: n: texts, or the messages that answer a chat.
            completion_ids: n: their token ids, whose last one says whether a completion was cut; None: it is not known.
            trainer_state: Says which step it is; None: it is not known.

        Returns:
            n: None, by which TRL leaves a reward function out of the sum. A reward of 0 would count where no other
            function gives one.
        """
        if self._module is not None and self._module.training:
            step = 0 if trainer_state is None else trainer_state.global_step + 1
            try:
                self.rollouts.add(prompts, completions, completion_ids, ends=self._ends, step=step)
            except Exception as error:
                self._warn_once(error)
        return [None] * len(prompts)

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **given: Any,
    ) -> None:
        """Check store, lineage and wild type; the outcome is the same on all ranks."""
        self._check_prompts(getattr(args, "num_generations", None))
        self._module = given["model"]
        self._ends = _ends_of(given["model"], given["processing_class"])
        self.rollouts.newest.clear()
        super().on_train_begin(args, state, control, **given)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> TrainerControl:
        """Found the lineage with the first rollouts, or look after every n-th step."""
        is_founding = self._is_founding and not self._is_trained and state.global_step < state.max_steps
        if is_founding and self._has_enough():
            self._found(args, state, given["model"])
            return control
        return super().on_step_end(args, state, control, **given)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:  # noqa: ARG002
        """Leave out, for those that are told later, the mean and spread of rewards that `observe` did not give."""
        for name in [name for name in given["logs"] if name.startswith("rewards/observe/")]:
            del given["logs"][name]

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Assess the generation, record it, act.

        Raises:
            CollapsedError: On all ranks, when the verdict is COLLAPSED and the actions include `raise`.
        """
        super().on_train_end(args, state, control, **given)
        self._module = None

    def _check_prompts(self, each: int | None) -> None:
        """Refuse too few rollouts for the diversity within prompts, where it decides."""
        least = FEWEST_PROMPTS * (each or 0)
        if self.rollouts.n_samples < least and {*PROMPTED} & {*self.policy.decides}:
            raise InputError(
                f"`n_samples` must be at least {least}, the rollouts of {FEWEST_PROMPTS} prompts with {each} of each, "
                f"to judge the diversity within prompts, but got {self.rollouts.n_samples}: n_samples={least}"
            )

    @property
    def _is_founding(self) -> bool:
        return self._planned is not None and self._planned.is_founder

    def _has_enough(self) -> bool:
        """Whether there are as many rollouts as are measured, the same on all ranks."""
        return Ranks.current().on_rank_zero(lambda: self.rollouts.is_full)

    def _look_and_act(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: nn.Module
    ) -> None:
        if not self._is_founding and self._has_enough():
            super()._look_and_act(args, state, control, model)

    def _found(self, args: TrainingArguments, state: TrainerState, model: nn.Module) -> None:
        """Record the founder, and go on with the generation that the training comes to."""
        # The run of the training is for what the training comes to.
        aside = replace(self._now(args, state), journal=TrainerJournal(state, None, self._trainer))
        verdict = self._end(aside, model)
        if verdict.is_unmeasured:  # which was told; it is tried again when training ends
            return
        self._index, self._founding = None, ""
        self.rollouts.newest.clear()
        try:
            if Ranks.current().on_rank_zero(lambda: self._is_kept):
                raise InputError(f"the store must take the founder first, which is generation {verdict.generation}")
            self._begin(self._now(args, state))
        except CollapseGuardError as error:
            self._forget()
            message = f"the rest of this training is not assessed: {Ranks.current().in_words(error)}"
            warnings.warn(message, CollapseGuardWarning, stacklevel=2)
            return
        self._keep(state)

    def _now(self, args: TrainingArguments, state: TrainerState, weights: str = "") -> Training:  # noqa: ARG002
        return super()._now(args, state, self.rollouts.steps)

    def _see_rows(self, model: nn.Module) -> None:
        """The model is trained on what it writes itself, and not on what its loader reads."""

    def _warn_once(self, error: Exception) -> None:
        if self._is_warned_of_rollouts:
            return
        self._is_warned_of_rollouts = True
        message = f"rollouts are not measured: {Ranks.current().in_words(error)}. Training goes on"
        warnings.warn(message, CollapseGuardWarning, stacklevel=3)


def _ends_of(model: nn.Module, processing_class: Any) -> frozenset[int]:
    """The ids after which TRL takes a completion as ended: those that end a text, and pads."""
    tokenizer = getattr(processing_class, "tokenizer", processing_class)
    generation = getattr(model, "generation_config", None)
    found: list[Any] = []
    for holder, name in ((tokenizer, "eos_token_id"), (generation, "eos_token_id"), (tokenizer, "pad_token_id")):
        value = getattr(holder, name, None)
        found += value if isinstance(value, list) else [value]
    return frozenset(int(one) for one in found if one is not None)
