"""A small world of generated text with a lineage of one generation, from which every trial begins."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from killing.process import must, run

NOWHERE = "sqlite:////nowhere/mlflow.db"
_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
_WORDS = [first + second for first in _SYLLABLES for second in _SYLLABLES][:1500]


def texts(n: int, seed: int) -> list[str]:
    """Documents of 25 words that obey Zipf's law."""
    weights = 1.0 / np.arange(1, len(_WORDS) + 1)
    drawn = np.random.default_rng(seed).choice(len(_WORDS), size=(n, 25), p=weights / weights.sum())
    return [" ".join(_WORDS[word] for word in row) for row in drawn]


@dataclass(frozen=True, kw_only=True)
class World:
    """What all trials share."""

    home: Path
    """Its folder, with the wild type and files of samples."""
    samples: int
    """Samples of each generation."""

    @classmethod
    def make(cls, home: Path, *, samples: int) -> World:
        """Write files, fit the wild type, and found the lineage `bot`."""
        world = cls(home=home, samples=samples)
        (home / "real.txt").write_text("\n".join(texts(600, 0)))
        start = home / "start"
        start.mkdir()
        must(run(["profile", home / "real.txt", "--out", home / "wild-type", "--group-tokens", 512], start), 0)
        must(run(world.assess(1, "--founder"), start), 0, 3)
        return world

    def assess(self, seed: int, *options: object, store: str = "sqlite:///mlflow.db") -> list[object]:
        """Arguments that assess samples drawn with a seed; the store is relative to the folder of the trial."""
        path = self.home / f"samples-{seed}.txt"
        if not path.exists():
            path.write_text("\n".join(texts(self.samples, seed)))
        common = ["--wild-type", self.home / "wild-type", "--lineage", "bot", "--store", store]
        return ["assess", path, *common, *options]

    def trial(self, name: str) -> Path:
        """A new folder with the founded lineage."""
        return Path(shutil.copytree(self.home / "start", self.home / name))
