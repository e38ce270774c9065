"""What a guard takes of a training is counted part by part, and a budget of time plans the samples of a measurement."""

import logging
import re
import warnings

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from collapse_guard import EmbeddingProbe, Guard, WildType
from collapse_guard.decision.detection import detections
from collapse_guard.decision.policy import Policy
from collapse_guard.errors import CollapseGuardWarning, InputError
from collapse_guard.evidence import Evidence
from collapse_guard.lightning import CollapseGuard
from collapse_guard.probes import cost as costs
from collapse_guard.probes.cost import Cost, part
from collapse_guard.store import MemoryStore

pytestmark = pytest.mark.usefixtures("page")

SAMPLE = 0.25
"""Seconds of a sample, which the clock takes exactly."""


class Clock:
    """Time that passes only where it is told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def pass_(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(costs, "clock", made)
    return made


@pytest.fixture(scope="module")
def wild_type():
    return WildType.fit_arrays(np.random.default_rng(0).normal(size=(900, 4)))


@pytest.fixture
def guard_of(wild_type, clock):
    """A guard whose samples take `SAMPLE` seconds each."""

    def sample(module, n, generator):
        clock.pass_(n * SAMPLE)
        return module(torch.randn(n, 4, generator=generator))

    def make(**settings):
        probe = EmbeddingProbe(sample, n_samples=1000, batch_size=100)
        return Guard(wild_type, "tables", probe, **{"store": MemoryStore(), "actions": (), "generation": 0, **settings})

    return make


def train(guard, clock, seconds):
    with guard.generation(nn.Identity()) as generation:
        for step in range(10):
            clock.pass_(seconds / 10)
            generation.step(step)
    return generation


class TestACost:
    def test_of_parts_within_others_counts_once(self, clock):
        cost = Cost()
        with cost.counting(), cost.of("collecting"):
            clock.pass_(1.0)
            with part("drawing"):
                clock.pass_(2.0)
                with part("scoring"):
                    clock.pass_(4.0)
            with part("drawing"):
                clock.pass_(8.0)
        with part("nobody counts this"):
            clock.pass_(16.0)
        assert {name: spent.seconds for name, spent in cost.parts.items()} == {
            "collecting": 1.0,
            "drawing": 10.0,
            "scoring": 4.0,
        }
        assert cost.total.seconds == 15.0

    def test_of_what_fails_counts_too(self, clock):
        cost = Cost()

        def fail():
            with cost.of("collecting"):
                clock.pass_(1.0)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert cost.total.seconds == 1.0

    def test_is_beside_the_time_of_training_alone(self, clock):
        cost = Cost()
        with cost.of("rehearsing"):
            clock.pass_(3.0)
        assert cost.share is None
        cost.begin_training(0)
        clock.pass_(60.0)
        with cost.of("looking"):
            clock.pass_(3.0)
        clock.pass_(60.0)
        assert cost.trained == 120.0
        cost.end_training()
        clock.pass_(1000.0)
        assert cost.share == 6.0 / 120.0
        assert str(cost) == "the guard took 6.0 s, 5.0% of 2 min 0 s of training: rehearsing 3.0 s, looking 3.0 s"

    def test_says_by_how_much_the_peak_of_memory_was_raised(self):
        cost = Cost()
        with cost.of("assessing"):
            held = bytearray(np.random.default_rng(0).bytes(200 * costs.MEGABYTE))
        with cost.of("recording"):
            del held
        assert 200 <= cost.parts["assessing"].host / costs.MEGABYTE < 1000
        assert cost.parts["recording"].host == 0
        assert "MB of memory, most of it while assessing" in str(cost)


class TestAGuard:
    def test_tells_what_it_took_of_the_training(self, guard_of, clock, caplog):
        guard = guard_of()
        with caplog.at_level(logging.INFO, "collapse_guard"):
            train(guard, clock, 500.0)
        assert guard.cost.parts["drawing samples"].seconds == 1000 * SAMPLE
        assert guard.cost.parts["rehearsing"].seconds == 2 * 16 * SAMPLE
        assert guard.cost.trained == 500.0
        assert guard.cost.share == (1000 + 32) * SAMPLE / 500.0
        assert "the guard took 4 min 18 s, 51.6% of 8 min 20 s of training: drawing samples 4 min 10 s" in caplog.text

    def test_that_measures_what_is_trained_takes_no_share_of_a_training(self, guard_of):
        guard = guard_of(time_budget=0.05)
        guard.assess(nn.Identity())
        assert guard.cost.share is None
        assert len(guard.evidence.samples) == 1000
        assert "of training" not in str(guard.cost)


class TestATimeBudget:
    def test_draws_as_many_samples_as_fit(self, guard_of, clock, wild_type):
        guard = guard_of(time_budget=0.1)
        with pytest.warns(CollapseGuardWarning, match="samples were drawn") as told:
            train(guard, clock, 2000.0)
        tried = (100 + 32) * SAMPLE  # the price was found out by a batch
        assert len(guard.evidence.samples) == (0.1 * 2000.0 - tried) / SAMPLE == 668
        assert guard.cost.share == 0.1
        (said,) = [str(one.message) for one in told if "drawn" in str(one.message)]
        assert said.startswith("668 of 1,000 samples were drawn, because `time_budget` leaves 2 min 47 s for this")

    def test_draws_all_where_they_fit(self, guard_of, clock):
        guard = guard_of(time_budget=0.5)
        train(guard, clock, 2000.0)
        assert len(guard.evidence.samples) == 1000

    def test_draws_what_decides_where_nothing_fits(self, guard_of, clock, wild_type):
        guard = guard_of(time_budget=0.01)
        with pytest.warns(CollapseGuardWarning, match="they are the fewest that decide: it may take longer"):
            generation = train(guard, clock, 10.0)
        assert len(guard.evidence.samples) == guard.probe.fewest(wild_type) == 2 * 5 * wild_type.group_samples
        assert generation.verdict.severity.value != "UNDECIDED"

    def test_keeps_half_of_what_looks_may_take_for_what_is_recorded(self, guard_of, clock):
        guard, drawn = guard_of(time_budget=0.1, assess_every_n_steps=5), []

        def train_and_note():
            with guard.generation(nn.Identity()) as generation:
                for step in range(10):
                    clock.pass_(400.0)
                    generation.step(step)
                    drawn.append(len(guard.evidence.samples) if guard.evidence else 0)

        with pytest.warns(CollapseGuardWarning, match="drawn"):
            train_and_note()
        tried = (100 + 32) * SAMPLE
        first = (0.5 * 0.1 * 2000.0 - tried) / SAMPLE
        assert drawn[4] == first == 268
        assert drawn[9] == (0.5 * 0.1 * 4000.0 - tried - first * SAMPLE) / SAMPLE
        assert len(guard.evidence.samples) == (0.1 * 4000.0 - tried - (drawn[4] + drawn[9]) * SAMPLE) / SAMPLE

    def test_says_what_fewer_samples_cost(self, guard_of, clock):
        guard = guard_of(time_budget=0.1)
        with pytest.warns(CollapseGuardWarning, match="samples were drawn") as told:
            train(guard, clock, 2000.0)
        pattern = r"A collapse by (\w+) is found from \S*?([\d.]+)%? on; with all, from \S*?([\d.]+)%? on"
        (found,) = (match.groups() for one in told if (match := re.search(pattern, str(one.message))))
        (of,) = (
            one for one in detections(guard.assessment.readings, Policy(), 1000 / 668) if one.now.indicator == found[0]
        )
        assert of.now.detectable > of.with_more.detectable > of.now.margin
        assert float(found[1]) > float(found[2]) > 0.0

    def test_needs_a_probe_whose_samples_can_be_planned(self, wild_type):
        class Fixed:
            def collect(self, module, wild_type, *, seed, rank, world_size):
                return Evidence(samples=np.zeros((10, 4)))

        guard = Guard(wild_type, "tables", Fixed(), generation=0, store=MemoryStore(), time_budget=0.1)
        with (
            pytest.raises(InputError, match="`time_budget` must be None with a Fixed"),
            guard.generation(nn.Identity()),
        ):
            pass

    def test_keeps_what_a_derived_probe_does_of_its_own(self, guard_of):
        class Derived(EmbeddingProbe):
            pass

        probe = Derived(guard_of().probe.sample, n_samples=1000, batch_size=100)
        fewer = probe.with_samples(10)
        assert type(fewer) is Derived
        assert (fewer.n_samples, fewer.batch_size, fewer.sample, probe.n_samples) == (10, 100, probe.sample, 1000)

    @pytest.mark.parametrize("budget", [0.0, -0.1, float("nan")])
    def test_is_above_nothing(self, guard_of, budget):
        with pytest.raises(InputError, match="`time_budget` must be"):
            guard_of(time_budget=budget)


class Slow(pl.LightningModule):
    """Each step of its training takes 500 seconds."""

    def __init__(self, clock):
        super().__init__()
        self.clock, self.layer = clock, nn.Linear(4, 4)

    def forward(self, rows):
        return self.layer(rows)

    def training_step(self, batch, index):
        self.clock.pass_(500.0)
        return self.layer(batch).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def test_a_training_that_goes_on_from_a_checkpoint_has_taken_the_time_before_it_too(clock, wild_type, tmp_path):
    def fit(lineage, steps, checkpoint=None):
        probe = EmbeddingProbe(sample, n_samples=1000, batch_size=100)
        settings = {"store": MemoryStore(), "actions": (), "generation": 0, "time_budget": 0.1}
        guard = CollapseGuard(wild_type, lineage, probe, **settings)
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        trainer = pl.Trainer(
            accelerator="cpu",
            max_steps=steps,
            callbacks=[guard],
            default_root_dir=tmp_path,
            enable_checkpointing=False,
            **quiet,
        )
        trainer.fit(Slow(clock), rows, ckpt_path=checkpoint)
        trainer.save_checkpoint(tmp_path / "last.ckpt")
        return len(guard.evidence.samples)

    def sample(module, n, generator):
        clock.pass_(n * SAMPLE)
        return module(torch.randn(n, 4, generator=generator))

    rows = DataLoader(torch.randn(8, 4), batch_size=4)  # an epoch of two steps
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseGuardWarning)
        whole = fit("whole", 4)
        first = fit("interrupted", 2)
        assert (first, whole) == (268, 668)
        assert fit("interrupted", 4, tmp_path / "last.ckpt") == whole
