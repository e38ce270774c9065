"""Small damages: what disks, copies and hostile hands do to files. The same number gives the same damage everywhere."""

from __future__ import annotations

import random
import struct
from pathlib import Path

_EXTREMES = [struct.pack(kind, value) for kind in ("<I", "<Q", ">I") for value in (0, 1, 2**31 - 1, 2**31, 2**32 - 1)]
_TOKENS = [
    *(rb'"\ud800"', rb"\udfff", b"1e999", b"-1e999", b"NaN", b"null", b"-1", b"1_0", b"true", b"0x7f", b"inf"),
    *(b'"', b"'", b",", b"\n", b"\r", b"\t", b"{", b"}", b"\\", b"\0", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf"),
    *(b"9" * 400, b"9" * 5000, b"[" * 3000, b'{"a":' * 3000),
]


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The data after one to four small damages."""
    body = bytearray(data)
    for _ in range(rng.randrange(1, 5)):
        rng.choice(_DAMAGES)(body, rng)
    return bytes(body)


def _place(body: bytearray, rng: random.Random) -> int:
    """Anywhere; or, as often, near the ends, where formats say what they hold."""
    near = rng.randrange(min(64, len(body) + 1))
    return rng.choice((rng.randrange(len(body) + 1), near, len(body) - near, rng.randrange(len(body) + 1)))


def _flip(body: bytearray, rng: random.Random) -> None:
    if body:
        body[_place(body, rng) % len(body)] ^= 1 << rng.randrange(8)


def _overwrite(body: bytearray, rng: random.Random) -> None:
    at, extreme = _place(body, rng) & ~3, rng.choice(_EXTREMES)
    body[at : at + len(extreme)] = extreme


def _scribble(body: bytearray, rng: random.Random) -> None:
    at, n = _place(body, rng), rng.randrange(1, 17)
    body[at : at + n] = rng.randbytes(n)


def _cut(body: bytearray, rng: random.Random) -> None:
    del body[_place(body, rng) :]


def _remove(body: bytearray, rng: random.Random) -> None:
    at = _place(body, rng)
    del body[at : at + rng.randrange(1, 33)]


def _repeat(body: bytearray, rng: random.Random) -> None:
    at, n = _place(body, rng), rng.randrange(1, 65)
    body[at:at] = body[at : at + n]


def _blank(body: bytearray, rng: random.Random) -> None:
    at, n = _place(body, rng), rng.randrange(1, 65)
    body[at : at + n] = bytes(n)


def _insert(body: bytearray, rng: random.Random) -> None:
    at = _place(body, rng)
    body[at:at] = rng.choice(_TOKENS)


_DAMAGES = (_flip, _flip, _flip, _overwrite, _scribble, _cut, _remove, _repeat, _blank, _insert)


def damage(sound: Path, number: int) -> tuple[Path, bytes]:
    """Damage a sound file, or one of a folder, in the way of this number; returns the file, and what it held."""
    rng = random.Random(number)
    victim = rng.choice(sorted(path for path in sound.rglob("*") if path.is_file())) if sound.is_dir() else sound
    before = victim.read_bytes()
    victim.write_bytes(damaged(before, rng))
    return victim, before
