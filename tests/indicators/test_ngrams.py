"""n-gram keys, hashes and the tables that metrics add up: against tuples and Counters."""

import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.indicators import exact_keys
from collapse_guard.indicators.document_ngrams import KeptSequences, ngrams_by_document
from collapse_guard.indicators.exact_keys import joined, within
from collapse_guard.indicators.ngrams import (
    KeyTable,
    NgramTable,
    comparable_keys,
    different_ngrams,
    key_counts,
    ngram_hashes,
    ngram_keys,
    unique,
)

small_ids = st.integers(0, 5)
any_ids = st.integers(0, 2**31)
orders = st.integers(1, 8)


def documents(ids):
    return st.lists(st.lists(ids, max_size=12), max_size=8)


def tuples(sequences, n):
    return [tuple(s[i : i + n]) for s in sequences for i in range(len(s) - n + 1)]


class Keys(KeyTable):
    def __init__(self):
        super().__init__()
        self._add_table("table_of_keys")

    def update(self, keys):
        self._count(np.asarray(keys, dtype=np.int64))

    def compute(self):
        return self._scalar(0.0)


class Grams(NgramTable):
    def compute(self):
        return self._scalar(0.0)


class Kept(KeptSequences):
    most_tokens = 7

    def compute(self):
        return self._scalar(0.0)


# --- keys -----------------------------------------------------------------------------------------------------------


@given(documents(small_ids) | documents(any_ids), orders)
def test_keys_are_equal_for_equal_ngrams_only_beyond_63_bits_too(sequences, n):
    grams, keys = tuples(sequences, n), ngram_keys(sequences, n).tolist()
    assert len(keys) == len(grams)
    assert len(set(zip(keys, grams, strict=True))) == len(set(keys)) == len(set(grams))


@given(documents(small_ids), orders)
def test_keys_of_a_given_base_are_the_digits_of_a_number(sequences, n):
    digits = [int("".join(map(str, gram))) for gram in tuples(sequences, n)]
    assert ngram_keys(sequences, n, base=10).tolist() == digits


@pytest.mark.parametrize("vocabulary", [1, 2, 60_000, 2**31 + 1])
@pytest.mark.parametrize("n", [2, 4, 8])
def test_many_ngrams_of_any_vocabulary_are_told_apart(rng, vocabulary, n):
    """Enough ids for each way to rank keys: by marks, by packed sorting, by NumPy's unique."""
    ids = rng.integers(vocabulary, size=20_000)
    ids[10_000:] = ids[:10_000]
    sequences = np.split(ids, [3000, 10_000, 10_001])
    expected = len(set(tuples([part.tolist() for part in sequences], n)))
    assert len(unique(ngram_keys(sequences, n))) == expected
    assert different_ngrams(sequences, n)[-1] == (expected, len(tuples(sequences, n)))


def test_ngrams_whose_numbers_are_equal_modulo_2_to_64_stay_apart():
    """All of 2**16 ids occur, so the first of five is the digit of 2**64 and would be lost."""
    sequences = [np.arange(2**16), [1, 5, 5, 5, 5], [2, 5, 5, 5, 5], [1, 5, 5, 5, 5]]
    total = 2**16 - 4 + 3
    assert len(unique(ngram_keys(sequences, 5))) == total - 1
    assert different_ngrams(sequences, 5)[-1] == (total - 1, total)
    assert Counter(ngrams_by_document(*joined(sequences), 5).spread.tolist()) == {1: total - 2, 2: 1}


def test_ngrams_whose_numbers_are_equal_modulo_2_to_32_stay_apart():
    a, b = divmod(2**32 + 5, 66_000)
    assert different_ngrams([[0, 5], [a, b], [65_999]], 2)[1] == (2, 2)


@pytest.mark.parametrize("room", [0, 20, 40, 50])
@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_keys_leave_the_room_that_they_are_asked_to_leave(rng, room, n):
    ids = rng.permutation(np.repeat(np.arange(1000), 2))
    *_, (keys, bound) = exact_keys.growing_keys(ids, 1000, n, room=room)
    assert keys.min() >= 0
    assert keys.max() < bound
    assert bound << room < 2**63
    assert len(unique(keys << room >> room)) == len(set(tuples([ids.tolist()], n)))


@given(documents(small_ids) | documents(any_ids), orders, orders)
def test_numbers_of_different_ngrams_are_those_of_sets_of_tuples(sequences, a, b):
    lowest, highest = sorted((a, b))
    grams = [tuples(sequences, n) for n in range(lowest, highest + 1)]
    assert different_ngrams(sequences, highest, lowest=lowest) == [(len(set(found)), len(found)) for found in grams]


