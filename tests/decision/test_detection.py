"""The harm that a wild type is said to detect is detected, with the stated power."""

import math

import numpy as np
import pytest

from building import make_reading
from collapse_guard.comparison.compare import compare
from collapse_guard.decision.detection import detections
from collapse_guard.decision.policy import Policy
from collapse_guard.records.census import census_of

POLICY = Policy(decides=("vendi", "unique_samples"))
LEVEL = POLICY.alert_level(1) / 2


def groups(values):
    return make_reading(
        "vendi", float(np.mean(values)), replicates=tuple(values), group="16 samples", n=16 * len(values)
    )


def samples(kinds):
    census = census_of(kinds)
    return make_reading("unique_samples", len(set(kinds)) / len(kinds), census=census, group="sample", n=len(kinds))


@pytest.mark.slow
@pytest.mark.parametrize("more", [1, 2.5])
def test_four_of_five_generations_with_that_harm_are_found(more):
    rng, n, found = np.random.default_rng(int(more)), 12, 0
    shape = (np.arange(n) - (n - 1) / 2) / np.std(np.arange(n), ddof=1)
    (detection,) = detections({"vendi": groups(20.0 + shape)}, POLICY, more)
    harm = (detection.now if more == 1 else detection.with_more).detectable
    for _ in range(1000):
        founder = groups(rng.normal(20.0, 1.0, round(more * n)))
        generation = groups(rng.normal(20.0 * math.exp(-harm), math.exp(-harm), round(more * n)))
        comparison = compare(generation, founder, baseline="founder", margin=detection.now.margin, watch=0.01)
        found += comparison.p_beyond_margin <= LEVEL
    assert 0.74 <= found / 1000 <= 0.9


def test_more_data_find_less_harm_and_never_less_than_the_margin():
    reference = {"vendi": groups(np.linspace(18, 22, 9)), "unique_samples": samples([*range(150), *range(20)])}
    for detection in detections(reference, POLICY):
        assert detection.now.margin < detection.with_more.detectable < detection.now.detectable


def test_what_cannot_be_read_is_left_out():
    unusable = groups([1.0, 2.0]).model_copy(update={"problem": "2 groups"})
    assert detections({"vendi": unusable}, POLICY) == []
    assert detections({}, POLICY) == []
