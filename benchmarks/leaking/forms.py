"""How training texts come: whole documents, chunks of one document, or windows of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from collapse_guard.wildtype import WildType

Form = Callable[[WildType, Sequence[str]], list[str]]
TOKENS, MANY_TOKENS = 64, 1_024


def whole(_: WildType, texts: Sequence[str]) -> list[str]:
    """Documents as they are."""
    return list(texts)


def chunks(wild_type: WildType, texts: Sequence[str], tokens: int = TOKENS) -> list[str]:
    """So many tokens of one document each, and what is left at its end."""
    return wild_type.decode(
        [ids[i : i + tokens] for ids in wild_type.encode(texts) for i in range(0, len(ids), tokens)]
    )


def windows(wild_type: WildType, texts: Sequence[str], tokens: int = TOKENS) -> list[str]:
    """So many tokens of whatever comes next, cut where documents end or in their middle."""
    ids = np.concatenate(list(wild_type.encode(texts)))
    return wild_type.decode([ids[i : i + tokens] for i in range(0, len(ids), tokens)])


FORMS: dict[str, Form] = {
    "whole": whole,
    f"chunks of {TOKENS} tokens": chunks,
    f"windows of {TOKENS} tokens": windows,
    f"windows of {MANY_TOKENS:,} tokens": partial(windows, tokens=MANY_TOKENS),
}
