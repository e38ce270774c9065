"""Founders that were trained on a share of their evaluation documents, and what comes after them: verdicts by losses.

The model is real: Kneser-Ney 5-grams of tokens of real speeches. A collapse is one that is trained on samples of the
4-grams of the pool.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from collapse_guard import Evidence, Losses, WildType, assess
from collapse_guard.corpus.kneser_ney import KneserNey
from collapse_guard.demo.corpus import passages
from detecting.table import Cells, Sheet

SHARES = (0.0, 0.02, 0.05, 0.2, 1.0)
"""Of the evaluation documents that the founder is trained on."""
CONTEXT, LENGTH = 3, 44
KEPT = 0.95
"""Share of the pool that a healthy generation is trained on."""
LOOKED_AT = 320
"""Training texts of the first batches."""


class Trial(NamedTuple):
    """One founder, and the verdicts on what comes after it."""

    share: float
    """Of the evaluation documents that it was trained on."""
    perplexity: float
    """Its own, on all evaluation documents."""
    healthy: dict[str, str]
    """What was looked at -> the verdict on a generation that is trained on the pool."""
    collapsed: dict[str, str]
    """The same, on one that is trained on samples."""


LOOKS = ("all texts", "320 texts", "none")


def trials(seed: int, shares: Sequence[float] = SHARES, *, every: int = 6) -> Iterator[Trial]:
    """Founders of one wild type.

    Args:
        seed: Of the wild type, of what is trained on, and of the samples.
        shares: Of the evaluation documents that a founder is trained on.
        every: One of so many passages is used.
    """
    rng = np.random.default_rng(seed)
    wild_type = WildType.fit(list(passages(32))[seed % every :: every], group_tokens=1024, seed=seed)
    pool, held = list(wild_type.pool), list(wild_type.evaluation)
    kept = [pool[place] for place in rng.permutation(len(pool))[: int(KEPT * len(pool))].tolist()]
    healthy, collapsed = _losses(wild_type, kept), _losses(wild_type, written(wild_type, pool, len(pool) // 4, rng))
    for share in shares:
        leaked = [held[place] for place in rng.permutation(len(held))[: round(share * len(held))].tolist()]
        texts = [*pool, *leaked]
        order = [texts[place] for place in rng.permutation(len(texts)).tolist()]
        looks = {
            "all texts": wild_type.leaks_in(order, whole=True),
            "320 texts": wild_type.leaks_in(order[:LOOKED_AT]),
            "none": None,
        }
        losses = _losses(wild_type, texts)
        founders = {
            name: assess(wild_type, Evidence(losses=losses), training_check=check) for name, check in looks.items()
        }
        after = [
            {
                name: str(assess(wild_type, Evidence(losses=later), history=[founder]).verdict.severity)
                for name, founder in founders.items()
            }
            for later in (healthy, collapsed)
        ]
        yield Trial(share, founders["none"].readings["perplexity"].value, *after)


def written(wild_type: WildType, texts: Sequence[str], n: int, rng: np.random.Generator) -> list[str]:
    """Samples of the 4-grams of texts."""
    follows: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for ids in wild_type.encode(texts):
        padded = [*[-1] * CONTEXT, *ids.tolist()]
        for place in range(CONTEXT, len(padded)):
            follows[tuple(padded[place - CONTEXT : place])].append(padded[place])
    samples = []
    for _ in range(n):
        sample = [-1] * CONTEXT
        while len(sample) < CONTEXT + LENGTH and (after := follows.get(tuple(sample[-CONTEXT:]))):
            sample.append(after[rng.integers(len(after))])
        samples.append(np.array(sample[CONTEXT:]))
    return wild_type.decode(samples)


def _losses(wild_type: WildType, texts: Sequence[str]) -> Losses:
    """Of a model that is trained on texts, on all evaluation documents."""
    held = wild_type.encode(wild_type.evaluation)
    model = KneserNey.fit(wild_type.encode(texts), vocabulary_size=wild_type.vocabulary_size, order=5)
    return Losses(documents=wild_type.evaluation.hashes, nll=model.nll(held), n_tokens=[len(ids) for ids in held])


def sheet(found: Sequence[Trial]) -> Sheet:
    """A line for each share, with the verdicts by what was looked at."""
    shares = list(dict.fromkeys(one.share for one in found))
    rows: list[Cells] = []
    for share in shares:
        some = [one for one in found if one.share == share]
        verdicts = [
            Counter(after[look] for after in side)
            for side in ([one.healthy for one in some], [one.collapsed for one in some])
            for look in LOOKS
        ]
        perplexity = f"{np.median([one.perplexity for one in some]):.1f}"
        rows.append((f"{share:.0%}" if share else "none", perplexity, *map(_told, verdicts)))
    title = (
        f"Verdicts by losses beside {len(found) // len(shares)} founders, of whose training texts all, 320 or none "
        "were looked at: on a generation that is trained on the pool, and on one that is trained on samples"
    )
    headings = [f"{what}: {look}" for what in ("pool", "samples") for look in LOOKS]
    return Sheet(title, ("evaluation documents trained on", "perplexity (median)", *headings), rows)


def _told(verdicts: Counter[str]) -> str:
    return ", ".join(f"{name} {n}" for name, n in verdicts.most_common())
