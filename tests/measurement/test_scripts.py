"""Text of every script, code and tables: a collapse is found, none is invented, and every indicator has its value."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from collapse_guard import Evidence, Severity, WildType, assess
from collapse_guard.decision.policy import DECIDES

pytestmark = pytest.mark.slow

N_WORDS = 400
LENGTH = 24


class Script(NamedTuple):
    """How words are spelled, and what stands between them."""

    syllables: str
    between: str = ""
    n_syllables: tuple[int, ...] = (1, 2, 3)


SCRIPTS = {
    "Thai": Script("กา ขิ เค้ แง จ น้ำ โป่ ม ไร อยู่ ส ต้อ ด ว"),
    "Lao": Script("ກາ ຂິ ເຄ ຈ ນ້ຳ ມ ໄຊ ບໍ່ ລາ ວ"),
    "Khmer": Script("ប្រ ជា ព ល ខ្មែ រ កម្ពុ ជា ស ន្តិ ភា"),
    "Burmese": Script("မြ န် မာ နို င် ငံ တော် သ မ္မ တ"),
    "hiragana": Script("か が き ょ っ ん の は ま り を る"),
    "katakana": Script("カ ガ ッ ト ー ン ピ ュ タ ル", "・"),
    "Japanese": Script("経 済 の は を 日 本 データ コピー 人 々 が ます する 国 会"),
    "Chinese": Script("的 一 是 在 不 了 有 和 人 这 中 大 为 上 个 国 我 以 要 他", n_syllables=(1, 2)),
    "Arabic": Script("كت اب مد رس ة ال سل ام عل يك م", " "),
    "Devanagari": Script("हि न्दी में भा र त की स र का", " "),
    "emoji": Script("😀 👍🏽 🇹🇭 ❤️ ☕ 🐘 👩‍🌾 🍚 🎉 🚀 🌧️ 🐟 🔥 🌙", n_syllables=(1, 2)),
    "code": Script("get set _ Index ( x ) node [i] = + 1 .map return for", " "),
    "table": Script("1 2 3 7 0 9 . - nan A B", ","),
    "no spaces": Script("to be or not sen ate law tax war con gress"),
    "letters": Script("A C G T", n_syllables=(3, 4, 5)),
}

Writer = Callable[..., list[str]]


def writer(script: Script) -> Writer:
    """Documents of words whose frequencies follow Zipf's law; fewer words are a collapse."""
    rng = np.random.default_rng(11)
    syllables = script.syllables.split()
    words = ["".join(rng.choice(syllables, rng.choice(script.n_syllables))) for _ in range(N_WORDS)]

    def write(n: int, seed: int, *, n_words: int = N_WORDS) -> list[str]:
        rng = np.random.default_rng(seed)
        shares = 1.0 / np.arange(2, n_words + 2)
        drawn = rng.choice(n_words, size=(n, LENGTH), p=shares / shares.sum())
        return [script.between.join(words[i] for i in row) for row in drawn]

    return write


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_collapse_is_found_and_none_is_invented(name: str) -> None:
    write = writer(SCRIPTS[name])
    wild_type = WildType.fit(write(900, 1), group_tokens=512, group_samples=16, vocabulary_size=600)
    history = [assess(wild_type, Evidence(samples=write(500, 2)))]
    healthy = assess(wild_type, Evidence(samples=write(500, 3)), history=history)
    collapsed = assess(wild_type, Evidence(samples=write(500, 4, n_words=12)), history=history)
    for result in (*history, healthy, collapsed):
        said = [reason.sentence for reason in result.verdict.reasons]
        assert not [
            text for text in said if "all samples are equal" in text or "would do" in text or "undefined" in text
        ]
        assert not {name: r.problem for name, r in result.readings.items() if r.problem and name in DECIDES}
    assert healthy.verdict.severity is not Severity.COLLAPSED
    assert collapsed.verdict.severity is Severity.COLLAPSED
    lost = [c for c in collapsed.comparisons if c.indicator == "lost_ngrams" and c.baseline == "founder"]
    assert lost[0].low > 0.1
    learnt = [c for c in collapsed.comparisons if c.indicator == "reverse_perplexity" and c.baseline == "founder"]
    assert learnt[0].low > 0.1
    worth = [result.readings["real_equivalent"].interval for result in (collapsed, healthy)]
    assert worth[0].high < worth[1].low
