"""What can be read as text of a training batch, and how much of it is looked at."""

import pytest
import torch

from collapse_guard import WildType
from collapse_guard.errors import CollapseGuardWarning
from collapse_guard.guard.training_texts import N_BATCHES, TrainingTexts, texts_of_batch

WORDS = ["ka", "lo", "mi", "nu", "pe", "ra", "so", "ti", "vu", "we", "xa", "yo", "zi", "ba", "de", "fu"]


def decode(ids):
    return " ".join(WORDS[one % 16] + str(one) for one in ids)


@pytest.fixture(scope="module")
def wild_type():
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(5_000, (200, 40), generator=draw)
    return WildType.fit([decode(row) for row in ids.tolist()], vocabulary_size=300)


@pytest.mark.parametrize(
    ("batch", "texts"),
    [
        (torch.tensor([[0, 1], [2, 3]]), ["ka0 lo1", "mi2 nu3"]),
        (torch.tensor([[0, 1]], dtype=torch.int32), ["ka0 lo1"]),
        (torch.tensor([[0, -100]]), ["ka0"]),
        ({"attention_mask": torch.ones(1, 2).long(), "input_ids": torch.tensor([[2, 3]])}, ["mi2 nu3"]),
        ({"x": torch.tensor([[2, 3]])}, ["mi2 nu3"]),
        ([torch.zeros(2, 3), torch.tensor([[0, 1]])], ["ka0 lo1"]),
        ((torch.tensor([[0, 1]]), torch.tensor([[1, 2]])), ["ka0 lo1"]),
        ([[0, 1], [2]], ["ka0 lo1", "mi2"]),
        (["a text", "another"], ["a text", "another"]),
        ("a text", ["a text"]),
        ({"prompt": ["why"], "text": ["because"]}, ["because"]),
        (torch.zeros(2, 3), []),
        (torch.zeros(4, dtype=torch.int64), []),
        (torch.zeros(2, 3, 4, dtype=torch.int64), []),
        (torch.zeros(0, 3, dtype=torch.int64), []),
        ([], []),
        (None, []),
        (object(), []),
    ],
)
def test_texts_are_read_wherever_they_are(batch, texts):
    assert texts_of_batch(batch, decode) == texts


def test_ids_are_no_texts_without_a_decoder():
    assert texts_of_batch(torch.tensor([[0, 1]]), None) == []


def test_of_a_large_batch_the_first_rows_are_read():
    read = texts_of_batch(torch.zeros(5_000, 1_024, dtype=torch.int64), decode)
    assert len(read) * 1_024 == 16_384


class Counting:
    def __init__(self):
        self.calls = 0

    def __call__(self, ids):
        self.calls += 1
        return decode(ids)


def test_the_first_batches_are_looked_at_and_no_others(wild_type):
    count = Counting()
    texts = TrainingTexts(wild_type, count)
    for _ in range(3 * N_BATCHES):
        texts.see(torch.arange(60).reshape(2, 30))
    assert count.calls == 2 * N_BATCHES
    assert texts.found.texts == 2 * N_BATCHES


def test_a_decoder_that_fails_and_a_batch_without_texts_end_nothing(wild_type):
    texts = TrainingTexts(wild_type, lambda ids: 1 / 0)
    texts.see(torch.arange(60).reshape(2, 30))
    texts.see(object())
    assert texts.found is None


def test_a_leak_is_warned_of_once(wild_type):
    texts, leak = TrainingTexts(wild_type, None), list(wild_type.evaluation.texts)[:3]
    texts.see(list(wild_type.pool)[:3])
    with pytest.warns(CollapseGuardWarning, match=r"3 with 3 of \d+ evaluation documents, such as '.*Stop, and train"):
        texts.see(leak)
    texts.see(leak)
    assert texts.found.leaking == 6


def test_of_vectors_nothing_is_looked_at():
    vectors = WildType.fit_arrays(torch.randn(400, 3, generator=torch.Generator().manual_seed(0)).numpy())
    texts = TrainingTexts(vectors, decode)
    texts.see(["a text"])
    assert texts.found is None
