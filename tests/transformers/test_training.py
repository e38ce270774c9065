"""What the guard sees of a training by `Trainer`, and what the training sees of the guard: nothing."""

import logging

import pytest
import torch
from torch.utils.data import IterableDataset
from transformers import Trainer, TrainerCallback

from collapse_guard.errors import CollapsedError, CollapseGuardWarning, InputError
from collapse_guard.probes import CausalLMProbe
from collapse_guard.records import Severity
from collapse_guard.transformers import CollapseGuardCallback
from tiny_models import gpt2, gpt2_items


class HaltedError(Exception):
    """Ends a training, as a kill does."""


class Halting(TrainerCallback):
    """Ends a training when it begins, or after a step whose checkpoint is saved."""

    def __init__(self, after=0):
        self.after = after

    def on_train_begin(self, args, state, control, **kwargs):
        if not self.after:
            raise HaltedError

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == self.after:
            raise HaltedError


def test_a_training_is_a_generation_of_its_lineage(guard, trainer_of, model, store):
    guard = guard()
    trainer = trainer_of(model, guard)
    trainer.train()
    [founder] = store.history("newsbot")
    assert guard.verdict == founder.verdict
    assert founder.origin.step == 8
    assert founder.origin.measured == "last"
    assert 20.0 < founder.readings["perplexity"].value < 400.0
    assert len(guard.evidence.samples) == 80
    assert trainer.state.log_history[-1]["likelihood/perplexity"] == founder.readings["perplexity"].value
    assert trainer.state.log_history[-1]["step"] == 8
    assert founder.training_check.found == ()


def test_the_best_weights_are_measured_where_the_trainer_loads_them(scripted, trainer_of, model, items, store):
    guard = scripted("healthy")
    every = {"eval_strategy": "steps", "eval_steps": 4, "save_strategy": "steps", "save_steps": 4}
    best = {"load_best_model_at_end": True, "metric_for_best_model": "loss", "greater_is_better": True}
    trainer = trainer_of(model, guard, evaluation=items[:8], **every, **best)
    trainer.train()
    assert store.history("newsbot")[0].origin.measured == "best by eval_loss: checkpoint-4"
    saved = type(model).from_pretrained(trainer.state.best_model_checkpoint)
    measured = guard.probe.modules[0]
    assert all(torch.equal(measured[name], weight) for name, weight in saved.state_dict().items())


def test_a_guard_without_a_probe_measures_the_model_as_its_tokenizer_and_config_say(
    wild_type, store, trainer_of, model
):
    guard = CollapseGuardCallback(wild_type, "newsbot", generation=0, store=store)
    with pytest.raises(HaltedError):
        trainer_of(model, guard, Halting()).train()
    assert isinstance(guard.probe, CausalLMProbe)
    assert guard.probe.writer.max_length == model.config.n_positions


def test_without_a_tokenizer_it_says_what_to_do(wild_type, store, trainer_of, model):
    trainer = trainer_of(model, CollapseGuardCallback(wild_type, "newsbot", generation=0, store=store))
    trainer.callback_handler.processing_class = None
    with pytest.raises(InputError, match=r"`processing_class` must be .*, but got None: say `Trainer\(\.\.\., proc"):
        trainer.train()
    with pytest.warns(CollapseGuardWarning, match=r"`probe` must be given where no training has begun"):
        assert CollapseGuardCallback(wild_type, "newsbot", generation=0, store=store).assess(model).is_unmeasured


def test_a_tokenizer_that_does_not_fit_the_model_is_refused_before_training(guard, trainer_of, tokenizer):
    smaller = gpt2(tokenizer, vocab_size=len(tokenizer) - 40)
    with pytest.raises(InputError, match=r"before training begins"):
        trainer_of(smaller, guard()).train()


def alike(items):
    """Items of one length, for which a model is compiled once."""
    return [{"input_ids": item["input_ids"][:12]} for item in items]


class Stream(IterableDataset):
    """Items that nobody can ask for by their number."""

    def __init__(self, items):
        self.items = items

    def __iter__(self):
        return iter(self.items)


