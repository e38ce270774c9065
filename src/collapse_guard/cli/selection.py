"""Choose real documents for the next generation from the pool of a wild type, and write them to a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collapse_guard.cli.options import Selection
from collapse_guard.cli.outputs import write_rows
from collapse_guard.cli.terminal import say
from collapse_guard.errors import FingerprintMismatchError, InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from collapse_guard.records import Assessment
    from collapse_guard.wildtype import WildType


def check_selection(selection: Selection) -> None:
    """Refuse options that do not go together, before the store is asked; raises InputError."""
    options = [f"--{name.replace('_', '-')}" for name in ("out", "wild_type") if getattr(selection, name) is not None]
    if selection.select is None:
        if options:
            raise InputError(f"`{options[0]}` goes with `--select`, but got no number: add --select N")
        return
    if len(options) < 2:
        raise InputError("`--select` needs `--out` and `--wild-type`, but one is missing: give both")


def select_into_file(selection: Selection, newest: Assessment) -> None:
    """Choose, write and tell, where documents are to be selected.

    Raises:
        FingerprintMismatchError: The lineage was measured against another wild type.
        InputError: The pool has fewer documents, or nothing was lost that `tail` could bring back.
    """
    if selection.select is None or selection.out is None or selection.wild_type is None:
        return
    from collapse_guard.reinjection import select
    from collapse_guard.wildtype import WildType

    wild_type = WildType.load(selection.wild_type)
    if wild_type.fingerprint != newest.generation.wild_type:
        raise FingerprintMismatchError(
            f"the lineage is measured against the wild type {newest.generation.wild_type}, but got "
            f"{wild_type.fingerprint} in {str(selection.wild_type)!r}: give the wild type of the lineage"
        )
    pool = list(wild_type.pool)
    clusters = _clusters(wild_type, pool, newest) if selection.strategy == "tail" else None
    chosen = select(
        pool, newest.lost, selection.select, strategy=selection.strategy.value, strata=clusters, seed=newest.seed
    )
    rows = zip(chosen.places, chosen.weights, chosen.reasons, strict=True)
    write_rows(
        selection.out,
        ({"text": pool[place], "weight": round(float(weight), 6), "reason": why} for place, weight, why in rows),
    )
    certain = sum(reason != "at random" for reason in chosen.reasons)
    carrying = f", {certain:,} of them because they carry what was lost" if certain else ""
    say(f"{selection.select:,} of {len(pool):,} documents of the pool are in {selection.out}{carrying}.")


def _clusters(wild_type: WildType, pool: list[str], newest: Assessment) -> npt.NDArray[np.int64] | None:
    """The cluster of each document; None if no cluster was lost or documents cannot be embedded."""
    if not wild_type.can_embed or all(item.cluster is None for item in newest.lost):
        return None
    return wild_type.geometry.assign(wild_type.embed(pool))
