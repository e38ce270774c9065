"""What is trained with Hugging Face's trainers in tests, without a hub: a language, a tokenizer of it, and a GPT-2."""

from functools import cache

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from collapse_guard.wildtype import WildType

WORDS = [f"{onset}{vowel}{coda}" for onset in "bdfgklmnprst" for vowel in "aeiou" for coda in "nrst"]


def language(n, seed=0):
    """Documents of 8 to 16 words whose frequencies follow Zipf's law."""
    rng = np.random.default_rng(seed)
    shares = 1.0 / np.arange(1, len(WORDS) + 1)
    return [" ".join(rng.choice(WORDS, rng.integers(8, 17), p=shares / shares.sum())) for _ in range(n)]


@cache
def language_wild_type():
    """A wild type of it, in small groups."""
    small = {"vocabulary_size": 300, "group_tokens": 128, "group_samples": 16}
    return WildType.fit(language(500), seed=0, evaluation_fraction=0.3, **small)


def trained_tokenizer(texts):
    """A byte-level BPE as GPT-2 has, with ids that begin, end and pad a text."""
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "</s>", "<pad>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    bare.train_from_iterator(texts, trainer)
    named = dict(zip(("bos_token", "eos_token", "pad_token"), special, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=bare, **named)


def gpt2(tokenizer, **changes):
    """A GPT-2 of two layers, the same whenever it is made."""
    torch.manual_seed(0)
    sizes = {"n_layer": 2, "n_head": 2, "n_embd": 32, "n_positions": 64, "vocab_size": len(tokenizer)}
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    return GPT2LMHeadModel(GPT2Config(**{**sizes, **ids, **changes}))


def gpt2_items(texts, tokenizer):
    """Texts as ids between BOS and EOS, as a `Trainer` takes them."""
    encoded = (tokenizer.encode(text, add_special_tokens=False)[:30] for text in texts)
    return [{"input_ids": [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]} for ids in encoded]