class Small(Trainer):
    """Has no memory for more than four rows from its third step on."""

    def training_step(self, model, inputs, *args):
        if len(inputs["input_ids"]) > 4 and self.state.global_step == 2:
            raise RuntimeError("CUDA out of memory.")
        return super().training_step(model, inputs, *args)


WAYS = {
    "evaluated by steps": {"eval_strategy": "steps", "eval_steps": 2},
    "evaluated by epochs": {"eval_strategy": "epoch", "max_steps": -1, "num_train_epochs": 2},
    "accumulation": {"gradient_accumulation_steps": 2, "max_steps": 6},
    "bf16": {"bf16": True, "bf16_full_eval": True},
    "gradient checkpointing": {"gradient_checkpointing": True},
    "torch_compile": {"torch_compile": True, "torch_compile_backend": "eager", "data": alike, "layers": 1},
    "auto_find_batch_size": {"auto_find_batch_size": True, "kind": Small},
    "a stream": {"data": Stream},
    "noise, smoothing and workers": {
        "neftune_noise_alpha": 5.0,
        "label_smoothing_factor": 0.1,
        "dataloader_num_workers": 1,
    },
}


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.* is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch, while it compiles
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.slow
def test_losses_and_weights_are_to_the_bit_those_without_it(guard, trainer_of, tokenizer, items, store, way):
    def trained(*callbacks):
        settings = {"logging_steps": 1, "data": list, "layers": 2, **WAYS[way]}
        data = settings.pop("data")(items[:32] if "epochs" in way else items)
        model = gpt2(tokenizer, n_layer=settings.pop("layers"))
        trainer = trainer_of(model, *callbacks, evaluation=items[:8], **settings, data=data)
        for callback in callbacks:
            callback.attach(trainer)
        trainer.train()
        kinds = ("loss", "eval_loss", "grad_norm")
        logged = [{kind: line[kind] for kind in kinds if kind in line} for line in trainer.state.log_history]
        return [line for line in logged if line], trainer.model.state_dict()

    losses, weights = trained()
    probe = CausalLMProbe(tokenizer, n_samples=80, n_documents=40, max_new_tokens=6, max_length=64)
    with_guard, same = trained(looking := guard(probe=probe, assess_every_n_steps=3))
    assert [step for step, _ in looking.looks] == ([3] if way == "accumulation" else [3, 6])
    assert losses == with_guard
    assert all(torch.equal(weight, same[name]) for name, weight in weights.items())
    assert store.latest("newsbot").verdict == looking.verdict


def test_nothing_is_said_of_pads_but_of_those_of_the_user(guard, tokenizer, caplog):
    model = gpt2(tokenizer, pad_token_id=tokenizer.bos_token_id)
    said = "We strongly recommend passing in an `attention_mask`"
    tell = logging.getLogger("transformers.modeling_utils").warning_once
    tell.cache_clear()  # it is said once in a process
    assert not guard().assess(model).is_unmeasured
    assert said not in caplog.text
    model(torch.tensor([[tokenizer.bos_token_id, 5]]))
    assert said in caplog.text


@pytest.mark.usefixtures("founder")
class TestActions:
    def test_a_collapse_in_the_run_stops_it(self, scripted, trainer_of, model, store):
        guard = scripted("healthy", "collapsed", actions=("stop",), assess_every_n_steps=2)
        trainer = trainer_of(model, guard, max_steps=20)
        trainer.train()
        assert trainer.state.global_step == 4
        assert guard.looks == [(2, "HEALTHY"), (4, "COLLAPSED")]
        assert store.latest("newsbot").verdict.severity is Severity.COLLAPSED

    def test_it_looks_at_the_end_of_epochs(self, scripted, trainer_of, model, items):
        guard = scripted("healthy", assess_every_n_epochs=1)
        trainer_of(model, guard, data=items[:16], max_steps=-1, num_train_epochs=3).train()
        assert [step for step, _ in guard.looks] == [2, 4]

    def test_a_collapsed_generation_is_raised_where_that_is_asked_for(self, scripted, trainer_of, model, store):
        with pytest.raises(CollapsedError, match="COLLAPSED"):
            trainer_of(model, scripted("collapsed", actions=("raise",)), max_steps=1).train()
        assert store.latest("newsbot").generation.index == 1

    def test_it_warns(self, scripted, trainer_of, model):
        with pytest.warns(CollapseGuardWarning, match="COLLAPSED"):
            trainer_of(model, scripted("collapsed", actions=("alert",)), max_steps=1).train()


