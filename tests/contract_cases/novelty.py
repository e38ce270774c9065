"""An item is a sample: token ids, or a text."""

import torch

from collapse_guard.indicators import novelty
from contract_cases.case import ITEMS, Case

VOCABULARY, N = 7, 3
TRAINING_IDS = [[0, 1, 2, 3, 4, 5, 6, 0, 1], [6, 5, 4, 3], [2, 2, 2]]
WORDS = [f"w{i}" for i in range(30)]
DOCUMENTS = [" ".join(WORDS[:20]), " ".join(WORDS[10:]), "the end"]


def sequences(rng):
    return [torch.tensor(rng.integers(VOCABULARY, size=rng.integers(4, 12))) for _ in range(ITEMS)]


def texts(rng):
    """Excerpts with some words changed, in turn more and fewer"""
    items = []
    for i in range(ITEMS):
        start, size = rng.integers(0, 15), rng.integers(3, 14)
        words = WORDS[start : start + size]
        for place in rng.integers(0, size, i % 3):
            words[place] = "new"
        items.append(" ".join(words))
    return items


def as_list(items):
    return (items,)


def grams(ids, n):
    return [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]


def slow_copied(items):
    known = {gram for document in TRAINING_IDS for gram in grams(document, N)}
    found = [gram in known for ids in items for gram in grams(ids.tolist(), N)]
    return sum(found) / len(found)


def slow_near(items, threshold=0.5):
    def shingles(text):
        return set(grams(text.split(), 5)) or {tuple(text.split())}

    near = [max(len(shingles(t) & shingles(d)) / len(shingles(t)) for d in DOCUMENTS) >= threshold for t in items]
    return sum(near) / len(near)


CASES = {
    "copied_ngrams": Case(
        metric=lambda: novelty.CopiedNgrams(novelty.NgramIndex.of(TRAINING_IDS, n=N)),
        pure=novelty.copied_ngrams,
        items=sequences,
        batch=as_list,
        slow=slow_copied,
        collapse=lambda items: [torch.tensor(TRAINING_IDS[i % 2]) for i in range(len(items))],
    ),
    "near_duplicates": Case(
        metric=lambda: novelty.NearDuplicates(novelty.TrainingIndex.of(DOCUMENTS), threshold=0.5),
        pure=novelty.near_duplicates,
        items=texts,
        batch=as_list,
        slow=slow_near,
        collapse=lambda items: [DOCUMENTS[i % 3] for i in range(len(items))],
    ),
}
