"""Words and rare words, against slow definitions."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collapse_guard.corpus.lexicon import count_words, rare_words, words


def slow_words(text: str) -> list[str]:
    """Character by character, as the docstring says it."""
    text = unicodedata.normalize("NFC", text).replace("’", "'").lower()
    found: list[str] = []
    open_word = False
    for place, letter in enumerate(text):
        following = text[place + 1 : place + 2]
        if is_ideograph(letter):
            found.append(letter)
            open_word = False
        elif is_letter(letter) or (open_word and unicodedata.category(letter).startswith("M")):
            if open_word:
                found[-1] += letter
            else:
                found.append(letter)
            open_word = True
        elif letter == "'" and open_word and is_letter(following):
            found[-1] += letter
        else:
            open_word = False
    return found


def is_ideograph(letter: str) -> bool:
    return any(low <= letter <= high for low, high in ("\u3400\u4dbf", "\u4e00\u9fff", "\uf900\ufaff"))


def is_letter(letter: str) -> bool:
    return letter.isalnum() and not is_ideograph(letter)


@given(st.text(st.sampled_from("abÉ9_ .-'’\u0301\u093e\u0915漢字ß\n") | st.characters(max_codepoint=0xFFFF)))
@example("rock'n'roll 'quoted' dogs' o''clock")
@example("e\u0301a\u0315'b")
@settings(max_examples=400)
def test_words_follow_their_definition(text: str) -> None:
    assert words(text) == slow_words(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Congress, in 1790; don’t!", ["the", "congress", "in", "1790", "don't"]),
        ("snake_case", ["snake", "case"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("대한민국 헌법", ["대한민국", "헌법"]),
        ("漢字かな", ["漢", "字", "かな"]),
        ("Cafe\u0301", ["café"]),
        ("", []),
        ("?! …", []),
    ],
)
def test_words_of_several_scripts(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.lists(st.text(alphabet="ab '"), max_size=8))
def test_counts_do_not_depend_on_the_order_of_texts(texts: list[str]) -> None:
    counts = count_words(texts)
    assert list(counts.items()) == list(count_words(reversed(texts)).items())
    assert sum(counts.values()) == sum(len(words(text)) for text in texts)
    assert list(counts) == sorted(counts)


@given(
    st.dictionaries(st.text(alphabet="abcd", min_size=1), st.integers(1, 12)),
    st.sampled_from([0.25, 0.5]) | st.floats(0.01, 0.99),
)
@example({"a": 2, "b": 3, "c": 5}, 0.5)
def test_rare_words_are_the_most_count_classes_that_fit_the_share(counts: dict[str, int], share: float) -> None:
    total = sum(counts.values())
    fits = []
    for limit in sorted({count for count in counts.values() if count >= 2}):
        chosen = {word: count for word, count in counts.items() if 2 <= count <= limit}
        if not fits or sum(chosen.values()) <= share * total:
            fits.append(chosen)
    assert rare_words(counts, share=share) == (fits[-1] if fits else {})


def test_words_that_occur_once_are_never_rare_words() -> None:
    assert rare_words({"once": 1, "twice": 2}, share=0.5) == {"twice": 2}
    assert rare_words({"once": 1}, share=0.5) == {}


def test_words_are_found_as_a_plain_expression_finds_them_in_english() -> None:
    text = "We the People of the United States, in Order to form a more perfect Union, establish Justice; it's 1787."
    assert words(text) == re.findall(r"[a-z0-9]+(?:'[a-z]+)?", text.lower())
