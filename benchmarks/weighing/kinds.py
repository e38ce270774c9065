"""Kinds that lie near each other: which verdicts see that one is lost, in pixels, and in what a classifier says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from collapse_guard.wildtype import WildType
from detecting.table import Sheet
from weighing.rows import Pair, judged, told

KINDS = 8
SHARES = (0.5, 0.2, 0.1)
"""Share of the variance of real rows that is between kinds."""


class Near(NamedTuple):
    """A world of kinds in many columns: centres and noise are normal, and together each column has a variance of 1."""

    columns: int
    share: float

    @property
    def centres(self) -> np.ndarray:
        """k d."""
        drawn = np.random.default_rng(0).normal(size=(KINDS, self.columns))
        return drawn / drawn.std() * np.sqrt(self.share)

    def draw(self, n: int, rng: np.random.Generator, kinds: int = KINDS) -> np.ndarray:
        """n rows of the first kinds."""
        noise = np.sqrt(1.0 - self.share) * rng.normal(size=(n, self.columns))
        return self.centres[rng.integers(0, kinds, n)] + noise

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """n k: how well each row fits each kind, in logarithms, as the last layer of the best classifier says."""
        scores: np.ndarray = -((rows[:, None] - self.centres) ** 2).sum(axis=2) / (2.0 * (1.0 - self.share))
        return scores - scores.mean(axis=1, keepdims=True)

    def table(self, rows: np.ndarray) -> pd.DataFrame:
        """The same with the most probable kind of each row as a column."""
        scores = self.scores(rows)
        table = pd.DataFrame(scores, columns=[f"score {kind}" for kind in range(KINDS)])
        return table.assign(kind=[f"kind {kind}" for kind in scores.argmax(axis=1)])


Form = Callable[[Near, np.ndarray], Any]
FORMS: dict[str, Form] = {
    "as they are": lambda _, rows: rows,
    "a classifier's scores": Near.scores,
    "scores, and the kind as a column": Near.table,
}


def seen(
    world: Near, lost: Sequence[int], *, real: int, samples: int, repeats: int, seed: int
) -> list[list[list[Pair]]]:
    """What is said of generations that lack so many kinds, for each form in which rows may be given."""
    return [list(_in_a_form(world, form, lost, real, samples, repeats, seed)) for form in FORMS.values()]


def _in_a_form(
    world: Near, form: Form, lost: Sequence[int], real: int, samples: int, repeats: int, seed: int
) -> Iterator[list[Pair]]:
    rng = np.random.default_rng(seed)
    wild_type = WildType.fit_arrays(form(world, world.draw(real, rng)))
    for n in lost:
        yield [
            judged(
                wild_type,
                form(world, world.draw(samples, rng)),
                form(world, world.draw(samples, rng, KINDS - n)),
            )
            for _ in range(repeats)
        ]


def sheet(*, columns: int, lost: Sequence[int], real: int, samples: int, repeats: int, seed: int) -> Sheet:
    """A line for each share of the variance between kinds, and each number of kinds that are lost."""
    title = (
        f"Verdict and change of `real_equivalent` behind a founder of real rows of {columns} columns, {repeats} pairs "
        "in each cell. Of several verdicts the number of pairs stands behind each; the change is the median"
    )
    rows = []
    for share in SHARES:
        forms = seen(Near(columns, share), lost, real=real, samples=samples, repeats=repeats, seed=seed)
        rows += [
            (f"{share:.0%}", f"{n} of {KINDS}", *chain.from_iterable(told(form[i]) for form in forms))
            for i, n in enumerate(lost)
        ]
    headings = (
        "variance between kinds",
        "kinds lost",
        *(f"{form}{part}" for form in FORMS for part in ("", ": change")),
    )
    return Sheet(title, headings, rows)
