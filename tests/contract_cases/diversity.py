"""An item is a sequence of token ids, or a text."""

import hashlib
import math
import zlib
from collections import Counter
from dataclasses import replace

import torch
from torch import Tensor

from collapse_guard.indicators import diversity
from contract_cases.case import ITEMS, Case

VOCABULARY = 7


def sequences(rng):
    """One or two of five phrases, and then other ids, so that phrases come again within and between sequences"""
    phrases = rng.integers(VOCABULARY, size=(5, 4))
    found = []
    for _ in range(ITEMS):
        chosen = phrases[rng.integers(len(phrases), size=rng.integers(1, 3))].ravel()
        found.append(torch.tensor([*chosen, *rng.integers(VOCABULARY, size=rng.integers(6))]))
    found[-1] = torch.tensor([*phrases[0], *phrases[0], *phrases[0]])
    return found


def answers(rng):
    """Sequences, each with one of four prompts in turn"""
    return [(f"prompt {i % 4}", sequence) for i, sequence in enumerate(sequences(rng))]


def ends(rng):
    """Of a dozen samples two or more were cut, and four or more were not"""
    return [True, True, *(rng.random(ITEMS - 6) < 0.3).tolist(), *[False] * 4]


def texts(rng):
    """Words that come again, one text that stands there twice, two that differ in their end, and one of white space"""
    words = ["war", "and", "peace", "tax", "öl", "is", "the", "law"]
    found = [" ".join(rng.choice(words, size=rng.integers(2, 7))) for _ in range(ITEMS - 4)]
    return [*found, found[0], " ".join(words[:7]), " ".join(words), " \n"]


def as_list(items):
    return (items,)


def grams_of(ids, n):
    return [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]


def as_prompted(items):
    prompts, samples = zip(*items, strict=True)
    return list(samples), list(prompts)


def shared(here, there):
    """The share of the pairs of tokens of one sample that another has too"""
    pairs, others = (set(grams_of(sample.tolist(), 2)) for sample in (here, there))
    return sum(pair in others for pair in pairs), len(pairs)


def slow_within(items):
    found = []
    for prompt in {prompt for prompt, _ in items}:
        samples = [sample for own, sample in items if own == prompt]
        both = [shared(here, there) for i, here in enumerate(samples) for j, there in enumerate(samples) if i != j]
        if both:
            found.append(1 - sum(common for common, _ in both) / sum(size for _, size in both))
    return math.fsum(found) / len(found)


def slow_between(items):
    found = []
    prompts = {prompt for prompt, _ in items}
    for here, there in ((here, there) for here in prompts for there in prompts if here != there):
        both = [shared(one, other) for p, one in items for q, other in items if (p, q) == (here, there)]
        found.append(1 - sum(common for common, _ in both) / sum(size for _, size in both))
    return math.fsum(found) / len(found)


def answered_as_at_first(items):
    first = dict(reversed(items))
    return [(prompt, first[prompt]) for prompt, _ in items]


def answered_as_the_longest(items):
    longest = max((sample for _, sample in items), key=len)
    return [(prompt, longest) for prompt, _ in items]


def ngrams(items, n):
    return [gram for ids in map(Tensor.tolist, items) for gram in grams_of(ids, n)]


def all_the_same(items):
    return [max(items, key=len)] * len(items)


def of_two_kinds(items):
    return [items[i % 2] for i in range(len(items))]


def in_loops(items):
    return [torch.full_like(item, item[0]) for item in items]


def slow_distinct(n):
    def slow(items):
        grams = ngrams(items, n)
        return len(set(grams)) / len(grams)

    return slow


def slow_self_distinct(n):
    def slow(items):
        return math.fsum(map(slow_distinct(n), ([item] for item in items))) / len(items)

    return slow


def slow_entropy(n):
    def slow(items):
        counts = Counter(ngrams(items, n))
        return -math.fsum(c / counts.total() * math.log(c / counts.total()) for c in counts.values())

    return slow


def slow_bleu(hypothesis, references):
    """Sentence BLEU-4 with smoothing method 1, from its definition."""
    log_precisions = []
    for n in (1, 2, 3, 4):
        most = Counter()
        for reference in references:
            most |= Counter(grams_of(reference, n))
        grams = grams_of(hypothesis, n)
        matches = (Counter(grams) & most).total()
        if n == 1 and not matches:
            return 0.0
        log_precisions.append(math.log((matches or 0.1) / max(1, len(grams))))
    length = len(hypothesis)
    closest = min(map(len, references), key=lambda other: (abs(other - length), other))
    return math.exp(min(0.0, 1.0 - closest / length) + math.fsum(log_precisions) / 4)


def slow_self_bleu(items):
    ids = [item.tolist() for item in items]
    return math.fsum(slow_bleu(one, ids[:i] + ids[i + 1 :]) for i, one in enumerate(ids)) / len(ids)


def slow_repetition(items):
    sets = [set(grams_of(item.tolist(), 4)) for item in items]
    others = [
        sum(gram in other for gram in one for j, other in enumerate(sets) if j != i) for i, one in enumerate(sets)
    ]
    return math.fsum(math.log(1 + count) for count in others) / len(sets)