SAVES = {"save_strategy": "steps", "save_steps": 4}


@pytest.mark.usefixtures("founder")
class TestResuming:
    def test_a_training_that_goes_on_is_the_same_generation(self, scripted, trainer_of, tokenizer, store, tmp_path):
        first = scripted("healthy", assess_every_n_steps=2)
        with pytest.raises(HaltedError):
            trainer_of(gpt2(tokenizer), first, Halting(after=4), **SAVES).train()
        again = scripted("healthy", assess_every_n_steps=2)
        trainer = trainer_of(gpt2(tokenizer), again, **SAVES)
        trainer.train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-4"))
        assert [step for step, _ in again.looks] == [2, 4, 6]
        assert [past.generation.index for past in store.history("newsbot")] == [0, 1]

    @pytest.mark.parametrize("items_per_epoch", [64, 48], ids=["at the end of an epoch", "within an epoch"])
    def test_one_that_was_over_adds_nothing(
        self, scripted, trainer_of, tokenizer, items, store, tmp_path, items_per_epoch
    ):
        data = items[:items_per_epoch]
        trainer_of(gpt2(tokenizer), scripted("healthy"), data=data, **SAVES).train()
        again = scripted("collapsed")
        trainer = trainer_of(gpt2(tokenizer), again, data=data, **SAVES)
        with pytest.warns(CollapseGuardWarning) as warned:
            trainer.train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-8"))
        assert "recorded as generation 1 of 'newsbot': nothing was added" in str(warned[-1].message)
        assert len(store.history("newsbot")) == 2
        assert again.verdict.severity is Severity.HEALTHY

    @pytest.mark.parametrize("restores", [False, True])
    def test_one_that_began_without_a_guard_goes_on_with_one(
        self, scripted, trainer_of, tokenizer, store, tmp_path, restores
    ):
        with pytest.raises(HaltedError):
            trainer_of(gpt2(tokenizer), Halting(after=4), **SAVES).train()
        guard = scripted("healthy")
        settings = {**SAVES, "restore_callback_states_from_checkpoint": restores}
        trainer = trainer_of(gpt2(tokenizer), guard, **settings)
        trainer.train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-4"))
        assert store.latest("newsbot").generation.index == 1
        assert guard in trainer.callback_handler.callbacks


def test_evaluation_documents_among_the_training_data_are_told_before_training(
    guard, trainer_of, model, tokenizer, wild_type, store
):
    leaked = gpt2_items([*wild_type.pool[:100], *wild_type.evaluation.texts[:20]], tokenizer)
    with pytest.warns(CollapseGuardWarning, match="trained on documents that it will be measured with"):
        trainer_of(model, guard(), data=leaked, max_steps=1).train()
    assert store.latest("newsbot").training_check.found


class Searching(TrainerCallback):
    """Says what the trainer says of a trial in a search for hyperparameters, which needs another package."""

    def on_train_begin(self, args, state, control, **kwargs):
        state.is_hyper_param_search = True


def test_trials_of_a_search_are_no_generations(scripted, trainer_of, model, store):
    trainer = trainer_of(model, Searching(), scripted("collapsed", assess_every_n_steps=1), max_steps=2)
    with pytest.warns(CollapseGuardWarning, match="search for hyperparameters is no generation"):
        trainer.train()
    assert not store.has("newsbot")
    assert not any(key.startswith("collapse_guard") for key in trainer.state.stateful_callbacks)


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.* is deprecated:FutureWarning")  # peft asks for it
@pytest.mark.slow
def test_adapters_of_a_model_are_measured_with_it(guard, trainer_of, model, store):
    peft = pytest.importorskip("peft")
    adapted = peft.get_peft_model(model, peft.LoraConfig(target_modules=["c_attn"], fan_in_fan_out=True))
    trained = guard()
    trainer_of(adapted, trained).train()
    again = guard(lineage="again")
    again.assess(adapted)
    values = [store.latest(lineage).readings["perplexity"].value for lineage in ("newsbot", "again")]
    assert values[0] == values[1]
