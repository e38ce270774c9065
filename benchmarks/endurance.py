"""Many generations in one process: what each leaves behind in memory, open files and threads.

python benchmarks/endurance.py                       # 300 generations of text in a loop of its own: ten minutes
python benchmarks/endurance.py --kind lightning      # each by a Trainer of its own
python benchmarks/endurance.py --kind vectors
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import random
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import nn

from collapse_guard import CausalLMProbe, EmbeddingProbe, Guard, WildType

N = 300
LINES = 12
"""Generations of which a line is printed."""
VOCABULARY, WIDTH = 300, 16
WORDS = [f"{first}{vowel}{last}" for first in "bdfgklmnprst" for vowel in "aeiou" for last in "nrst"]


class Left(NamedTuple):
    """What a process holds behind a generation."""

    generation: int
    megabytes: float
    """Resident."""
    in_use: float | None
    """Of these what the C library has handed out, in megabytes; the rest is Python's own and what is free again. None:
    it is another library than glibc."""
    files: int
    """Open ones, sockets and pipes among them."""
    threads: int
    objects: int
    """That Python's collector knows."""

    def __str__(self) -> str:
        """A row of the table."""
        used = "-" if self.in_use is None else f"{self.in_use:,.0f} MB"
        cells = (self.generation, f"{self.megabytes:,.0f} MB", used, self.files, self.threads, f"{self.objects:,}")
        return f"| {' | '.join(map(str, cells))} |"


class Writer(nn.Module):
    """A small language model, or rows where it is asked for these; its losses differ a little in each generation."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.embedding, self.gru = nn.Embedding(VOCABULARY, WIDTH), nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.gru(self.embedding(ids))[0])  # type: ignore[no-any-return]


def documents(n: int, seed: int = 0) -> list[str]:
    """Of 12 to 24 words whose frequencies follow Zipf's law."""
    drawn, shares = random.Random(seed), [1.0 / rank for rank in range(1, len(WORDS) + 1)]  # noqa: S311
    return [" ".join(drawn.choices(WORDS, shares, k=drawn.randint(12, 24))) for _ in range(n)]


def of_text(store: str) -> Callable[[int], None]:
    """A loop that trains a language model."""
    wild_type = WildType.fit(documents(600), vocabulary_size=VOCABULARY, group_tokens=256)
    probe = CausalLMProbe(wild_type.tokenizer, n_samples=200, max_new_tokens=16)

    def train(generation: int) -> None:
        guard = Guard(wild_type, "text", probe, store=store, **_place(generation))
        with guard.generation(Writer(generation)) as attended:
            attended.step(batch=documents(8, generation))

    return train


def of_vectors(store: str) -> Callable[[int], None]:
    """A loop that trains a model of rows."""
    wild_type = WildType.fit_arrays(np.random.default_rng(0).normal(size=(900, 4)))
    probe = EmbeddingProbe(lambda _, n, generator: torch.randn(n, 4, generator=generator), n_samples=500)

    def train(generation: int) -> None:
        guard = Guard(wild_type, "vectors", probe, store=store, **_place(generation))
        with guard.generation(nn.Identity()) as attended:
            attended.step()

    return train


def by_lightning(store: str) -> Callable[[int], None]:
    """The same language model by a new Trainer and a new callback for each generation."""
    import pytorch_lightning as pl

    from collapse_guard import CollapseGuard

    wild_type = WildType.fit(documents(600), vocabulary_size=VOCABULARY, group_tokens=256)
    probe = CausalLMProbe(wild_type.tokenizer, n_samples=200, max_new_tokens=16)

    class Module(pl.LightningModule):
        def __init__(self, seed: int) -> None:
            super().__init__()
            self.writer = Writer(seed)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.writer(ids)  # type: ignore[no-any-return]

        def training_step(self, batch: torch.Tensor, _: int) -> torch.Tensor:
            return nn.functional.cross_entropy(self(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.01)

    def train(generation: int) -> None:
        guard = CollapseGuard(wild_type, "lightning", probe, store=store, **_place(generation))
        quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
        trainer = pl.Trainer(accelerator="cpu", max_epochs=1, callbacks=[guard], **quiet)
        rows = torch.randint(VOCABULARY, (16, 12), generator=torch.Generator().manual_seed(generation))
        trainer.fit(Module(generation), torch.utils.data.DataLoader(rows, batch_size=8))

    return train


KINDS = {"text": of_text, "vectors": of_vectors, "lightning": by_lightning}


def generations(kind: str, n: int, folder: Path) -> Iterator[Left]:
    """Train, measure and record n generations, a store in the folder; what the process holds behind each."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train = KINDS[kind](f"sqlite:///{folder / 'mlflow.db'}")
        for generation in range(n):
            train(generation)
            yield left(generation)


def left(generation: int) -> Left:
    """What this process holds now."""
    gc.collect()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    files = len(list(Path("/proc/self/fd").iterdir()))
    megabytes = int(status["VmRSS"].split()[0]) / 1024
    return Left(generation, megabytes, _in_use(), files, threading.active_count(), len(gc.get_objects()))


class _Heap(ctypes.Structure):
    """What `mallinfo2` of glibc returns."""

    _fields_: ClassVar = [
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keep",
        )
    ]


def _in_use() -> float | None:
    read = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if read is None:
        return None
    read.restype = _Heap
    heap = read()
    return float(heap.uordblks + heap.hblkhd) / 2**20


def _place(generation: int) -> dict[str, Any]:
    return {"actions": (), **({} if generation else {"generation": 0})}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=KINDS, default="text")
    parser.add_argument("--generations", type=int, default=N)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print("| behind generation | memory | in use | open files | threads | objects |")
    print("| --- | --- | --- | --- | --- | --- |")
    every = max(1, chosen.generations // LINES)
    with tempfile.TemporaryDirectory() as folder:
        for line in generations(chosen.kind, chosen.generations, Path(folder)):
            if line.generation % every == 0 or line.generation == chosen.generations - 1:
                print(line, flush=True)


if __name__ == "__main__":
    main()
