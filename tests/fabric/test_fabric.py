"""The guard in loops of Fabric, with a real Fabric of either package."""

import lightning.fabric
import lightning_fabric
import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from pytorch_lightning.loggers import CSVLogger, MLFlowLogger
from torch import nn

from collapse_guard import EmbeddingProbe, WildType
from collapse_guard.errors import CollapsedError, InputError, LineageError
from collapse_guard.fabric import FabricGuard
from collapse_guard.records import Severity
from collapse_guard.store import MemoryStore

pytestmark = pytest.mark.usefixtures("page")


class Gaussian(nn.Module):
    """Learns the scale of the rows that it is shown, and draws rows of that scale."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = nn.Parameter(torch.full((4,), scale))

    def forward(self, rows):
        return ((rows.abs().mean(0) - self.scale.abs() * 0.798) ** 2).sum()

    def draw(self, n, generator):
        return torch.randn(n, 4, generator=generator) * self.scale


@pytest.fixture(scope="module")
def wild_type():
    return WildType.fit_arrays(np.random.default_rng(0).normal(size=(900, 4)))


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def guard_of(wild_type, store):
    def make(**settings):
        probe = EmbeddingProbe(lambda module, n, g: module.draw(n, g), n_samples=1000)
        return FabricGuard(wild_type, "tables", probe, **{"store": store, "actions": (), **settings})

    return make


@pytest.fixture
def fabric_of():
    def make(guard, namespace=lightning_fabric, **settings):
        return namespace.Fabric(accelerator="cpu", devices=1, callbacks=[guard] if guard else [], **settings)

    return make


def train(fabric, *, scale=1.0, steps=8, seed=0):
    """A loop of Fabric, which stops where its callback says so; returns the losses and the model."""
    torch.manual_seed(seed)
    module = Gaussian(scale)
    model, optimizer = fabric.setup(module, torch.optim.SGD(module.parameters(), lr=0.01))
    rows, losses = torch.randn(64, 4) * scale, []
    fabric.call("on_train_start", fabric=fabric, model=model)
    for step in range(steps):
        optimizer.zero_grad()
        loss = model(rows[torch.randperm(64)[:32]])
        fabric.backward(loss)
        optimizer.step()
        losses.append(loss.item())
        fabric.call("on_train_batch_end", loss=loss, batch_idx=step)
        if any(one.should_stop for one in fabric._callbacks):
            break
        if step % 4 == 3:
            fabric.call("on_train_epoch_end")
    fabric.call("on_train_end", fabric=fabric, model=model)
    return losses, module


class TestALoop:
    @pytest.mark.parametrize("namespace", [lightning_fabric, lightning.fabric])
    def test_founds_a_lineage_and_adds_what_collapsed(self, guard_of, fabric_of, store, namespace):
        train(fabric_of(guard_of(generation=0), namespace))
        collapsed = guard_of()
        train(fabric_of(collapsed, namespace), scale=0.2)
        assert collapsed.verdict.severity is Severity.COLLAPSED
        assert store.latest("tables") == collapsed.assessment
        assert [past.generation.index for past in store.history("tables")] == [0, 1]

    @pytest.mark.parametrize("precision", ["32-true", "16-true", "bf16-true", "bf16-mixed", "64-true"])
    def test_is_not_changed_by_being_watched(self, guard_of, fabric_of, precision):
        own = guard_of(generation=0, assess_every_n_steps=2)
        watched, model = train(fabric_of(own, precision=precision))
        alone, other = train(fabric_of(None, precision=precision))
        assert watched == alone
        assert torch.equal(model.scale, other.scale)
        assert not own.verdict.is_unmeasured

    def test_is_looked_at_and_stops(self, guard_of, fabric_of):
        train(fabric_of(guard_of(generation=0)))
        own = guard_of(assess_every_n_steps=3, actions=("stop",))
        losses, _ = train(fabric_of(own), scale=0.2)
        assert len(losses) == 3
        assert own.looks == [(3, "COLLAPSED")]

    def test_is_looked_at_after_epochs(self, guard_of, fabric_of):
        own = guard_of(generation=0, assess_every_n_epochs=1)
        train(fabric_of(own))
        assert [step for step, _ in own.looks] == [4, 8]

    def test_raises_where_that_is_asked_for(self, guard_of, fabric_of):
        train(fabric_of(guard_of(generation=0)))
        with pytest.raises(CollapsedError):
            train(fabric_of(guard_of(actions=("raise",))), scale=0.2)

    def test_of_half_precision_is_measured_in_it(self, guard_of, fabric_of, store):
        own, seen = guard_of(generation=0), set()
        draw = own.probe.sample
        own.probe.sample = lambda *given: (seen.add(torch.get_default_dtype()), draw(*given))[1]
        train(fabric_of(own, precision="bf16-true"))
        assert seen == {torch.bfloat16}
        assert store.latest("tables").verdict.severity is not Severity.UNDECIDED

    def test_logs_the_readings_to_its_loggers_and_is_kept_in_their_mlflow_run(self, guard_of, fabric_of, tmp_path):
        uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
        runs, table = MLFlowLogger(tracking_uri=uri, experiment_name="loops"), CSVLogger(tmp_path)
        train(fabric_of(guard_of(generation=0, store=None), loggers=[runs, table]))
        run = MlflowClient(uri).get_run(runs.run_id)
        assert run.data.tags["collapse_guard.lineage"] == "tables"
        table.save()
        [logged] = tmp_path.rglob("metrics.csv")
        assert "spread/total_variance" in logged.read_text()


class TestCalls:
    def test_at_the_end_alone_are_enough(self, guard_of, fabric_of, store):
        own, module = guard_of(generation=0), Gaussian()
        fabric = fabric_of(own)
        fabric.call("on_train_end", fabric=fabric, model=fabric.setup(module))
        assert store.latest("tables") == own.assessment

    def test_that_begin_with_a_number_that_is_taken_are_refused_before_training(self, guard_of, fabric_of):
        train(fabric_of(guard_of(generation=0)))
        fabric = fabric_of(guard_of(generation=0))
        with pytest.raises(LineageError, match="must be new"):
            fabric.call("on_train_start", fabric=fabric, model=fabric.setup(Gaussian()))

    @pytest.mark.parametrize("hook", ["on_train_start", "on_train_end"])
    def test_without_fabric_and_model_say_how_to_call(self, guard_of, fabric_of, hook):
        with pytest.raises(InputError, match=rf'fabric.call\("{hook}", fabric=fabric, model=model\)'):
            fabric_of(guard_of()).call(hook)

    @pytest.mark.parametrize("hook", ["on_train_batch_end", "on_train_epoch_end"])
    def test_of_steps_without_a_start_say_what_is_missing(self, guard_of, fabric_of, hook):
        with pytest.raises(InputError, match="`on_train_start` must be called before"):
            fabric_of(guard_of()).call(hook)
