"""Baselines: what a reading is compared with, and on which documents.

Two baselines make two statements. Drift compares this generation with the founder: it is the effect of retraining.
Distance compares it with the wild type: it is the total loss, which for the founder depends on its size and its
decoding. Distance decides on the founder, and drift on all later generations; both are always shown. What has no
baseline, what says nothing, and losses that are not plausible, decide nothing (`obstacles`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

from collapse_guard.comparison.compare import compare, obstacle
from collapse_guard.decision.drift import Drift
from collapse_guard.decision.plausibility import doubt, of_documents
from collapse_guard.decision.policy import Policy
from collapse_guard.decision.saturation import says_nothing
from collapse_guard.decision.unseen import ALL, Unseen, taken
from collapse_guard.records import Assessment, Comparison, Generation, Reading
from collapse_guard.records.readings import Readings

SMALLEST_FOLD = 20
"""Smallest number of documents to judge a generation on, if folds rotate."""


def comparisons_of(
    generation: Generation,
    readings: Readings,
    reference: Readings,
    *,
    drift: Readings,
    policy: Policy,
    history: Sequence[Assessment] = (),
    look: int | None = None,
    unseen: Unseen = ALL,
) -> list[Comparison]:
    """All comparisons of a generation: with the founder, and with the wild type.

    Distance to the wild type decides on the founder and is shown of the others, on which only drift decides: margins of
    distance are much wider. Of a founder that was trained on some evaluation documents, drift is that of the others
    (`unseen`).
    """
    fold = generation.since_founder if drift else None
    # Levels are shared among what the founder has, which is known before this generation is looked at.
    n = max(1, sum(name in drift and drift[name].is_usable and not drift[name].is_only_told for name in policy.decides))
    level = policy.alert_level(generation.since_founder, look) / n
    here, there = on_fold(readings, fold, policy), on_fold(drift, fold, policy)
    # Losses are judged as a whole: a fold of them is too few to tell their unit.
    doubtful = set(of_documents(readings)) if doubt(readings, drift, lowest=policy.lowest_perplexity) else set()
    by_distance = reference.keys() - doubtful if generation.is_founder else ()
    of_founder = Drift(
        policy=policy,
        alert_level=level,
        watch_level=policy.watch_level(generation.since_founder, look) / n,
        history=history,
        founder=generation.founder,
        unseen=unseen,
    )
    return [
        *of_founder.comparisons(here, there, drift.keys() - doubtful),
        *_distances(readings, reference, policy, level, by_distance),
    ]


def on_fold(readings: Readings, since_founder: int | None, policy: Policy) -> Readings:
    """Cut the readings of paired documents to those that the t-th generation after its founder is judged on; keep all
    others as they are.

    The fold of a document depends only on its id, so founder and generation are cut in the same way.
    """
    folds = policy.rotate_folds
    if folds is None or since_founder is None:
        return readings
    return {
        name: _cut(reading, (since_founder - 1) % folds, folds) if reading.keys else reading
        for name, reading in readings.items()
    }


def _cut(reading: Reading, fold: int, folds: int) -> Reading:
    places = [i for i, key in enumerate(reading.keys) if _fold_of(key, folds) == fold]
    of_all = f"{len(places)} of {len(reading.keys)} {reading.group}s"
    few = f"{of_all} are in fold {fold + 1} of {folds}, {SMALLEST_FOLD} are needed"
    problem = reading.problem or (few if len(places) < SMALLEST_FOLD else "")
    return taken(reading, places).model_copy(update={"problem": problem})


def _fold_of(document: str, folds: int) -> int:
    return int.from_bytes(hashlib.blake2b(document.encode(), digest_size=8).digest(), "big") % folds


def _distances(
    readings: Readings, reference: Readings, policy: Policy, level: float, deciding: Collection[str]
) -> list[Comparison]:
    comparisons = []
    for name, reading in readings.items():
        if name not in reference or reading.slices or obstacle(reading, reference[name]):
            continue
        limits = policy.limits(name, "wild_type", direction=reading.direction, scale=reading.scale)
        comparisons.append(
            compare(
                reading,
                reference[name],
                baseline="wild_type",
                margin=limits.margin,
                watch=limits.watch,
                level=policy.confidence,
                alert_level=level,
                decides=name in policy.decides and name in deciding and not says_nothing(reading, reference[name]),
            )
        )
    return comparisons
