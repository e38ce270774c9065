"""Checkpoints that a killed training left."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch


def newest_first(checkpoints: Iterable[Path]) -> list[Path]:
    """The files by the time when they were written."""
    return sorted(checkpoints, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def newest_whole(checkpoints: Iterable[Path]) -> Path | None:
    """The newest one that can be loaded: the last may be cut off."""
    return next((path for path in newest_first(checkpoints) if _loads(path)), None)


def _loads(path: Path) -> bool:
    try:
        torch.load(path, weights_only=False)  # made by this benchmark
    except Exception:  # a file that is cut off fails in many ways
        return False
    return True