def slow_compression_ratio(items):
    """In the order of a hash of the text and of how many equal ones came before it"""
    keyed = []
    for i, text in enumerate(items):
        digest = hashlib.blake2b(text.encode(), digest_size=16, key=b"collapse_guard group order")
        digest.update(items[:i].count(text).to_bytes(8, "little"))
        keyed.append((digest.digest(), text.encode()))
    whole = b"\n".join(text for _, text in sorted(keyed))
    return len(whole) / len(zlib.compress(whole, 9))


def shingles_of(text):
    written = text.lower().split()
    return {tuple(written[i : i + 5]) for i in range(max(1, len(written) - 4))}


def slow_near_unique(items):
    """Pairs that share half of their shingles are joined, by brute force."""
    sets, cluster = [shingles_of(text) for text in items], list(range(len(items)))
    for i, here in enumerate(sets):
        for j in range(i):
            if len(here & sets[j]) >= 0.5 * len(here | sets[j]):
                cluster = [cluster[i] if label == cluster[j] else label for label in cluster]
    return len(set(cluster)) / len(items)


def of_tokens(metric, pure, slow, collapse):
    return Case(metric=metric, pure=pure, items=sequences, batch=as_list, slow=slow, collapse=collapse)


def distinct_case(n):
    metric = getattr(diversity, f"Distinct{n}")
    return of_tokens(lambda: metric(VOCABULARY), diversity.distinct_n, slow_distinct(n), all_the_same)


def self_distinct_case(n):
    metric = getattr(diversity, f"SelfDistinct{n}")
    return of_tokens(metric, diversity.self_distinct_n, slow_self_distinct(n), in_loops)


def entropy_case(n):
    metric = getattr(diversity, f"NgramEntropy{n}")
    return of_tokens(lambda: metric(VOCABULARY), diversity.entropy_n, slow_entropy(n), all_the_same)


ORDERS = (1, 2, 3, 4)
SELF_BLEU = Case(
    metric=diversity.SelfBleu,
    pure=diversity.self_bleu,
    items=sequences,
    batch=as_list,
    slow=slow_self_bleu,
    collapse=of_two_kinds,
    tolerance=1e-12,
)
COMPRESSION_RATIO = Case(
    metric=diversity.CompressionRatio,
    pure=diversity.compression_ratio,
    items=texts,
    batch=as_list,
    slow=slow_compression_ratio,
    collapse=all_the_same,
    tolerance=1e-12,
)

CASES = {
    **{f"distinct_{n}": distinct_case(n) for n in ORDERS},
    **{f"self_distinct_{n}": self_distinct_case(n) for n in ORDERS},
    **{f"entropy_{n}": entropy_case(n) for n in ORDERS},
    "self_bleu": SELF_BLEU,
    "repetition": replace(SELF_BLEU, metric=diversity.Repetition, pure=diversity.repetition, slow=slow_repetition),
    "compression_ratio": COMPRESSION_RATIO,
    "unique_samples": replace(
        COMPRESSION_RATIO,
        metric=diversity.UniqueSamples,
        pure=diversity.unique_samples,
        slow=lambda items: len(set(items)) / len(items),
    ),
    "near_unique_samples": replace(
        COMPRESSION_RATIO,
        metric=diversity.NearUniqueSamples,
        pure=diversity.near_unique_samples,
        slow=slow_near_unique,
    ),
    "empty_samples": replace(
        COMPRESSION_RATIO,
        metric=diversity.EmptySamples,
        pure=diversity.empty_samples,
        slow=lambda items: sum(text.strip() == "" for text in items) / len(items),
        collapse=lambda items: [text if i % 2 else "\n" for i, text in enumerate(items)],
    ),
    "truncated_samples": Case(
        metric=diversity.TruncatedSamples,
        pure=diversity.truncated_samples,
        items=ends,
        batch=as_list,
        slow=lambda items: sum(items) / len(items),
        collapse=lambda items: [cut or i % 3 == 2 for i, cut in enumerate(items)],
        tolerance=1e-12,
    ),
    "distinct_within_prompts": replace(
        SELF_BLEU,
        metric=diversity.DistinctWithinPrompts,
        pure=diversity.distinct_within_prompts,
        items=answers,
        batch=as_prompted,
        slow=slow_within,
        collapse=answered_as_at_first,
    ),
    "distinct_between_prompts": replace(
        SELF_BLEU,
        metric=diversity.DistinctBetweenPrompts,
        pure=diversity.distinct_between_prompts,
        items=answers,
        batch=as_prompted,
        slow=slow_between,
        collapse=answered_as_the_longest,
    ),
    "sample_length": replace(
        SELF_BLEU,
        metric=diversity.SampleLength,
        pure=diversity.sample_length,
        slow=lambda items: sum(map(len, items)) / len(items),
        collapse=lambda items: [torch.cat([item, item]) for item in items],
    ),
}
