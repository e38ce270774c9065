"""Interpolated Kneser-Ney by its definition: sets of n-grams, one probability after the other."""

import math
from collections import Counter, defaultdict

BEGINNING = -1


class SlowKneserNey:
    def __init__(self, documents, vocabulary_size, order, discounts):
        self.vocabulary_size, self.order, self.discounts = vocabulary_size, order, discounts
        occurrences = Counter(gram for one in documents for gram in self.grams(one))
        counts, self.counts = occurrences, {}
        for n in range(order, 0, -1):
            by_context = defaultdict(Counter)
            for gram, count in counts.items():
                by_context[gram[:-1]][gram[-1]] = count
            self.counts[n] = by_context
            counts = Counter(gram[1:] for gram in counts)

    def grams(self, document):
        padded = [BEGINNING] * (self.order - 1) + list(document)
        return [tuple(padded[i : i + self.order]) for i in range(len(document))]

    def probability(self, gram):
        if not gram:
            return 1 / self.vocabulary_size
        shorter, followers = self.probability(gram[1:]), self.counts[len(gram)].get(gram[:-1])
        if not followers:
            return shorter
        discount = self.discounts[len(gram) - 1]
        kept = max(followers[gram[-1]] - discount, 0)
        return (kept + discount * len(followers) * shorter) / sum(followers.values())

    def nll(self, documents):
        return [math.fsum(-math.log(self.probability(gram)) for gram in self.grams(one)) for one in documents]