@given(documents(small_ids) | documents(any_ids), orders)
def test_the_table_by_document_holds_each_ngram_of_each_document_once(sequences, n):
    table = ngrams_by_document(*joined(sequences), n)
    pairs = Counter((gram, i) for i, s in enumerate(sequences) for gram in tuples([s], n))
    documents_of = {gram: {i for other, i in pairs if other == gram} for gram, _ in pairs}
    runs = np.split(np.arange(len(table.documents)), table.starts[1:]) if len(table.starts) else []
    assert Counter(frozenset(table.documents[run].tolist()) for run in runs) == Counter(
        map(frozenset, documents_of.values())
    )
    assert Counter(zip(table.documents.tolist(), table.counts.tolist(), strict=True)) == Counter(
        (i, count) for (_, i), count in pairs.items()
    )
    assert table.spread.tolist() == [len(run) for run in runs]


@given(st.lists(st.integers(-5, 5)))
def test_keys_are_counted_as_a_counter_does(keys):
    found, counts = key_counts(np.array(keys, dtype=np.int64))
    assert dict(zip(found.tolist(), counts.tolist(), strict=True)) == Counter(keys)
    assert found.tolist() == unique(np.array(keys, dtype=np.int64)).tolist() == sorted(set(keys))


def test_document_borders_are_found_for_every_split_of_a_text():
    text = list(range(7))
    for cuts in itertools.combinations_with_replacement(range(8), 3):
        parts = [text[a:b] for a, b in itertools.pairwise([0, *cuts, 7])]
        for n in (1, 2, 3, 5):
            starts = [gram[0] for gram in tuples(parts, n)]
            assert np.flatnonzero(within(np.array([len(part) for part in parts]), n)).tolist() == starts


def test_the_rows_of_a_matrix_are_sequences_like_any_others():
    rows = [[1, 2, 3], [4, 5, 6]]
    for given_rows in (rows, np.array(rows, dtype=np.uint8), torch.tensor(rows, dtype=torch.int32)):
        ids, lengths = joined(given_rows)
        assert (ids.tolist(), lengths.tolist(), ids.dtype) == ([1, 2, 3, 4, 5, 6], [3, 3], np.int64)


def test_sequences_of_different_types_are_joined_without_loss():
    ids, lengths = joined([np.array([2**31], dtype=np.uint64), torch.tensor([1], dtype=torch.int16), [], [2]])
    assert (ids.tolist(), lengths.tolist()) == ([2**31, 1, 2], [1, 1, 0, 1])


@pytest.mark.parametrize(
    "sequences", [[[0.5]], ["abc"], [[[1, 2]]], [3], [[True]], np.zeros((2, 2)), [np.zeros((0, 2))]]
)
def test_what_is_not_a_sequence_of_ids_is_refused(sequences):
    with pytest.raises(InputError, match=r"must be 1-D integer ids, but got .*: encode texts first"):
        ngram_keys(sequences, 1)


@pytest.mark.parametrize("function", [ngram_keys, ngram_hashes, different_ngrams])
def test_orders_and_ids_out_of_range_are_refused(function):
    for n in (0, 9, -1):
        with pytest.raises(InputError, match="`n` must be from 1 to 8"):
            function([[1]], n)
    with pytest.raises(InputError, match="ids must be from 0 to 2147483648, but got -100: cut pads"):
        function([[0, -100]], 1)
    with pytest.raises(InputError, match="but got 2147483649"):
        function([[2**31 + 1]], 1)


# --- hashes ---------------------------------------------------------------------------------------------------------


@given(documents(small_ids) | documents(any_ids), orders)
def test_hashes_of_different_calls_are_equal_for_equal_ngrams_only(sequences, n):
    hashed = {}
    for sequence in sequences:
        for gram, key in zip(tuples([sequence], n), ngram_hashes([sequence], n).tolist(), strict=True):
            assert hashed.setdefault(gram, key) == key
    assert len(set(hashed.values())) == len(hashed)


GRID = np.stack(np.meshgrid(*[np.arange(1050)] * 2), axis=-1).reshape(-1, 2)
STRUCTURED = {
    "all pairs of small ids": GRID,
    "pairs that differ in high bits only": GRID << 20,
    "four ids of which the middle ones stay": np.insert(GRID, [1, 1], 7, axis=1),
    "runs of eight with few different ids": np.indices((6,) * 8, dtype=np.int32).reshape(8, -1).T[:400_000],
    "neighbours in a long count": np.arange(3_000_000).reshape(-1, 3),
}


@pytest.mark.parametrize("structure", STRUCTURED)
def test_of_millions_of_structured_ngrams_no_two_share_a_hash(structure):
    """Four million: of independent 64 bits, some pair would be shared in one of a million runs."""
    grams = STRUCTURED[structure]
    hashes = ngram_hashes(grams, grams.shape[1])
    assert len(hashes) == len(grams)
    assert len(unique(hashes)) == len(grams)


@pytest.mark.parametrize("structure", STRUCTURED)
def test_every_bit_of_a_hash_is_set_in_half_of_the_ngrams(structure):
    grams = STRUCTURED[structure][:200_000]
    hashes = ngram_hashes(grams, grams.shape[1]).view(np.uint64)
    shares = np.array([((hashes >> np.uint64(bit)) & np.uint64(1)).mean() for bit in range(64)])
    assert np.abs(shares - 0.5).max() < 5 * 0.5 / np.sqrt(len(hashes))


