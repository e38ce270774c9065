"""The leak index: runs of words of evaluation documents that the pool lacks, to find these documents in training texts.

Training texts may be whole documents, parts of them, or windows of several, from a decoder that changes case, spaces or
punctuation. So runs of eight words are looked for. A run that stands in the pool too is a common phrase and tells
nothing; neither does a run of a text that stands in the pool.

    a text holds an evaluation document if   d >= 4, or d = o and the two have as many runs in all,
    and if                                   d >= half of o, or the sum of such d is >= half of a

with d runs of the document's own in the text, a runs of the text that the pool lacks, and o own runs of the document.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from collapse_guard.arrays import FloatArray, HashArray, IntArray
from collapse_guard.corpus.documents import Documents
from collapse_guard.corpus.shingles import common, hashed, shingle_hashes, word_hashes
from collapse_guard.records import TrainingCheck
from collapse_guard.records.training_check import MOST_EXAMPLES
from collapse_guard.wildtype.kept import Arrays

RUN = 8
"""Words in a run."""
FEWEST_RUNS = 4
"""Own runs of a document that part of it must have: 11 words in a row."""
FEWEST_TOLD = 16
"""Own runs of a document that is nearly always found in windows of texts, wherever these are cut: 23 words in a row."""
HALF = 0.5
MOST_READ = 1 << 26
"""Bytes of the pool that are read. It is in a random order, so its head is a sample of it."""
MOST_HELD = 1 << 22
"""Runs of the pool that are held, some 32 MB; of more, every second one, every fourth, … by their hashes."""
_BYTES_OF_A_WORD = 5
_SHOWN = 60


class _Held(NamedTuple):
    """Evaluation documents that texts hold: k pairs."""

    text: IntArray
    """k: number of a text."""
    document: IntArray
    """k: number of a document that it holds."""


@dataclass(frozen=True, eq=False)
class LeakIndex:
    """Runs of words, as sorted 64-bit hashes.

    Example:
        >>> held = Documents.from_texts(["to provide for the common defense and the general welfare of the states"])
        >>> index = LeakIndex.of(held, Documents.from_texts(["we the people"]))
        >>> check = index.check(["And To Provide  for the common defense, and the general welfare of the"], held)
        >>> check.leaking, check.examples
        (1, ("'to provide for the common defense and the general welfare of'",))
    """

    runs: HashArray
    """v: the runs that an evaluation document has and the pool lacks, …"""
    owners: IntArray
    """v: … and the first document that has each."""
    lengths: IntArray
    """m: all runs of each evaluation document."""
    words: float
    """Mean words of an evaluation document."""
    pool: HashArray
    """Runs of the pool: those whose hash is a multiple of `step`."""
    step: int
    """A power of two."""

    @classmethod
    def of(cls, evaluation: Documents, pool: Documents, *, most_held: int = MOST_HELD) -> LeakIndex:
        """Index documents; reads at most 64 MB of the pool, about 1 µs for a word.

        Args:
            evaluation: The documents to look for.
            pool: Documents whose runs tell nothing.
            most_held: About how many runs of the pool may be held.
        """
        chunks = list(hashed(evaluation, RUN))
        lengths = np.concatenate([np.zeros(0, np.int64), *(counts for _, counts in chunks)])
        hashes = np.concatenate([np.zeros(0, np.uint64), *(part for part, _ in chunks)])
        runs, first = np.unique(hashes, return_index=True)
        owners = np.repeat(np.arange(len(lengths)), lengths)[first]
        read = pool[: pool.reach(MOST_READ)] if len(pool) else pool
        step = 1 << (read.to_arrow().nbytes // _BYTES_OF_A_WORD // most_held).bit_length()
        is_common, kept = np.zeros(len(runs), np.bool_), [np.zeros(0, np.uint64)]
        for part, _ in hashed(read, RUN):
            is_common[common(part, runs)[1]] = True
            kept.append(part[part % np.uint64(step) == 0])
        return cls(
            runs=runs[~is_common],
            owners=owners[~is_common],
            lengths=lengths,
            words=float(np.mean(lengths)) + RUN - 1,
            pool=np.unique(np.concatenate(kept)),
            step=step,
        )

    def check(self, texts: Iterable[str], evaluation: Documents) -> TrainingCheck:
        """Look for the evaluation documents in texts; about 1 µs for a word."""
        nothing = TrainingCheck(texts=0, words=0, evaluation=len(evaluation))
        check = TrainingCheck.together([nothing, *(self._look(batch, evaluation) for batch in word_hashes(texts))])
        if not check.found:
            return check
        hashes = evaluation.select(self._untold()).hashes
        return check.model_copy(update={"untold": tuple(sorted(set(hashes) - set(check.found)))})

    def arrays(self) -> Arrays:
        """Its numbers; the inverse of `from_arrays`."""
        return {
            "runs": self.runs,
            "owners": self.owners,
            "lengths": self.lengths,
            "pool": self.pool,
            "scalars": np.array([self.words, self.step]),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> LeakIndex:
        """Read back `arrays`."""
        whole = {name: array for name, array in arrays.items() if name != "scalars"}
        words, step = arrays["scalars"].tolist()
        return cls(**whole, words=words, step=int(step))

    def _look(self, batch: list[list[int]], evaluation: Documents) -> TrainingCheck:
        hashes, counts = shingle_hashes(batch, RUN)
        of_text = np.repeat(np.arange(len(batch)), counts)
        new = 1.0 - self._pool_shares(hashes, of_text, len(batch))
        held = self._held(hashes, of_text, counts, new * counts)
        words = np.array([len(one) for one in batch], dtype=np.int64)
        copies = np.bincount(held.text, minlength=len(batch))
        is_leaking = copies > 0
        is_of_pool = (counts > 0) & (new <= HALF) & ~is_leaking
        is_read = (words >= RUN) | is_leaking | is_of_pool
        pieces = np.maximum(np.maximum(1, copies), new * words // self.words)
        found = np.unique(held.document)
        return TrainingCheck(
            texts=int(is_read.sum()),
            words=int(words[is_read].sum()),
            too_short=int((~is_read).sum()),
            leaking=int(is_leaking.sum()),
            of_pool=int(is_of_pool.sum()),
            pieces=int(pieces[is_read & ~is_of_pool].sum()),
            copies=int(copies.sum()),
            evaluation=len(evaluation),
            found=tuple(sorted(evaluation.select(found).hashes)),
            examples=tuple(_opening(evaluation[place]) for place in found[:MOST_EXAMPLES].tolist()),
        )

    def _held(self, hashes: HashArray, of_text: IntArray, counts: IntArray, unknown: FloatArray) -> _Held:
        """The documents that texts hold, by the rule at the top of this file.

        Args:
            hashes: t: runs of the texts.
            of_text: t: which text each is of.
            counts: n: runs of each text.
            unknown: n: how many of these the pool lacks.
        """
        here, places = common(hashes, self.runs)
        # A run that a text has twice counts once.
        text, run = np.divmod(np.unique(of_text[here] * len(self.runs) + places), max(1, len(self.runs)))
        pairs, shared = np.unique(text * len(self.lengths) + self.owners[run], return_counts=True)
        text, document = np.divmod(pairs, len(self.lengths))
        own = np.bincount(self.owners, minlength=len(self.lengths))[document]
        is_whole = (shared == own) & (counts[text] == self.lengths[document])
        is_part = is_whole | (shared >= FEWEST_RUNS)
        known = np.bincount(text[is_part], weights=shared[is_part], minlength=len(counts))
        holds = is_part & ((shared >= HALF * own) | (known >= HALF * unknown)[text])
        return _Held(text[holds], document[holds])

    def _untold(self) -> IntArray:
        """The documents that parts of texts may not tell: few of their runs are their own, or less than half."""
        own = np.bincount(self.owners, minlength=len(self.lengths))
        return np.flatnonzero(own < np.maximum(FEWEST_TOLD, HALF * self.lengths))

    def _pool_shares(self, hashes: HashArray, of_text: IntArray, n: int) -> FloatArray:
        """n: share of the runs of each text that stand in the pool; 0 where none of them is held."""
        is_held = hashes % np.uint64(self.step) == 0
        of_held = of_text[is_held]
        in_pool = common(hashes[is_held], self.pool)[0]
        held = np.bincount(of_held, minlength=n)
        share: FloatArray = np.bincount(of_held[in_pool], minlength=n) / np.maximum(1, held)
        return share


def _opening(text: str) -> str:
    """The first characters of a document, on one line, quoted and escaped."""
    return repr(" ".join(text.split())[:_SHOWN])
