"""Words: how a text is split into words, how often each occurs, and which are rare. All rooms use the same rule."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping

_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_MARKS = "".join(chr(code) for code in range(0x10000) if unicodedata.category(chr(code)).startswith("M"))
_LETTER = rf"[^\W_{_IDEOGRAPHS}]"
_WORD = re.compile(rf"[{_IDEOGRAPHS}]|{_LETTER}+(?:[{_MARKS}]{_LETTER}*|'{_LETTER}+)*")


def words(text: str) -> list[str]:
    """Split a text into lower-cased Unicode words.

    A word is a run of letters and digits with their combining marks. An apostrophe between letters belongs to the word
    ("don't"); typographic and plain apostrophes count as the same. An ideograph is a word by itself. Scripts without
    spaces and without ideographs (Thai, kana) give one word per run.

    Example:
        >>> words("The Senate don’t re-read 1,000 laws_")
        ['the', 'senate', "don't", 're', 'read', '1', '000', 'laws']
    """
    return _WORD.findall(unicodedata.normalize("NFC", text).replace("’", "'").lower())


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
