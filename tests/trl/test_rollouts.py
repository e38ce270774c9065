"""What the guard makes of rollouts, and what the training notices of that: nothing."""

import pytest
import torch
from datasets import Dataset
from transformers import TrainerCallback

from collapse_guard.errors import CollapseGuardWarning, InputError
from collapse_guard.lineage.outbox import PENDING, list_pending, load_pending
from collapse_guard.records import Severity
from faulty_stores import FaultyStore

pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.* is deprecated:FutureWarning")  # TRL asks


def words(completions, **columns):
    """A reward for different words; none for completions that begin with an even number of letters."""
    return [
        None if len(text.split(" ")[0]) % 2 == 0 else float(len(set(text.split()))) for text in map(str, completions)
    ]


def test_the_first_rollouts_found_a_lineage_and_the_newest_are_its_first_generation(guard, trainer_of, store):
    seen = []

    def reward(completions, **columns):
        seen.extend(completions)
        return [float(len(text)) for text in completions]

    guard = guard()
    trainer_of(reward, guard.observe, callbacks=[guard]).train()
    founder, trained = store.history("newsbot")
    assert founder.generation.is_founder
    assert founder.origin.measured == "rollouts of steps 1 to 5"
    assert trained.generation.parents == (0,)
    assert trained.origin.measured == "rollouts of steps 8 to 12"
    assert guard.evidence.samples == seen[-80:]
    assert len(set(guard.evidence.prompts)) == 20
    assert guard.verdict == trained.verdict
    assert {"distinct_within_prompts", "truncated_samples"} <= trained.readings.keys()
    assert "perplexity" not in trained.readings


def test_a_later_training_adds_one_generation(guard, trainer_of, store):
    for _ in range(2):
        trained = guard()
        trainer_of(length_of, trained.observe, callbacks=[trained], max_steps=6).train()
    assert [past.generation.index for past in store.history("newsbot")] == [0, 1, 2]


def length_of(completions, **columns):
    return [float(len(str(completion))) for completion in completions]


WAYS = {
    "a sum of rewards": {},
    "weighted rewards": {"reward_weights": [0.5, 2.0], "scale_rewards": "batch"},
    "normalised rewards": {"multi_objective_aggregation": "normalize_then_sum"},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.slow
def test_losses_and_weights_are_to_the_bit_those_without_it(guard, trainer_of, way):
    def trained(*guards):
        settings = {"max_steps": 7, "logging_steps": 1, **WAYS[way]}
        if "reward_weights" in settings:
            settings["reward_weights"] = settings["reward_weights"][: 1 + len(guards)]
        rewards = [words, *(one.observe for one in guards)]
        trainer = trainer_of(*rewards, callbacks=guards, **settings)
        for one in guards:
            one.attach(trainer)
        trainer.train()
        kinds = ("loss", "grad_norm", "reward", "reward_std", "frac_reward_zero_std", "entropy")
        return [[line.get(kind) for kind in kinds] for line in trainer.state.log_history if "loss" in line], (
            trainer.model.state_dict()
        )

    losses, weights = trained()
    with_guard, same = trained(guard(assess_every_n_steps=6))
    assert losses == with_guard
    assert all(torch.equal(weight, same[name]) for name, weight in weights.items())


@pytest.mark.slow
def test_a_model_that_learns_one_answer_is_stopped(guard, trainer_of, store):
    def reward(completions, **columns):
        return [float(text.count("b")) for text in completions]

    stopping = guard(actions=("stop",), assess_every_n_steps=5)
    trainer = trainer_of(reward, stopping.observe, callbacks=[stopping], max_steps=80, learning_rate=3e-2)
    trainer.train()
    assert stopping.looks[-1][1] == "COLLAPSED"
    assert trainer.state.global_step == stopping.looks[-1][0] < 80
    assert store.latest("newsbot").verdict.severity is Severity.COLLAPSED
    assert "distinct_within_prompts" in {reason.indicator for reason in stopping.verdict.reasons}


class Reporter(TrainerCallback):
    """Keeps the names of what is logged."""

    names = frozenset()

    def on_log(self, args, state, control, logs=None, **kwargs):
        self.names |= logs.keys()


def test_reporters_are_not_told_of_rewards_that_are_none(guard, trainer_of):
    attached, reporter = guard(), Reporter()
    attached.attach(trainer := trainer_of(length_of, attached.observe, callbacks=[reporter], max_steps=6))
    trainer.train()
    assert {"rewards/length_of/mean", "diversity/distinct_within_prompts"} <= reporter.names
    assert not [name for name in reporter.names if "observe" in name]


def test_chats_are_prompts_and_answers_without_their_roles(guard, trainer_of, wild_type, tokenizer):
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }} {% endfor %}"
    prompts = [[{"role": "user", "content": " ".join(text.split()[:2])}] for text in wild_type.pool[:40]]
    chatting = guard()
    trainer_of(length_of, chatting.observe, callbacks=[chatting], prompts=prompts, max_steps=5).train()
    asked = {f"user: {prompt[0]['content']}" for prompt in prompts}
    assert set(chatting.evidence.prompts) <= asked
    assert all(isinstance(sample, str) and "role" not in sample for sample in chatting.evidence.samples)


