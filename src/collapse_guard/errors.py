"""All exceptions and warnings of collapse_guard.

CollapseGuardError
├── InputError (ValueError)        an argument or a file is invalid
│   ├── CorpusError                documents, or a table of losses or scores, cannot be read
│   ├── PolicyError                a policy file or value is invalid
│   └── WildTypeError              a directory is not a wild type, or was changed
│       └── FingerprintMismatchError   two wild types behind one founder
├── LineageError                   a generation cannot be added or found
│   ├── LineageNotFoundError       no lineage of that name
│   └── GenerationTakenError       another generation was stored under this number
├── StoreUnreachableError          the lineage store does not answer
└── CollapsedError                 the guard's action "raise": the verdict is COLLAPSED

CollapseGuardWarning (UserWarning)  the guard alerts, or continues with less than it was asked for
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

FOUND_ANEW = "found the lineage anew, with the reason (`--founder --reason`, or `founding=` in Python)"
"""What to do where later generations cannot be compared with the founder, or should not be."""


class CollapseGuardError(Exception):
    """Base class of all exceptions of collapse_guard."""


class InputError(CollapseGuardError, ValueError):
    """An argument or a file is invalid; the message says what is required, what was got and what to do."""


class CorpusError(InputError):
    """Documents, or a table of losses or scores, cannot be read: empty, not UTF-8, no such column."""


class PolicyError(InputError):
    """A policy file or value is invalid; `loc` has the keys that lead to it, from the outermost."""

    def __init__(self, message: str, loc: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.loc = loc


class WildTypeError(InputError):
    """A directory is not a wild type, or was changed after it was saved."""


class FingerprintMismatchError(WildTypeError):
    """Generations of one founder were measured against different wild types."""

    WHAT_TO_DO = (
        f"load that wild type, or {FOUND_ANEW}. Fitting it again on another processor gives another wild type: save it "
        "once, and load it from then on"
    )
    """What to do before the lineage's next generation."""


class LineageError(CollapseGuardError):
    """A generation cannot be added to a lineage or found in it."""


class LineageNotFoundError(LineageError):
    """No lineage of that name is in the store."""


class GenerationTakenError(LineageError):
    """Another generation is stored under this number, as where two processes append to one lineage at once."""


class StoreUnreachableError(CollapseGuardError):
    """The lineage store does not answer."""


class CollapsedError(CollapseGuardError):
    """Raised on all ranks by the action "raise"; `verdict` carries the reasons."""

    def __init__(self, message: str, verdict: Any) -> None:
        super().__init__(message)
        self.verdict = verdict


class CollapseGuardWarning(UserWarning):
    """The guard alerts, or continues with less than it was asked for."""


def near(name: str, known: Iterable[str]) -> str:
    """Name the known names nearest to `name`, whatever their case, for the end of an error message.

    Example:
        >>> near("perplexty", ["perplexity", "vendi"])
        'did you mean `perplexity`? Known: perplexity, vendi'
    """
    names = sorted(name.encode(errors="backslashreplace").decode() for name in known)
    if not names:
        return "there are none"
    spelt = {one.casefold(): one for one in names}
    folded = [spelt[close] for close in difflib.get_close_matches(name.casefold(), spelt, n=1)]
    close = difflib.get_close_matches(name, names, n=1) or folded
    hint = f"did you mean `{close[0]}`? " if close else ""
    return f"{hint}Known: {', '.join(names[:20])}{', …' if len(names) > 20 else ''}"
