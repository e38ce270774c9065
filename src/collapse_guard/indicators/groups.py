"""Groups of equal size: what makes diversity comparable between any number of samples of any length.

Distinct-n, coverage, effective rank and Vendi all change with the size of what they are computed on. Each is
therefore computed on groups of one fixed size, and the groups are what is compared.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import whole
from collapse_guard.arrays import IntArray

_KEY = b"collapse_guard group order"


def content_order(contents: Sequence[bytes]) -> IntArray:
    """A fixed pseudo-random order of samples that depends on what they are, not on where they stand.

    Sorts by a keyed hash of (content, how many equal ones came before): any permutation of the samples gives the same
    sequence of contents, and duplicates are spread over it instead of standing together. O(n log n).

    Example:
        >>> samples = [b"war", b"peace", b"war", b"taxes"]
        >>> ordered = [samples[i] for i in content_order(samples)]
        >>> ordered == [samples[::-1][i] for i in content_order(samples[::-1])]
        True
    """
    seen: Counter[bytes] = Counter()
    keys = []
    for content in contents:
        keys.append(_hash(content, seen[content]))
        seen[content] += 1
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


def equal_groups(
    sequences: Sequence[npt.ArrayLike], budget: int, *, apart: IntArray | None = None
) -> list[list[IntArray]]:
    """Fill groups of exactly `budget` units (tokens or words) with sequences in content order.

    The sequence that crosses the border of a group is cut there and its rest dropped, so no two groups share a
    sample; the last group is dropped unless it is full. O(units).

    Args:
        sequences: 1-D integer ids; empty ones add nothing.
        budget: Units in a group, at least 1.
        apart: Number of the prompt of each sequence: no two groups share a prompt, and what is left of one that fills a
            group is dropped too. None: sequences of one prompt are spread over all groups.

    Returns:
        Groups, each a list of arrays whose lengths sum to `budget`.

    Raises:
        InputError: `budget` is below 1.

    Example:
        >>> [[len(part) for part in group] for group in equal_groups([[1, 2, 3, 4, 5]] * 4, budget=7)]
        [[5, 2], [5, 2]]
    """
    whole("budget", budget, least=1)
    arrays = [np.ascontiguousarray(sequence, dtype=np.int64) for sequence in sequences]
    order, lengths = content_order([array.tobytes() for array in arrays]), list(map(len, arrays))
    return [[arrays[i][:units] for i, units in group] for group in _filled(order, lengths, budget, apart)]


def group_samples(contents: Sequence[bytes], size: int, *, apart: IntArray | None = None) -> list[IntArray]:
    """Cut samples into groups of exactly `size` in content order; the last group is dropped unless it is full.

    Args:
        contents: n: what the order goes by: the samples themselves.
        size: Samples in a group, at least 1.
        apart: As in `equal_groups`.

    Returns:
        Groups, each the numbers of its samples.

    Raises:
        InputError: `size` is below 1.

    Example:
        >>> [len(group) for group in group_samples([bytes([i]) for i in range(7)], size=3)]
        [3, 3]
    """
    whole("size", size, least=1)
    groups = _filled(content_order(contents), [1] * len(contents), size, apart)
    return [np.array([i for i, _ in group], dtype=np.int64) for group in groups]


def samples_needed(sequences: Sequence[npt.ArrayLike], budget: int, n_groups: int) -> int | None:
    """How many sequences like these fill `n_groups` groups: at most as many as there are where they fill them already.

    The sequences at hand are taken again and again, in content order, until the groups are full. None: all are empty.

    Example:
        >>> samples_needed([[1, 2, 3, 4, 5]] * 3, budget=7, n_groups=5)
        10
    """
    arrays = [np.ascontiguousarray(sequence, dtype=np.int64) for sequence in sequences]
    lengths = [len(arrays[i]) for i in content_order([array.tobytes() for array in arrays])]
    if not any(lengths):
        return None
    used, room = 0, budget
    for length in cycle(lengths):
        used, room = used + 1, room - length
        if room <= 0:
            n_groups, room = n_groups - 1, budget
        if not n_groups:
            break
    return used


def windows(sequences: Sequence[npt.NDArray[Any]], length: int) -> list[npt.NDArray[Any]]:
    """Cut long sequences into consecutive windows of at most `length` units, as long as the samples they are compared
    with.

    A remainder shorter than half a window is dropped, unless it is the whole sequence. Empty sequences give no window.

    Args:
        sequences: 1-D arrays.
        length: Units in a window, at least 1.

    Raises:
        InputError: `length` is below 1.

    Example:
        >>> [window.tolist() for window in windows([np.arange(7), np.arange(1)], length=3)]
        [[0, 1, 2], [3, 4, 5], [0]]
    """
    whole("length", length, least=1)
    return [
        sequence[start : start + length]
        for sequence in sequences
        for start in range(0, len(sequence), length)
        if not start or 2 * (len(sequence) - start) >= length
    ]


def _filled(
    order: IntArray, lengths: Sequence[int], budget: int, apart: IntArray | None
) -> list[list[tuple[int, int]]]:
    """Full groups: the places of their sequences, each with how many of its units are in the group."""
    prompts = np.arange(len(order)) if apart is None else apart
    groups, group, room, closed = [], [], budget, -1
    for i in order if apart is None else order[np.argsort(apart[order], kind="stable")]:
        units = min(lengths[i], room)
        if not units or prompts[i] == closed:
            continue
        group.append((int(i), units))
        room -= units
        if not room:
            groups.append(group)
            group, room, closed = [], budget, int(prompts[i])
    return groups


def _hash(content: bytes, occurrence: int) -> bytes:
    digest = hashlib.blake2b(content, digest_size=16, key=_KEY)
    digest.update(occurrence.to_bytes(8, "little"))
    return digest.digest()
