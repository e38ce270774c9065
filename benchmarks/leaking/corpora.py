"""Documents of three sources, as they are written: some for a wild type, and others that it never sees."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from collapse_guard.demo import corpus
from collapse_guard.wildtype import WildType
from detecting.corpora import articles

FEWEST_WORDS = 12


class Divided(NamedTuple):
    """Documents of one source."""

    wild_type: WildType
    """Of half of them."""
    unseen: list[str]
    """The other half."""


def divided(name: str, *, most: int, evaluation: int, seed: int) -> Divided:
    """The documents of a source, of which a wild type gets one half, chosen at random.

    Args:
        name: One of `SOURCES`.
        most: Documents at most, in both halves.
        evaluation: Evaluation documents at most.
        seed: Of what is chosen, and of the wild type.
    """
    texts = list(dict.fromkeys(text for text in SOURCES[name]() if len(text.split()) >= FEWEST_WORDS))
    order = np.random.default_rng(seed).permutation(len(texts))[:most].tolist()
    chosen = [texts[place] for place in order]
    half = len(chosen) // 2
    return Divided(
        WildType.fit(chosen[:half], max_evaluation_documents=evaluation, evaluation_fraction=0.5, seed=seed),
        chosen[half:],
    )


def speeches() -> list[str]:
    """The paragraphs of all State of the Union speeches."""
    return [text for path in corpus.speeches() for text in path.read_text(encoding="utf-8").splitlines()]


def encyclopedia() -> list[str]:
    """The summaries of Wikipedia's vital articles."""
    return [article["extract"] for article in articles()]


def functions() -> list[str]:
    """The functions of Python's standard library, as they are written."""
    texts = []
    for path in sorted(Path(ast.__file__).parent.glob("*.py")):
        source = path.read_text(encoding="utf-8")
        lines = source.splitlines()
        nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
        texts += ["\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in nodes]
    return texts


SOURCES: dict[str, Callable[[], list[str]]] = {
    "speeches": speeches,
    "an encyclopedia": encyclopedia,
    "functions of Python's standard library": functions,
}
