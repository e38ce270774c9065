"""Vectors as they come in: rows of numbers, one for each sample."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from collapse_guard.arrays import FloatArray
from collapse_guard.errors import InputError
from collapse_guard.indicators.base import MINIMUM_GROUPS, EvidenceKind, Indicator
from collapse_guard.indicators.instruments import Instruments
from collapse_guard.indicators.samples import VectorGroup
from collapse_guard.records import Direction, EffectScale

Vectors = npt.ArrayLike | Tensor


class VectorIndicator(Indicator):
    """Base of indicators of vectors, which are compared over groups of equal size."""

    minimum_n = MINIMUM_GROUPS
    evidence: ClassVar[EvidenceKind] = "vectors"

    @classmethod
    def lacking(cls, instruments: Instruments) -> str:
        """Where all real vectors are equal, so that no distance means anything."""
        reference = instruments.geometry.reference
        alike = all(np.array_equal(row, reference[0]) for row in reference)
        return f"the embedder gives all {len(reference):,} real texts the same vector" if alike else ""


class SpreadIndicator(VectorIndicator):
    """Base of indicators of how far and how many ways vectors vary."""

    family = "spread"
    direction = Direction.DOWN
    definitions = (4, 6)
    _axes: ClassVar[tuple[tuple[str, int], ...]]
    """Name of each sum, and how many axes of the size d it has; those without an axis are counts."""

    @classmethod
    def read(cls, group: VectorGroup) -> float:
        """Value of a group."""
        return cls.formula(group.varying)

    def __init__(self, dimension: int, **kwargs: Any) -> None:
        """Begin without rows."""
        super().__init__(**kwargs)
        self.dimension = dimension
        for name, axes in self._axes:
            self._add_sum(name, *[dimension] * axes, dtype=torch.float64 if axes else torch.int64)

    def update(self, x: Tensor) -> None:
        """Add rows."""
        self._add_up(*self._terms(rows(x, dimension=self.dimension)))

    def _terms(self, x: Tensor) -> tuple[Tensor | int, ...]:
        """What rows add to each of the sums."""
        raise NotImplementedError(f"{type(self).__name__} must define `_terms`, or `update`")


class DistanceIndicator(VectorIndicator):
    """Base of indicators of the distance to frozen real vectors; most may be 0, so differences compare them."""

    family = "distance"
    scale: ClassVar[EffectScale] = EffectScale.ABSOLUTE


def rows(x: Vectors, *, dimension: int | None = None, name: str = "x") -> Tensor:
    """Rows as float64 of the device on which they are.

    Raises:
        InputError: They are not 2-D, or have another dimension.

    Example:
        >>> rows([[1, 2], [3, 4]])
        tensor([[1., 2.],
                [3., 4.]], dtype=torch.float64)
    """
    vectors = numbers(x)
    if vectors.ndim != 2 or dimension not in (None, vectors.shape[1]):
        size = "d" if dimension is None else dimension
        raise InputError(
            f"`{name}` must have the shape (n, {size}), a row for each sample, but got {tuple(vectors.shape)}"
        )
    return vectors


def numbers(x: Vectors) -> Tensor:
    """Numbers as float64 of the device on which they are; torch by itself takes the floats of a list for float32."""
    return (x.detach() if isinstance(x, Tensor) else torch.from_numpy(np.array(x, dtype=np.float64))).to(torch.float64)


def array(x: Vectors, *, dimension: int | None = None, name: str = "x") -> FloatArray:
    """Rows as a float64 array; see `rows`."""
    vectors: FloatArray = rows(x, dimension=dimension, name=name).cpu().numpy()
    return vectors


def tag(*arrays: npt.NDArray[np.generic]) -> str:
    """Eight hex digits of what a metric was made with, for the names of its states.

    Example:
        >>> tag(np.zeros(3)) == tag(np.zeros(3)), tag(np.zeros(3)) == tag(np.ones(3))
        (True, False)
    """
    digest = hashlib.blake2b(digest_size=4)
    for part in arrays:
        digest.update(repr(part.shape).encode() + np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