def test_rollouts_of_an_evaluation_are_none_of_the_training(guard, trainer_of, wild_type):
    evaluation = Dataset.from_dict({"prompt": ["what is asked in the evaluation"] * 4})
    evaluated = guard()
    settings = {"eval_strategy": "steps", "eval_steps": 2, "per_device_eval_batch_size": 4, "max_steps": 5}
    trainer_of(length_of, evaluated.observe, callbacks=[evaluated], evaluation=evaluation, **settings).train()
    assert len(evaluated.evidence.samples) == 80
    assert "what is asked in the evaluation" not in evaluated.evidence.prompts


def test_without_observe_it_says_where_to_put_it(guard, trainer_of, store):
    with pytest.warns(CollapseGuardWarning, match=r"`reward_funcs` must have `guard.observe` among them"):
        trainer_of(length_of, callbacks=[guard()], max_steps=1).train()
    assert not store.has("newsbot")


def test_a_prompt_that_is_no_text_costs_a_warning_and_no_training(guard, trainer_of, store):
    confused = guard()

    def reward(completions, **columns):
        confused.observe(prompts=[7] * len(completions), completions=completions)
        return length_of(completions)

    with pytest.warns(CollapseGuardWarning) as warned:
        trainer_of(reward, callbacks=[confused], max_steps=2).train()
    said = [str(one.message) for one in warned if one.category is CollapseGuardWarning]
    assert len(said) == 2
    assert "rollouts are not measured: `prompts` must be texts or chats, but got 7" in said[0]


def test_a_founder_that_the_store_refuses_is_kept_and_no_later_rollouts_take_its_place(
    guard, trainer_of, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    store = FaultyStore(appending=OSError(28, "No space left on device"))
    refused = guard(store=store)
    with pytest.warns(CollapseGuardWarning) as warned:
        trainer_of(length_of, refused.observe, callbacks=[refused], max_steps=11).train()
    lost, rest = [str(one.message) for one in warned if one.category is CollapseGuardWarning]
    assert lost.startswith("generation 0 of 'newsbot' is not in the store: ")
    assert rest == (
        "the rest of this training is not assessed: the store must take the founder first, which is generation 0"
    )
    [kept] = list_pending(PENDING)
    assert load_pending(kept).request.origin.measured == "rollouts of steps 1 to 5"


def test_rollouts_of_too_few_prompts_are_refused_before_training(guard, trainer_of):
    few = guard(n_samples=40)
    with pytest.raises(InputError) as raised:
        trainer_of(length_of, few.observe, callbacks=[few]).train()
    assert str(raised.value).startswith("`n_samples` must be at least 80, the rollouts of 20 prompts with 4 of each")
