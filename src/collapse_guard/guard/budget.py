"""A budget of time: how many samples a share of the training's time allows, and what fewer of them cost in sight."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection
from typing import NamedTuple

from torch import nn

from collapse_guard.comparison.effects import limit, share
from collapse_guard.decision.detection import Detection, detections
from collapse_guard.decision.policy import Policy
from collapse_guard.errors import CollapseGuardWarning, InputError
from collapse_guard.guard.training import Training
from collapse_guard.indicators.base import all_indicators
from collapse_guard.probes.cost import Cost, Price, seconds
from collapse_guard.probes.isolation import untouched
from collapse_guard.probes.probe import Probe, SizedProbe
from collapse_guard.probes.weights import is_sharded
from collapse_guard.records.readings import Readings
from collapse_guard.wildtype import WildType

_log = logging.getLogger("collapse_guard")

OF_LOOKS = 0.5
"""Share of what is allowed so far that looks may take; the rest is kept for the measurement that is recorded."""


class Plan(NamedTuple):
    """How many samples a measurement draws."""

    probe: Probe
    """Draws them."""
    n_samples: int
    asked: int
    """Samples of the probe, which are drawn where time allows."""
    fewest: int
    """Samples that are drawn in any case, because too few decide nothing."""
    allowed: float
    """Seconds that the measurement may take."""

    def tell(self, readings: Readings, policy: Policy, *, is_look: bool) -> None:
        """Say where fewer samples were drawn: by a warning of what is recorded, in the log of a look."""
        if self.n_samples == self.asked:
            return
        if is_look:
            _log.info("%s", self.said(readings, policy))
        else:
            warnings.warn(self.said(readings, policy), CollapseGuardWarning, stacklevel=3)

    def said(self, readings: Readings, policy: Policy) -> str:
        """In words, with what it costs: the harm from which a collapse is found with them, and with all.

        Args:
            readings: Of the samples that were drawn.
            policy: Its deciding indicators and margins.
        """
        drawn = f"{self.n_samples:,} of {self.asked:,} samples were drawn"
        why = f"because `time_budget` leaves {seconds(self.allowed)} for this measurement"
        if self.n_samples <= self.fewest:
            why += ", and they are the fewest that decide: it may take longer"
        found = _dearest(readings, policy, self.asked / self.n_samples)
        if found is None:
            return f"{drawn}, {why}"
        now, all_ = (limit(one, one.detectable or 0.0) for one in found)
        return f"{drawn}, {why}. A collapse by {found.now.indicator} is found from {now} on; with all, from {all_} on"


class TimeBudget:
    """Plans the samples of each measurement of a training, so that the guard takes a share of its time.

    Args:
        share: Seconds of the guard for each second of training.
        probe: The probe with all its samples.
        decides: Names of the indicators that decide.
    """

    def __init__(self, share: float, probe: Probe, decides: Collection[str]) -> None:
        if not isinstance(probe, SizedProbe):
            raise InputError(
                f"`time_budget` must be None with a {type(probe).__name__}, whose number of samples cannot be planned, "
                f"but got {share}: see `SizedProbe`"
            )
        self._share, self._probe, self._decides = share, probe, decides
        self._price: Price | None = None
        self._fewest, self._n_processes = 0, 1

    def find_price(self, training: Training, module: nn.Module, wild_type: WildType) -> None:
        """Measure a little on all ranks, before training; the price is that of the slowest."""

        def own() -> Price:
            with untouched(module), training.context():
                return self._probe.price(module, wild_type)

        self._price = training.ranks.together(own, lambda parts: Price(*map(max, zip(*parts, strict=True))))
        self._fewest = self._probe.fewest(wild_type, decides=self._decides)
        # The ranks of a module in shards do all of it together.
        self._n_processes = 1 if is_sharded(module) else training.ranks.world_size
        asked = self._probe.n_samples
        takes = (self._price.once + asked * self._price.sample) / self._n_processes
        _log.info(
            "a measurement with all %d samples takes some %s, which is %s of a training of %s",
            asked,
            seconds(takes),
            share(self._share),
            seconds(takes / self._share),
        )

    def plan(self, training: Training, cost: Cost, *, is_look: bool) -> Plan | None:
        """The samples of the measurement that comes, the same on all ranks; None: as many as the probe draws.

        Nothing is planned where no training was seen, of whose time a share could be taken.
        """
        price, trained = self._price, cost.trained
        if price is None or trained is None or not cost.is_of_training(training.step):
            return None

        asked = self._probe.n_samples
        fewest = min(asked, self._fewest)

        def decide() -> tuple[int, float]:
            allowed = self._share * trained * (OF_LOOKS if is_look else 1.0) - cost.total.seconds
            affordable = price.affordable(allowed, self._n_processes)
            return max(fewest, min(asked, affordable)), max(0.0, allowed)

        try:
            n, allowed = training.ranks.on_rank_zero(decide)
        except Exception as error:  # of a rank that is gone, which the measurement will say
            _log.info("the ranks cannot agree on the number of samples", exc_info=error)
            return None
        return Plan(self._probe if n == asked else self._probe.with_samples(n), n, asked, fewest, allowed)


def _dearest(readings: Readings, policy: Policy, times: float) -> Detection | None:
    """The indicator that sees least with the samples that were drawn, for its margin; None: none can be compared.

    Losses are not among them, whose documents are always the same.
    """
    known = all_indicators()
    of_samples = {name: one for name, one in readings.items() if name in known and known[name].groups_of is not None}
    found = [
        one
        for one in detections(of_samples, policy, times)
        if one.now.detectable is not None and one.with_more.detectable is not None
    ]
    return max(found, key=lambda one: (one.now.detectable or 0.0) / one.now.margin, default=None)
