"""Fitting splits documents disjointly, completely, by clusters, and says what it cannot use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.corpus.documents import content_hash
from collapse_guard.corpus.duplicates import duplicate_labels
from collapse_guard.errors import InputError
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.splitting import split_clusters

pytestmark = pytest.mark.filterwarnings("error")

Corpus = Callable[..., list[str]]


def test_evaluation_and_pool_are_disjoint_and_complete(wild_type: WildType, corpus: Corpus) -> None:
    evaluation, pool = set(wild_type.evaluation.hashes), set(wild_type.pool.hashes)
    assert not evaluation & pool
    assert evaluation | pool == {content_hash(text) for text in corpus()}
    assert len(evaluation) == len(wild_type.evaluation) == 30


def test_folds_are_near_equal_disjoint_parts_of_evaluation(wild_type: WildType) -> None:
    assert [len(fold) for fold in wild_type.folds] == [8, 8, 7, 7]
    assert [text for fold in wild_type.folds for text in fold] == wild_type.evaluation.texts


def test_exact_duplicates_and_blanks_are_dropped(corpus: Corpus) -> None:
    texts = corpus(60)
    messy = [*texts, "", "  \n", *(f"  {text}\n" for text in texts)]
    wild_type = WildType.fit(messy)
    assert len(wild_type.evaluation) + len(wild_type.pool) == len(set(texts))


def test_near_duplicates_stay_on_one_side(corpus: Corpus) -> None:
    texts = corpus(80)
    families = [f"{text} {ending}" for text in texts for ending in ("", "Applause", "Applause again")]
    wild_type = WildType.fit(families, evaluation_fraction=0.3, near_duplicate_threshold=0.7)
    both = wild_type.evaluation.texts + wild_type.pool.texts
    labels = duplicate_labels(both, threshold=0.7)
    on_left, on_right = labels[: len(wild_type.evaluation)], labels[len(wild_type.evaluation) :]
    assert len(set(labels.tolist())) <= 80
    assert not set(on_left.tolist()) & set(on_right.tolist())
    assert len(wild_type.evaluation) == 72


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.integers(0, 40), st.integers(0, 3), st.randoms())
def test_the_split_draws_whole_clusters_and_ignores_the_order(
    labels: list[int], n_evaluation: int, seed: int, random: object
) -> None:
    keys = [f"{label}-{place}" for place, label in enumerate(labels)]
    split = split_clusters(np.array(labels), keys, n_evaluation=n_evaluation, seed=seed)
    evaluation = [keys[i] for i in split.evaluation]
    assert sorted([*split.evaluation.tolist(), *split.pool.tolist()]) == list(range(len(labels)))
    assert len(evaluation) <= n_evaluation
    assert not {labels[i] for i in split.evaluation} & {labels[i] for i in split.pool}
    order = list(range(len(labels)))
    random.shuffle(order)  # type: ignore[attr-defined]
    again = split_clusters(
        np.array([labels[i] for i in order]), [keys[i] for i in order], n_evaluation=n_evaluation, seed=seed
    )
    assert [keys[order[i]] for i in again.evaluation] == evaluation


def test_each_document_is_for_evaluation_as_often_as_the_fraction_says() -> None:
    keys = [str(i) for i in range(50)]
    labels = np.arange(50)
    n_drawn = Counter(
        int(i) for seed in range(2000) for i in split_clusters(labels, keys, n_evaluation=10, seed=seed).evaluation
    )
    counts = np.array([n_drawn[i] for i in range(50)])
    # Binomial(2000, 0.2): standard deviation 17.9; five of them over 50 documents fail once in 35,000 runs.
    assert np.abs(counts - 400).max() < 5 * 17.9


@pytest.mark.slow
def test_a_document_of_any_length_belongs_to_a_wild_type(corpus: Corpus) -> None:
    long = " ".join(corpus(100) * 200)
    wild_type = WildType.fit([*corpus(60), long])
    assert content_hash(long) in wild_type.evaluation.hashes + wild_type.pool.hashes


@pytest.mark.parametrize("n", [0, 1, 19])
def test_too_few_documents_say_how_many_are_needed(corpus: Corpus, n: int) -> None:
    repeated = [*corpus(n), "", " "] * 10
    with pytest.raises(InputError, match=f"at least 20 distinct documents that are not blank, but got {n}"):
        WildType.fit(repeated)


def test_documents_that_are_all_alike_cannot_be_split() -> None:
    texts = [f"{'in the matter of the petition it is hereby resolved that ' * 4} {i}" for i in range(40)]
    with pytest.raises(InputError, match=r"at least 4 for evaluation .* 40 documents in 1 clusters .* give 0 and 40"):
        WildType.fit(texts)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", -1),
        ("evaluation_fraction", 0.0),
        ("evaluation_fraction", 1.0),
        ("max_evaluation_documents", 0),
        ("n_folds", 0),
        ("vocabulary_size", 257),
        ("embedding_dim", 0),
        ("group_tokens", 0),
        ("group_samples", 1),
        ("rare_share", float("nan")),
        ("near_duplicate_threshold", 0.05),
        ("n_clusters", 1),
    ],
)
def test_an_argument_out_of_range_is_named(name: str, value: float, corpus: Corpus) -> None:
    with pytest.raises(InputError, match=f"`{name}`: Input should be .* got {value}"):
        WildType.fit(corpus(), **{name: value})  # type: ignore[arg-type]


def test_a_pool_that_is_too_small_for_the_neighbours_of_a_document_is_refused(corpus: Corpus) -> None:
    with pytest.raises(InputError, match=r"at least 4 for evaluation .* and 6 in the pool, but .* give 15 and 5"):
        WildType.fit(corpus(20), evaluation_fraction=0.75)
    assert len(WildType.fit(corpus(20), evaluation_fraction=0.7).pool) == 6


def test_more_folds_than_evaluation_documents_are_refused(corpus: Corpus) -> None:
    with pytest.raises(InputError, match=r"at least 4 for evaluation .* give 3 and 197"):
        WildType.fit(corpus(), max_evaluation_documents=3)


def test_each_pass_over_the_documents_is_watched(corpus: Corpus) -> None:
    seen: dict[str, list[int]] = {}

    def watch(doing: str, texts: Iterable[str], n: int) -> Iterator[str]:
        seen[doing] = [n, 0]
        for text in texts:
            seen[doing][1] += 1
            yield text

    watched = WildType.fit(corpus(), watch=watch)
    assert watched.fingerprint == WildType.fit(corpus()).fingerprint
    n = len(watched.evaluation) + len(watched.pool)
    assert seen == {
        "looking for near duplicates": [n, n],
        "counting words": [n, n],
        "training the tokenizer": [len(watched.pool)] * 2,
    }
