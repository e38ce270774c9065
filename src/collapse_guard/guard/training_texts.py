"""What a model is trained on: the first batches, read as text and held against the evaluation documents."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from collapse_guard.decision.leak import is_leaking
from collapse_guard.errors import CollapseGuardWarning
from collapse_guard.records import TrainingCheck
from collapse_guard.wildtype import WildType

Decode = Callable[[Sequence[int]], str]

_log = logging.getLogger("collapse_guard")

N_BATCHES = 20
"""Batches that are looked at; ten per cent of evaluation documents among the training data are seen in far fewer."""
_MOST_IDS = 16_384
"""Ids of a batch that are read."""
_NAMES = ("input_ids", "ids", "tokens", "text", "texts")
"""What batches call their texts, the likeliest first."""


class TrainingTexts:
    """The texts of the first batches of a training. What is found in them is warned of at once.

    Args:
        wild_type: Whose evaluation documents are looked for; only of text.
        decode: Makes text of the ids of a batch; None: only batches of texts are read.
    """

    def __init__(self, wild_type: WildType, decode: Decode | None) -> None:
        self._wild_type, self._decode = wild_type, decode
        self._checks: list[TrainingCheck] = []
        self._n_seen, self._is_told = 0, False

    @property
    def is_looking(self) -> bool:
        """Whether the next batch is one of those that are looked at."""
        return self._n_seen < N_BATCHES and self._wild_type.kind == "text"

    @property
    def found(self) -> TrainingCheck | None:
        """What was found so far; None: nothing was looked at."""
        return TrainingCheck.together(self._checks) if self._checks else None

    def known(self, checked: TrainingCheck | None) -> TrainingCheck | None:
        """What was found so far, together with what was checked before training; None: nobody looked."""
        checks = [check for check in (checked, self.found) if check is not None]
        return TrainingCheck.together(checks) if checks else None

    def see(self, batch: object) -> None:
        """Look at a batch, if it is one of the first and its texts can be told; training goes on whatever it is."""
        if not self.is_looking:
            return
        self._n_seen += 1
        try:
            texts = texts_of_batch(batch, self._decode)
            check = self._wild_type.leaks_in(texts) if texts else None
        except Exception as error:  # of a decoder that is given what it does not know
            _log.info("a training batch could not be read", exc_info=error)
            return
        if check is not None:
            self._checks.append(check)
            self._is_told = self._is_told or warned_of_leak(TrainingCheck.together(self._checks))


def warned_of_leak(check: TrainingCheck) -> bool:
    """Warn where texts hold more evaluation documents than by chance, as long as training can be stopped."""
    if not is_leaking(check):
        return False
    message = (
        f"the model is trained on documents that it will be measured with: {check}, such as "
        f"{', '.join(check.examples)}. Stop, and train on `wild_type.pool`: what this training comes to cannot be "
        "judged by losses"
    )
    warnings.warn(message, CollapseGuardWarning, stacklevel=2)
    return True


def texts_of_batch(batch: object, decode: Decode | None) -> list[str]:
    """The texts of a batch: itself, or its part by a usual name, or its first part that is texts or rows of ids.

    Args:
        batch: What a loader gives: a tensor of ids, texts, or a mapping, tuple or list of such.
        decode: Makes text of ids; None: ids are no texts.

    Example:
        >>> texts_of_batch({"labels": torch.zeros(2, 3), "text": ["we the people"]}, None)
        ['we the people']
        >>> texts_of_batch((torch.tensor([[1, 2], [3, 4]]), torch.zeros(2)), str)
        ['[1, 2]', '[3, 4]']
        >>> texts_of_batch(torch.zeros(2, 3), str)
        []
    """
    if isinstance(batch, str):
        return [batch]
    if isinstance(batch, Tensor):
        return _decoded(batch, decode)
    if isinstance(batch, Mapping):
        named = [batch[name] for name in _NAMES if name in batch]
        return _first(named or list(batch.values()), decode)
    if not isinstance(batch, Sequence) or not batch:
        return []
    if all(isinstance(one, str) for one in batch):
        return list(batch)
    return _rows(batch, decode) or _first(batch, decode)


def _first(parts: Iterable[object], decode: Decode | None) -> list[str]:
    found = (texts_of_batch(part, decode) for part in parts)
    return next((texts for texts in found if texts), [])


def _rows(batch: Sequence[Any], decode: Decode | None) -> list[str]:
    """The texts of a list of lists of ids; none where it is something else."""
    is_ids = decode is not None and all(isinstance(row, list) and row and isinstance(row[0], int) for row in batch)
    return [decode(row) for row in batch] if is_ids and decode is not None else []


def _decoded(ids: Tensor, decode: Decode | None) -> list[str]:
    """The texts of rows of ids, of the first ones of a large batch; none of other numbers."""
    if decode is None or ids.ndim != 2 or ids.dtype not in (torch.int64, torch.int32) or not ids.numel():
        return []
    rows = ids[: max(1, _MOST_IDS // ids.shape[1])]
    return [decode([one for one in row if one >= 0]) for row in rows.tolist()]
