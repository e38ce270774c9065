"""What is found in training texts: copies by chance, leaks of known size, and documents that are missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from collapse_guard.decision.leak import is_leaking
from collapse_guard.wildtype import WildType
from detecting.table import Cells, Sheet
from leaking.corpora import Divided
from leaking.forms import FORMS, Form

BATCH = 16
"""Texts of a batch."""
BATCHES = (1, 5, 20)
SHARES = (0.10, 0.02, 0.0)
OF_100 = 100
"""How often each share is drawn."""


class Missed(NamedTuple):
    """Evaluation documents that were all trained on, and looked for in all training texts."""

    share: float
    """Of those that can be told, which were not found."""
    untold: float
    """Of all, which cannot be told and were not found."""


def by_chance(divided: Divided, form: Form) -> float:
    """The share of documents that were never seen, or of parts of them, that hold an evaluation document."""
    check = divided.wild_type.leaks_in(form(divided.wild_type, divided.unseen))
    return check.copies / check.pieces


def seen(
    wild_type: WildType,
    leaked: Sequence[str],
    rest: Sequence[str],
    share: float,
    *,
    batches: int,
    draws: int,
    seed: int,
) -> int:
    """How often a leak is seen in batches of texts, of which a share are of evaluation documents.

    Args:
        wild_type: Whose evaluation documents are looked for.
        leaked: Texts of these.
        rest: Other texts.
        share: Of the texts, which are leaked.
        batches: How many are looked at.
        draws: How often they are drawn.
        seed: Of the draws.
    """
    rng, found = np.random.default_rng(seed), 0
    for _ in range(draws):
        drawn = [leaked if one else rest for one in rng.random(BATCH * batches) < share]
        found += is_leaking(wild_type.leaks_in([texts[rng.integers(len(texts))] for texts in drawn]))
    return found


def missed(wild_type: WildType, form: Form, seed: int) -> Missed:
    """Train on the pool and on all evaluation documents, in a random order, and look at all of it."""
    texts = [*wild_type.pool, *wild_type.evaluation]
    order = np.random.default_rng(seed).permutation(len(texts)).tolist()
    check = wild_type.leaks_in(form(wild_type, [texts[place] for place in order]), whole=True)
    told = check.evaluation - len(check.untold)
    return Missed(1.0 - len(check.found) / told, len(check.untold) / check.evaluation)


def shortened(divided: Divided, words: int, evaluation: int, seed: int) -> WildType:
    """A wild type of the first words of all documents that have as many."""
    texts = [*divided.wild_type.pool, *divided.wild_type.evaluation, *divided.unseen]
    openings = [" ".join(text.split()[:words]) for text in texts if len(text.split()) >= words]
    return WildType.fit(openings, max_evaluation_documents=evaluation, evaluation_fraction=0.5, seed=seed)


def sheet_of_chance(found: Mapping[str, tuple[int, Sequence[float]]]) -> Sheet:
    """Source -> how many documents it has that were not seen, and the share of each form."""
    rows: list[Cells] = [
        (f"{name} ({n:,})", *(f"{share:.1%}" if share else "0" for share in shares))
        for name, (n, shares) in found.items()
    ]
    title = "Unseen documents that hold an evaluation document, or large parts of one, by chance"
    return Sheet(title, ("unseen documents of", *FORMS), rows)


def sheet_of_seen(found: Mapping[tuple[float, bool], Sequence[Sequence[int]]], sources: Sequence[str]) -> Sheet:
    """(Share, whether beside the pool) -> for each number of batches, how often of 100 in each source."""
    rows: list[Cells] = [
        (
            f"{share:.0%}" if share else "none",
            "of the pool" if beside_pool else "unseen",
            *(", ".join(map(str, times)) for times in by_batches),
        )
        for (share, beside_pool), by_batches in found.items()
    ]
    title = f"How often out of {OF_100} a leak is seen in batches of {BATCH} chunks of 64 tokens ({', '.join(sources)})"
    batches = [f"{n} batch{'' if n == 1 else 'es'}" for n in BATCHES]
    return Sheet(title, ("share of evaluation documents", "the other texts are", *batches), rows)


def sheet_of_missed(found: Mapping[str, Sequence[Missed]]) -> Sheet:
    """What the documents are -> what is missed in each form."""
    rows: list[Cells] = [
        (name, f"{max(one.untold for one in forms):.1%}", *(f"{one.share:.1%}" for one in forms))
        for name, forms in found.items()
    ]
    title = (
        "Evaluation documents that were trained on and not found in all training texts: those that cannot be told (the "
        "most of all forms), and of the others the share that was missed"
    )
    return Sheet(title, ("documents", "cannot be told", *FORMS), rows)
