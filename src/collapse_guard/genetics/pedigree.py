r"""Expected inbreeding of a lineage from its pedigree: who learned from whose samples, how many, with what real data.

Two items are identical by descent if both are copies of one real item, over any number of generations. A model writes
what its training set holds (a perfect learner draws from it), so the laws below follow from chance alone. What each
generation wrote is one data set, and a child takes a random part of it. For data sets j and k, f_jk is the chance that
an item of j and an item of k are identical by descent; F_t is that chance for two items that model t writes:

.. math::
    F_t = \sum_{j,k} a_{tj} a_{tk} f^{(t)}_{jk}, \qquad
    f^{(t)}_{jj} = \frac{1}{n_{tj}} + \Bigl(1 - \frac{1}{n_{tj}}\Bigr) F_j, \qquad
    f_{tj} = \sum_k a_{tk} f_{kj} \quad (j \text{ older})

with the shares a and the numbers n of items that generation t took. A real item is identical to itself only (F = 0).
Real items are fresh each time, or the founder's again; if more are taken than there are, they repeat equally often. Two
children of one data set of w items share an item with chance 1/w. If w is not given, it is the most that any child
takes, and F is then an upper bound; a huge w means that every child had items written for it alone.

Under replacement F_t = 1 - (1 - 1/n)^(t + 1), and keeping everything gives the law of `worlds.drift` exactly. With a
share m of fresh real items, F_{t+1} = 1/n + (1 - m)(1 - m - 1/n) F_t. Parts are exact counts here, and chances in
`genetics.migration`; the difference changes m by less than 1/n.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from collapse_guard.arguments import share, whole
from collapse_guard.arrays import FloatArray
from collapse_guard.errors import InputError
from collapse_guard.records import Generation

RealOrigin = Literal["fresh", "archive"]
_REAL = -1
"""Stands for the founder's real documents where data sets are numbered by the generation that wrote them."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """What one generation was trained on.

    Raises:
        InputError: A share is outside of its range, or the shares do not sum to one.
    """

    generation: int
    """t; 0 is the founder, with real data only."""
    items: int
    """Items in the training set: documents, or whatever is drawn as a unit."""
    real: float = 0.0
    """Share of real items."""
    real_origin: RealOrigin = "fresh"
    """Whether the real items are fresh, or the founder's again."""
    parents: Mapping[int, float] = field(default_factory=dict)
    """Share of what each earlier generation wrote."""
    written: int | None = None
    """w: items that it wrote for all later generations together; None: the most that any child takes."""

    def __post_init__(self) -> None:
        """Refuse numbers outside of their range, and shares that do not sum to one."""
        whole("generation", self.generation, least=0)
        whole("items", self.items, least=1)
        if self.written is not None:
            whole("written", self.written, least=1)
        total = share("real", self.real) + sum(share("parents", part) for part in self.parents.values())
        if not math.isclose(total, 1.0, abs_tol=1e-6):
            raise InputError(
                f"shares of generation {self.generation} must sum to 1, but `real` and `parents` sum to {total:.6g}: "
                "name every source of its training set"
            )
        if self.real_origin not in get_args(RealOrigin):
            raise InputError(f"`real_origin` must be fresh or archive, but got {self.real_origin!r}: choose one")


@dataclass(frozen=True, kw_only=True, eq=False)
class Kinship:
    """Expected inbreeding and coancestry of a pedigree by chance alone."""

    generations: tuple[int, ...]
    """Indices, the founder first."""
    inbreeding: FloatArray
    """[generations]: F, the chance that two items that a model writes are copies of one real item; collapse: up."""
    coancestry: FloatArray
    """[generations, generations]: the same chance for an item of one data set and an item of another; on the diagonal
    for two items drawn from one data set with replacement."""


def kinship(lineage: Sequence[Training]) -> Kinship:
    """Inbreeding and coancestry of all generations of a pedigree. Cost: O(generations^2 parents).

    Args:
        lineage: The founder first, then every generation after all of its parents.

    Raises:
        InputError: There is no founder, generations do not rise, parents form a cycle, a parent is not in the lineage,
            or a child takes more than was written.

    Source: Wright (1922), Coefficients of inbreeding and relationship, Am. Nat. 56:330; Malécot (1948), Les
        mathématiques de l'hérédité, for coancestry.

    Example:
        >>> founder = Training(generation=0, items=100, real=1.0)
        >>> child = Training(generation=1, items=100, parents={0: 1.0})
        >>> kinship([founder, child]).inbreeding.round(4).tolist()
        [0.01, 0.0199]
    """
    _check(lineage)
    written = _data_set_sizes(lineage)
    pairs: dict[tuple[int, int], float] = {(_REAL, _REAL): 1.0 / lineage[0].items}
    inbreeding: dict[int, float] = {_REAL: 0.0}
    for training in lineage:
        t, parts = training.generation, _shared_parts(training)
        older_sets = list(inbreeding)
        inbreeding[t] = _inbreeding(training, parts, inbreeding, pairs)
        for older in older_sets:
            pairs[t, older] = pairs[older, t] = sum(part * pairs[source, older] for source, part in parts.items())
        size = written.get(t, training.items)
        pairs[t, t] = 1.0 / size + (1.0 - 1.0 / size) * inbreeding[t]
    order = tuple(training.generation for training in lineage)
    return Kinship(
        generations=order,
        inbreeding=np.array([inbreeding[t] for t in order]),
        coancestry=np.array([[pairs[t, other] for other in order] for t in order]),
    )


