"""Images of 3 by 64 by 64 pixels, drawn from smooth patterns: kinds, directions in which they vary, and pixel noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from collapse_guard.wildtype import WildType
from weighing.rows import Pair, judged
from weighing.worlds import Rows

KINDS, DIRECTIONS = 8, 48
FAR, NEAR = 0.6, 0.25
"""Deviation of the patterns of kinds; all directions together have one of about 0.45."""
_FREQUENCIES, _WAVES = 6, 6
_MAIN, _FALL = 0.25, 0.6
_NOISE = 0.08
COPIES = 10


@dataclass(frozen=True, kw_only=True)
class Images:
    """A world of images."""

    apart: float = FAR
    """Deviation of the patterns of kinds."""
    side: int = 64
    """Pixels in a row and in a column."""
    kinds: Sequence[int] = range(KINDS)
    """The kinds that are drawn."""
    gains: tuple[float, ...] = (1.0,) * DIRECTIONS
    """How far images vary in each direction, the main one first; 1 as real ones."""
    noise: float = _NOISE
    """Deviation of the noise of each pixel."""

    def draw(self, n: int, rng: np.random.Generator) -> Rows:
        """n rows of 3 s s numbers."""
        patterns = self._patterns(KINDS + DIRECTIONS)
        sizes = _MAIN / np.arange(1, DIRECTIONS + 1) ** _FALL * np.array(self.gains)
        along = rng.normal(size=(n, DIRECTIONS)) * sizes
        shown: Rows = self.apart * patterns[rng.choice(self.kinds, n)] + along @ patterns[KINDS:]
        return shown + self.noise * rng.normal(size=shown.shape)

    def _patterns(self, n: int) -> Rows:
        """Sums of waves of low frequency in three colours, with a deviation of 1."""
        rng, steps = np.random.default_rng(0), np.linspace(0.0, 2.0 * np.pi, self.side)
        found = np.zeros((n, 3, self.side, self.side))
        for pattern in found:
            for _ in range(_WAVES):
                across, down = rng.integers(0, _FREQUENCIES, 2)
                start = rng.uniform(0.0, 2.0 * np.pi, (3, 1, 1))
                pattern += rng.normal() * np.cos(across * steps[:, None] + down * steps + start)
        rows = found.reshape(n, -1)
        return rows / rows.std(axis=1, keepdims=True)


class Fault(NamedTuple):
    """A kind of samples."""

    name: str
    """As the table shows it."""
    samples: Callable[[Images, int, np.random.Generator], Rows]
    """So many of them."""


def _with(**changes: object) -> Callable[[Images, int, np.random.Generator], Rows]:
    return lambda world, n, rng: replace(world, **changes).draw(n, rng)


def _gains(first: int, last: int, gain: float) -> tuple[float, ...]:
    return tuple(gain if first <= i < last else 1.0 for i in range(DIRECTIONS))


def _narrow(share: float) -> Callable[[Images, int, np.random.Generator], Rows]:
    def samples(world: Images, n: int, rng: np.random.Generator) -> Rows:
        drawn = world.draw(n, rng)
        middle = drawn.mean(axis=0)
        return middle + share * (drawn - middle)

    return samples


def _copies(world: Images, n: int, rng: np.random.Generator) -> Rows:
    few = world.draw(n // COPIES, rng)
    copied: Rows = few.repeat(COPIES, axis=0) + 0.01 * rng.normal(size=(len(few) * COPIES, few.shape[1]))
    return copied


REAL = "real images"
FAULTS = (
    Fault(REAL, Images.draw),
    Fault("the main direction lost", _with(gains=_gains(0, 1, 0.0))),
    Fault("the first three directions lost", _with(gains=_gains(0, 3, 0.0))),
    Fault("all but ten directions lost", _with(gains=_gains(10, DIRECTIONS, 0.0))),
    Fault("a tenth of the spread lost", _narrow(0.9)),
    Fault("a third of the spread lost", _narrow(2.0 / 3.0)),
    Fault("one of eight kinds lost", _with(kinds=range(1, KINDS))),
    Fault("four of eight kinds lost", _with(kinds=range(4, KINDS))),
    Fault("no pixel noise", _with(noise=0.0)),
    Fault("twice the pixel noise", _with(noise=2.0 * _NOISE)),
    Fault("a tenth of the images, ten times each, with a little noise", _copies),
)


def seen(
    world: Images, *, real: int, samples: int, repeats: int, healthy: int, seed: int, faults: Sequence[Fault] = FAULTS
) -> Iterator[list[Pair]]:
    """What is said of each kind of samples, behind founders of real images.

    Args:
        world: What is real.
        real: Images that the wild type is made of.
        samples: Images of a founder, and of a generation.
        repeats: Pairs of each kind.
        healthy: Pairs of real images.
        seed: Of everything random.
        faults: The kinds of samples.
    """
    rng = np.random.default_rng(seed)
    wild_type = WildType.fit_arrays(world.draw(real, rng))
    for fault in faults:
        pairs = healthy if fault.name == REAL else repeats
        yield [judged(wild_type, world.draw(samples, rng), fault.samples(world, samples, rng)) for _ in range(pairs)]
