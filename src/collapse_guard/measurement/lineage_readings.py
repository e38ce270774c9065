"""Readings that need an earlier generation, such as relative fitness against the founder.

They describe a lineage and are not compared, so they have no replicates.
"""

from __future__ import annotations

from collapse_guard.indicators.base import reading_of
from collapse_guard.records import Reading
from collapse_guard.records.readings import Readings, Relatives


def lineage_readings(readings: Readings, *, founder: Readings, parent: Readings) -> dict[str, Reading]:
    """Readings of what changed since an earlier generation, where that was measured for what they need.

    Args:
        readings: Of this generation.
        founder: Of its founder; empty where there is none.
        parent: Of the newest parent; empty where there is none.
    """
    relatives = Relatives(readings, founder, parent)
    additions = (metric.read(relatives) for metric in reading_of("lineage"))
    return {reading.indicator: reading for reading in additions if reading is not None}
