"""Leaks: training texts that are evaluation documents of a wild type, or near duplicates of one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from collapse_guard.corpus.documents import Documents, content_hash
from collapse_guard.corpus.duplicates import near_matches, usable_threshold
from collapse_guard.errors import WildTypeError

_EXAMPLES = 3
_SHOWN = 60


@dataclass
class _Leaks:
    """Number of exact and near duplicates, and the first few examples of both."""

    same: int = 0
    alike: int = 0
    examples: list[str] = field(default_factory=list)

    def show(self, text: str, how: str) -> None:
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"{text[:_SHOWN]!r} ({how})")


def refuse_leaks(texts: Iterable[str], evaluation: Documents, pool: Documents, *, near: float | None) -> None:
    """Raise WildTypeError if a text is an evaluation document or, unless `near` is None, a near duplicate of one.

    Documents of the pool pass by their content hash, even if they resemble an evaluation document.

    Example:
        >>> held, pool = (Documents.from_texts([text]) for text in ("we the people", "of the United States"))
        >>> refuse_leaks(["We, the people!"], held, pool, near=None)
        >>> refuse_leaks(["We, the people!"], held, pool, near=0.8)
        Traceback (most recent call last):
        ...
        collapse_guard.errors.WildTypeError: training texts must not be evaluation documents of the wild type or near
        duplicates of them, but 0 have the same content and 1 are near duplicates (they share 0.8 or more of the word
        5-grams of both): 'We, the people!' (similarity 1.00): train on `wild_type.pool`, or leave these out
    """
    threshold = None if near is None else usable_threshold("near", near)
    leaks, near_count = _Leaks(), ""
    others = _others(texts, frozenset(evaluation.hashes), frozenset(pool.hashes), leaks)
    if threshold is None:
        deque(others, maxlen=0)
    else:
        for match in near_matches(others, evaluation, threshold=threshold):
            leaks.alike += 1
            leaks.show(match.text, f"similarity {match.similarity:.2f}")
        near_count = (
            f" and {leaks.alike} are near duplicates (they share {threshold:g} or more of the word 5-grams of both)"
        )
    if leaks.same or leaks.alike:
        raise WildTypeError(
            "training texts must not be evaluation documents of the wild type or near duplicates of them, "
            f"but {leaks.same} have the same content{near_count}: {'; '.join(leaks.examples)}: "
            "train on `wild_type.pool`, or leave these out"
        )


def _others(texts: Iterable[str], held: frozenset[str], allowed: frozenset[str], leaks: _Leaks) -> Iterator[str]:
    """The texts that are neither held out nor allowed; counts those that are held out."""
    for text in texts:
        key = content_hash(text)
        if key in held:
            leaks.same += 1
            leaks.show(text, "the same content")
        elif key not in allowed:
            yield text