@pytest.mark.parametrize("bits", [16, 20, 24])
@pytest.mark.parametrize("low", [True, False])
def test_collisions_of_cut_hashes_are_as_rare_as_those_of_random_numbers(bits, low):
    """K hashes of b bits should share about K**2 / 2**(b + 1) pairs; the documented probability is that law at 64."""
    hashes = ngram_hashes(GRID[:200_000], 2).view(np.uint64)
    cut = hashes & np.uint64(2**bits - 1) if low else hashes >> np.uint64(64 - bits)
    _, counts = np.unique(cut, return_counts=True)
    expected = len(hashes) * (len(hashes) - 1) / 2 ** (bits + 1)
    assert abs((counts * (counts - 1) // 2).sum() - expected) < 5 * np.sqrt(expected)


def test_one_changed_bit_of_any_id_changes_half_of_the_bits_of_the_hash(rng):
    grams = rng.integers(2**30, size=(2000, 4))
    before = ngram_hashes(grams, 4)
    for place, bit in itertools.product(range(4), (0, 7, 29)):
        changed = grams.copy()
        changed[:, place] ^= 1 << bit
        flipped = np.bitwise_count((before ^ ngram_hashes(changed, 4)).view(np.uint64))
        assert abs(flipped.mean() - 32) < 5 * 4 / np.sqrt(2000)


def test_single_ids_never_share_a_hash():
    """splitmix64's finaliser is a bijection; here, the ids next to each other and next to the ends."""
    ids = np.concatenate([np.arange(1_000_000), 2**31 - np.arange(1_000_000)])
    assert len(unique(ngram_hashes([ids], 1))) == 2_000_000


def test_keys_are_exact_where_they_fit_and_hashes_beyond():
    sequences = [[3, 1, 2, 0, 4, 5]]
    assert comparable_keys(sequences, 2, 10).tolist() == ngram_keys(sequences, 2, base=10).tolist()
    assert comparable_keys(sequences, 5, 50_257).tolist() == ngram_hashes(sequences, 5).tolist()
    with pytest.raises(InputError, match="from 0 to 50256, but got 50257"):
        comparable_keys([[50_257] * 5], 5, 50_257)


# --- tables ---------------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1)), max_size=5))
def test_a_table_is_the_counter_of_all_updates_and_merges(batches):
    whole, merged = Keys(), Keys()
    for batch in batches:
        part = Keys()
        part.update(batch)
        whole.update(batch)
        merged.merge_state(part)
    for table in (whole.table, merged.table):
        assert dict(zip(*(part.tolist() for part in table), strict=True)) == Counter(itertools.chain(*batches))
        assert (np.diff(table[0].astype(object)) > 0).all()


@pytest.mark.parametrize("forward", [False, True])
def test_the_state_does_not_grow_with_what_comes_again(rng, forward):
    """Summed when it has doubled: at most three int64 for each of the two that each key needs."""
    metric, keys = Keys(), rng.integers(100_000, size=(40, 20_000))
    largest = 0
    for batch in keys:
        metric(batch) if forward else metric.update(batch)
        largest = max(largest, len(metric.table_of_keys))
    different = len(np.unique(keys))
    assert largest <= 2 * (2 * different + 20_000)
    found, counts = metric.table
    assert (len(found), counts.sum()) == (different, keys.size)


def test_tables_of_ngrams_count_alike_where_keys_are_exact_and_where_they_are_hashed():
    exact, hashed = Grams(3, 10), Grams(3, 2**31)
    for batch in ([[1, 2, 3, 1, 2, 3]], [[2, 3, 1], [9, 9, 9]]):
        exact.update(batch)
        hashed.update(batch)
    assert sorted(exact.table[1].tolist()) == sorted(hashed.table[1].tolist()) == [1, 1, 2, 2]
    assert exact.table[0].tolist() == [123, 231, 312, 999]


def test_what_is_kept_is_refused_beyond_its_limit_with_what_to_do():
    metric = Kept()
    metric.update([[1, 2, 3], [], [4]])
    metric.update(np.array([[5, 6, 7]]))
    assert metric.token_ids.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert metric.token_lengths.tolist() == [3, 0, 1, 3]
    with pytest.raises(InputError, match="at most 7 tokens over all updates, but got 8: measure groups of samples"):
        metric.update([[8]])
    assert len(metric.token_ids) == 7


def test_ranks_are_those_of_numpy_whatever_the_bound(rng):
    keys = rng.integers(1000, size=3000)
    expected = np.unique(keys, return_inverse=True)[1].tolist()
    for bound in (1000, 2**40, 2**62):
        ranks, size = exact_keys.ranks_of(keys, bound)
        assert (ranks.tolist(), size) == (expected, len(set(keys.tolist())))
