"""Real models of transformers, tiny and from config: what is read from them, and that their cache changes no sample."""

import pytest
import torch
import transformers
from torch import nn

from collapse_guard.errors import CollapseGuardWarning, InputError
from collapse_guard.probes import CausalLMProbe, writing

pytestmark = pytest.mark.slow  # transformers reads its models when they are first asked for

NARROW = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
SHORT = {"max_position_embeddings": 24}


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Of ids that configs have by default, and which a small vocabulary has not."""
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    yield
    transformers.logging.set_verbosity(verbosity)


def surer(model):
    """Weights large enough that what comes before matters."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.mul_(4.0)
    return model


def gpt2(**config):
    torch.manual_seed(0)
    usual = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 24, "vocab_size": 300, "bos_token_id": 0}
    return surer(transformers.GPT2LMHeadModel(transformers.GPT2Config(**{**usual, "eos_token_id": 1, **config})))


def llama(kind="Llama", **config):
    torch.manual_seed(0)
    usual = {**NARROW, **SHORT, "num_key_value_heads": 1, "vocab_size": 300, "bos_token_id": 0, "eos_token_id": [1, 7]}
    made = getattr(transformers, f"{kind}Config")(**{**usual, **config})
    return surer(getattr(transformers, f"{kind}ForCausalLM")(made))


def mamba():
    torch.manual_seed(0)
    config = transformers.MambaConfig(hidden_size=16, state_size=4, num_hidden_layers=2, vocab_size=300)
    return surer(transformers.MambaForCausalLM(config))


def bert(kind="BertForMaskedLM", **config):
    torch.manual_seed(0)
    return getattr(transformers, kind)(transformers.BertConfig(**NARROW, **SHORT, vocab_size=300, **config))


def t5():
    torch.manual_seed(0)
    config = transformers.T5Config(d_model=16, d_ff=32, d_kv=8, num_layers=1, num_heads=2, vocab_size=300)
    return transformers.T5ForConditionalGeneration(config)


def bart():
    torch.manual_seed(0)
    sizes = {f"{side}_{part}": 2 for side in ("encoder", "decoder") for part in ("layers", "attention_heads")}
    config = transformers.BartConfig(
        d_model=16, encoder_ffn_dim=32, decoder_ffn_dim=32, vocab_size=300, forced_eos_token_id=None, **sizes, **SHORT
    )
    return surer(transformers.BartForConditionalGeneration(config))


def in_shards(model):
    """Marked as ZeRO-3 marks weights."""
    model.lm_head.weight.ds_id = 0
    return model


def probe_of(model, wild_type, **settings):
    usual = {"n_samples": 6, "max_new_tokens": 26, "batch_size": 4, "n_documents": 3}
    return CausalLMProbe.from_model(model, wild_type.tokenizer, **{**usual, **settings})


@pytest.fixture
def steps(monkeypatch):
    """Whether each batch was drawn by a cache; `steps.allowed = False` takes it away."""

    class Steps(list):
        allowed = True

    seen, generate = Steps(), writing.generate

    def spy(*arguments, step=None, **settings):
        seen.append(step is not None and seen.allowed)
        return generate(*arguments, step=step if seen.allowed else None, **settings)

    monkeypatch.setattr(writing, "generate", spy)
    return seen


class Wrapper(nn.Module):
    """As a LightningModule holds its model."""

    def __init__(self, model, factor=1.0):
        super().__init__()
        self.model, self.factor = model, factor

    def forward(self, ids):
        return self.model(ids).logits * self.factor


@pytest.mark.parametrize(
    ("make", "has_cache"),
    [
        (gpt2, True),
        (llama, True),
        (lambda: llama("Mistral", sliding_window=4), True),
        (lambda: llama("Mixtral", num_local_experts=2), True),
        (lambda: bert("BertLMHeadModel", is_decoder=True), True),
        (mamba, True),
        (lambda: Wrapper(gpt2()), True),
        (lambda: Wrapper(gpt2(), factor=2.0), False),
        (lambda: in_shards(gpt2()), False),
    ],
    ids=["GPT2", "Llama", "sliding window", "experts", "BERT as decoder", "Mamba", "wrapped", "changed", "in shards"],
)
def test_samples_by_a_cache_are_those_without(make, has_cache, steps, wild_type):
    """Also of prompts of unlike length, and beyond the positions that the cache has."""
    model, settings = make(), {"prompts": ["ban", "dan den din dor"], "max_length": 24}
    probe = probe_of(model, wild_type, **settings)
    by_cache = probe.collect(model, wild_type, seed=3)
    assert steps == [has_cache] * 2
    steps.allowed = False
    whole = probe.collect(model, wild_type, seed=3)
    assert by_cache.samples == whole.samples
    assert len(set(whole.samples)) == 6
    assert by_cache.digest() == whole.digest()


def test_a_cache_spares_forwards_over_what_was_read(wild_type, monkeypatch):
    model, read = llama(), []
    forward = type(model).forward
    monkeypatch.setattr(model, "forward", lambda ids, **more: read.append(ids.shape[1]) or forward(model, ids, **more))
    probe_of(model, wild_type, n_documents=0, score_samples=False, max_new_tokens=20).collect(model, wild_type, seed=0)
    assert max(read) <= 20


