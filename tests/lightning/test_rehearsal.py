"""What is in the way of measuring is said before training, all of it at once."""

import pytest
import torch

from collapse_guard.errors import InputError
from collapse_guard.evidence import Evidence


class Rehearsing:
    """A probe that is told what is in its way."""

    def __init__(self, good, *obstacles):
        self.good, self.obstacles, self.rehearsed = good, list(obstacles), []

    def collect(self, module, wild_type, **place):
        return self.good.collect(module, wild_type, **place)

    def rehearse(self, module, wild_type, *, decides):
        self.rehearsed.append((module.training, torch.is_grad_enabled(), decides))
        torch.rand(3)
        module.dropout.train()
        return self.obstacles


@pytest.fixture
def rehearsing(guard):
    def make(*obstacles, **settings):
        own = guard("healthy", **settings)
        own.probe = Rehearsing(own.probe, *obstacles)
        return own

    return make


@pytest.mark.parametrize("dry", [False, True], ids=["fit", "fast_dev_run"])
def test_all_that_is_in_the_way_is_listed_before_the_first_step(fit, rehearsing, model, store, dry):
    own = rehearsing("`n_samples=600` fills 4 groups: n_samples=640", "`max_length=256` is too long: max_length=160")
    with pytest.raises(InputError, match="2 things are in the way") as caught:
        fit(own, fast_dev_run=dry)
    assert str(caught.value).splitlines()[1:] == [f"  {n}. {one}" for n, one in enumerate(own.probe.obstacles, 1)]
    assert model.losses == []
    assert store.lineages() == []


def test_a_rehearsal_leaves_no_trace(fit, rehearsing, model, store):
    def train(*callbacks):
        torch.manual_seed(3)
        model.load_state_dict(start)
        model.losses.clear()
        fit(*callbacks, max_epochs=1)
        return list(model.losses)

    start = {name: value.clone() for name, value in model.state_dict().items()}
    own = rehearsing()
    assert train(own) == train()
    assert own.probe.rehearsed == [(False, False, own.policy.decides)]
    assert store.latest("newsbot") == own.assessment


def test_a_probe_that_cannot_rehearse_is_believed(fit, guard, store):
    own = guard("healthy")
    assert not hasattr(own.probe, "rehearse")
    fit(own, max_epochs=1)
    assert isinstance(own.evidence, Evidence)
