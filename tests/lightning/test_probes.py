"""Oracles: the slow definition, and a Hugging Face-style double of the same module."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from collapse_guard.errors import InputError
from collapse_guard.lightning import CollapseGuard
from collapse_guard.probes import CausalLMProbe, EmbeddingProbe, Probe, writing
from collapse_guard.probes.decoding import generate


def collect(probe, module, wild_type, seed=0, **place):
    return probe.collect(module, wild_type, seed=seed, **place)


@pytest.fixture
def small(wild_type):
    """A probe that is over soon."""

    def make(**settings):
        usual = {"n_samples": 10, "max_new_tokens": 6, "batch_size": 4, "n_documents": 9}
        return CausalLMProbe(wild_type.tokenizer, **{**usual, **settings})

    return make


def test_losses_are_of_the_evaluation_documents_by_content_hash(small, model, wild_type):
    losses = collect(small(n_documents=None), model, wild_type).losses
    assert losses.documents == wild_type.evaluation.hashes
    assert losses.n_bytes.tolist() == [len(text.encode()) for text in wild_type.evaluation]
    assert losses.n_tokens.tolist() == [len(ids) for ids in wild_type.encode(wild_type.evaluation.texts)]


@torch.no_grad()
def test_losses_are_those_of_the_slow_definition(small, model, wild_type):
    losses = collect(small(n_documents=3), model, wild_type).losses
    model.eval()
    for text, nll in zip(wild_type.evaluation[:3], losses.nll, strict=True):
        ids = [0, *wild_type.tokenizer.encode(text).ids]
        log_p = model(torch.tensor([ids[:-1]]))[0].double().log_softmax(-1)
        assert nll == pytest.approx(-sum(log_p[place, token].item() for place, token in enumerate(ids[1:])), rel=1e-5)


def test_samples_are_texts_that_depend_on_the_seed(small, model, wild_type):
    samples = collect(small(), model, wild_type).samples
    assert len(samples) == 10
    assert all(isinstance(sample, str) and sample for sample in samples)
    assert len(set(samples)) > 1
    assert collect(small(), model, wild_type, seed=1).samples != samples


def test_samples_have_at_most_as_many_tokens_as_asked_for(small, wild_type):
    class Third(nn.Module):
        def forward(self, ids):
            return torch.eye(400)[torch.full_like(ids, 300)] * 100

    token = wild_type.tokenizer.decode([300])
    assert collect(small(n_documents=0), Third(), wild_type).samples == [token * 6] * 10
    assert collect(small(n_documents=0, eos_token_id=300), Third(), wild_type).samples == [""] * 10


def test_prompts_are_taken_in_turn_and_left_out(small, wild_type):
    class Echo(nn.Module):
        def forward(self, ids):
            return torch.eye(400)[ids] * 100

    prompts = [wild_type.tokenizer.decode([id_]) for id_ in (100, 200, 300)]
    evidence = collect(small(prompts=prompts, n_documents=0), Echo(), wild_type)
    assert evidence.samples == [prompts[number % 3] * 6 for number in range(10)]
    assert evidence.prompts == [prompts[number % 3] for number in range(10)]
    parts = [collect(small(prompts=prompts), Echo(), wild_type, rank=rank, world_size=3) for rank in range(3)]
    assert small().merge(parts).prompts == evidence.prompts


def test_samples_that_come_to_their_end_are_told_from_those_that_were_cut(small, wild_type):
    """The first prompt is followed by the end, the second by itself."""
    prompts = [wild_type.tokenizer.decode([id_]) for id_ in (100, 200)]
    first, *_ = wild_type.tokenizer.encode(prompts[0]).ids[::-1]

    class Ending(nn.Module):
        def forward(self, ids):
            return torch.eye(400)[torch.where(ids == first, 399, ids)] * 100

    ending = small(prompts=prompts, n_documents=0, eos_token_id=399)
    parts = [collect(ending, Ending(), wild_type, rank=rank, world_size=2) for rank in range(2)]
    assert ending.merge(parts).truncated == [False, True] * 5
    assert collect(small(n_documents=0), Ending(), wild_type).truncated is None


def nats_of(module, prompt, ids):
    """The definition, with a forward of its own for the whole text."""
    text = [0, *prompt, *ids]
    log_p = module(torch.tensor([text[:-1]]))[0].double().log_softmax(-1)
    return -sum(log_p[place - 1, text[place]].item() for place in range(1 + len(prompt), len(text)))


@pytest.fixture
def other(model_of):
    """A founder: another model of the same kind, in training mode."""
    torch.manual_seed(7)
    return model_of(pl)


@pytest.fixture
def drawn(monkeypatch):
    """The ids that were drawn, row by row."""
    rows = []

    def spy(*arguments, **settings):
        found = generate(*arguments, **settings)
        rows.extend(found)
        return found

    monkeypatch.setattr(writing, "generate", spy)
    return rows


@torch.no_grad()
@pytest.mark.parametrize("prompts", [None, ["ban ben", "tat"]])
def test_samples_are_scored_as_they_were_drawn_by_the_module_and_by_the_founder(
    small, model, other, wild_type, drawn, prompts
):
    evidence = collect(small(founder=other, prompts=prompts, top_k=5), model, wild_type)
    starts = [wild_type.tokenizer.encode(prompt).ids for prompt in prompts or [""]]
    for losses, module in ((evidence.own_losses, model.eval()), (evidence.founder_losses, other.eval())):
        assert losses.documents == tuple(map(str, range(10)))
        expected = [nats_of(module, starts[i % len(starts)], ids) for i, ids in enumerate(drawn)]
        assert losses.nll.tolist() == pytest.approx(expected, rel=1e-5)
        assert losses.n_tokens.tolist() == [len(ids) for ids in drawn]
        assert losses.token_nll is None
    assert evidence.own_losses.nll.sum() != pytest.approx(evidence.founder_losses.nll.sum(), rel=1e-3)


@torch.no_grad()
def test_the_losses_of_documents_come_with_their_entropies(small, model, wild_type):
    losses = collect(small(n_documents=1), model, wild_type).losses
    ids = [0, *wild_type.tokenizer.encode(wild_type.evaluation[0]).ids]
    expected = torch.distributions.Categorical(logits=model.eval()(torch.tensor([ids[:-1]]))).entropy().sum().item()
    assert losses.entropy.tolist() == pytest.approx([expected], rel=1e-5)


def test_samples_of_no_tokens_have_no_loss_and_the_others_keep_their_numbers(small, model, wild_type, monkeypatch):
    monkeypatch.setattr(writing, "generate", lambda module, prompts, **settings: [[], *[[3, 4]] * (len(prompts) - 1)])
    losses = collect(small(n_documents=0), model, wild_type).own_losses
    assert losses.documents == ("1", "2", "3", "5", "6", "7", "9")


def test_neither_score_is_taken_unless_asked_for(small, model, other, wild_type):
    alone = collect(small(score_samples=False), model, wild_type)
    assert alone.own_losses is alone.founder_losses is None
    by_founder = collect(small(score_samples=False, founder=other), model, wild_type)
    assert by_founder.own_losses is None
    assert len(by_founder.founder_losses) == 10
    assert by_founder.samples == alone.samples == collect(small(), model, wild_type).samples
    assert collect(small(n_samples=0), model, wild_type).own_losses is None


def test_the_founder_is_left_as_it_was_and_is_no_part_of_the_module(small, model, other, wild_type):
    other.dropout.eval()
    other.head.bias.requires_grad_(False)
    before = [parameter.clone() for parameter in other.parameters()]
    names, modes = set(model.state_dict()), [part.training for part in other.modules()]
    first, second = (collect(small(founder=other), model, wild_type).founder_losses for _ in range(2))
    assert first.nll.tolist() == second.nll.tolist(), "dropout is off while it scores"
    assert [part.training for part in other.modules()] == modes
    assert [parameter.requires_grad for parameter in other.parameters()].count(False) == 1
    assert all(parameter.grad is None for parameter in other.parameters())
    assert all(map(torch.equal, before, other.parameters()))
    assert set(model.state_dict()) == names
    assert other not in set(model.modules())


def test_training_with_scored_samples_and_a_founder_gives_the_weights_of_training_without(
    wild_type, model_of, other, trainer_of, encode, store
):
    def weights(*callbacks):
        torch.manual_seed(3)
        module = model_of(pl)
        items = [encode(text) for text in wild_type.pool[:32]]
        loader = torch.utils.data.DataLoader(items, batch_size=8, shuffle=True)
        trainer_of(*callbacks).fit(module, loader)
        return module.state_dict()

    probe = CausalLMProbe(wild_type.tokenizer, n_samples=160, max_new_tokens=6, n_documents=30, founder=other)
    guard = CollapseGuard(wild_type, "measured", probe, store=store, generation=0, actions=(), assess_every_n_epochs=1)
    guarded, plain = weights(guard), weights()
    assert guarded.keys() == plain.keys()
    assert all(torch.equal(guarded[name], plain[name]) for name in plain)
    assert len(guard.evidence.own_losses) == len(guard.evidence.founder_losses) == 160
    assert guard.evidence.losses.entropy.shape == (30,)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="moving a founder between devices needs a GPU")
def test_a_founder_on_the_cpu_scores_on_the_device_of_the_module_and_comes_back(small, model, other, wild_type):
    expected = collect(small(founder=other), other, wild_type)
    found = collect(small(founder=other), model.cuda(), wild_type)
    assert len(found.founder_losses) == len(expected.founder_losses)
    assert {parameter.device.type for parameter in other.parameters()} == {"cpu"}


def test_documents_that_encode_to_nothing_are_left_out(wild_type, model):
    class Forgetful:
        bos_token_id = 0

        def __init__(self, empty):
            self.empty = empty

        def encode(self, text):
            return [] if text == self.empty else wild_type.tokenizer.encode(text).ids

        def decode(self, ids):
            return wild_type.tokenizer.decode(ids)

    tokenizer = Forgetful(wild_type.evaluation[2])
    losses = collect(CausalLMProbe(tokenizer, n_samples=0, n_documents=5), model, wild_type).losses
    assert losses.documents == tuple(h for place, h in enumerate(wild_type.evaluation.hashes[:5]) if place != 2)


def test_an_output_with_logits_gives_the_same_evidence(small, model, wild_type):
    class HuggingFaceStyle(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model
            self.config = SimpleNamespace(use_cache=True)

        def forward(self, input_ids, attention_mask=None, labels=None):
            return SimpleNamespace(loss=None, logits=self.model(input_ids), past_key_values=())

    styled = HuggingFaceStyle()
    evidence, plain = collect(small(), styled, wild_type), collect(small(), model, wild_type)
    assert evidence.samples == plain.samples
    assert evidence.losses.nll.tolist() == plain.losses.nll.tolist()
    assert styled.config.use_cache is True


def test_a_module_of_nan_gives_evidence_and_not_an_error(small, model, wild_type):
    with torch.no_grad():
        model.head.weight.fill_(math.nan)
    evidence = collect(small(), model, wild_type)
    assert np.isnan(evidence.losses.nll).all()
    assert evidence.samples == [""] * 10
    assert len(evidence.own_losses) == 0


def test_parts_that_are_not_asked_for_are_not_collected(small, model, wild_type):
    assert collect(small(n_samples=0), model, wild_type).samples is None
    assert collect(small(n_documents=0), model, wild_type).losses is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_samples": -1}, "`n_samples` must be a whole number of at least 0, but got -1"),
        ({"max_new_tokens": 0}, "`max_new_tokens` must be a whole number of at least 1, but got 0"),
        ({"batch_size": 0}, "`batch_size` must be a whole number of at least 1, but got 0"),
        ({"max_length": 0}, "`max_length` must be a whole number of at least 1, but got 0"),
        ({"n_documents": -2}, "`n_documents` must be a whole number of at least 0, but got -2"),
        ({"n_samples": 0, "n_documents": 0}, "`n_samples` or `n_documents` must be positive, but got 0 and 0"),
        ({"prompts": []}, "`prompts` must be a list with at least one text, or None, but got"),
        ({"prompts": "once"}, "`prompts` must be a list with at least one text, or None, but got 'once'"),
        ({"founder": "founder.ckpt"}, "`founder` must be an nn.Module, or None, but got str: load it first"),
        ({"founder": nn.Identity(), "n_samples": 0}, "`n_samples` must be positive with a `founder`"),
        ({"temperature": -1}, "`temperature` must be a number from 0 on"),
    ],
)
def test_arguments_out_of_range_are_refused(small, settings, message):
    with pytest.raises(InputError, match=message):
        small(**settings)


def test_both_probes_and_any_object_with_collect_are_probes(small, scripted):
    assert isinstance(small(), Probe)
    assert isinstance(EmbeddingProbe(print), Probe)
    assert isinstance(scripted(), Probe)
    assert not isinstance(object(), Probe)
