"""A rehearsal: the measurement on two documents and two samples, before training is paid for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from torch import nn

from collapse_guard.errors import InputError
from collapse_guard.guard.training import Training
from collapse_guard.probes.isolation import untouched
from collapse_guard.probes.probe import Probe, RehearsingProbe
from collapse_guard.wildtype import WildType


def check_rehearsal(
    probe: Probe, module: nn.Module, wild_type: WildType, training: Training, *, decides: Collection[str]
) -> None:
    """Rehearse on all ranks, and raise the same error on all of them; a probe that cannot rehearse is believed.

    Raises:
        InputError: Something is in the way of the measurement; the message lists all that is.
    """
    if not isinstance(probe, RehearsingProbe):
        return

    def rehearse() -> Sequence[str]:
        with untouched(module), training.context():
            return probe.rehearse(module, wild_type, decides=decides)

    found = training.ranks.together(rehearse, lambda parts: list(dict.fromkeys(one for part in parts for one in part)))
    if found:
        listed = "".join(f"\n  {number}. {one}" for number, one in enumerate(found, 1))
        what = "one thing is" if len(found) == 1 else f"{len(found)} things are"
        raise InputError(f"the model cannot be measured as it is: {what} in the way, before training begins:{listed}")
