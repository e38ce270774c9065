"""Phase 1: grow lineages, and keep what the models wrote and scored. Nothing is measured or decided here.

A lineage is one file, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from detecting.corpora import CORPORA, Real, real
from detecting.decoding import PROMPT_TOKENS, first_tokens
from detecting.models import GRU, TRIGRAM, Model, trained, written
from detecting.passages import Ids, Passages
from detecting.raw import OF_WORLDS, ROWS, RawLineage, Task
from detecting.scenarios import NOT_NEURAL, OF_NEURAL, PLAIN, SCENARIOS, Past
from detecting.sizes import Sizes, wild_type_seed
from detecting.worlds import WORLDS, generations

LINEAGES = "lineages"
"""Folder of the raw lineages."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many lineages of each scenario, corpus and model a run grows."""

    collapsing: int = 4
    """Of trigram models, and of worlds; half as many of what every detector sees."""
    healthy: int = 24
    """Of trigram models, and of worlds, where nothing collapses."""
    neural: int = 1
    """Of neural models, on the corpora `OF_NEURAL`."""
    neural_healthy: int = 1
    """Of neural models, where nothing collapses."""

    def of(self, task: Task) -> int:
        """The number for the scenario, corpus and model of a lineage."""
        if task.model == GRU:
            return self.neural_healthy if task.is_healthy else self.neural * (task.corpus in OF_NEURAL)
        if task.is_healthy:
            return self.healthy
        return -(-self.collapsing // 2) if task.group in PLAIN else self.collapsing


def claim(folder: Path, sizes: Sizes) -> None:
    """Keep a folder for lineages of one size; raises SystemExit where it holds others."""
    path = folder / "sizes.json"
    wanted = asdict(sizes)
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else wanted
    if found != wanted:
        raise SystemExit(f"the lineages in {folder} have other sizes ({found}): choose another folder")
    (folder / LINEAGES).mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(wanted), encoding="utf-8")


def simulate(task: Task, sizes: Sizes, folder: Path) -> float:
    """Grow a lineage and write its file, unless it is there; return the processor seconds that it took."""
    path = folder / LINEAGES / f"{task.name}.npz"
    if path.exists():
        return 0.0
    start = time.process_time()
    grown = _world(task, sizes) if task.corpus == OF_WORLDS else _text(task, sizes, folder)
    grown.write(path)
    return time.process_time() - start


def claimed(folder: Path) -> Sizes:
    """The sizes of the lineages in a folder."""
    path = folder / "sizes.json"
    if not path.exists():
        raise SystemExit(f"there are no lineages in {folder}: `detector.py simulate` makes them")
    return Sizes(**json.loads(path.read_text(encoding="utf-8")))


class Written(NamedTuple):
    """One generation of a lineage of text."""

    model: Model
    """The model."""
    texts: Passages
    """What it has written, behind its prompts if it has any: what a later generation may be trained on."""
    samples: Ids
    """n k: what the detectors may see, without the prompts."""
    prompts: Ids | None
    """n k: what the samples continue; None without prompts."""


def grown(task: Task, sizes: Sizes, data: Real) -> Iterator[Written]:
    """Every generation of a lineage."""
    scenario, rng = SCENARIOS[task.scenario], task.rng
    n = min(sizes.documents * scenario.times, len(data.pool))
    past = Past(real=data, n=n, rng=rng, founding=data.draw(n, rng))
    founding = data.pool[past.founding]
    prompts = _prompts(data, n, sizes.samples_a_prompt, rng) if scenario.is_prompted else None
    length = sizes.tokens - (0 if prompts is None else PROMPT_TOKENS)
    for generation in range(sizes.generations + 1):
        training = scenario.training(past) if generation else founding
        past.parent = trained(
            task.model, training, vocabulary_size=data.wild_type.vocabulary_size, sizes=sizes, rng=rng
        )
        past.founder = past.founder or past.parent
        samples = written(past.parent, n, length, decoding=scenario.decoding, founding=founding, begun=prompts, rng=rng)
        whole = samples if prompts is None else np.hstack([prompts, samples])
        past.written.append(Passages.of_rows(whole))
        yield Written(past.parent, past.written[-1], samples, prompts)


def _prompts(data: Real, n: int, times: int, rng: np.random.Generator) -> Ids:
    """n k: beginnings of different real documents, each so many times in a row."""
    known = np.unique(first_tokens(data.pool, PROMPT_TOKENS), axis=0)
    chosen = known[rng.permutation(len(known))[: -(-n // times)]]
    return np.repeat(chosen, times, axis=0)[:n]


def _text(task: Task, sizes: Sizes, folder: Path) -> RawLineage:
    data = real(task.corpus, wild_type_seed(task.seed), sizes, folder)
    samples, nll, prompts = [], [], None
    for one in grown(task, sizes, data):
        samples.append(one.samples[: sizes.measured].astype(np.uint16))
        nll.append(one.model.nll(data.evaluation))
        prompts = None if one.prompts is None else one.prompts[: sizes.measured].astype(np.uint16)
    return RawLineage(task=task, samples=np.stack(samples), nll=np.stack(nll), prompts=prompts)


def _world(task: Task, sizes: Sizes) -> RawLineage:
    rows = np.stack(list(generations(task.scenario, sizes, task.rng)))
    return RawLineage(task=task, samples=rows.astype(np.float32))


def tasks(seeds: range, corpora: list[str], scenarios: list[str], models: list[str], counts: Counts) -> list[Task]:
    """All lineages of a run: those that cost little first, the first of every scenario before the second of any."""
    found = [
        (model == GRU, place, Task(corpus, model, scenario, seed))
        for corpus in corpora
        for model in (models if corpus in CORPORA else [ROWS])
        for scenario in _scenarios(model, scenarios)
        for place, seed in enumerate(seeds)
        if place < counts.of(Task(corpus, model, scenario, seed))
    ]
    return [task for *_, task in sorted(found, key=lambda one: one[:2])]


def _scenarios(model: str, asked: list[str]) -> list[str]:
    if model == ROWS:
        return [name for name in asked if name in WORLDS]
    return [name for name in asked if name in SCENARIOS and (model == TRIGRAM or name not in NOT_NEURAL)]
