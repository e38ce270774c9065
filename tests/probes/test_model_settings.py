"""What a probe takes from a model, duck-typed; real ones are in `test_hugging_face`."""

from types import SimpleNamespace

import pytest
from torch import nn

from collapse_guard.errors import CollapseGuardWarning
from collapse_guard.probes import CausalLMProbe
from collapse_guard.probes.decoding import Decoding


def model_with(*, generation=None, **config):
    model = nn.Identity()
    model.config = SimpleNamespace(**config)
    model.generation_config = SimpleNamespace(**{"do_sample": None, **(generation or {})})
    return model


class Tokenizer:
    def __init__(self, **ids):
        self.__dict__.update(ids)

    def encode(self, text):
        return list(text.encode())

    def decode(self, ids):
        return bytes(ids).decode()


NAMED = Tokenizer(bos_token_id=1, eos_token_id=2)


def writer_of(model, tokenizer=NAMED, **settings):
    return CausalLMProbe.from_model(model, tokenizer, **settings).writer


@pytest.mark.parametrize(
    ("config", "max_length"),
    [
        ({"max_position_embeddings": 512}, 512),
        ({"n_positions": 96}, 96),
        ({"block_size": 128}, 128),
        ({"max_position_embeddings": 131_072}, 1024),
        ({"text_config": SimpleNamespace(max_position_embeddings=77)}, 77),
        ({"n_positions": None, "n_ctx": 64}, 64),
        ({"n_positions": -1}, 256),
        ({}, 256),
    ],
)
def test_positions_bound_the_ids_of_a_forward(config, max_length):
    assert writer_of(model_with(**config)).max_length == max_length
    assert writer_of(model_with(**config), max_length=32).max_length == 32


def test_a_model_may_be_a_part_or_have_no_config():
    assert writer_of(nn.Sequential(model_with(n_positions=48))).max_length == 48
    plain = nn.Identity()
    plain.block_size = 40
    assert writer_of(plain).max_length == 40


@pytest.mark.parametrize(
    ("tokenizer", "generation", "config", "bos", "stops"),
    [
        (NAMED, {"bos_token_id": 8, "eos_token_id": [9, 2]}, {}, 1, (2, 9)),
        (NAMED, {"eos_token_id": None}, {"eos_token_id": 7}, 1, (2, 7)),
        (NAMED, {}, {}, 1, (2,)),
        (Tokenizer(), {"bos_token_id": 8, "eos_token_id": 9}, {"bos_token_id": 3}, 8, (9,)),
        (Tokenizer(), {}, {"bos_token_id": 0, "eos_token_id": 0}, 0, (0,)),
        (Tokenizer(bos_token_id=None, eos_token_id=5), {}, {}, 5, (5,)),
    ],
)
def test_texts_begin_and_end_as_tokenizer_and_model_say(tokenizer, generation, config, bos, stops):
    writer = writer_of(model_with(generation=generation, **config), tokenizer)
    assert (writer.codec.bos, writer.codec.stops) == (bos, stops)
    given = writer_of(model_with(generation=generation, **config), tokenizer, bos_token_id=3, eos_token_id=[4, 5])
    assert (given.codec.bos, given.codec.stops) == (3, (4, 5))


@pytest.mark.parametrize(
    ("generation", "decoding"),
    [
        (
            {"do_sample": True, "temperature": 0.7, "top_k": 20, "top_p": 0.9},
            Decoding(temperature=0.7, top_k=20, top_p=0.9),
        ),
        ({"do_sample": True, "temperature": None, "top_k": 0, "top_p": 1.0}, Decoding()),
        ({"do_sample": True}, Decoding(top_k=50)),
        ({"do_sample": None, "temperature": 0.7, "top_k": 50}, Decoding()),
        ({"do_sample": False, "temperature": 0.7}, Decoding()),
    ],
)
def test_decoding_is_that_of_a_model_that_samples(generation, decoding):
    assert writer_of(model_with(generation=generation)).decoding == decoding
    assert writer_of(model_with(generation=generation), temperature=0.1).decoding.temperature == 0.1


def test_decoding_that_cannot_be_taken_is_named_and_what_changes_nothing_is_not():
    generation = {"num_beams": 4, "repetition_penalty": 1.2, "typical_p": 1.0, "no_repeat_ngram_size": 0, "min_p": None}
    with pytest.warns(
        CollapseGuardWarning, match=r"without num_beams=4, repetition_penalty=1.2 of .* `generate=`"
    ) as told:
        writer_of(model_with(generation=generation))
    assert told[0].filename == __file__


def test_nothing_of_it_matters_where_the_user_decodes():
    def generate(module, prompts, seed):
        return prompts

    model = model_with(generation={"num_beams": 4, "do_sample": True, "temperature": 0.5}, n_positions=99)
    writer = writer_of(model, generate=generate)
    assert (writer.decoding, writer.max_length, writer.generate) == (Decoding(), 99, generate)
