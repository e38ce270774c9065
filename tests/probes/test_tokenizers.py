import pickle

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from collapse_guard.errors import InputError
from collapse_guard.probes.tokenizers import Codec

WORDS = {"<|bos|>": 0, "<|pad|>": 1, "a": 2, "b": 3, "c": 4}


def plain_tokenizer(vocabulary=WORDS):
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="a"))  # noqa: S106
    tokenizer.pre_tokenizer = Whitespace()
    return tokenizer


class HuggingFaceLike:
    """The part of the interface of `transformers` tokenizers that matters: special tokens unless told otherwise."""

    bos_token_id, eos_token_id, padding_side = 7, 8, "right"

    def encode(self, text, text_pair=None, add_special_tokens=True, **kwargs):
        ids = [10 + ord(letter) for letter in text]
        return [7, *ids, 8] if add_special_tokens else ids

    def decode(self, token_ids, skip_special_tokens=False, clean_up_tokenization_spaces=True, **kwargs):
        kept = [token for token in token_ids if not (skip_special_tokens and token < 10)]
        text = "".join(chr(token - 10) for token in kept)
        return text.replace(" .", ".") if clean_up_tokenization_spaces else text


class Bare:
    """The least that will do."""

    def encode(self, text):
        return [len(word) for word in text.split()]

    def decode(self, ids):
        return " ".join("x" * id_ for id_ in ids)


def test_the_tokenizers_library_is_read_through_its_encodings():
    codec = Codec(plain_tokenizer())
    assert codec.encode("c a b") == [4, 2, 3]
    assert codec.decode([4, 2]) == "c a"
    assert (codec.bos, codec.stops) == (0, ())


def test_special_tokens_are_neither_added_nor_read():
    tokenizer = plain_tokenizer()
    tokenizer.post_processor = TemplateProcessing(single="<|bos|> $A", special_tokens=[("<|bos|>", 0)])
    tokenizer.add_special_tokens(["<|bos|>"])
    assert tokenizer.encode("a").ids == [0, 2]
    assert Codec(tokenizer).encode("a") == [2]
    assert Codec(tokenizer).decode([0, 2]) == "a"


def test_padding_and_truncation_are_switched_off_for_us_and_left_on_for_the_user():
    tokenizer = plain_tokenizer()
    tokenizer.enable_padding(length=6, pad_id=1, pad_token="<|pad|>")  # noqa: S106
    tokenizer.enable_truncation(2)
    settings = tokenizer.to_str()
    assert Codec(tokenizer).encode("a b c") == [2, 3, 4]
    assert tokenizer.to_str() == settings


def test_a_hugging_face_tokenizer_brings_its_own_ids():
    codec = Codec(HuggingFaceLike())
    assert (codec.bos, codec.stops) == (7, (8,))
    assert codec.encode("a .") == [10 + ord(letter) for letter in "a ."]
    assert codec.decode([7, *codec.encode("a ."), 8]) == "a ."


def test_given_ids_win_over_the_tokenizers():
    codec = Codec(HuggingFaceLike(), bos_token_id=0, eos_token_id=1)
    assert (codec.bos, codec.stops) == (0, (1,))


def test_a_tokenizer_may_be_two_functions():
    letters = "abc"
    codec = Codec(
        lambda text: list(map(letters.index, text)), lambda ids: "".join(letters[id_] for id_ in ids), bos_token_id=3
    )
    assert codec.encode("cab") == [2, 0, 1]
    assert codec.decode([1, 1]) == "bb"
    with pytest.raises(InputError, match=r"`tokenizer` must have encode and decode, but got .* without decode: give a"):
        Codec(lambda text: [0], bos_token_id=3)


def test_a_function_that_decodes_takes_the_place_of_the_tokenizers():
    assert Codec(plain_tokenizer(), lambda ids: "!" * len(ids)).decode([2, 3]) == "!!"


def test_a_codec_goes_to_the_processes_that_are_spawned():
    codec = pickle.loads(pickle.dumps(Codec(plain_tokenizer(), eos_token_id=3)))  # noqa: S301
    assert codec.decode(codec.encode("c a b")) == "c a b"
    assert codec.stops == (3,)


def test_several_ids_may_end_a_sample():
    assert Codec(plain_tokenizer(), eos_token_id=[3, 4]).stops == (3, 4)


class Indexed(Bare):
    """As sentencepiece, which raises for ids that it lacks."""

    def decode(self, ids):
        return "".join("abcd"[id_] for id_ in ids)


class Converting(HuggingFaceLike):
    def convert_ids_to_tokens(self, id_):
        return "x" if id_ < 200 else None


@pytest.mark.parametrize(
    ("tokenizer", "ids", "text"),
    [
        (plain_tokenizer(), [2, 77, 3, 4, 9, 9], "a�b c��"),
        (Indexed(), [0, 4, 1, 2], "a�bc"),
        (Converting(), [107, 200, 108], "a�b"),
        (Indexed(), [], ""),
    ],
)
def test_ids_that_a_tokenizer_does_not_know_are_signs_and_no_errors(tokenizer, ids, text):
    assert Codec(tokenizer, bos_token_id=0).decode(ids) == text


def test_what_tiktoken_refuses_in_a_text_is_encoded_as_text():
    class TiktokenLike(Bare):
        def encode(self, text, *, allowed_special=frozenset(), disallowed_special="all"):
            assert disallowed_special == ()
            return super().encode(text)

    assert Codec(TiktokenLike(), bos_token_id=0).encode("<|endoftext|> a") == [13, 1]


def test_the_least_interface_will_do_when_the_first_id_is_given():
    codec = Codec(Bare(), bos_token_id=99)
    assert codec.encode("one three") == [3, 5]
    assert codec.decode([1, 2]) == "x xx"


@pytest.mark.parametrize("tokenizer", [Bare(), plain_tokenizer({"a": 0})])
def test_a_tokenizer_without_a_first_id_is_refused(tokenizer):
    with pytest.raises(InputError, match="`bos_token_id` must be given: the tokenizer names none"):
        Codec(tokenizer)


def test_what_is_no_tokenizer_is_refused():
    with pytest.raises(InputError, match="`tokenizer` must have encode and decode, but got 'gpt2' without decode"):
        Codec("gpt2")
