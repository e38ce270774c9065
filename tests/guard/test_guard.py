"""A guard without a trainer: a loop of one's own, in which generations are founded, followed, refused and measured."""

import inspect
from typing import get_type_hints

import numpy as np
import pytest
import torch
from torch import nn

from collapse_guard import EmbeddingProbe, Guard, WildType
from collapse_guard.errors import CollapsedError, CollapseGuardWarning, InputError, LineageError
from collapse_guard.guard.base import GuardBase
from collapse_guard.guard.settings import Settings
from collapse_guard.lightning import CollapseGuard
from collapse_guard.records import Mixture, Severity
from collapse_guard.store import MemoryStore


@pytest.fixture(scope="module")
def wild_type():
    return WildType.fit_arrays(np.random.default_rng(0).normal(size=(900, 4)))


pytestmark = pytest.mark.usefixtures("page")


class Gaussian(nn.Module):
    """Draws normal rows of its scale."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = nn.Parameter(torch.full((4,), scale))
        self.dropout = nn.Dropout()

    def sample(self, n, generator):
        assert not self.training
        return self.dropout(torch.randn(n, 4, generator=generator) * self.scale)


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def guard_of(wild_type, store):
    def make(**settings):
        probe = EmbeddingProbe(lambda module, n, g: module.sample(n, g), n_samples=1000)
        return Guard(wild_type, "tables", probe, **{"store": store, "actions": (), **settings})

    return make


@pytest.fixture
def founder(guard_of):
    with guard_of(generation=0).generation(Gaussian()):
        pass


class TestALoop:
    def test_trains_generations_of_a_lineage_that_are_judged(self, guard_of, store):
        guard, severities = guard_of(generation=0), []
        with guard.generation(Gaussian()) as generation:
            generation.step()
        assert generation.index == 0
        for scale in (1.01, 0.2):
            with guard_of().generation(Gaussian(scale)) as generation:
                assert generation.verdict is None
                generation.step()
            severities.append(generation.verdict.severity)
        assert severities[0] is not Severity.COLLAPSED
        assert severities[1] is Severity.COLLAPSED
        assert [past.generation.index for past in store.history("tables")] == [0, 1, 2]
        assert store.latest("tables").verdict == generation.verdict

    def test_is_refused_before_it_begins_where_its_number_is_taken(self, guard_of, founder):
        trained = []
        with pytest.raises(LineageError, match="must be new"), guard_of(generation=0).generation(Gaussian()):
            trained.append(1)
        assert trained == []

    def test_leaves_no_trace(self, guard_of, founder):
        model = Gaussian(1.01)
        torch.manual_seed(1)
        with guard_of(assess_every_n_steps=1).generation(model) as generation:
            generation.step()
            drawn = torch.rand(2)
        torch.manual_seed(1)
        assert torch.equal(drawn, torch.rand(2))
        assert model.training
        assert model.dropout.training

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_in_half_precision_has_the_losses_that_it_has_without_it(self, guard_of, founder, dtype):
        def steps(model, step):
            optimizer, losses = torch.optim.SGD(model.parameters(), lr=0.1), []
            for rows in torch.randn(4, 8, 4):
                with torch.autocast("cpu", dtype=dtype):
                    loss = (model.dropout(rows) @ model.scale).square().mean()
                loss.backward()
                optimizer.step()
                step()
                losses.append(loss.item())
            return losses

        torch.manual_seed(1)
        with guard_of(assess_every_n_steps=2).generation(model := Gaussian()) as generation:
            watched = steps(model, generation.step)
        torch.manual_seed(1)
        assert steps(Gaussian(), lambda: None) == watched

    @pytest.mark.parametrize("numbers", [range(10), [None] * 10], ids=["numbered", "counted"])
    def test_looks_every_n_steps_and_tells_when_to_stop(self, guard_of, founder, numbers):
        guard = guard_of(assess_every_n_steps=4, actions=("stop",))
        with guard.generation(Gaussian(0.2)) as generation:
            stops = []
            for number in numbers:
                generation.step(number)
                stops.append(generation.should_stop)
        assert guard.looks == [(4, "COLLAPSED"), (8, "COLLAPSED")]
        assert stops == [False] * 3 + [True] * 7

    def test_looks_every_n_epochs(self, guard_of, founder):
        guard = guard_of(assess_every_n_epochs=2)
        with guard.generation(Gaussian(1.01)) as generation:
            for epoch in range(4):
                for step in range(3):
                    generation.step(epoch * 3 + step)
                generation.end_epoch()
        assert [step for step, _ in guard.looks] == [6, 12]

    def test_that_counts_its_steps_anew_in_each_epoch_is_refused(self, guard_of, founder):
        def train():
            with guard_of().generation(Gaussian()) as generation:
                generation.step(5)
                generation.step(0)

        with pytest.raises(InputError, match="`step` must not go back, but got 0 after 5: count over all epochs"):
            train()

    def test_raises_where_that_is_asked_for_once_it_is_recorded(self, guard_of, founder, store):
        with pytest.raises(CollapsedError), guard_of(actions=("raise",)).generation(Gaussian(0.2)):
            pass
        assert len(store.history("tables")) == 2

    def test_says_what_it_trains_on(self, guard_of, founder, store):
        with guard_of(mixture=Mixture.with_real(0.25)).generation(Gaussian(1.01)):
            pass
        assert store.latest("tables").generation.mixture.real == 0.25


class TestAModelThatIsTrained:
    def test_is_the_next_generation_each_time(self, guard_of, founder, store):
        guard = guard_of()
        severities = [guard.assess(Gaussian(scale)).severity for scale in (1.01, 0.2)]
        assert severities[-1] is Severity.COLLAPSED
        assert [past.generation.index for past in store.history("tables")] == [0, 1, 2]

    def test_is_the_planned_generation_where_measuring_failed(self, guard_of, founder, store):
        guard = guard_of()

        def fails(module, n, generator):
            if n > 100:  # more than a rehearsal draws
                raise ZeroDivisionError
            return sample(module, n, generator)

        sample, guard.probe.sample = guard.probe.sample, fails
        told = r"generation 1 of 'tables' is trained, .*`guard.assess\(module\)`"
        with pytest.warns(CollapseGuardWarning, match=told), guard.generation(Gaussian()) as generation:
            generation.step()
        assert generation.verdict.is_unmeasured
        guard.probe.sample = sample
        assert guard.assess(Gaussian(1.01)).severity is not Severity.COLLAPSED
        assert [past.generation.index for past in store.history("tables")] == [0, 1]
        assert store.latest("tables").origin.step == 1


def test_shells_pass_on_what_a_guard_takes():
    own = [name for name, one in inspect.signature(GuardBase).parameters.items() if one.kind is one.KEYWORD_ONLY]
    assert list(get_type_hints(Settings)) == own
    assert set(inspect.signature(CollapseGuard).parameters) == {"wild_type", "lineage", "probe", "weights", "settings"}
