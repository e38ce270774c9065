"""Phase 2: read today's indicators from raw lineages, and keep what scoring needs in few bytes."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from collapse_guard.decision.policy import Policy
from collapse_guard.evidence import Evidence, Losses
from collapse_guard.measurement.measure import founding_budget, reference_readings, sample_tokens
from collapse_guard.measurement.measure import measure as readings_of
from collapse_guard.measurement.stratum import freeze_tail
from collapse_guard.records import Reading
from collapse_guard.wildtype import WildType
from detecting import statistics
from detecting.archive import Entry, read_archive, write_archive
from detecting.corpora import real
from detecting.raw import OF_WORLDS, SCHEMA, Json, RawLineage, Task
from detecting.series import packed
from detecting.simulating import LINEAGES
from detecting.sizes import Sizes, wild_type_seed
from detecting.worlds import real_rows

SERIES = "series"
"""Folder of the measured lineages."""
ARCHIVE = "series.zip"
"""All of them in one file."""
_OF_RIVALS = ("distinct_2",)


def deciding(policy: Policy | None = None) -> frozenset[str]:
    """What is read: the indicators that a policy decides by, and what the rivals look at."""
    policy = policy or Policy()
    return frozenset((*policy.decides, *policy.required, *_OF_RIVALS))


def measure(path: Path, sizes: Sizes, folder: Path) -> float:
    """Measure a raw lineage, unless that was done for all that decides; return the processor seconds that it took."""
    target = folder / SERIES / f"{path.stem}.zip"
    names = deciding()
    if target.exists() and names <= set(read_archive(target)[0].about["names"]):
        return 0.0
    start = time.process_time()
    write_archive(target, [measured(RawLineage.read(path), sizes, folder, names)])
    return time.process_time() - start


def paths(folder: Path) -> list[Path]:
    """The raw lineages of a folder."""
    found = sorted((folder / LINEAGES).glob("*.npz"))
    if not found:
        raise SystemExit(f"there are no lineages in {folder}: `detector.py simulate` makes them")
    (folder / SERIES).mkdir(exist_ok=True)
    return found


def gather(folder: Path) -> Path:
    """Write all that was measured into one file."""
    entries = [read_archive(path)[0] for path in sorted((folder / SERIES).glob("*.zip"))]
    write_archive(folder / ARCHIVE, entries)
    return folder / ARCHIVE


def measured(raw: RawLineage, sizes: Sizes, folder: Path, names: Collection[str]) -> Entry:
    """A lineage as the detectors see it."""
    wild_type = _wild_type(raw.task, sizes, folder)
    generations = [_evidence(raw, index, wild_type) for index in range(len(raw.samples))]
    readings = list(_readings(wild_type, generations, names))
    reference = reference_readings(
        wild_type,
        sample_tokens=sample_tokens(wild_type, generations[0]),
        budget=founding_budget(readings[0]),
        only=names,
    )
    *readings, reference = _renamed([*readings, reference])
    (about, numbers), (of_reference, more) = packed(readings), packed([reference])
    body: Json = {
        "schema": SCHEMA,
        "task": raw.task._asdict(),
        "names": sorted(names),
        "rivals": [_of_rivals(raw, index, generations) for index in range(len(generations))],
        "readings": about,
        # In words, because lineages of one wild type share them.
        "reference": {"readings": of_reference, "numbers": more.tolist()},
    }
    return Entry(body, numbers)


def _wild_type(task: Task, sizes: Sizes, folder: Path) -> WildType:
    seed = wild_type_seed(task.seed)
    return real_rows(seed, sizes) if task.corpus == OF_WORLDS else real(task.corpus, seed, sizes, folder).wild_type


def _evidence(raw: RawLineage, index: int, wild_type: WildType) -> Evidence:
    if raw.nll is None:
        return Evidence(samples=raw.samples[index].astype(np.float64))
    samples = raw.samples[index].astype(np.int64)
    documents = wild_type.evaluation
    losses = Losses(
        documents=tuple(documents.hashes),
        nll=raw.nll[index],
        n_tokens=np.array([len(tokens) for tokens in wild_type.encode(list(documents))]),
    )
    return Evidence(
        samples=samples,
        prompts=None if raw.prompts is None else wild_type.decode(raw.prompts.astype(np.int64)),
        embeddings=wild_type.embed(wild_type.decode(samples)),
        losses=losses,
    )


def _readings(
    wild_type: WildType, generations: Sequence[Evidence], names: Collection[str]
) -> Iterator[dict[str, Reading]]:
    losses = generations[0].losses
    tail, budget = None if losses is None else freeze_tail(losses), None
    for evidence in generations:
        readings = readings_of(wild_type, evidence, stratum=tail, budget=budget, only=names)
        budget = budget or founding_budget(readings)
        yield readings


def _renamed(generations: Sequence[dict[str, Reading]]) -> list[dict[str, Reading]]:
    """Numbers for the ids of documents: hashes cannot be compressed, and decisions only look which are the same."""
    numbers: dict[str, str] = {}
    return [
        {
            name: one.model_copy(update={"keys": tuple(numbers.setdefault(key, str(len(numbers))) for key in one.keys)})
            for name, one in readings.items()
        }
        for readings in generations
    ]


def _of_rivals(raw: RawLineage, index: int, generations: Sequence[Evidence]) -> Json:
    """What rivals look at that is no reading."""
    tokens = raw.samples[index].ravel()
    of_tokens = (
        {}
        if raw.nll is None
        else {"distinct_1": statistics.pooled_distinct(tokens), "entropy": statistics.pooled_entropy(tokens)}
    )
    if not index:
        return of_tokens
    founder, rows = (_rows(generations[place]) for place in (0, index))
    rng = np.random.default_rng(raw.task.seed)
    return {
        **of_tokens,
        "mmd_p": statistics.mmd_p_value(founder, rows, rng),
        "auc": statistics.domain_auc(founder, rows, raw.task.seed),
    }


def _rows(evidence: Evidence) -> npt.NDArray[np.float64]:
    return np.asarray(evidence.samples if evidence.embeddings is None else evidence.embeddings, dtype=np.float64)
