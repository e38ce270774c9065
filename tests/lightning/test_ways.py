"""The ways to train with Lightning: in each, losses and weights are to the bit those without a guard, and the
generation is measured and recorded once.
"""

import warnings

import peft
import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from collapse_guard import CausalLMProbe, CollapseGuard
from collapse_guard.errors import CollapseGuardWarning, InputError
from collapse_guard.store import MemoryStore

from .conftest import tiny_model


class ByHand(tiny_model(pl)):
    """Manual optimization of two optimizers."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, batch_index):
        for optimizer in self.optimizers():
            loss = super().training_step(batch, batch_index)
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()

    def configure_optimizers(self):
        return [torch.optim.Adam(part.parameters(), lr=1e-2) for part in (self.gru, self.head)]


class Compiled(tiny_model(pl)):
    """Its forward is compiled, with the backend that needs no compiler."""

    def __init__(self):
        super().__init__()
        self.forward = torch.compile(super().forward, backend="eager", dynamic=True)


class Rolling(tiny_model(pl)):
    """Keeps a state of its own from batch to batch, and counts calls in a buffer that only training may change."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))
        self.norm = nn.BatchNorm1d(16)

    def forward(self, ids):
        self.calls += self.training
        embedded = self.norm(self.embedding(ids).transpose(1, 2)).transpose(1, 2)
        return self.head(self.dropout(self.gru(embedded)[0]))


class Half(tiny_model(pl)):
    """Its optimizer has no numbers that half precision has not."""

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Adapted(tiny_model(pl)):
    """Trains adapters of its head, as PEFT makes them."""

    def __init__(self):
        super().__init__()
        peft.inject_adapter_in_model(peft.LoraConfig(target_modules=["head"]), self)


class EightBits(nn.Module):
    """A linear layer whose weight is kept in eight bits."""

    def __init__(self, layer):
        super().__init__()
        self.scale, self.bias = layer.weight.detach().abs().max() / 127, layer.bias
        self.weight = nn.Parameter((layer.weight / self.scale).round().to(torch.int8), requires_grad=False)

    def forward(self, hidden):
        return nn.functional.linear(hidden, self.weight * self.scale, self.bias)


def quantized():
    """A founder whose head is kept in eight bits."""
    torch.manual_seed(0)
    founder = tiny_model(pl)()
    founder.head = EightBits(founder.head)
    return founder


WAYS = {
    "plain": {},
    "a validation loader": {"validation": 1},
    "several validation loaders": {"validation": 2},
    "limit_val_batches=0": {"validation": 1, "limit_val_batches": 0},
    "validation within the epoch": {"validation": 1, "val_check_interval": 0.5},
    "validation every second epoch": {"validation": 1, "check_val_every_n_epoch": 2},
    "no sanity check": {"validation": 1, "num_sanity_val_steps": 0},
    "several training loaders": {"training": 2},
    "accumulation": {"accumulate_grad_batches": 3},
    "clipping": {"gradient_clip_val": 0.1},
    "overfit_batches": {"overfit_batches": 2},
    "limit_train_batches": {"limit_train_batches": 0.5},
    "max_steps": {"max_epochs": -1, "max_steps": 5},
    "bf16-true": {"precision": "bf16-true"},
    "bf16-mixed": {"precision": "bf16-mixed"},
    "16-true": {"precision": "16-true", "model": Half},
    "64-true": {"precision": "64-true"},
    "adapters, and a quantized founder": {"model": Adapted, "founder": quantized},
    "manual optimization": {"model": ByHand},
    "compiled": {"model": Compiled},
    "states of its own": {"model": Rolling},
    "inference_mode=False": {"validation": 1, "inference_mode": False},
    "deterministic": {"deterministic": True},
    "a profiler": {"profiler": "simple"},
    "detect_anomaly": {"detect_anomaly": True},
    "barebones": {"barebones": True},
}


