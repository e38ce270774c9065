"""The text world: documents of words that obey Zipf's law, and a word model that is trained on them and writes others.

Real documents are independent draws from p_i proportional to i^-s. The model counts words (`word_model`). By frequency
alone it drifts like the Wright-Fisher world, whose laws hold; with context it also memorises accidents of its training
text, and no closed form is known. Generation 0, the founder, is the first fit; the laws count fits.

Source: Zipf (1935), The psycho-biology of language; Riis (2026), arXiv:2604.08554, for drift in n-gram models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from collapse_guard.arguments import share, whole
from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.errors import InputError
from collapse_guard.worlds.drift import expected_fixation, types_after
from collapse_guard.worlds.observable import Observable
from collapse_guard.worlds.word_model import WordModel
from collapse_guard.worlds.workflow import REPLACE, Workflow
from collapse_guard.worlds.wright_fisher import zipf

_SYLLABLES = tuple(consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou")
_REAL, _LINEAGE = 0, 1
"""Second number of the seeds of real documents and of lineages, so that their draws differ."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TextLineages:
    """Lineages of word models, with the texts and losses of the first ones."""

    workflow: Workflow
    """What each generation was trained on."""
    source: FloatArray
    """[vocabulary]: real shares of the words."""
    documents: int
    """Documents that each generation writes."""
    length: int
    """Words of a document."""
    context: float
    """Weight of the previous word in the model."""
    words_known: FloatArray
    """[lineages, generations + 1]: words that the model can still write."""
    homozygosity: FloatArray
    """[lineages, generations + 1]: sum of squared word frequencies of the model."""
    loss: FloatArray
    """[lineages, generations + 1]: mean nats per word on `held_out`."""
    held_out: IntArray
    """[scored, length]: real documents, word by word, that no generation is trained on; the same for all lineages."""
    written: IntArray
    """[kept, generations + 1, documents, length]: what each generation of the first lineages wrote."""
    nats: FloatArray
    """[kept, generations + 1, scored, length]: cost of each word of `held_out` under them."""

    @property
    def fixation_index(self) -> FloatArray:
        """[lineages, generations + 1]: F = (S - S_0) / (1 - S_0) of word frequencies."""
        start = float((self.source**2).sum())
        return np.asarray((self.homozygosity - start) / (1.0 - start))

    @property
    def observables(self) -> tuple[Observable, ...]:
        """Words known, loss and fixation index; words and index have laws if the model has no context."""
        is_limit = self.workflow.name == "replace"
        return (
            Observable.with_law("words known", self.words_known, self._expected_words, is_limit=is_limit),
            Observable(name="loss (nats per word)", values=self.loss),
            Observable.with_law("fixation index", self.fixation_index, self._expected_fixation),
        )

    def _expected_words(self, fits: int) -> float | None:
        if self.context and fits > 1 and self.workflow.name not in ("fresh", "accumulate"):
            return None
        return types_after(self.source, fits, samples=self.documents * self.length, workflow=self.workflow)

    def _expected_fixation(self, fits: int) -> float | None:
        is_known = not self.context and self.workflow.name != "accumulate_subsample"
        if not is_known and fits > 1 and self.workflow.name != "fresh":
            return None
        n = self.documents * self.length
        same = (self.length - 1) / (n - 1) if self.workflow.name == "mix" else 0.0
        return expected_fixation(fits, samples=n, workflow=self.workflow, same_origin=same)

    def texts(self, lineage: int, generation: int) -> list[str]:
        """What a generation wrote; only of the first `kept` lineages."""
        return as_texts(self.written[self._kept_lineage(lineage), generation])

    def losses(self, lineage: int, generation: int) -> FloatArray:
        """[scored]: nats of each document of `held_out`, summed over its words; only of the first `kept` lineages."""
        return np.asarray(self.nats[self._kept_lineage(lineage), generation].sum(axis=1))

    def _kept_lineage(self, lineage: int) -> int:
        if not 0 <= lineage < len(self.written):
            raise InputError(
                f"`lineage` must be one of the {len(self.written)} whose texts were kept, but got {lineage}: simulate "
                "with a larger `kept`"
            )
        return lineage


def word(number: int) -> str:
    """The word of a number: two syllables or more, different for different numbers.

    Example:
        >>> word(0), word(1), word(70)
        ('baba', 'babe', 'beba')
    """
    syllables = [_SYLLABLES[number % len(_SYLLABLES)]]
    while number >= len(_SYLLABLES) or len(syllables) < 2:
        number //= len(_SYLLABLES)
        syllables.append(_SYLLABLES[number % len(_SYLLABLES)])
    return "".join(reversed(syllables))


def as_texts(documents: IntArray) -> list[str]:
    """Word numbers, [documents, length], as texts.

    Example:
        >>> as_texts(np.array([[0, 1]]))
        ['baba babe']
    """
    names = {int(number): word(int(number)) for number in np.unique(documents)}
    return [" ".join(names[number] for number in row) for row in documents.tolist()]


