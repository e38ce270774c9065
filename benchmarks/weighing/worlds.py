"""Real rows to draw from: normal ones, a mixture of kinds, a table of people, and images of digits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detecting.passages import Ids

Rows = npt.NDArray[np.float64]
Draw = Callable[[int, np.random.Generator], Rows]
"""Real rows: their number, and what is random in them."""
FAR, NEAR = 5.0, 2.0
"""Deviation of the centres of kinds in each column; the rows of a kind have one of about 1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class World:
    """Real rows of one or several kinds, as many as one wants."""

    name: str
    """As the tables show it."""
    shares: tuple[float, ...]
    """Share of each kind."""
    rows: Callable[[Ids, np.random.Generator], Rows]
    """n d: rows of these kinds (n)."""

    def draw(self, n: int, rng: np.random.Generator, shares: Sequence[float] | None = None) -> Rows:
        """n rows; with other shares of the kinds where they are given, which need not sum to 1."""
        weights = np.array(self.shares if shares is None else shares)
        return self.rows(rng.choice(len(weights), n, p=weights / weights.sum()), rng)

    def with_kind(self, number: int, factor: float) -> list[float]:
        """Shares with one kind so many times as frequent."""
        return [factor * share if i == number else share for i, share in enumerate(self.shares)]


def normal(columns: int) -> World:
    """Standard normal rows."""
    return World(
        name=f"normal, {_columns(columns)}",
        shares=(1.0,),
        rows=lambda kinds, rng: rng.normal(size=(len(kinds), columns)),
    )


def mixture(columns: int, apart: float = FAR) -> World:
    """Eight kinds of rows, equally frequent; within a kind, too, columns depend on each other."""
    rng = np.random.default_rng(columns)
    centres = apart * rng.normal(size=(8, columns))
    slopes = rng.normal(size=(8, columns, columns)) / np.sqrt(columns)

    def rows(kinds: Ids, rng: np.random.Generator) -> Rows:
        noise = rng.normal(size=(len(kinds), columns, 1))
        found: Rows = centres[kinds] + (slopes[kinds] @ noise)[..., 0]
        return found

    near = "" if apart == FAR else " near each other"
    return World(name=f"eight kinds{near}, {_columns(columns)}", shares=(1 / 8,) * 8, rows=rows)


def people() -> World:
    """Age, income, what is spent, children, visits, and a category on which they depend: a half, 30% and a fifth."""

    def rows(kinds: Ids, rng: np.random.Generator) -> Rows:
        age = np.clip(rng.normal(np.array([38.0, 52.0, 67.0])[kinds], 9.0), 18.0, 95.0)
        income = np.exp(rng.normal(10.2 + np.array([0.0, 0.5, -0.3])[kinds] + 0.01 * (age - 45.0), 0.3))
        spent = income * rng.uniform(0.5, 0.9, len(kinds))
        children = rng.poisson(np.clip((age - 20.0) / 15.0, 0.1, 2.0))
        visits = rng.poisson(np.array([2.0, 5.0, 9.0])[kinds])
        return np.column_stack([age, income, spent, children, visits, kinds])

    return World(name="people, 6 columns", shares=(0.5, 0.3, 0.2), rows=rows)


class Healthy(NamedTuple):
    """A wild type, and pairs of a founder and a generation that are real rows as well."""

    name: str
    """As the table shows it."""
    real: int
    """Rows that the wild type is made of."""
    samples: int
    """Rows of the founder, and of the generation."""
    pairs: int
    """How many."""
    world: World | None
    """What rows are drawn from; None: images of digits, of which there are only so many."""

    def sources(self, rng: np.random.Generator) -> tuple[Rows, Draw]:
        """The rows of the wild type, and where others come from."""
        if self.world is not None:
            return self.world.draw(self.real, rng), self.world.draw
        from sklearn.datasets import load_digits

        rows = rng.permutation(load_digits().data)
        rest = rows[self.real :]
        return rows[: self.real], lambda n, rng: rest[rng.choice(len(rest), n, replace=False)]


def healthy(pairs: int) -> list[Healthy]:
    """The lines of the table of healthy pairs."""
    few = max(1, pairs * 2 // 5)
    drawn = [
        (normal(1), 1_000, 1_000, pairs),
        (normal(2), 200, 200, pairs),
        (normal(2), 1_000, 500, pairs),
        (normal(2), 2_000, 2_000, pairs),
        (normal(64), 1_000, 1_000, pairs),
        (mixture(2), 4_000, 2_000, pairs),
        (mixture(10), 200, 200, pairs),
        (mixture(10), 4_000, 2_000, pairs),
        (mixture(10), 20_000, 10_000, few),
        (people(), 500, 500, pairs),
        (people(), 2_000, 2_000, pairs),
        (mixture(64), 2_000, 1_000, pairs),
    ]
    digits = Healthy("digits of 8 by 8 pixels", 800, 480, pairs, None)
    return [*(Healthy(world.name, real, samples, n, world) for world, real, samples, n in drawn), digits]


def _columns(n: int) -> str:
    return f"{n} column{'' if n == 1 else 's'}"
