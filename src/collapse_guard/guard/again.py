"""A training that is run again, as after a kill, is the same generation: it is known by its name or by its weights."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence

from torch import nn

from collapse_guard.errors import CollapseGuardWarning
from collapse_guard.guard.training import Training
from collapse_guard.probes.weights import weights_digest
from collapse_guard.records import Assessment, Generation, Origin

_log = logging.getLogger("collapse_guard")


def origin_of(training: Training, module: nn.Module, name: str) -> Origin:
    """The training of that name up to now, with the weights that are measured where they can be read."""
    try:
        with training.context():
            weights = weights_digest(module)
    except Exception as error:  # of a device that failed; then the measurement says so
        _log.info("the weights cannot be read", exc_info=error)
        weights = ""
    return Origin(training=name, step=training.step, weights=weights, measured=training.weights)


def recorded_before(origin: Origin, history: Sequence[Assessment]) -> Assessment | None:
    """The stored generation that is what this training came to: it was recorded, and then the training was run again.

    Example:
        >>> recorded_before(Origin(training="a", step=80), [])
    """
    known = (past for past in history if past.origin is not None and origin.is_of(past.origin))
    return next(known, None)


def of_same_weights(origin: Origin, history: Sequence[Assessment]) -> Assessment | None:
    """The stored generation of the same weights. Measured with its seed, the same evidence comes of the same training.

    Example:
        >>> of_same_weights(Origin(training="a", step=80, weights="b0b5"), [])
    """
    known = (past for past in history if past.origin is not None and past.origin.weights == origin.weights != "")
    return next(known, None)


def warn_of_recorded(stored: Generation) -> None:
    """Say that a training is recorded already."""
    message = f"this training is recorded as generation {stored.index} of {stored.lineage!r}: nothing was added"
    warnings.warn(message, CollapseGuardWarning, stacklevel=3)


def warn_of_other(number: int, planned: Generation) -> None:
    """Say that a checkpoint is of a generation with another number than the planned one."""
    message = (
        f"the checkpoint is of generation {number} of {planned.lineage!r}, but that is stored. "
        f"Unless it is what this training came to, this fit will be recorded as generation {planned.index}"
    )
    warnings.warn(message, CollapseGuardWarning, stacklevel=3)
