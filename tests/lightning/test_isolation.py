import random

import numpy as np
import pytest
import torch
from torch import nn

from collapse_guard.probes.isolation import placed, untouched


@pytest.fixture
def module():
    """Trained parts, a part kept in eval mode, and a frozen part."""
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.Sequential(nn.Dropout(), nn.Linear(2, 2)))
    module[2][0].eval()
    module[0].weight.requires_grad_(False)
    return module


def fingerprint(module):
    return (
        [part.training for part in module.modules()],
        [parameter.requires_grad for parameter in module.parameters()],
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),
        np.random.get_state()[2:],
        random.getstate(),
        torch.is_grad_enabled(),
    )


def disturb(module):
    module.train()
    module[2].eval()
    module.requires_grad_(True)
    torch.rand(1)
    np.random.normal()
    random.seed(1)
    torch.set_grad_enabled(True)


def test_everything_is_as_before(module):
    before = fingerprint(module)
    with untouched(module):
        disturb(module)
        assert fingerprint(module) != before
    assert fingerprint(module) == before


def test_everything_is_as_before_also_when_measuring_raises(module):
    before = fingerprint(module)

    def measure():
        with untouched(module):
            disturb(module)
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        measure()
    assert fingerprint(module) == before


def test_everything_is_as_before_when_a_submodule_refuses_to_be_put_in_eval_mode(module):
    class Stubborn(nn.Module):
        def train(self, mode=True):
            if not mode:
                raise RuntimeError("never in eval mode")
            return super().train(mode)

    module.append(Stubborn())
    before = fingerprint(module)
    with pytest.raises(RuntimeError, match="never in eval mode"), untouched(module):
        pass
    assert fingerprint(module) == before


def test_measuring_is_in_eval_mode_and_builds_no_graph(module):
    with untouched(module):
        assert not any(part.training for part in module.modules())
        assert not module(torch.ones(1, 2)).requires_grad


def test_what_a_module_caches_meanwhile_can_still_be_trained_on():
    class Caching(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.table = nn.Parameter(torch.ones(2)), None

        def forward(self):
            self.table = torch.arange(2.0) if self.table is None else self.table
            return (self.weight * self.table).sum()

    module = Caching()
    with untouched(module):
        module()
    module().backward()
    assert module.weight.grad.tolist() == [0.0, 1.0]


class Movable(nn.Linear):
    """A module that says where it was sent, and stays where it is."""

    def __init__(self, device=None):
        super().__init__(2, 2, device=device)
        self.sent = []

    def to(self, device):
        self.sent.append(str(device))
        return self


def test_a_module_on_the_cpu_is_placed_and_put_back_also_when_measuring_raises():
    module, seen = Movable(), []

    def measure():
        with placed(module, torch.device("cuda", 1)):
            seen.extend(module.sent)
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        measure()
    assert seen == ["cuda:1"]
    assert module.sent == ["cuda:1", "cpu"]


def test_a_module_that_lies_elsewhere_or_where_it_is_wanted_stays_there():
    for module, device in ((Movable("meta"), "cuda"), (Movable(), "cpu")):
        with placed(module, torch.device(device)):
            pass
        assert module.sent == []
