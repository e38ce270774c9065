"""Where a process that was started to train leaves its assessment for the process that started it."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import uuid
from pathlib import Path

from collapse_guard.errors import InputError
from collapse_guard.records import Assessment
from collapse_guard.whole_files import write_whole

_log = logging.getLogger("collapse_guard")


class Mailbox:
    """A file that is there only between leaving and taking. A copy of the box in another process is the same box.

    A trainer that starts its processes by itself (`ddp_spawn`, `Fabric.launch`) gives each a copy of the guard. Without
    this, the guard of the process that called the trainer would know of no verdict.

    Example:
        >>> Mailbox().take()
    """

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._path = Path(tempfile.gettempdir()) / f"collapse_guard-{uuid.uuid4().hex}.json"

    def leave(self, assessment: Assessment) -> None:
        """Leave an assessment for the process that made the box, unless it is this one."""
        if os.getpid() == self._owner:
            return
        try:
            write_whole(self._path, [json.dumps(assessment.to_dict()).encode()])
        except InputError as error:  # the generation is recorded all the same
            _log.info("the assessment cannot be handed to the process that started this one", exc_info=error)

    def take(self) -> Assessment | None:
        """What was left since it was last taken; None: nothing, or this is not the process that made the box."""
        if os.getpid() != self._owner or not self._path.is_file():
            return None
        text = self._path.read_text(encoding="utf-8")
        self._path.unlink(missing_ok=True)
        return Assessment.from_dict(json.loads(text))
