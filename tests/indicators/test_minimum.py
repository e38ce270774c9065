"""Each reading needs exactly the minimum of replicates that its indicator declares."""

import numpy as np
import pytest

from collapse_guard.evidence import Losses
from collapse_guard.indicators.base import MINIMUM_GROUPS, all_indicators
from collapse_guard.indicators.loss_readings import loss_readings
from collapse_guard.indicators.sample_readings import token_readings, vector_readings, word_readings
from collapse_guard.indicators.stratum import freeze_tail


def readings_with(evidence, n):
    """Readings of exactly n replicates."""
    rng = np.random.default_rng(0)
    if evidence == "tokens":
        return token_readings([rng.integers(9, size=10) for _ in range(n)], 10)
    if evidence == "words":
        return word_readings([rng.integers(9, size=10) for _ in range(n)], [1], 9, 10)
    if evidence == "vectors":
        return vector_readings(rng.normal(size=(n * 10, 3)), 10)
    token_nll = tuple(rng.gamma(2.0, size=4) for _ in range(n))
    nll, tokens = np.array([part.sum() for part in token_nll]), np.full(n, 4)
    ids = tuple(f"d{i}" for i in range(n))
    losses = Losses(documents=ids, nll=nll, n_tokens=tokens, n_bytes=tokens, token_nll=token_nll)
    return loss_readings(losses, freeze_tail(losses, share=1.0))


@pytest.mark.parametrize("name", all_indicators())
def test_a_reading_needs_exactly_the_declared_minimum_of_replicates(name):
    metric = all_indicators()[name]
    if metric.evidence != "losses":
        assert metric.minimum_n == MINIMUM_GROUPS
    for n, usable in ((metric.minimum_n, True), (metric.minimum_n - 1, False)):
        reading = {found.indicator: found for found in readings_with(metric.evidence, n)}[name]
        assert len(reading.replicates) == n
        assert reading.is_usable is usable
        assert (reading.n >= reading.n_minimum) is usable
        assert (reading.unit, reading.direction, reading.scale) == (metric.unit, metric.direction, metric.scale)
