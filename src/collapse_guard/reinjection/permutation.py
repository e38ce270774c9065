"""Shuffled orders with random access: any place is computed by itself, without drawing or keeping others.

A few items are sorted by random numbers. Sorting many items for one place would be too slow, so they go through a
Feistel network. It cuts the bits of a number into two halves and changes each in turn by a function of the other, which
is a bijection for any round function. Numbers outside of the range go through again until they fall inside ("cycle
walking"), which leaves a bijection of the range (Black and Rogaway 2002).
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from collapse_guard.arrays import HashArray, IntArray, mix

HalfArray = npt.NDArray[np.uint32]

_FEW, _ROUNDS = 256, 8
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ROUND_GOLDEN, _ROUND_FIRST, _ROUND_SECOND = 0x9E3779B9, np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35)
_16, _13 = np.uint32(16), np.uint32(13)


def key_of(seed: int, name: str) -> int:
    """The key of the shuffled orders of one source; it does not depend on which other sources there are."""
    return int(np.random.SeedSequence([seed, zlib.crc32(name.encode())]).generate_state(1, np.uint64)[0])


def shuffled(places: npt.ArrayLike, size: int, *, key: int) -> IntArray:
    """Items at places of an endless walk through `size` items: one shuffled pass after the other.

    Place p is in pass p // size. Every pass has each item once, in an order of its own.

    Args:
        places: n: places in the walk, at least 0.
        size: Number of items, at least 1.
        key: Key of the orders (`key_of`).

    Returns:
        n: items, from 0 to size - 1.

    Cost: O(n) above 256 items, some 60 nanoseconds per place for any places and any number of items; O(n + size) below.

    Source: Black and Rogaway (2002), Ciphers with arbitrary finite domains, CT-RSA; the round function is the finaliser
        of MurmurHash3, keys are mixed by that of SplitMix64 (Steele, Lea and Flood 2014, OOPSLA).

    Example:
        >>> sorted(shuffled(range(5), 5, key=1).tolist()), sorted(shuffled(range(5, 10), 5, key=1).tolist())
        ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4])
    """
    passes, numbers = np.divmod(np.asarray(places, dtype=np.int64), size)
    if size <= _FEW:
        distinct, own = np.unique(passes, return_inverse=True)
        drawn = mix(_keys(distinct, key)[:, None] + np.arange(size, dtype=np.uint64) * _GOLDEN)
        return np.asarray(np.argsort(drawn, axis=1)[own, numbers])
    return _walk(numbers, size, _keys(passes, key))


def _walk(numbers: IntArray, size: int, keys: HashArray) -> IntArray:
    bits = (size - 1).bit_length()
    items = _network(numbers, keys, bits)
    outside = np.flatnonzero(items >= size)
    while len(outside):
        items[outside] = _network(items[outside], keys[outside], bits)
        outside = outside[items[outside] >= size]
    return items


def _network(numbers: IntArray, keys: HashArray, bits: int) -> IntArray:
    low = bits - bits // 2
    masks = np.uint32((1 << (bits // 2)) - 1), np.uint32((1 << low) - 1)
    halves = [(numbers >> low).astype(np.uint32), (numbers & int(masks[1])).astype(np.uint32)]
    both = (keys >> np.uint64(32)).astype(np.uint32), keys.astype(np.uint32)
    for turn in range(_ROUNDS):
        own = turn % 2
        round_key = both[own] + np.uint32((turn + 1) * _ROUND_GOLDEN % 2**32)
        halves[own] ^= _round(halves[1 - own] ^ round_key) & masks[own]
    return (halves[0].astype(np.int64) << low) | halves[1]


def _round(values: HalfArray) -> HalfArray:
    values ^= values >> _16
    values *= _ROUND_FIRST
    values ^= values >> _13
    values *= _ROUND_SECOND
    values ^= values >> _16
    return values


def _keys(passes: IntArray, key: int) -> HashArray:
    return mix((passes.astype(np.uint64) + np.uint64(1)) * _GOLDEN ^ np.uint64(key))
