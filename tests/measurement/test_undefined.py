"""What is undefined says why, and never that more samples would do where none would."""

from __future__ import annotations

import numpy as np
import pytest

from collapse_guard import Evidence, WildType
from collapse_guard.measurement.measure import measure, reference_readings

OF_RARE, OF_PAIRS = ("rare_coverage", "rare_mass"), ("lost_ngrams",)


def names(n: int, seed: int) -> list[str]:
    """Documents of one word that no other document has."""
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(["ma", "ri", "lo", "ken", "ta", "sho"], 4)) + f"x{seed}y{i}" for i in range(n)]


@pytest.fixture(scope="module")
def of_names() -> WildType:
    return WildType.fit(names(400, 0), group_tokens=64, group_samples=10)


@pytest.mark.parametrize("n", [20, 400])
def test_a_wild_type_without_rare_words_says_so_for_any_number_of_samples(of_names: WildType, n: int) -> None:
    for readings in (measure(of_names, Evidence(samples=names(n, 1))), reference_readings(of_names, sample_tokens=5)):
        for name in OF_RARE:
            assert readings[name].problem == "no word of the wild type is rare: each of 400 comes once"
        assert readings["lost_ngrams"].problem == "no two words of the wild type come twice in the same order"


def test_samples_of_one_word_have_no_pairs_however_many_they_are() -> None:
    rng = np.random.default_rng(2)
    words = [f"w{i}" for i in range(40)]
    wild_type = WildType.fit([" ".join(rng.choice(words, 20)) for _ in range(300)], group_tokens=128, group_samples=10)
    for n in (20, 2000):
        readings = measure(wild_type, Evidence(samples=[str(rng.choice(words)) for _ in range(n)]))
        assert readings["lost_ngrams"].problem == f"none of the {n} samples has 2 words: the longest has 1"
    few = measure(wild_type, Evidence(samples=["w1 w2"] * 20))
    assert few["lost_ngrams"].problem == ("20 samples fill 0 groups of 128 words, 5 are needed: 320 samples would do")


@pytest.mark.parametrize(("name", "length"), [("distinct_4", 4), ("repetition", 4), ("copied_ngrams", 8)])
def test_samples_shorter_than_an_n_gram_say_so(name: str, length: int) -> None:
    wild_type = WildType.fit([f"a{i} b{i % 7} c{i % 5} and so on" for i in range(100)], group_tokens=64)
    [token] = wild_type.encode(["a"])
    samples = [np.repeat(token, length - 1) for _ in range(30)]
    assert measure(wild_type, Evidence(samples=samples))[name].problem == (
        f"none of the 30 samples has {length} tokens: the longest has {length - 1}"
    )


def test_an_embedder_that_tells_nothing_apart_is_named() -> None:
    texts = [f"document number {i} of these" for i in range(100)]
    wild_type = WildType.fit(texts, embedder=lambda batch: np.ones((len(batch), 3)), group_samples=10)
    readings = measure(wild_type, Evidence(samples=texts))
    for name in ("vendi", "total_variance", "effective_rank", "coverage", "frechet"):
        assert readings[name].problem == f"the embedder gives all {len(wild_type.pool)} real texts the same vector"
