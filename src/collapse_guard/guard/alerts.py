"""What is new about a lineage is told once, by a warning or in the log."""

from __future__ import annotations

import logging
import warnings

from collapse_guard.errors import CollapseGuardWarning
from collapse_guard.records import Verdict

_log = logging.getLogger("collapse_guard")


def alert(verdict: Verdict) -> None:
    """Warn where the lineage's alert is raised, and log where it is taken back."""
    if verdict.alert.event == "enter":
        warnings.warn(str(verdict), CollapseGuardWarning, stacklevel=2)
    elif verdict.alert.event == "recover":
        _log.info("recovered: %s", verdict)
