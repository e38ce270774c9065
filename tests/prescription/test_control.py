"""Oracles: the closed form of drift with migration, the simulated world, and what control theory says of the errors."""

import numpy as np
import pytest

from collapse_guard.decision.policy import Policy
from collapse_guard.genetics.migration import after_drift, after_immigration, needed_share, stationary_fixation
from collapse_guard.prescription.control import Observation, raise_share, target_share, worst_end

RULE = Policy().reinjection
GENERATIONS = 20


def steered(target, *, size, believed=None, start=0.0, generations=GENERATIONS):
    """F and shares of the drift-migration world in closed form, with n_e known or believed to be another."""
    past, path = [Observation(0.0, start)], [start]
    for _ in range(generations):
        share = target_share(target, past, size=believed or size, rule=RULE)
        path.append(float(after_drift(after_immigration(path[-1], share), size)))
        past.append(Observation(share, path[-1]))
    return np.array(path), np.array([one.share for one in past[1:]])


@pytest.mark.parametrize(("size", "target"), [(50, 0.1), (100, 0.1), (100, 0.05), (1000, 0.01), (30, 0.3)])
def test_the_target_is_reached_within_2_percent_in_20_generations_and_held(size, target):
    path, shares = steered(target, size=size)
    longer, _ = steered(target, size=size, generations=60)
    assert abs(path[-1] / target - 1) < 0.02
    assert np.abs(longer[GENERATIONS:] / target - 1).max() < 0.02
    assert longer.max() < 1.02 * target
    assert shares[-1] == pytest.approx(needed_share(target, samples=size), rel=0.1)


@pytest.mark.parametrize(("size", "target"), [(50, 0.1), (100, 0.05), (30, 0.3)])
def test_from_far_above_it_the_target_is_reached_from_one_side_and_held(size, target):
    path, _ = steered(target, size=size, start=0.6, generations=60)
    below = int(np.flatnonzero(path <= target)[0])
    assert np.all(np.diff(path[: below + 1]) < 0)
    assert path[below:].max() < 1.03 * target
    assert np.abs(path[-20:] / target - 1).max() < 0.02


@pytest.mark.parametrize("believed", [40, 60, 80, 150, 250])
def test_an_effective_size_that_is_estimated_wrongly_is_made_up_for(believed):
    alone = float(stationary_fixation(samples=100, real_share=needed_share(0.1, samples=believed)))
    path, _ = steered(0.1, size=100, believed=believed, generations=60)
    assert abs(path[GENERATIONS] / 0.1 - 1) < 0.02 < abs(alone / 0.1 - 1)
    assert abs(path[-1] / 0.1 - 1) < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("believed", [1.0, 0.6])
def test_lineages_that_drift_by_chance_are_held_somewhat_below_it_on_average_and_do_not_swing(believed):
    target, size, lineages, types = 0.1, 100, 400, 1000
    founder = np.full(types, 1 / types)
    rng = np.random.default_rng(0)
    counts = rng.multinomial(size, np.broadcast_to(founder, (lineages, types)))
    past, shares, means = [[] for _ in range(lineages)], np.zeros(lineages), []
    for _ in range(45):
        fixation = 1 - (1 - ((counts / size) ** 2).sum(axis=1)) / (1 - (founder**2).sum())
        means.append(fixation.mean() / target)
        for one, share, found in zip(past, shares, fixation, strict=True):
            one.append(Observation(float(share), float(found)))
        shares = np.array([target_share(target, one, size=believed * size, rule=RULE) for one in past])
        mixed = (1 - shares)[:, None] * counts / size + shares[:, None] * founder
        counts = rng.multinomial(size, mixed)
    assert 0.8 < means[GENERATIONS] < 1.02
    assert 0.85 < np.mean(means[25:]) < 1.02
    assert np.ptp(means[25:]) < 0.06


def test_the_share_falls_by_a_step_at_most_and_never_to_zero():
    steady = needed_share(0.1, samples=100)
    assert target_share(0.1, [Observation(0.3, 0.05)], size=100, rule=RULE) == pytest.approx(0.25)
    assert target_share(0.1, [Observation(0.04, 0.001)], size=100, rule=RULE) == pytest.approx(steady / 2)
    assert target_share(0.1, [Observation(0.001, 0.001)], size=100, rule=RULE) == pytest.approx(0.001)
    assert target_share(0.1, [Observation(0.0, 0.001)], size=100, rule=RULE) == 0.0


def test_where_the_law_did_not_have_its_way_an_error_does_not_count():
    others = [Observation(1.0, 0.5)] * 5 + [Observation(0.3, 0.01)] * 5 + [Observation(0.0, 0.01)] * 5
    near = Observation(0.0, 0.099)
    assert target_share(0.1, [*others, near], size=100, rule=RULE) == target_share(0.1, [near], size=100, rule=RULE)


def test_what_drift_alone_exceeds_cannot_be_held():
    assert target_share(0.01, [Observation(0.2, 0.05)], size=50, rule=RULE) is None
    assert target_share(0.0101, [Observation(0.2, 0.9)] * 9, size=100, rule=RULE) > 0.8


def test_without_evidence_of_an_interval_the_share_is_raised_by_one_step():
    assert raise_share(0.3, [], RULE) == pytest.approx(0.3 + RULE.release)
    assert raise_share(0.99, [], RULE) == 1.0
    assert worst_end([]) == (0.0, None)
