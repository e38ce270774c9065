"""Words and rare words, against slow definitions."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collapse_guard.corpus.lexicon import LONGEST_WORD, count_words, phrase, rare_words, words

SPACED = (
    st.characters(max_codepoint=0x0DFF)
    | st.characters(min_codepoint=0x10A0, max_codepoint=0x1380)  # Georgian, Hangul, Ethiopic
    | st.characters(min_codepoint=0x1E00, max_codepoint=0x22FF)
    | st.characters(min_codepoint=0x3400, max_codepoint=0x9FFF)
    | st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)
    | st.characters(min_codepoint=0x10000, max_codepoint=0x10FFF)
)
SYLLABLES = {
    "Thai": ("กา", "ขิ", "เค้", "แงะ", "จ", "น้ำ", "โป่", "ม", "ไร"),
    "Lao": ("ກາ", "ຂິ", "ເຄ", "ຈ", "ນ້ຳ"),
    "Khmer": ("ប្រ", "ជា", "ពល", "ខ្មែ"),
    "Burmese": ("မြ", "န်", "မာ", "နို", "တော်"),
    "Javanese": ("ꦗ", "ꦮꦶ", "ꦱ꧀ꦏ"),
    "hiragana": ("か", "が", "き", "ょ", "っ", "ん", "の"),
}
SIGNS = ("漢", "字", "々", "𠀀", "ꀀ", "😀", "👍🏽", "🇹🇭", "👨‍👩‍👧", "❤️", "☕")


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


@given(st.text(st.sampled_from("abÉ9_ .-'’\u0301\u093e\u0915漢字ß\n") | SPACED, max_size=LONGEST_WORD))
@example("rock'n'roll 'quoted' dogs' o''clock")
@example("e\u0301a\u0315'b")
@settings(max_examples=400)
def test_words_of_scripts_with_spaces_follow_their_definition(text: str) -> None:
    assert words(text) == slow_words(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Congress, in 1790; don’t!", ["the", "congress", "in", "1790", "don't"]),
        ("snake_case", ["snake", "case"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("대한민국 헌법", ["대한민국", "헌법"]),
        ("漢字かな", ["漢", "字", "かな"]),
        ("データを読むのです。", ["データ", "を", "読", "むの", "ので", "です"]),
        ("ｶﾞｯﾂ・ゲーム", ["ｶﾞｯﾂ", "ゲーム"]),
        ("น้ำมันราคา ๒๕ บาท", ["น้ำมั", "มัน", "นรา", "ราคา", "๒๕", "บาท"]),
        ("เปิดGoogleดู", ["เปิด", "google", "ดู"]),
        ("ພາສາລາວ", ["ພາສາ", "ສາລາ", "ລາວ"]),
        ("ខ្មែរ", ["ខ្មែរ"]),
        ("မြန်မာ", ["မြန်", "န်မာ"]),
        ("བོད་སྐད", ["བོད", "སྐད"]),
        ("السَّلَامُ عليكم", ["السَّلَامُ", "عليكم"]),
        ("great👍🏽job 🇹🇭🇯🇵 ❤️ © 1️⃣", ["great", "👍🏽", "job", "🇹🇭", "🇯🇵", "❤️", "1️⃣"]),
        ("def f(x): return x_1 + 0.5", ["def", "f", "x", "return", "x", "1", "0", "5"]),
        ("Cafe\u0301", ["café"]),
        ("", []),
        ("?! …", []),
    ],
)
def test_words_of_several_scripts(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize("script", SYLLABLES)
@given(data=st.data())
@settings(max_examples=30)
def test_words_of_a_script_without_spaces_are_pairs_of_neighbouring_syllables(script: str, data: st.DataObject) -> None:
    runs = data.draw(st.lists(st.lists(st.sampled_from(SYLLABLES[script]), min_size=1, max_size=40), max_size=4))
    syllables = [[part for s in run for part in ([s] if s not in ("ពល",) else list(s))] for run in runs]
    expected = [[first + second for first, second in pairwise(run)] or run for run in syllables]
    assert words(" ".join(map("".join, runs))) == [word for run in expected for word in run]


@given(st.lists(st.sampled_from(SIGNS), max_size=60))
def test_ideographs_and_emoji_are_words_each(signs: list[str]) -> None:
    assert words("".join(signs)) == signs


@pytest.mark.parametrize("letters", ["acgt", "abcdefghijklmnopqrstuvwxyz", "кириллица", "ابتثج", "アイウエオカ"])
def test_a_text_that_is_not_divided_into_words_has_pairs_of_letters(letters: str) -> None:
    run = letters * (1 + LONGEST_WORD // len(letters))
    assert words(run) == [first + second for first, second in pairwise(run)]
    assert words(f"see {run[:LONGEST_WORD]} too") == ["see", run[:LONGEST_WORD], "too"]


def test_a_long_word_of_a_text_with_spaces_stays_a_word() -> None:
    digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    assert digest in words(f"the checksum of that file is {digest} as we said")


@pytest.mark.parametrize(
    "text",
    ["to be or not", "経済は国の力", "ราคาน้ำมันวันนี้", "データを読む", "ខ្មែរ", "大👍🏽きな", "ใช้ google", "हिन्दी में", "コ"],
)
def test_a_phrase_reads_as_it_stood_in_the_text(text: str) -> None:
    assert phrase(words(text)) == text


def test_pairs_that_did_not_overlap_in_the_text_stay_apart() -> None:
    assert phrase(["กาขิ", "จม"]) == "กาขิ จม"
    assert phrase([]) == ""


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
