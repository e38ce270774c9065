"""A founder must not move with the module in training."""

import copy

import pytest
from torch import nn

from collapse_guard.errors import InputError
from collapse_guard.probes import CausalLMProbe


class Adapted(nn.Module):
    """A backbone with a part of its own behind it, as adapters are."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone, self.adapter = backbone, nn.Linear(300, 300)

    def forward(self, ids):
        return self.adapter(self.backbone(ids))


def losses_of(founder, module, wild_type):
    probe = CausalLMProbe(wild_type.tokenizer, n_samples=4, max_new_tokens=4, n_documents=0, founder=founder)
    assert probe.rehearse(module, wild_type, decides=()) == []
    evidence = probe.collect(module, wild_type, seed=0)
    return evidence.own_losses.nll, evidence.founder_losses.nll


def refused(founder, module, wild_type):
    probe = CausalLMProbe(wild_type.tokenizer, n_samples=4, max_new_tokens=4, founder=founder)
    with pytest.raises(InputError, match=r"`founder` must have weights of its own, but shares `.*` with the module"):
        probe.collect(module, wild_type, seed=0)
    [obstacle] = probe.rehearse(module, wild_type, decides=())
    assert obstacle.startswith("`founder` must have weights of its own")


def test_the_module_itself_is_no_founder(model, wild_type):
    refused(model, model, wild_type)
    refused(model, model.requires_grad_(False), wild_type)


def test_a_part_of_the_module_that_is_trained_is_no_founder(model, wild_type):
    """As PEFT's `get_base_model()`, whose layers are those of the module, adapters included."""
    refused(model, nn.Sequential(model), wild_type)
    refused(model, Adapted(model), wild_type)


def test_a_frozen_backbone_may_be_shared(model, wild_type):
    model.requires_grad_(False)
    own, founders = losses_of(Adapted(model), Adapted(model), wild_type)
    assert (own != founders).all()


def test_a_copy_is_a_founder(model, wild_type):
    own, founders = losses_of(copy.deepcopy(model), model, wild_type)
    assert (own == founders).all()