def expected_inbreeding(generations: Sequence[Generation]) -> FloatArray:
    """F of each recorded generation by chance alone: `kinship` of the recorded mixtures. [generations], in order.

    A pedigree begins with its founder, whatever the number of that. If no shares of parents are recorded, `earlier`
    data come from the older parents in equal parts. A generation without a mixture counts as one without real data.

    Args:
        generations: The founder first, then every generation after all of its parents, with `items`.

    Raises:
        InputError: `items` of a generation is not known, or `kinship` refuses the lineage.

    Example:
        >>> founder = Generation(lineage="x", index=0, items=50)
        >>> child = Generation(lineage="x", index=1, parents=(0,), items=50)
        >>> expected_inbreeding([founder, child]).round(4).tolist()
        [0.02, 0.0396]
    """
    return kinship([_training(generation) for generation in generations]).inbreeding


def _training(generation: Generation) -> Training:
    if generation.items is None:
        raise InputError(
            f"`items` of generation {generation.index} must be known, but got None: record how many documents each "
            "generation was trained on"
        )
    if generation.is_founder:
        return Training(generation=0, items=generation.items, real=1.0)
    mixture, parents = generation.mixture, sorted(generation.parents)
    real = mixture.real if mixture else 0.0
    if generation.parent_shares:
        shares = dict(zip(generation.parents, generation.parent_shares, strict=True))
    elif not parents:
        shares = {}
    else:
        older = mixture.earlier if mixture and len(parents) > 1 else 0.0
        shares = {parent: older / max(1, len(parents) - 1) for parent in parents[:-1]}
        shares[parents[-1]] = 1.0 - real - older
    return Training(
        generation=generation.since_founder,
        items=generation.items,
        real=real,
        real_origin=generation.real_origin,
        parents={parent - generation.founder: share for parent, share in shares.items()},
    )


def _check(lineage: Sequence[Training]) -> None:
    if not lineage or lineage[0].generation != 0:
        first = lineage[0].generation if lineage else "no generation"
        raise InputError(
            f"`lineage` must begin with the founder, generation 0, but got {first}: a pedigree without its founder has "
            "no inbreeding to count from"
        )
    if lineage[0].parents:
        raise InputError(
            f"`lineage` must begin with a founder that has no parents, but got {list(lineage[0].parents)}: the founder "
            "is trained on real data only"
        )
    known: set[int] = set()
    for training in lineage:
        t = training.generation
        if known and t <= max(known):
            raise InputError(
                f"`lineage` must rise from generation to generation, but got {t} after {max(known)}: sort it"
            )
        missing = sorted(set(training.parents) - known)
        if missing:
            raise InputError(
                f"`parents` of generation {t} must be earlier generations of the lineage "
                f"({', '.join(map(str, sorted(known)))}), but got {missing[0]}: add that generation before it"
            )
        known.add(t)


def _data_set_sizes(lineage: Sequence[Training]) -> dict[int, float]:
    """Items of each data set: the recorded number, or else the most that any child takes."""
    known = {training.generation: training.written for training in lineage if training.written is not None}
    sizes: dict[int, float] = {generation: float(size) for generation, size in known.items()}
    for training in lineage:
        for parent, part in training.parents.items():
            taken = part * training.items
            # Shares need only sum to one within 1e-6.
            if parent in known and taken > known[parent] + 1e-6 * training.items:
                raise InputError(
                    f"`written` of generation {parent} must be at least the {taken:.6g} items that generation "
                    f"{training.generation} takes, but got {known[parent]}: give all that it wrote"
                )
            sizes[parent] = max(sizes.get(parent, 1.0), taken)
    return sizes


def _shared_parts(training: Training) -> dict[int, float]:
    """Shares of the data sets whose items may be in later data sets too; fresh real items are in no other."""
    parts = {parent: part for parent, part in training.parents.items() if part > 0.0}
    if training.real > 0.0 and (training.generation == 0 or training.real_origin == "archive"):
        parts[_REAL] = training.real
    return parts


def _inbreeding(
    training: Training,
    parts: Mapping[int, float],
    inbreeding: Mapping[int, float],
    pairs: Mapping[tuple[int, int], float],
) -> float:
    """F of a model: every two parts of its training set, and every two items of a part."""
    total = sum(a * b * pairs[j, k] for j, a in parts.items() for k, b in parts.items() if j != k)
    for source, part in parts.items():
        n = max(1.0, part * training.items)
        if source == _REAL:
            # An item that is taken twice counts once.
            n = min(n, 1.0 / pairs[_REAL, _REAL])
        total += part * part * (1.0 / n + (1.0 - 1.0 / n) * inbreeding[source])
    if _REAL not in parts and training.real > 0.0:
        total += training.real / training.items
    return total
