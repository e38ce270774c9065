"""A training whose guard stands in a YAML file, as LightningCLI reads it."""

import sys

import pytest
import pytorch_lightning as pl
import torch
import yaml
from pytorch_lightning.cli import LightningCLI

from collapse_guard import CausalLMProbe, CollapseGuard, WildType
from collapse_guard.records import Severity

from .conftest import tiny_model


class Model(tiny_model(pl)):
    """Of as many words as the file says."""

    def __init__(self, vocabulary_size: int):
        super().__init__(vocabulary_size)


class Data(pl.LightningDataModule):
    """The pool of the wild type that the file names."""

    def __init__(self, wild_type: str):
        super().__init__()
        self.wild_type = WildType.load(wild_type)

    def train_dataloader(self):
        rows = [self.wild_type.tokenizer.encode(text).ids[:17] for text in self.wild_type.pool[:32]]
        return torch.utils.data.DataLoader(torch.tensor([[*row, *[1] * (17 - len(row))] for row in rows]), 16)


FILE = """
seed_everything: 1
trainer:
  accelerator: cpu
  devices: 1
  max_epochs: 1
  logger: false
  enable_checkpointing: false
  enable_progress_bar: false
  enable_model_summary: false
  callbacks:
    - class_path: collapse_guard.CollapseGuard
      init_args:
        wild_type: wild-type
        lineage: newsbot
        generation: 0
        policy: policy.toml
        store: "memory:"
        actions: [alert, stop]
        assess_every_n_steps: 1
        mixture: {real: 1.0}
        probe:
          class_path: collapse_guard.CausalLMProbe
          init_args:
            tokenizer:
              class_path: tokenizers.Tokenizer.from_file
              init_args:
                path: tokenizer.json
            n_samples: 0
            n_documents: 100
model:
  vocabulary_size: 400
data:
  wild_type: wild-type
"""


@pytest.mark.filterwarnings("ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning")  # Lightning's own calls
@pytest.mark.slow
def test_a_guard_is_given_in_a_file(wild_type, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wild_type.save("wild-type")
    wild_type.tokenizer.save("tokenizer.json")
    (tmp_path / "policy.toml").write_text('decides = ["tail_loss"]\n')
    (tmp_path / "fit.yaml").write_text(FILE)
    command = ["train.py", "fit", "--config=fit.yaml", "--trainer.callbacks.init_args.seed=7"]
    monkeypatch.setattr(sys, "argv", command)
    cli = LightningCLI(Model, Data)
    [guard] = [one for one in cli.trainer.callbacks if isinstance(one, CollapseGuard)]
    assert isinstance(guard.probe, CausalLMProbe)
    assert (guard.seed, guard.actions, guard.policy.decides) == (7, ("alert", "stop"), ("tail_loss",))
    assert guard.assessment.generation.mixture.real == 1.0
    assert guard.assessment.readings["perplexity"].is_usable
    assert len(guard.looks) == 1
    assert guard.verdict.severity is not Severity.UNDECIDED
    saved = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert saved["trainer"]["callbacks"][0]["class_path"] == "collapse_guard.CollapseGuard"
