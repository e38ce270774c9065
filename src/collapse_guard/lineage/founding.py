"""A lineage begins, and begins anew, when somebody says so: a mistyped name, a renamed one or another store is no new
founder, and neither is a founder that is submitted twice.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

from collapse_guard.errors import CollapseGuardWarning, LineageError, LineageNotFoundError
from collapse_guard.indicators.base import all_indicators
from collapse_guard.records import Assessment, Intake, Reading
from collapse_guard.records.readings import TRAINING_PERPLEXITY
from collapse_guard.store import LineageStore, lineage_not_found


def joined(
    store: LineageStore,
    lineage: str,
    *,
    index: int | None = None,
    must_exist: bool | None = None,
    founding: str = "",
) -> list[Assessment]:
    """The generations of the lineage that a new generation joins, sorted by index; none if it is to be founded.

    What is compared with nothing cannot be seen to have collapsed. So a lineage that the store does not have is
    refused, or warned of, unless the generation is its founder; any number but 0 is refused. They are those of the
    store's ledger: `find_place` reads more where it is needed.

    Args:
        store: Where the lineage is looked for.
        lineage: Its name.
        index: Number that the generation is given; 0 founds a lineage, None is one after the newest.
        must_exist: Whether an unknown lineage is refused rather than warned of where no number is given; None: where
            the environment variable CI is set, because nobody reads warnings there.
        founding: Why the lineage is to be founded anew, for which it must exist; empty: it is not.

    Raises:
        LineageNotFoundError: The lineage is unknown and must exist; the message has the near names and the store.
        LineageError: What is stored differs from what was written.
        StoreUnreachableError: The store does not answer.

    Example:
        >>> from collapse_guard import open_store
        >>> joined(open_store("memory:"), "newsbot", index=0)
        []
    """
    history = store.ledger(lineage)
    if history or (index == 0 and not founding):
        return history
    error = _not_found(store, lineage)
    if founding:
        raise LineageNotFoundError(f"{error}. Only what exists is founded anew: without a reason it begins here")
    if index or (in_ci() if must_exist is None else must_exist):
        raise LineageNotFoundError(f"{error}. {HOW_TO_FOUND}")
    warnings.warn(f"a new lineage begins here: {error}. {HOW_TO_FOUND}", CollapseGuardWarning, stacklevel=3)
    return []


def check_founding(history: Sequence[Assessment], index: int, founding: str) -> None:
    """Refuse to found a lineage anew before its newest generation, or for the reason that its newest founder has; what
    is stored under the number already is for the store to compare.

    A reason is given once: a command or a script that still has it would make each of its generations a founder, and
    nothing would be compared with anything.

    Args:
        history: The generations of the lineage.
        index: Number of the generation.
        founding: Why it founds the lineage anew; empty: it does not, and nothing is refused.

    Raises:
        LineageError: The message says what to do.
    """
    past = {one.generation.index: one.generation for one in history}
    if not founding or not past or index in past:
        return
    newest = past[max(past)]
    if index < newest.index:
        raise LineageError(
            f"lineage {newest.lineage!r} must be founded anew after its newest generation, {newest.index}, but got "
            f"{index}: leave the number out"
        )
    if newest.founder in past and past[newest.founder].founding == founding:
        raise LineageError(
            f"lineage {newest.lineage!r} was founded anew with generation {newest.founder} for this reason already "
            f"({founding!r:.200}): leave out `--founder --reason` (`founding` in Python) to compare this generation "
            "with that, or give another reason"
        )


def check_founder(assessment: Assessment) -> None:
    """Refuse to found a lineage on what nothing can be compared with; later generations are not looked at.

    Each part of the evidence that was given must have a usable reading: losses their perplexity, so that all of them
    are finite; samples and embeddings any reading but the share of empty samples; and each task its score. Losses on
    samples do where nothing else was given.

    Args:
        assessment: Of a generation that is to be stored.

    Raises:
        LineageError: It is a founder, and a part has none; the message says why.
    """
    if not assessment.generation.is_founder:
        return
    given = {part.part: _readings_of(assessment, part) for part in assessment.intake if part.part not in _OF_OUTPUTS}
    read = [one for name, one in assessment.readings.items() if name != TRAINING_PERPLEXITY]
    given = given or {"evidence": read}
    useless = {part: found for part, found in given.items() if not any(one.is_usable for one in found)}
    if not useless:
        return
    part, found = next(iter(useless.items()))
    why = next((one.problem for one in found if one.problem), "there is none")
    raise LineageError(
        f"a founder must have a usable reading of its {part.replace('_', ' ')}, because later generations are compared "
        f"with it, but {why}. Nothing was stored as generation {assessment.generation.index} of lineage "
        f"{assessment.generation.lineage!r}: mend that, or leave that part out"
    )


def _readings_of(assessment: Assessment, part: Intake) -> list[Reading]:
    """The readings that rest on a part of the evidence, and that later generations are compared with."""
    if part.unit == "scores":
        names = [part.part]
    elif part.unit == "losses":
        names = ["perplexity"]
    else:
        names = [name for name, one in all_indicators().items() if one.evidence in _OF_SAMPLES and name != _EMPTY]
    return [assessment.readings[name] for name in names if name in assessment.readings]


_OF_OUTPUTS = ("own_losses", "founder_losses")
"""Parts that are beside samples."""
_OF_SAMPLES = ("tokens", "words", "texts", "whole", "vectors", "columns")
_EMPTY = "empty_samples"

HOW_TO_FOUND = (
    "If a lineage begins here, say so: `--founder` on the command line, `generation=0` in Python. "
    "If it is in another store, name that: `--store` or `store=`"
)
"""What to do about a lineage that is not there."""


def in_ci() -> bool:
    """Whether the process runs in a CI job, where nobody reads warnings: CI is set, and not to a no."""
    return os.environ.get("CI", "").strip().lower() not in ("", "0", "false", "no", "off")


def _not_found(store: LineageStore, lineage: str) -> LineageNotFoundError:
    """What the store itself says of a lineage that it does not have; of one that it had, how it is restored."""
    try:
        store.history(lineage)
        error = lineage_not_found(lineage, store.lineages(), address=store.address)
    except LineageNotFoundError as found:
        error = found
    missing = store.missing(lineage)
    if not missing or missing[min(missing)] in str(error):
        return error
    how = f"Generation {min(missing)} was stored and is missing: {missing[min(missing)]}"
    return LineageNotFoundError(f"{error}. {how}")
