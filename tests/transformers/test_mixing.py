"""Re-injection in the run of a `Trainer` that draws by a `MixtureSampler`; a clear word where it draws otherwise."""

import pytest
import torch
from transformers import Trainer, TrainerCallback

from collapse_guard.errors import InputError
from collapse_guard.records import Mixture
from collapse_guard.reinjection import MixtureSampler
from collapse_guard.store import MemoryStore
from tiny_models import gpt2


class MixedTrainer(Trainer):
    """Real and synthetic items, half and half. As in docs/huggingface.md."""

    def _get_train_sampler(self, train_dataset=None):
        sizes = {"real": 32, "newest": len(self.train_dataset) - 32}
        batch = self.args.per_device_train_batch_size * self.args.world_size
        return MixtureSampler(sizes, Mixture.with_real(0.5), length=64, batch_size=batch, num_replicas=1, rank=0)


class Seen(TrainerCallback):
    """Which items the sampler handed out, and a halt after a step."""

    def __init__(self, halt_after=None):
        self.halt_after = halt_after

    def on_train_begin(self, args, state, control, train_dataloader=None, **kwargs):
        self.sampler = train_dataloader.batch_sampler.sampler

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == self.halt_after:
            raise KeyboardInterrupt


@pytest.fixture
def mixed(trainer_of, tokenizer):
    """Train 16 steps of 8 items, two epochs, with the callbacks given; returns the trainer."""

    def run(*callbacks, seen, resume=None, **settings):
        trainer = trainer_of(gpt2(tokenizer), *callbacks, seen, kind=MixedTrainer, max_steps=16, **settings)
        trainer.train(resume_from_checkpoint=resume)
        return trainer

    return run


@pytest.mark.usefixtures("founder")
class TestReinjecting:
    def test_a_watch_raises_the_real_share_from_the_first_item_that_is_not_fetched(self, mixed, scripted, store):
        guard = scripted("watch", actions=("reinject",), assess_every_n_steps=4)
        mixed(guard, seen=(seen := Seen()))
        [decision] = guard.decisions
        before, after = (seen.sampler.schedule.weights_at(place)["real"] for place in (0, decision.from_index))
        assert before == 0.5
        assert after == decision.real_after > 0.5
        assert decision.from_index >= 4 * 8
        drawn = seen.sampler.schedule.counts(128)
        assert store.latest("newsbot").generation.mixture.real == pytest.approx(drawn["real"] / 128)
        assert store.latest("newsbot").generation.items == 64

    def test_a_run_that_was_interrupted_goes_on_with_the_shares_that_it_had(self, mixed, scripted, founded, tmp_path):
        def guard(**settings):
            return scripted("watch", actions=("reinject",), assess_every_n_steps=4, **settings)

        elsewhere = MemoryStore()
        elsewhere.append(founded)
        saves = {"save_strategy": "steps", "save_steps": 6}
        with pytest.raises(KeyboardInterrupt):
            mixed(guard(), seen=Seen(halt_after=6), **saves)
        again = mixed(guard(), seen=(other := Seen()), resume=str(tmp_path / "out" / "checkpoint-6"), **saves)
        whole = mixed(guard(store=elsewhere), seen=(one := Seen()))
        assert len(one.sampler.schedule.changes) == 2
        assert other.sampler.schedule.changes == one.sampler.schedule.changes
        weights = whole.model.state_dict()
        assert all(torch.equal(weights[name], weight) for name, weight in again.model.state_dict().items())


def test_without_such_a_sampler_it_is_refused_before_training(scripted, trainer_of, model):
    with pytest.raises(InputError, match=r"`actions` must be without reinject where .* `MixtureSampler`"):
        trainer_of(model, scripted("healthy", actions=("reinject",))).train()