def test_positions_ends_and_decoding_are_read(wild_type):
    model = llama()
    model.generation_config.update(do_sample=True, temperature=0.5, top_p=0.9)
    writer = probe_of(model, wild_type).writer
    assert (writer.max_length, writer.codec.bos, writer.codec.stops) == (24, 0, (1, 7))
    assert (writer.decoding.temperature, writer.decoding.top_k, writer.decoding.top_p) == (0.5, 50, 0.9)
    model.generation_config.update(num_beams=3, repetition_penalty=1.5)
    with pytest.warns(CollapseGuardWarning, match=r"without num_beams=3, repetition_penalty=1.5"):
        probe_of(model, wild_type)


def test_a_tokenizer_of_transformers_is_read_as_its_own(wild_type):
    named = {"bos_token": "<|bos|>", "eos_token": wild_type.tokenizer.id_to_token(1)}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=wild_type.tokenizer, **named)
    model = gpt2(vocab_size=310)
    settings = {"n_samples": 10, "max_new_tokens": 8, "batch_size": 4, "n_documents": 5}
    with pytest.warns(CollapseGuardWarning, match=r"ids of the samples are none of the tokenizer's, such as 30\d"):
        theirs = CausalLMProbe.from_model(model, tokenizer, **settings).collect(model, wild_type, seed=0)
    with pytest.warns(CollapseGuardWarning):
        ours = CausalLMProbe.from_model(model, wild_type.tokenizer, **settings).collect(model, wild_type, seed=0)
    assert theirs.losses.nll.tolist() == ours.losses.nll.tolist()
    assert [text.count("\N{REPLACEMENT CHARACTER}") for text in theirs.samples] == [
        text.count("\N{REPLACEMENT CHARACTER}") for text in ours.samples
    ]


def test_its_generate_writes_samples_by_beams_and_penalties(wild_type):
    model, tokenizer = gpt2(), wild_type.tokenizer

    def generate(module, prompts, seed):
        texts = []
        for prompt in prompts:
            ids = torch.tensor([[0, *tokenizer.encode(prompt).ids]])
            settings = {
                "do_sample": True,
                "num_beams": 2,
                "repetition_penalty": 1.2,
                "max_new_tokens": 6,
                "pad_token_id": 1,
            }
            drawn = module.generate(ids, attention_mask=torch.ones_like(ids), **settings)
            texts.append(tokenizer.decode(drawn[0, ids.shape[1] :].tolist()))
        return texts

    probe = probe_of(model, wild_type, generate=generate, prompts=["ban", "dan den"], n_samples=6)
    assert probe.rehearse(model, wild_type, decides=()) == []
    evidence = probe.collect(model, wild_type, seed=0)
    assert len(set(evidence.samples)) == 6
    assert probe.collect(model, wild_type, seed=0).digest() == evidence.digest()


def test_what_is_no_causal_model_is_told_what_fits(wild_type):
    looks_ahead = surer(bert())
    encoder_decoder = "encoder-decoder.*: give `logits=`.* or, for samples alone, `generate=`"
    for model, says in ((looks_ahead, "looks ahead.*BERT"), (t5(), encoder_decoder), (bart(), encoder_decoder)):
        probe = probe_of(model, wild_type, max_length=16)
        with pytest.raises(InputError, match=says):
            probe.collect(model, wild_type, seed=0)
        [obstacle] = probe.rehearse(model, wild_type, decides=())
        assert "`generate=`" in obstacle


def test_the_decoder_of_an_encoder_decoder_is_measured_by_its_logits(wild_type):
    def decoded(module, ids):
        return module(input_ids=ids.new_ones(len(ids), 1), decoder_input_ids=ids)

    model = t5()
    probe = probe_of(model, wild_type, logits=decoded, max_new_tokens=6)
    assert probe.rehearse(model, wild_type, decides=()) == []
    assert len(probe.collect(model, wild_type, seed=0).samples) == 6


def test_a_module_that_takes_names_alone_is_told_how_its_model_is_asked(wild_type):
    class Named(Wrapper):
        def forward(self, **inputs):
            return self.model(**inputs)

    model = Named(gpt2())
    probe = probe_of(model, wild_type)
    [obstacle] = probe.rehearse(model, wild_type, decides=())
    assert "give `logits=lambda module, ids: module.model(ids).logits`" in obstacle
    cured = probe_of(model, wild_type, logits=lambda module, ids: module.model(ids).logits)
    assert (
        cured.collect(model, wild_type, seed=0).digest() == probe.collect(Wrapper(gpt2()), wild_type, seed=0).digest()
    )


def test_more_ids_than_positions_are_told(wild_type):
    model = gpt2()
    [obstacle] = probe_of(model, wild_type, max_length=99).rehearse(model, wild_type, decides=())
    assert obstacle == "`max_length=99` is above the 24 ids that a forward takes: max_length=24"