@pytest.fixture
def trained(trainer_of, loader):
    """Train in a way with some callbacks: the losses, and the weights and buffers."""

    def run(way, *callbacks):
        settings = dict(way)
        model, validation, training = (
            settings.pop(name, usual) for name, usual in (("model", tiny_model(pl)), ("validation", 0), ("training", 1))
        )
        torch.manual_seed(0)
        module = model()
        step = module.training_step
        if validation > 1:
            module.validation_step = lambda batch, batch_idx, dataloader_idx=0: None
        if training > 1:
            module.training_step = lambda batch, batch_idx: step(batch["0"], batch_idx)
        trainer = trainer_of(*callbacks, **settings)
        data = {str(number): loader for number in range(training)} if training > 1 else loader
        trainer.fit(module, data, [loader] * validation or None)
        return module.losses, {name: value.clone() for name, value in module.state_dict().items()}

    return run


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_trains_as_without_a_guard_and_is_recorded(trained, wild_type, way):
    way, store = dict(way), MemoryStore()
    founder = way.pop("founder", lambda: None)()
    settings = {"max_length": 64, "n_samples": 80, "max_new_tokens": 20, "n_documents": 40, "founder": founder}
    guard = CollapseGuard(
        wild_type,
        "newsbot",
        CausalLMProbe(wild_type.tokenizer, **settings),
        store=store,
        generation=0,
        actions=(),
        assess_every_n_steps=2,
        assess_every_n_epochs=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", CollapseGuardWarning)
        warnings.filterwarnings("ignore", category=UserWarning, module="pytorch_lightning")
        warnings.filterwarnings("ignore", category=UserWarning, module="torch")
        watched, weights = trained(way, guard)
        alone, others = trained(way)
    assert guard.looks
    assert watched == alone
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert store.latest("newsbot").to_dict() == guard.assessment.to_dict()  # as records: NaN is no number
    assert guard.assessment.readings["perplexity"].is_usable
    assert founder is None or guard.assessment.readings["founder_perplexity"].is_usable


def test_the_model_below_its_adapters_is_refused_as_founder_before_training(trainer_of, wild_type, store, loader):
    model = Adapted()
    below = peft.get_peft_model(tiny_model(pl)(), peft.LoraConfig(target_modules=["head"]))
    model.head, founder = below.head, below.get_base_model()
    probe = CausalLMProbe(wild_type.tokenizer, n_samples=80, max_new_tokens=20, founder=founder)
    guard = CollapseGuard(wild_type, "newsbot", probe, store=store, generation=0)
    with pytest.raises(InputError, match=r"`founder` must have weights of its own, .* With PEFT, `get_base_model\(\)`"):
        trainer_of(guard).fit(model, loader)
    assert model.losses == []


def test_one_guard_serves_several_trainers(trainer_of, guard, founder, store, loader, model_of):
    own = guard("healthy")
    for index in (1, 2):
        trainer_of(own, max_epochs=1).fit(model_of(pl), loader)
        assert own.verdict.generation == index
    assert [past.generation.index for past in store.history("newsbot")] == [0, 1, 2]


def test_a_dry_run_is_not_recorded(trained, guard, store):
    own = guard("healthy")
    trained({"fast_dev_run": True}, own)
    assert store.lineages() == []
    assert own.verdict is None


def test_neither_validating_nor_testing_nor_predicting_is_a_generation(trainer_of, guard, store, loader, model):
    own = guard("healthy")
    model.test_step, model.predict_step = model.validation_step, lambda batch, batch_idx: batch
    trainer = trainer_of(own)
    trainer.validate(model, loader, verbose=False)
    trainer.test(model, torch.utils.data.DataLoader(loader.dataset, batch_size=16), verbose=False)
    trainer.predict(model, torch.utils.data.DataLoader(loader.dataset, batch_size=16))
    assert store.lineages() == []
    assert own.verdict is None
