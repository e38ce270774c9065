"""Train the same model with a guard on one process and on two, which meet as `accelerate launch` has them meet."""

import json
import os
import sys
from multiprocessing import get_context
from pathlib import Path

import torch
from transformers import DataCollatorForLanguageModeling, Trainer, TrainingArguments

from collapse_guard.probes import CausalLMProbe
from collapse_guard.store import MemoryStore
from collapse_guard.transformers import CollapseGuardCallback
from collapse_guard.wildtype import WildType
from tiny_models import gpt2, gpt2_items, language, trained_tokenizer
from waiting import free_port


def train(rank, world_size, port, wild_type, folder):
    torch.set_num_threads(1)
    if world_size > 1:
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world_size, "MASTER_PORT": port}
        os.environ.update({name: str(value) for name, value in place.items()}, MASTER_ADDR="127.0.0.1")
    tokenizer = trained_tokenizer(wild_type.pool)
    probe = CausalLMProbe(tokenizer, n_samples=80, max_new_tokens=12, max_length=64, batch_size=16)
    store, settings = MemoryStore(), {"generation": 0, "actions": (), "assess_every_n_steps": 2}
    guard = CollapseGuardCallback(wild_type, "newsbot", probe, store=store, **settings)
    args = TrainingArguments(
        output_dir=str(folder / "out"),
        max_steps=3,
        per_device_train_batch_size=8 // world_size,
        learning_rate=0.0,  # the weights stay, whatever is rounded where gradients meet
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        ddp_backend="gloo" if world_size > 1 else None,
    )
    trainer = Trainer(
        model=gpt2(tokenizer),
        args=args,
        train_dataset=gpt2_items(wild_type.pool, tokenizer),
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False),
        processing_class=tokenizer,
        callbacks=[guard],
    )
    trainer.train()
    said = {
        "verdict": str(guard.verdict),
        "looks": guard.looks,
        "stored": len(store.history("newsbot") if not rank else ()),
    }
    readings = {name: reading.value for name, reading in guard.assessment.readings.items()}
    samples = guard.evidence.samples if guard.evidence else None
    path = folder / f"rank {rank} of {world_size}.json"
    path.write_text(json.dumps({**said, "readings": readings, "samples": samples}))


if __name__ == "__main__":
    folder, forked = Path(sys.argv[1]), get_context("fork")
    wild_type = WildType.fit(
        language(500), seed=0, vocabulary_size=300, group_tokens=128, group_samples=16, evaluation_fraction=0.3
    )
    port = free_port()
    ranks = [
        forked.Process(target=train, args=(rank, world_size, port, wild_type, folder))
        for world_size in (1, 2)
        for rank in range(world_size)
    ]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    sys.exit(max(abs(rank.exitcode) for rank in ranks))
