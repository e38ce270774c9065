"""Words: how a text is split into words, how often each occurs, and which are rare. All rooms use the same rule."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import regex

LONGEST_WORD = 24
"""Letters of the longest word of katakana, and of the longest word in a text that is hardly divided into words."""
_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_MARKS = "".join(chr(code) for code in range(0x10000) if unicodedata.category(chr(code)).startswith("M"))
_LETTER = rf"[^\W_{_IDEOGRAPHS}]"
_WORD = re.compile(rf"{_LETTER}++(?:[{_MARKS}]{_LETTER}*+|'{_LETTER}++)*+|[{_IDEOGRAPHS}]")
# What is not in these ranges may be in `_UNSPACED`: one class of `re`, which is far faster than `regex`.
_HINT = re.compile(
    "[^\0-\u0e00\u0f00-\u0fff\u10a0-\u177f\u1800-\u194f\u1b00-\u1b04\u1c00-\u22ff\u2c00-\u3004\u3008-\u3020\u3100-\u31ef"
    "\u3200-\u9fff\ua4d0-\ua97f\uab00-\ufe0e\ufe10-\uff65\uffa0-\uffff]"
)
# Letters of scripts that UAX 14 breaks by a dictionary (SA) or between syllables (the others): no spaces between words.
_BREAKS = "".join(rf"\p{{Line_Break={kind}}}" for kind in ("SA", "AK", "AP", "AS", "VF", "VI"))
_COMPLEX = rf"[[{_BREAKS}]&&[\p{{L}}\p{{M}}]]"
_HIRAGANA, _KATAKANA = (rf"[\p{{Script_Extensions={script}}}&&\p{{L}}]" for script in ("Hiragana", "Katakana"))
_PICTOGRAPH = r"[\p{Emoji_Presentation}\p{Regional_Indicator}[\p{Extended_Pictographic}--[\0-\U0001efff]]]"
_UNSPACED = regex.compile(
    rf"""(?xV1)
    (?P<run> (?=\p{{L}}) {_COMPLEX} [{_COMPLEX}\p{{M}}]* | (?=\p{{Hiragana}}) {_HIRAGANA} [{_HIRAGANA}\p{{M}}]* )
    | (?P<katakana> (?=\p{{Katakana}}) {_KATAKANA} [{_KATAKANA}\p{{M}}]* )
    | (?P<ideographs> [\p{{Ideographic}}々〻[\p{{Yi}}&&\p{{L}}]]+ )
    | (?P<emoji> (?={_PICTOGRAPH}|\p{{Extended_Pictographic}}\ufe0f)\X )
    """
)
# In Thai and Lao, vowels before a consonant are letters, and so are some behind it.
_SYLLABLE = regex.compile(r"\p{Logical_Order_Exception}?\X[\p{M}\u0e30\u0e32\u0e45\u0eb0\u0eb2]*")


def words(text: str) -> list[str]:
    """Split a text into lower-cased Unicode words.

    A word is a run of letters and digits with their combining marks. An apostrophe between letters belongs to the word
    ("don't"); typographic and plain apostrophes count as the same.

    Scripts without spaces between words have other words:

    - An ideograph is a word by itself, and so is an emoji (with its skin tone, joined figures, or as a flag).
    - A run of katakana is a word, as in UAX 29, up to 24 letters.
    - Of a run of hiragana, Thai, Lao, Khmer, Burmese, Javanese and their like, each pair of neighbouring syllables is a
      word; pairs overlap, and a syllable alone is a word. To find the words of a reader takes a dictionary, whose next
      version would measure something else. What is called a syllable here is a grapheme cluster of UAX 29 with the
      vowel signs that stand before or behind it.
    - In a text that is hardly divided, with more than 24 characters for each word (DNA, or spaces left out), each word
      of more than 24 letters gives way to its pairs of neighbouring letters.

    Example:
        >>> words("The Senate don’t re-read 1,000 laws_")
        ['the', 'senate', "don't", 're', 'read', '1', '000', 'laws']
        >>> words("น้ำมัน 2 ลิตร"), words("データを読む👍🏽")
        (['น้ำมั', 'มัน', '2', 'ลิต', 'ตร'], ['データ', 'を', '読', 'む', '👍🏽'])
    """
    text = unicodedata.normalize("NFC", text).replace("’", "'").lower()
    found = _WORD.findall(text) if text.isascii() or not _HINT.search(text) else list(_words_of_any_script(text))
    if len(text) <= LONGEST_WORD * len(found):
        return found
    return [part for word in found for part in _parts(word)]


def has_spaces(text: str) -> bool:
    """Whether a text is divided into words by spaces alone: no version of Unicode or of this rule divides it otherwise.

    Example:
        >>> has_spaces("The Senate re-read the laws."), has_spaces("น้ำมัน"), has_spaces("acgt" * 10)
        (True, False, False)
    """
    return (text.isascii() or not _HINT.search(text)) and len(text) <= LONGEST_WORD * (1 + text.count(" "))


def phrase(parts: Sequence[str]) -> str:
    """Words that follow each other, put together for a reader: with spaces only where their script has them.

    Example:
        >>> phrase(["do", "not"]), phrase(["น้ำมั", "มัน"]), phrase(["経", "済", "は"])
        ('do not', 'น้ำมัน', '経済は')
    """
    text = " ".join(parts)
    if text.isascii() or not _UNSPACED.search(text):
        return text
    return "".join([*parts[:1], *(_continuation(before, part) for before, part in pairwise(parts))])


def _continuation(before: str, part: str) -> str:
    """What a word adds to the text that ends with the word before it."""
    first, second = _UNSPACED.fullmatch(before), _UNSPACED.fullmatch(part)
    if not first or not second:
        return f" {part}"
    if first.lastgroup == second.lastgroup == "run":
        shared = _SYLLABLE.findall(before)[-1]
        return part[len(shared) :] if part != shared and part.startswith(shared) else f" {part}"
    return part


def _words_of_any_script(text: str) -> Iterator[str]:
    end = 0
    for match in _UNSPACED.finditer(text):
        yield from _WORD.findall(text, end, match.start())
        end = match.end()
        yield from _SPLIT[str(match.lastgroup)](match[0])
    yield from _WORD.findall(text, end)


def _parts(word: str) -> list[str]:
    """A word, or its pairs of neighbouring letters if it is too long for one."""
    return [word] if len(word) <= LONGEST_WORD else _pairs(word)


def _pairs(run: str) -> list[str]:
    syllables = _SYLLABLE.findall(run)
    return [first + second for first, second in pairwise(syllables)] or syllables


_SPLIT: dict[str, Callable[[str], Iterable[str]]] = {
    "run": _pairs,
    "katakana": _parts,
    "ideographs": iter,
    "emoji": lambda emoji: [emoji],
}


def count_words(texts: Iterable[str]) -> dict[str, int]:
    """Count the occurrences of every word, in sorted order, so that equal corpora give equal mappings.

    Example:
        >>> count_words(["to be", "or not to be"])
        {'be': 2, 'not': 1, 'or': 1, 'to': 2}
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(words(text))
    return {sys.intern(word): counts[word] for word in sorted(counts)}


def rare_words(counts: Mapping[str, int], *, share: float) -> dict[str, int]:
    """Select the rarest words that occur at least twice and together have at most `share` of all occurrences.

    Words are taken from the rarest upward. Words of equal count are taken together or not at all, so the set does not
    depend on an order. Words that occur once are left out: half of them would be absent from another sample of the same
    source. The lowest count is always taken, even if it alone exceeds `share` (in corpora of some ten thousand words),
    so the set is empty only if no word occurs twice.

    Args:
        counts: word -> occurrences.
        share: Largest part of all occurrences that the set may have, in (0, 1).

    Returns:
        word -> occurrences, in the order of `counts`.

    Example:
        >>> rare_words({"a": 90, "b": 3, "c": 2, "d": 2, "e": 1}, share=0.05)
        {'c': 2, 'd': 2}
    """
    classes = Counter(count for count in counts.values() if count >= 2)
    allowed = share * sum(counts.values())
    limit, carried = 0, 0
    for count in sorted(classes):
        carried += count * classes[count]
        if limit and carried > allowed:
            break
        limit = count
    return {word: count for word, count in counts.items() if 2 <= count <= limit}
