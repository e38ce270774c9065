"""Forwards of many forms give the same logits, and what has none is told what fits."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from collapse_guard.errors import InputError
from collapse_guard.probes import CausalLMProbe
from collapse_guard.probes.forward import logits_of

IDS = torch.tensor([[1, 2], [3, 4]])
LOGITS = torch.zeros(2, 2, 5)


@pytest.mark.parametrize(
    "output",
    [
        LOGITS,
        SimpleNamespace(logits=LOGITS),
        {"logits": LOGITS},
        (LOGITS, torch.tensor(1.0)),
        (torch.tensor(1.0), torch.zeros(3, 2, 7), LOGITS),
        (LOGITS, None),
    ],
    ids=["tensor", "object", "mapping", "and loss", "behind others", "without loss"],
)
def test_logits_are_found_in_any_of_these_outputs(output):
    assert logits_of(output, IDS) is LOGITS


@pytest.mark.parametrize(
    ("output", "got"),
    [
        (torch.zeros(2, 3), r"shape \(2, 3\)"),
        (torch.zeros(3, 2, 5), r"shape \(3, 2, 5\) for ids of shape \(2, 2\): give `logits=`"),
        (torch.zeros(2, 1, 5), r"shape \(2, 1, 5\) .* the last place alone: give `logits=lambda module, ids: module"),
        ((torch.zeros(2, 1, 5), None), r"shape \(2, 1, 5\)"),
        (("no", None), "tuple"),
        (SimpleNamespace(logits=None), "Sim"),
    ],
)
def test_another_output_is_refused(output, got):
    with pytest.raises(InputError, match=rf"must return logits of shape \(batch, time, vocabulary\).* but got {got}"):
        logits_of(output, IDS)


def evidence_of(module, wild_type, **settings):
    usual = {"n_samples": 6, "max_new_tokens": 5, "batch_size": 4, "n_documents": 5}
    return CausalLMProbe(wild_type.tokenizer, **{**usual, **settings}).collect(module, wild_type, seed=0)


def test_a_forward_of_any_form_is_measured_as_a_plain_one(language, model, wild_type):
    class WithLoss(language):
        def forward(self, ids, targets=None):
            return self.logits(ids), None

    class Named(language):
        def forward(self, **inputs):
            return {"logits": self.logits(inputs["input_ids"])}

    def named(module, ids):
        return module(input_ids=ids)

    plain = evidence_of(model, wild_type, founder=language(width=6))
    for module, founder, logits in ((WithLoss(), WithLoss(width=6), None), (Named(), Named(width=6), named)):
        found = evidence_of(module, wild_type, logits=logits, founder=founder)
        assert found.digest() == plain.digest()


class BothWays(nn.Module):
    """Reads a text from both ends, as BERT does."""

    def __init__(self, language):
        super().__init__()
        self.forwards, self.backwards = language(), language()

    def forward(self, ids):
        return self.forwards(ids) + self.backwards(ids.flip(1)).flip(1)


class Translator(nn.Module):
    """Predicts a text from another one; `target` defaults as in models that shift the source."""

    def __init__(self, language):
        super().__init__()
        self.encoder, self.decoder = language(), language()

    def forward(self, source, target):
        return self.decoder(target) + self.encoder(source).mean(1, keepdim=True)


@pytest.mark.parametrize("settings", [{}, {"n_samples": 0}, {"n_documents": 0, "score_samples": False}])
def test_a_module_that_looks_ahead_has_no_perplexity_and_no_samples(language, wild_type, settings):
    with pytest.raises(InputError, match=r"the module looks ahead: .* so it has no perplexity .* `generate=`"):
        evidence_of(BothWays(language), wild_type, **settings)


def test_a_module_that_looks_ahead_a_single_id_is_found(language, wild_type):
    class Ahead(language):
        def forward(self, ids):
            return self.logits(ids) + 0.1 * self.logits(ids.roll(-1, 1))

    with pytest.raises(InputError, match="the module looks ahead"):
        evidence_of(Ahead(), wild_type)


def test_samples_of_a_module_that_looks_ahead_are_evidence(language, wild_type):
    settings = {"generate": lambda module, prompts, seed: ["one"] * len(prompts), "score_samples": False}
    assert evidence_of(BothWays(language), wild_type, n_documents=0, **settings).samples == ["one"] * 6


def test_what_rows_of_a_batch_share_is_not_looking_ahead(language, wild_type):
    class Quantized(language):
        """Rounds by the mean size of the numbers of a batch, which any id changes."""

        def forward(self, ids):
            embedded = self.embedding(ids)
            step = embedded.abs().mean() / 4.0
            return self.head(self.gru((embedded / step).round() * step * 4.0)[0])

    assert len(evidence_of(Quantized(), wild_type).samples) == 6


def test_an_encoder_decoder_is_measured_where_its_decoder_gives_the_logits(language, wild_type):
    translator = Translator(language)
    with pytest.raises(InputError, match=r"cannot be called as forward\(ids\): give `logits=`.*'target'"):
        evidence_of(translator, wild_type)

    def decoded(module, ids):
        return module(ids.new_zeros(len(ids), 1), ids)

    assert evidence_of(translator, wild_type, logits=decoded).own_losses.nll.min() > 0.0


def test_an_encoder_decoder_that_says_so_is_told_what_fits(language, wild_type):
    class Shifting(Translator):
        config = SimpleNamespace(is_encoder_decoder=True)

        def forward(self, source):
            return super().forward(source, source.roll(1, 1))

    with pytest.raises(InputError, match=r"an encoder-decoder that reads the whole text .* `logits=`.* `generate=`"):
        evidence_of(Shifting(language), wild_type)


def test_an_error_of_the_module_itself_stays_what_it_is(language, wild_type):
    class Broken(language):
        def forward(self, ids):
            raise ZeroDivisionError("in the model")

    with pytest.raises(ZeroDivisionError, match="in the model"):
        evidence_of(Broken(), wild_type)


def test_ids_beyond_the_logits_are_refused_before_a_device_would_end_the_process(language, wild_type):
    class Narrow(language):
        def forward(self, ids):
            return self.logits(ids)[:, :, :100]

    with pytest.raises(InputError, match=r"the tokenizer gives the id \d+, but the module's logits are of 100 ids"):
        evidence_of(Narrow(), wild_type)


@pytest.mark.parametrize("name", ["logits", "generate"])
def test_what_is_no_function_is_refused(wild_type, name):
    with pytest.raises(InputError, match=rf"`{name}` must be a function of \(module, .* but got 'greedy'"):
        CausalLMProbe(wild_type.tokenizer, **{name: "greedy"})
