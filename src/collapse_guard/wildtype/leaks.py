"""Leaks: training texts that are evaluation documents of a wild type, or near duplicates of one."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator

from collapse_guard.corpus.documents import Documents, content_hash
from collapse_guard.corpus.duplicates import near_matches, usable_threshold
from collapse_guard.errors import WildTypeError

_EXAMPLES = 3
_SHOWN = 60


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
    held, allowed = frozenset(evaluation.hashes), frozenset(pool.hashes)
    counts, examples, near_count = Counter[str](), list[str](), ""

    def leak(kind: str, text: str, how: str) -> None:
        counts[kind] += 1
        if len(examples) < _EXAMPLES:
            examples.append(f"{text[:_SHOWN]!r} ({how})")

    def others() -> Iterator[str]:
        for text in texts:
            key = content_hash(text)
            if key in held:
                leak("same", text, "the same content")
            elif key not in allowed:
                yield text

    if threshold is None:
        deque(others(), maxlen=0)
    else:
        for match in near_matches(others(), evaluation, threshold=threshold):
            leak("alike", match.text, f"similarity {match.similarity:.2f}")
        near_count = (
            f" and {counts['alike']} are near duplicates (they share {threshold:g} or more of the word 5-grams of both)"
        )
    if counts:
        raise WildTypeError(
            "training texts must not be evaluation documents of the wild type or near duplicates of them, "
            f"but {counts['same']} have the same content{near_count}: {'; '.join(examples)}: "
            "train on `wild_type.pool`, or leave these out"
        )
