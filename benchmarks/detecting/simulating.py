"""Phase 1: grow lineages, and write down what the guard and its rivals would see. Nothing is decided here.

A lineage is one file, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard.evidence import Evidence
from collapse_guard.measurement.measure import measure, reference_readings
from collapse_guard.records import Reading
from collapse_guard.wildtype import WildType
from detecting import statistics
from detecting.corpora import CORPORA, Real, real
from detecting.decoding import write
from detecting.ngram_model import NgramModel
from detecting.passages import Passages
from detecting.scenarios import SCENARIOS, Past
from detecting.sizes import Sizes, wild_type_seed
from detecting.worlds import WORLDS, generations, real_rows

SCHEMA = 1
Json = dict[str, Any]


class Task(NamedTuple):
    """One lineage."""

    corpus: str
    """A corpus, or "worlds"."""
    scenario: str
    """A scenario, or a world."""
    seed: int
    """Everything random in it comes from here."""

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.corpus}.{self.scenario}.{self.seed}.json.gz"

    @property
    def group(self) -> str:
        """What it is an example of."""
        return WORLDS[self.scenario] if self.corpus == "worlds" else SCENARIOS[self.scenario].group

    @property
    def rng(self) -> np.random.Generator:
        """Its generator of random numbers, which no other lineage shares."""
        return np.random.default_rng([zlib.crc32(f"{self.corpus}.{self.scenario}".encode()), self.seed])


def claim(folder: Path, sizes: Sizes) -> None:
    """Keep a folder for lineages of one size; raises SystemExit where it holds others."""
    path = folder / "sizes.json"
    wanted = asdict(sizes)
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else wanted
    if found != wanted:
        raise SystemExit(f"the lineages in {folder} have other sizes ({found}): choose another folder")
    path.write_text(json.dumps(wanted), encoding="utf-8")


def simulate(task: Task, sizes: Sizes, folder: Path) -> float:
    """Grow a lineage and write its file, unless it is there; return the processor seconds for each generation."""
    path = folder / task.name
    if path.exists():
        return 0.0
    start = time.process_time()
    grow = _world if task.corpus == "worlds" else _text
    body: Json = {"schema": SCHEMA, "task": task._asdict(), "sizes": asdict(sizes)}
    body |= grow(task, sizes, folder)
    body["seconds"] = (time.process_time() - start) / (sizes.generations + 1)
    partial = path.with_suffix(".part")
    partial.write_bytes(gzip.compress(json.dumps(body).encode(), 6))
    partial.replace(path)
    return float(body["seconds"])


def _text(task: Task, sizes: Sizes, folder: Path) -> Json:
    data = real(task.corpus, wild_type_seed(task.seed), sizes, folder)
    body = {"documents": data.wild_type.evaluation.hashes, "n_tokens": data.evaluation.lengths.tolist()}
    measured, founder = [], None
    for model, written in models_and_texts(task, sizes, data):
        tokens = written[np.arange(min(sizes.measured, len(written)))]
        samples = tokens.tokens.reshape(-1, sizes.tokens)
        embeddings = data.wild_type.embed(data.wild_type.decode(samples))
        founder = embeddings if founder is None else founder
        measured.append(
            {
                "nll": [round(nats, 5) for nats in model.nll(data.evaluation).tolist()],
                "readings": _readings(data.wild_type, Evidence(samples=samples, embeddings=embeddings)),
                "distinct_1": statistics.pooled_distinct(tokens.tokens),
                "entropy": statistics.pooled_entropy(tokens.tokens),
                **_distances(founder, embeddings, task.seed),
            }
        )
    reference = _as_json(reference_readings(data.wild_type, sample_tokens=sizes.tokens))
    return {**body, "n_bytes": data.n_bytes.tolist(), "reference": reference, "generations": measured}


def models_and_texts(task: Task, sizes: Sizes, data: Real) -> Iterator[tuple[NgramModel, Passages]]:
    """Every generation of a lineage, and what it has written."""
    scenario, rng = SCENARIOS[task.scenario], task.rng
    n = min(sizes.documents * scenario.times, len(data.pool))
    past = Past(real=data, n=n, rng=rng, founding=data.draw(n, rng))
    founding = data.pool[past.founding]
    for generation in range(sizes.generations + 1):
        training = scenario.training(past) if generation else founding
        past.parent = NgramModel.fit(training, vocabulary_size=data.wild_type.vocabulary_size, rng=rng)
        past.founder = past.founder or past.parent
        written = write(past.parent, n, sizes.tokens, decoding=scenario.decoding, prompts=founding, rng=rng)
        past.written.append(written)
        yield past.parent, written


def _world(task: Task, sizes: Sizes, folder: Path) -> Json:
    del folder
    wild_type = real_rows(wild_type_seed(task.seed), sizes)
    measured, founder = [], None
    for rows in generations(task.scenario, sizes, task.rng):
        founder = rows if founder is None else founder
        readings = _readings(wild_type, Evidence(samples=rows))
        measured.append({"readings": readings, **_distances(founder, rows, task.seed)})
    reference = _as_json(reference_readings(wild_type, sample_tokens=None))
    return {"reference": reference, "generations": measured}


def _distances(founder: npt.NDArray[np.float64], rows: npt.NDArray[np.float64], seed: int) -> Json:
    """What drift detectors make of a generation; nothing of the founder itself."""
    if rows is founder:
        return {"mmd_p": None, "auc": None}
    rng = np.random.default_rng(seed)
    return {
        "mmd_p": statistics.mmd_p_value(founder, rows, rng),
        "auc": statistics.domain_auc(founder, rows, seed),
    }


def _readings(wild_type: WildType, evidence: Evidence) -> Json:
    return _as_json(measure(wild_type, evidence))


def _as_json(readings: dict[str, Reading]) -> Json:
    return {name: reading.to_dict() for name, reading in readings.items()}


def tasks(seeds: range, corpora: list[str], scenarios: list[str], lineages: int, healthy: int) -> list[Task]:
    """All lineages of a run, the first of every scenario before the second of any."""
    found = [
        (place, Task(corpus, scenario, seed))
        for corpus in corpora
        for scenario in scenarios
        if scenario in (SCENARIOS if corpus in CORPORA else WORLDS)
        for place, seed in enumerate(seeds)
        if place < (healthy if Task(corpus, scenario, seed).group.startswith("healthy") else lineages)
    ]
    return [task for _, task in sorted(found, key=lambda pair: pair[0])]
