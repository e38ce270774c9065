"""A checkpoint of Hugging Face is loaded with its tokenizer, to be measured from the command line."""

import pytest
import torch

from collapse_guard.errors import InputError
from collapse_guard.transformers.checkpoint import load


def test_a_saved_model_is_loaded_with_the_settings_that_it_has(model, tokenizer, tmp_path):
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    loaded, probe = load(tmp_path)
    ids = torch.arange(12).reshape(2, 6)
    model.eval()
    assert torch.equal(loaded(ids).logits, model(ids).logits)
    assert probe.writer.max_length == 64
    assert probe.writer.codec.encode("ban bot") == tokenizer.encode("ban bot", add_special_tokens=False)


def test_a_model_without_a_tokenizer_is_not_guessed(model, tmp_path):
    model.save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"must hold the model's tokenizer: `tokenizer.save_pretrained\("):
        load(tmp_path)
