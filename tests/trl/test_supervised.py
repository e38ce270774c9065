"""The guard of Hugging Face's trainer in those trainers of TRL that draw nothing: they notice nothing of it."""

import pytest
import torch
from datasets import Dataset
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from collapse_guard.probes import CausalLMProbe
from collapse_guard.transformers import CollapseGuardCallback
from tiny_models import gpt2

pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.* is deprecated:FutureWarning")  # TRL asks


def texts(wild_type):
    return Dataset.from_dict({"text": wild_type.pool[:48]})


def pairs(wild_type):
    words = [text.split() for text in wild_type.pool[:49]]
    chosen = [" ".join(["", *text[3:8]]) for text in words]
    columns = {"prompt": [" ".join(text[:3]) for text in words[:-1]], "chosen": chosen[:-1], "rejected": chosen[1:]}
    return Dataset.from_dict(columns)


WAYS = {
    "SFT": (SFTTrainer, SFTConfig, texts, {}),
    "SFT of packed texts": (SFTTrainer, SFTConfig, texts, {"packing": True, "max_length": 32}),
    "DPO": (DPOTrainer, DPOConfig, pairs, {}),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.slow
def test_losses_and_weights_are_to_the_bit_those_without_it(wild_type, tokenizer, store, tmp_path, way):
    kind, config, data, settings = WAYS[way]

    def trained(*callbacks):
        quiet = {"disable_tqdm": True, "report_to": "none", "use_cpu": True, "bf16": False, "save_strategy": "no"}
        usual = {"max_steps": 4, "logging_steps": 1, "per_device_train_batch_size": 8, "learning_rate": 1e-3}
        trainer = kind(
            model=gpt2(tokenizer),
            args=config(output_dir=str(tmp_path), gradient_checkpointing=False, **quiet, **usual, **settings),
            train_dataset=data(wild_type),
            processing_class=tokenizer,
            callbacks=list(callbacks),
            **({"ref_model": gpt2(tokenizer)} if kind is DPOTrainer else {}),
        )
        trainer.train()
        logged = [(line["loss"], line["grad_norm"]) for line in trainer.state.log_history if "loss" in line]
        return logged, trainer.model.state_dict()

    probe = CausalLMProbe(tokenizer, n_samples=80, n_documents=40, max_new_tokens=6, max_length=64)
    settings_of_guard = {"generation": 0, "store": store, "actions": (), "assess_every_n_steps": 3}
    guard = CollapseGuardCallback(wild_type, "newsbot", probe, **settings_of_guard)
    losses, weights = trained()
    watched, same = trained(guard)
    assert [step for step, _ in guard.looks] == [3]
    assert watched == losses
    assert all(torch.equal(weight, same[name]) for name, weight in weights.items())
    assert store.latest("newsbot").verdict == guard.verdict
