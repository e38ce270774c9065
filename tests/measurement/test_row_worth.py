"""What rows are worth: real ones their number, others less, and the same in every generation."""

from __future__ import annotations

import numpy as np
import pytest

from collapse_guard import Evidence, WildType, assess
from collapse_guard.comparison.compare import compare
from collapse_guard.measurement.measure import founding_budget, measure, reference_readings
from collapse_guard.records import Reading
from collapse_guard.report.outlook import worth_of

NAME = "real_equivalent"
N = 2000


def real(n: int, seed: int, d: int = 4) -> np.ndarray:
    """Five kinds of rows; columns depend on each other."""
    rng = np.random.default_rng(seed)
    rows = 0.5 * rng.normal(size=(n, d)) + 2.0 * rng.normal(size=(n, 1)) * np.linspace(-1.0, 1.0, d)
    rows[:, 0] += 8.0 * rng.integers(0, 5, size=n)
    return rows


@pytest.fixture(scope="module")
def wild_type() -> WildType:
    return WildType.fit_arrays(real(N, 0))


def worth(wild_type: WildType, samples: np.ndarray, budget: int | None = None) -> Reading:
    return measure(wild_type, Evidence(samples=samples), budget=budget, only=[NAME])[NAME]


@pytest.mark.parametrize(("d", "n"), [(2, 1000), (4, 1000), (40, 2000)])
def test_real_rows_are_worth_their_number(d: int, n: int) -> None:
    # In 40 columns an instrument that is fitted on the pool would find fresh rows better than those of the pool.
    fitted = WildType.fit_arrays(real(n, 0, d))
    reading = worth(fitted, real(n, 1, d))
    size = reading.budget
    assert reading.group == f"{size} samples"
    own = reference_readings(fitted, sample_tokens=None, budget=size, only=[NAME])[NAME]
    error = np.sqrt(sum(np.var(side.replicates, ddof=1) / len(side.replicates) for side in (reading, own)))
    assert abs(np.log(reading.value / own.value)) < 4.0 * error < 0.7
    assert 0.7 < own.value / size < 1.5
    assert own.group == reading.group


def test_parts_of_more_samples_are_worth_more(wild_type: WildType) -> None:
    values = [worth(wild_type, real(N, 1), budget).value for budget in (8, 32, 128, 512)]
    assert values == sorted(values)
    assert values[-1] > 20 * values[0]


WORLDS = {
    "a thousandth": lambda x: 1e-3 * x,
    "1e25 times too large": lambda x: 1e25 * x,
    "far away": lambda x: x + 100.0,
    "moved by a deviation": lambda x: x + x.std(axis=0),
    "noise of the right spread": lambda x: np.random.default_rng(9).normal(x.mean(axis=0), x.std(axis=0), size=x.shape),
    "one of five kinds lost": lambda x: np.where(x[:, :1] < 25.0, x, x - [24.0, 0.0, 0.0, 0.0]),
    "columns permuted": lambda x: np.random.default_rng(9).permuted(x, axis=0),
    "noise added": lambda x: x + np.random.default_rng(9).normal(size=x.shape),
    "near copies": lambda x: x[: len(x) // 40].repeat(40, axis=0) + np.random.default_rng(9).normal(0, 1e-6, x.shape),
}


@pytest.mark.parametrize("world", WORLDS)
def test_what_spread_does_not_see_is_worth_less_than_half(wild_type: WildType, world: str) -> None:
    founder = worth(wild_type, real(N, 1))
    found = worth(wild_type, WORLDS[world](real(N, 2)), founder.budget)
    against = compare(found, founder, baseline="founder", margin=np.log(2.0), watch=np.log(1.25))
    assert against.p_beyond_margin < 1e-4


@pytest.mark.slow
def test_healthy_generations_are_called_worse_no_more_often_than_the_level_says(wild_type: WildType) -> None:
    alarms = 0
    for seed in range(50):
        founder, later = (worth(wild_type, real(160, 2 * seed + side + 10)) for side in (0, 1))
        against = compare(later, founder, baseline="founder", margin=1e-9, watch=1e-9)
        alarms += against.p_beyond_margin <= 0.05
    assert alarms <= 7  # of 50 at 5%: more by luck in one of 300 cases


def test_later_generations_are_read_in_parts_of_the_founders_size(wild_type: WildType) -> None:
    founder = measure(wild_type, Evidence(samples=real(N, 1)), only=[NAME])
    budget = founding_budget(founder)
    assert budget == 128
    assert worth(wild_type, real(640, 2), budget).group == founder[NAME].group
    few = worth(wild_type, real(600, 2), budget)
    assert few.problem == "600 samples fill 4 groups of 128 samples, 5 are needed: 640 samples would do"
    later = assess(wild_type, Evidence(samples=real(700, 2)), history=[assess(wild_type, Evidence(samples=real(N, 1)))])
    assert later.readings[NAME].budget == budget


def test_it_is_told_in_a_sentence_with_its_interval(wild_type: WildType) -> None:
    reading = worth(wild_type, real(N, 1))
    ends = reading.interval
    assert ends is not None
    assert ends.low < ends.value == pytest.approx(reading.value)
    assert ends.value < ends.high
    assert worth_of(reading).startswith("128 samples teach as much about real data as ")
    assert " real rows (" in worth_of(reading)
    far = worth_of(worth(wild_type, 1e25 * real(N, 1)))
    assert far == "128 samples teach as much about real data as at most 2 real rows."
    by_heart = np.repeat(wild_type.evaluation_vectors, 8, axis=0)
    assert worth_of(worth(wild_type, by_heart, 512)).startswith(
        "512 samples teach as much about real data as at least "
    )


def test_the_order_of_samples_does_not_matter(wild_type: WildType) -> None:
    samples = real(500, 1)
    assert worth(wild_type, samples[::-1]) == worth(wild_type, samples)


def test_a_kept_curve_gives_the_same_as_one_that_is_made(wild_type: WildType, tmp_path) -> None:
    made = worth(wild_type, real(500, 1))
    wild_type.save(tmp_path / "wild")
    loaded = WildType.load(tmp_path / "wild")
    assert worth(loaded, real(500, 1)) == made


@pytest.mark.parametrize(
    ("n", "fraction", "problem"),
    [
        (60, 0.2, "the wild type has 12 rows for evaluation, 20 are needed: fit it on more rows"),
        (60, 0.85, "the wild type has 9 rows in the pool, 16 are needed: fit it on more rows"),
    ],
)
def test_a_small_wild_type_says_what_it_lacks(n: int, fraction: float, problem: str) -> None:
    small = WildType.fit_arrays(real(n, 0), evaluation_fraction=fraction)
    reading = worth(small, real(400, 1))
    assert reading.problem == problem
    assert reference_readings(small, sample_tokens=None, budget=reading.budget, only=[NAME])[NAME].problem == problem


def test_what_is_not_finite_is_no_row(wild_type: WildType) -> None:
    samples = real(500, 1)
    samples[3] = np.nan
    assert "1 of 500 vectors are not finite" in worth(wild_type, samples).problem
