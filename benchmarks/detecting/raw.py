"""Raw lineages: what the models wrote and how well they scored, before anything is measured. Some megabyte each."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detecting.scenarios import SCENARIOS
from detecting.sizes import knows_topics, wild_type_seed
from detecting.worlds import WORLDS

SCHEMA = 2
OF_WORLDS = "worlds"
"""Stands for the corpus where there is no text."""
MODE, MODE_UNNAMED = "mode", "mode, found"
"""What loses a topic: where the wild type knows the topics, and where it found kinds of documents of its own."""
KINDS = ("fast", "mixed", "slow", "tail", "fading tail", MODE, MODE_UNNAMED, "narrow", "duplication")
"""What collapsing lineages of text are examples of, in the order in which people read them."""
ROWS = "rows"
"""Stands for the model there."""
Json = dict[str, Any]


class Task(NamedTuple):
    """One lineage."""

    corpus: str
    """A corpus, or "worlds"."""
    model: str
    """A kind of language model, or "rows"."""
    scenario: str
    """A scenario, or a world."""
    seed: int
    """Everything random in it comes from here."""

    @property
    def name(self) -> str:
        """Name of its files, without an ending."""
        return ".".join(map(str, self))

    @property
    def source(self) -> str:
        """What a user would calibrate for."""
        return f"{self.corpus}, {self.model}"

    @property
    def group(self) -> str:
        """What it is an example of."""
        if self.corpus == OF_WORLDS:
            return WORLDS[self.scenario]
        group = SCENARIOS[self.scenario].group
        return group if group != MODE or knows_topics(wild_type_seed(self.seed)) else MODE_UNNAMED

    @property
    def is_healthy(self) -> bool:
        """Whether nothing collapses in it."""
        return self.group.startswith("healthy")

    @property
    def rng(self) -> np.random.Generator:
        """Its generator of random numbers, which no other lineage shares."""
        return np.random.default_rng([zlib.crc32(".".join(self[:3]).encode()), self.seed])


@dataclass(frozen=True, kw_only=True, eq=False)
class RawLineage:
    """A founder and its descendants."""

    task: Task
    """Which lineage it is."""
    samples: npt.NDArray[Any]
    """T + 1, n, k: token ids of the samples of each generation, or rows of a world."""
    nll: npt.NDArray[np.float64] | None = None
    """T + 1, d: nats of the evaluation documents; None in a world."""
    prompts: npt.NDArray[Any] | None = None
    """n, k: token ids of the prompt of each sample, the same in all generations; None without prompts."""

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        arrays = {name: getattr(self, name) for name in ("samples", "nll", "prompts")}
        about = json.dumps({"schema": SCHEMA, "task": self.task._asdict()}).encode()
        partial = path.with_suffix(".part")
        with partial.open("wb") as file:
            np.savez_compressed(
                file,
                about=np.frombuffer(about, np.uint8),
                **{name: array for name, array in arrays.items() if array is not None},
            )
        partial.replace(path)

    @classmethod
    def read(cls, path: Path) -> RawLineage:
        """Read a file.

        Raises:
            ValueError: It was written by another version of this benchmark.
        """
        with np.load(path, allow_pickle=False) as arrays:
            about = json.loads(arrays["about"].tobytes())
            if about["schema"] != SCHEMA:
                raise ValueError(f"{path} has schema {about['schema']}, {SCHEMA} is required: simulate again")
            parts = {name: arrays[name] for name in ("samples", "nll", "prompts") if name in arrays}
        return cls(task=Task(**about["task"]), **parts)
