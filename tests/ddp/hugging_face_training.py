"""Run by test_hugging_face_ddp.py: trainings of Hugging Face's trainers, on one process and on two gloo processes.

The processes are forked from this one and meet as `accelerate launch` has them meet. `argv[1]` is the folder.
"""

import faulthandler
import json
import os
import sys
import warnings
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from transformers import DataCollatorForLanguageModeling, Trainer, TrainingArguments
from trl import GRPOConfig, GRPOTrainer

from collapse_guard.errors import CollapseGuardWarning
from collapse_guard.evidence import Evidence, Losses
from collapse_guard.lineage import enrol as enrolment
from collapse_guard.probes import CausalLMProbe
from collapse_guard.store import MemoryStore
from collapse_guard.transformers import CollapseGuardCallback
from collapse_guard.trl import RolloutGuard
from collapse_guard.wildtype import WildType
from tiny_models import gpt2, gpt2_items, language, trained_tokenizer
from waiting import free_port

QUIET = {"save_strategy": "no", "report_to": "none", "disable_tqdm": True, "use_cpu": True}


def train(guard, wild_type, tokenizer, folder, world_size, *, items, **settings):
    args = TrainingArguments(
        output_dir=str(folder / "out"),
        per_device_train_batch_size=8 // world_size,
        learning_rate=0.0,  # the weights stay, whatever is rounded where gradients meet
        ddp_backend="gloo" if world_size > 1 else None,
        **QUIET,
        **settings,
    )
    trainer = Trainer(
        model=gpt2(tokenizer),
        args=args,
        train_dataset=gpt2_items(wild_type.pool[:items], tokenizer),
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False),
        processing_class=tokenizer,
        callbacks=[guard],
    )
    trainer.train()
    return trainer.state.global_step


def a_language_model(wild_type, tokenizer, folder, rank, world_size):
    """The last batch of samples is a single one."""
    probe = CausalLMProbe(tokenizer, n_samples=81, max_new_tokens=12, max_length=64, batch_size=16)
    store, settings = MemoryStore(), {"generation": 0, "actions": (), "assess_every_n_steps": 2}
    guard = CollapseGuardCallback(wild_type, "newsbot", probe, store=store, **settings)
    train(guard, wild_type, tokenizer, folder, world_size, items=200, max_steps=3)
    said = {
        "verdict": str(guard.verdict),
        "looks": guard.looks,
        "stored": len(store.history("newsbot") if not rank else ()),
    }
    readings = {name: reading.value for name, reading in guard.assessment.readings.items()}
    samples = guard.evidence.samples if guard.evidence else None
    return {**said, "readings": readings, "samples": samples}


class Scripted:
    """Fails on the second rank the first time."""

    def __init__(self):
        self.fails = True

    def collect(self, module, wild_type, *, seed, rank, world_size):
        if rank == 1 and self.fails:
            self.fails = False
            raise ZeroDivisionError("on one rank only")
        documents = wild_type.evaluation.hashes[:31][rank::world_size]
        tokens = np.full(len(documents), 30)
        return Evidence(losses=Losses(documents=documents, nll=5.0 * tokens, n_tokens=tokens))


def a_rank_that_fails(wild_type, tokenizer, folder, rank, world_size):
    """The ranks have uneven parts of 27 items and 31 documents, and the first look fails on one of them."""
    store = MemoryStore()
    settings = {"generation": 0, "actions": (), "assess_every_n_steps": 2}
    guard = CollapseGuardCallback(wild_type, "failing", Scripted(), store=store, **settings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        steps = train(guard, wild_type, tokenizer, folder, world_size, items=27, num_train_epochs=1)
    told = [str(one.message) for one in caught if one.category is CollapseGuardWarning]
    n = guard.assessment.readings["perplexity"].n
    return {"told": told, "steps": steps, "verdict": str(guard.verdict), "looks": guard.looks, "n": n}


def rollouts(wild_type, tokenizer, folder, rank, world_size):
    store, seen = MemoryStore(), []

    def reward(completions, **columns):
        seen.extend(completions)
        return [float(len(text)) for text in completions]

    guard = RolloutGuard(wild_type, "newsbot", n_samples=80, store=store, generation=0, actions=())
    sizes = {"per_device_train_batch_size": 8, "num_generations": 4, "max_completion_length": 10, "max_steps": 10}
    prompts = [*dict.fromkeys(" ".join(text.split()[:2]) for text in wild_type.pool[:60])]
    GRPOTrainer(
        model=gpt2(tokenizer),
        reward_funcs=[reward, guard.observe],
        args=GRPOConfig(output_dir=str(folder / "out"), bf16=False, ddp_backend="gloo", **QUIET, **sizes),
        train_dataset=Dataset.from_dict({"prompt": prompts}),
        processing_class=tokenizer,
        callbacks=[guard],
    ).train()
    stored = store.history("newsbot") if not rank else []
    evidence = guard.evidence and {"samples": guard.evidence.samples, "prompts": guard.evidence.prompts}
    measured = [past.origin.measured for past in stored]
    return {"verdict": str(guard.verdict), "measured": measured, "seen": seen, "evidence": evidence}


def run(trainings, rank, world_size, port, wild_type, folder):
    faulthandler.dump_traceback_later(200)  # where a rank waits for ever, its test shows where
    torch.set_num_threads(1)
    if world_size > 1:
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world_size, "MASTER_PORT": port}
        os.environ.update({name: str(value) for name, value in place.items()}, MASTER_ADDR="127.0.0.1")
    tokenizer = trained_tokenizer(wild_type.pool)
    for training in trainings:
        report = training(wild_type, tokenizer, folder, rank, world_size)
        (folder / f"{training.__name__} {rank} of {world_size}.json").write_text(json.dumps(report))


if __name__ == "__main__":
    folder, forked = Path(sys.argv[1]), get_context("fork")
    enrolment.attachments = lambda lineage, history: {}  # to draw a page takes longer than a training
    wild_type = WildType.fit(
        language(500), seed=0, vocabulary_size=300, group_tokens=128, group_samples=16, evaluation_fraction=0.3
    )
    ranks = []
    for world_size, trainings in ((1, [a_language_model]), (2, [a_language_model, a_rank_that_fails, rollouts])):
        place = (world_size, free_port(), wild_type, folder)
        ranks += [forked.Process(target=run, args=(trainings, rank, *place)) for rank in range(world_size)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    sys.exit(max(abs(rank.exitcode) for rank in ranks))