def simulate(
    *,
    vocabulary: int = 2000,
    exponent: float = 1.0,
    documents: int = 200,
    length: int = 30,
    context: float = 0.0,
    workflow: Workflow = REPLACE,
    generations: int = 10,
    lineages: int = 200,
    kept: int = 0,
    scored: int = 200,
    seed: int = 0,
) -> TextLineages:
    """Simulate lineages of word models; each generation is trained on what the previous one wrote.

    The unit is a whole document: it is real or not, kept or not, drawn or not. A lineage does not depend on how many
    others there are.

    Args:
        vocabulary: Words of the language, at least 2.
        exponent: s of Zipf's law, above 0.
        documents: Documents that each generation writes, at least 1, and size of the founder's training set.
        length: Words of a document, at least 2.
        context: Weight of the previous word in the model, from 0 (frequencies only) to 1.
        workflow: What each generation is trained on.
        generations: Generations after the founder, at least 0.
        lineages: Independent repetitions, at least 1.
        kept: Number of lineages whose texts and losses are kept, from 0 to all.
        scored: Number of real documents that all generations are scored on, at least 1.
        seed: Seed of everything random.

    Raises:
        InputError: An argument is outside of its range.

    Cost: O(lineages generations documents length); under `accumulate` also times generations. Kept texts and kept
        losses take 8 bytes per word each.

    Example:
        >>> lineages = simulate(lineages=3, generations=2, kept=1, seed=1)
        >>> lineages.loss.shape, len(lineages.texts(0, 2)), lineages.losses(0, 2).shape
        ((3, 3), 200, (200,))
    """
    least = {"vocabulary": 2, "documents": 1, "length": 2, "generations": 0, "lineages": 1, "kept": 0, "scored": 1}
    arguments = locals()
    for name, lowest in {**least, "seed": 0}.items():
        whole(name, arguments[name], least=lowest)
    if kept > lineages:
        raise InputError(f"`kept` must be at most `lineages` = {lineages}, but got {kept}: simulate more lineages")
    language = _Language(zipf(vocabulary, exponent), documents, length)
    held_out = language.real(np.random.default_rng([seed, _REAL]), scored)
    loop = _Loop(language, share("context", context), workflow, generations, seed)
    results = [loop.grow(number, held_out, keeps=number < kept) for number in range(lineages)]
    known, homozygosity, loss = np.moveaxis(np.array([observables for observables, _, _ in results]), 2, 0)
    shape = (kept, generations + 1)
    return TextLineages(
        workflow=workflow,
        source=language.source,
        documents=documents,
        length=length,
        context=float(context),
        words_known=known,
        homozygosity=homozygosity,
        loss=loss,
        held_out=held_out,
        written=np.array([written for _, written, _ in results[:kept]]).reshape(*shape, documents, length),
        nats=np.array([nats for _, _, nats in results[:kept]]).reshape(*shape, scored, length),
    )


@dataclass(frozen=True)
class _Language:
    """The source of real documents."""

    source: FloatArray
    documents: int
    length: int

    def real(self, rng: np.random.Generator, documents: int) -> IntArray:
        """Real documents, [documents, length]."""
        last = len(self.source) - 1
        drawn = np.searchsorted(self.source.cumsum(), rng.random((documents, self.length)), side="right")
        return np.minimum(drawn, last)  # a sum of shares may end just below 1


@dataclass(frozen=True)
class _Loop:
    """Training, writing and training again, in one lineage."""

    language: _Language
    context: float
    workflow: Workflow
    generations: int
    seed: int

    def grow(
        self, number: int, held_out: IntArray, *, keeps: bool
    ) -> tuple[FloatArray, list[IntArray], list[FloatArray]]:
        """Observables [generations + 1, 3] and, if kept, what each generation wrote, with its nats."""
        observables, texts, nats = [], [], []
        for model, written in self._models(np.random.default_rng([self.seed, _LINEAGE, number])):
            cost = model.nats(held_out)
            observables.append((float(model.known), model.homozygosity, float(cost.mean())))
            if keeps:
                texts.append(written)
                nats.append(cost)
        return np.array(observables), texts, nats

    def _models(self, rng: np.random.Generator) -> Iterator[tuple[WordModel, IntArray]]:
        """Each model, and what it wrote."""
        documents, length = self.language.documents, self.language.length
        corpus = training = self.language.real(rng, documents)
        for _ in range(self.generations + 1):
            model = WordModel.fit(training, vocabulary=len(self.language.source), context=self.context)
            written = model.write(rng, documents=documents, length=length)
            yield model, written
            if self.workflow.fresh_share is None:
                corpus = np.concatenate([corpus, written])
            training = self._training(rng, corpus, written)

    def _training(self, rng: np.random.Generator, corpus: IntArray, written: IntArray) -> IntArray:
        """The training set of the next generation."""
        fresh = self.workflow.fresh_share
        if fresh is None:
            is_all = self.workflow.name == "accumulate"
            return corpus if is_all else rng.choice(corpus, size=len(written), replace=False, shuffle=False)
        is_real = rng.random(len(written)) < fresh
        return np.concatenate([self.language.real(rng, int(is_real.sum())), written[~is_real]])
