"""Saturation: values that could not have been worse or better, so that equal ones of two generations say nothing."""

from __future__ import annotations

from collapse_guard.records import Direction, Reading


def says_nothing(reading: Reading, reference: Reading) -> bool:
    """Whether a value is one and the same in every group of both readings, so that it tells no harm from health.

    Distinct words of documents of one word each are an example: 1 against 1. Two things are no examples: documents and
    items, of which each is compared with itself; and counts of faults (`Indicator.counts_faults`) where there is none.
    Samples that are counted all together say nothing where both sides wrote one sample again and again.
    """
    if reading.census or reference.census:
        return all(sum(different for _, different in side.census) == 1 for side in (reading, reference))
    values = (*reading.replicates, *reference.replicates)
    if reading.keys or reference.keys or reading.group == "item" or not values:
        return False
    if max(values) - min(values) > 1e-12 * max(1.0, abs(values[0])):
        return False
    # What only decides again on what was measured needs no indicator, and loading them takes seconds.
    from collapse_guard.indicators.base import all_indicators

    metric = all_indicators().get(reading.indicator)
    if metric is None or not metric.counts_faults:
        return True
    faultless = metric.value_range[0 if reading.direction is Direction.UP else 1]
    return values[0] != faultless
