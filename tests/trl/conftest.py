"""A small world to train in with TRL's `GRPOTrainer`: prompts, rewards, a GPT-2 of two layers."""

import pytest
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from collapse_guard.trl import RolloutGuard
from small_world import short_collections as short_collections
from small_world import small as small
from small_world import store as store
from small_world import tokenizer as tokenizer
from small_world import wild_type as wild_type
from tiny_models import gpt2


@pytest.fixture
def guard(wild_type, store):
    """A guard of 80 rollouts, which founds its lineage where there is none."""

    def make(**settings):
        index = None if store.has("newsbot") else 0
        return RolloutGuard(
            wild_type, "newsbot", **{"n_samples": 80, "store": store, "actions": (), "generation": index, **settings}
        )

    return make


def length(completions, **columns):
    """A reward for different words."""
    return [float(len(set(str(completion).split()))) for completion in completions]


@pytest.fixture
def trainer_of(tmp_path, wild_type, tokenizer):
    """A quiet trainer of 4 completions for each of 4 prompts in a step; 12 steps unless told otherwise."""

    def make(*rewards, callbacks=(), prompts=None, evaluation=None, **settings):
        texts = prompts or [*dict.fromkeys(" ".join(text.split()[:2]) for text in wild_type.pool[:60])]
        quiet = {"disable_tqdm": True, "report_to": "none", "use_cpu": True, "bf16": False}
        usual = {"max_steps": 12, "logging_steps": 4, "save_strategy": "no", "learning_rate": 1e-2}
        sizes = {"per_device_train_batch_size": 16, "num_generations": 4, "max_completion_length": 10}
        config = {**quiet, **usual, **sizes, "gradient_checkpointing": False, **settings}
        return GRPOTrainer(
            model=gpt2(tokenizer),
            reward_funcs=list(rewards) or [length],
            args=GRPOConfig(output_dir=str(tmp_path / "out"), **config),
            train_dataset=Dataset.from_dict({"prompt": texts}),
            eval_dataset=evaluation,
            processing_class=tokenizer,
            callbacks=list(callbacks),
        )

    return make
