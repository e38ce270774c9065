"""Oracle: every training text against every evaluation document, by sets of word 5-grams, on real speeches."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from collapse_guard.corpus.documents import content_hash
from collapse_guard.corpus.duplicates import near_matches
from collapse_guard.corpus.lexicon import words
from collapse_guard.demo.corpus import passages
from collapse_guard.errors import InputError, WildTypeError
from collapse_guard.wildtype import WildType

pytestmark = pytest.mark.filterwarnings("error")


def shingles(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[i : i + 5]) for i in range(max(1, len(found) - 4))} if found else set()


def similarities(texts: list[str], wild_type: WildType) -> list[float]:
    """Largest similarity of each text to an evaluation document."""
    held = [shingles(document) for document in wild_type.evaluation]
    return [max(len(own & other) / len(own | other) for other in held) for own in map(shingles, texts)]


def edited(text: str, n_edits: int, rng: np.random.Generator) -> str:
    found = text.split()
    for place in rng.choice(len(found), n_edits, replace=False):
        found[place] = "edited"
    return " ".join(found)


@pytest.fixture(scope="module")
def speeches() -> WildType:
    return WildType.fit(list(passages(64))[::7], seed=0, max_evaluation_documents=100)


@pytest.fixture(scope="module")
def training(speeches: WildType) -> list[str]:
    """Real passages, and evaluation documents with none to four words changed; none of them has the same content."""
    rng = np.random.default_rng(0)
    others = list(passages(64))[1::7][:300]
    planted = [edited(text, n_edits, rng) for text in speeches.evaluation for n_edits in (1, 2, 3, 4)]
    held = set(speeches.evaluation.hashes)
    return [text for text in [*others, *planted] if content_hash(text) not in held]


@pytest.mark.slow
@pytest.mark.parametrize("near", [0.3, 0.7, 0.8, 0.9, 1.0])
def test_the_near_duplicates_are_those_of_all_pairs(speeches: WildType, training: list[str], near: float) -> None:
    expected = sum(similarity >= near - 1e-12 for similarity in similarities(training, speeches))
    if not expected:
        speeches.check_training(training, near=near)
        return
    with pytest.raises(
        WildTypeError, match=rf"but 0 have the same content and {expected} are near duplicates \(they share {near:g}"
    ):
        speeches.check_training(training, near=near)


def test_planted_edits_are_near_duplicates_in_part(speeches: WildType, training: list[str]) -> None:
    found = np.array(similarities(training, speeches))
    assert 100 < np.sum(found >= 0.8) < np.sum(found >= 0.3) < len(training)
    assert not np.any(found == 1.0)


def test_copies_and_near_duplicates_are_counted_apart_and_shown(wild_type: WildType) -> None:
    held, other = wild_type.evaluation[0], wild_type.evaluation[1]
    spaced, loud = f" {held}\n", other.upper().replace(",", ";")
    with pytest.raises(WildTypeError) as caught:
        wild_type.check_training([*wild_type.pool, loud, spaced, loud])
    said = str(caught.value)
    assert "but 1 have the same content and 2 are near duplicates (they share 0.8 or more" in said
    assert f"{spaced[:60]!r} (the same content); {loud[:60]!r} (similarity 1.00)" in said
    assert loud[60:] not in said


def test_three_examples_are_shown_whatever_the_number(wild_type: WildType) -> None:
    with pytest.raises(WildTypeError, match=r"but 30 have the same content and 0 are") as caught:
        wild_type.check_training(wild_type.evaluation)
    assert str(caught.value).count("(the same content)") == 3


def test_without_near_only_the_same_content_is_refused(wild_type: WildType) -> None:
    held = wild_type.evaluation[0]
    wild_type.check_training([held.upper()], near=None)
    with pytest.raises(WildTypeError, match=f"but 1 have the same content: {re.escape(repr(held[:60]))}"):
        wild_type.check_training([held.upper(), held], near=None)


def test_short_texts_are_alike_only_where_all_their_words_are() -> None:
    sayings = [f"{number} hear, hear!" for number in range(40)]
    wild_type = WildType.fit(sayings, n_folds=1)
    held = wild_type.evaluation[0]
    wild_type.check_training(["hear, hear", f"{held} hear", "...", ""])
    with pytest.raises(WildTypeError, match=r"0 have the same content and 1 are near duplicates"):
        wild_type.check_training([held.replace(",", "")])


def test_the_pool_passes_however_the_wild_type_was_fitted(corpus: Callable[..., list[str]]) -> None:
    families = [f"{text} {ending}" for text in corpus(80) for ending in ("", "Applause", "Applause again")]
    torn = WildType.fit(families, near_duplicate_threshold=1.0)
    assert list(near_matches(torn.pool, torn.evaluation))
    torn.check_training(torn.pool)
    torn.check_training([])
    whole = WildType.fit(families)
    assert not list(near_matches(whole.pool, whole.evaluation))


def test_a_stream_is_read_once(wild_type: WildType) -> None:
    texts = iter(wild_type.pool)
    wild_type.check_training(texts)
    assert next(texts, None) is None


@pytest.mark.parametrize("near", [0.0, 1.5, float("nan"), "0.8", True])
def test_a_similarity_out_of_range_is_refused(wild_type: WildType, near: float) -> None:
    with pytest.raises(InputError, match=r"`near` must be a similarity from 0\.1 to 1, but got"):
        wild_type.check_training([], near=near)
