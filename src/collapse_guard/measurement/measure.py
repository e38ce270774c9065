"""measure(): from evidence to readings, with the frozen instruments of the wild type."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from collapse_guard.arrays import FloatArray, IntArray
from collapse_guard.errors import CollapseGuardWarning, InputError, near
from collapse_guard.evidence import Evidence
from collapse_guard.indicators.base import Indicator, all_indicators
from collapse_guard.indicators.groups import content_order, windows
from collapse_guard.indicators.instruments import instruments
from collapse_guard.indicators.likelihood import TailGap, WorstSliceLoss
from collapse_guard.indicators.registry import built_in, names
from collapse_guard.indicators.whole import WholeSamples
from collapse_guard.measurement.learning import learning_readings
from collapse_guard.measurement.loss_readings import loss_readings, output_readings, training_reading
from collapse_guard.measurement.prompt_readings import prompt_readings
from collapse_guard.measurement.prompts import Prompts
from collapse_guard.measurement.refits import rarity_of_each
from collapse_guard.measurement.replicates import groups_of_samples, groups_of_units, groups_of_vectors, no_groups
from collapse_guard.measurement.reverse import own_refits, reverse_readings, reverse_reference
from collapse_guard.measurement.row_worth import row_worth, row_worth_of_pool
from collapse_guard.measurement.sample_readings import (
    all_empty,
    group_readings,
    need_vectors,
    row_readings,
    whole_readings,
)
from collapse_guard.measurement.samples import (
    TextSamples,
    row_samples,
    text_samples,
    tokenized,
    varied_columns,
    vector_samples,
    with_embeddings,
)
from collapse_guard.measurement.score_readings import score_readings
from collapse_guard.records import Reading, TailStratum
from collapse_guard.records.readings import TRAINING_PERPLEXITY, Readings
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.cache import Cache
from collapse_guard.wildtype.contents import of_vectors
from collapse_guard.wildtype.slices import examples_of_each, slice_of_each

NO_EMBEDDER = (
    "the wild type does not store its custom embedder: give it on loading, `WildType.load(path, embedder=...)`"
)
"""Why there are no vectors of texts."""
_EMBEDDED_REFERENCE_GROUPS = 50
_AMONG_DOCUMENTS: dict[str, type[Indicator]] = {"tail_gap": TailGap, "worst_slice_loss": WorstSliceLoss}
_Key = tuple[str, int | None, bool, frozenset[type[Indicator]]]
_references: Cache[_Key, dict[str, Reading]] = Cache(most=16)


def measure(
    wild_type: WildType,
    evidence: Evidence,
    *,
    stratum: TailStratum | None = None,
    budget: int | None = None,
    only: Collection[str] | None = None,
) -> dict[str, Reading]:
    """Read every indicator that the evidence allows.

    | evidence              | indicators                                                                     |
    |-----------------------|--------------------------------------------------------------------------------|
    | losses                | likelihood: bits_per_byte needs bytes, tails need a stratum, entropy entropies |
    | training losses       | training_perplexity, which is no indicator of collapse                         |
    | own, founder losses   | own_perplexity, founder_perplexity                                             |
    | samples of text       | reverse: what a small model learns from them about real text                   |
    |                       | diversity, tails, novelty, homozygosity and fixation index of tokens; empty    |
    |                       | samples are counted by empty_samples and left out of all others                |
    | … and their prompts   | distinct_within_prompts, distinct_between_prompts; see `measurement.prompts`    |
    | … and which were cut  | truncated_samples                                                              |
    | … and their vectors   | spread, distance                                                               |
    | samples that are rows | real_equivalent: how many real rows teach as much; spread, distance,           |
    |                       | unique_samples, homozygosity and fixation index of clusters                    |
    | scores                | tasks: the mean score of each, under its name                                  |

    Tokens of the wild type's tokenizer and words come in groups of `wild_type.group_tokens`, samples and vectors in
    groups of `wild_type.group_samples`. Copies are looked for in the pool. Nothing is random, and the order of samples
    does not matter. Cost: O(n) for n samples, after O(pool) once per wild type.

    Args:
        wild_type: The frozen real data.
        evidence: With samples that are texts, token ids of the wild type's own tokenizer (special tokens are left
            out), or n d vectors where the wild type is of vectors. Embeddings take the place of those that the wild
            type would make.
        stratum: The tail, frozen at the founder (`freeze_tail`); None: no tail indicators.
        budget: Tokens, or rows, that a small model is fitted on, as at the founder (`founding_budget`); None: as many
            as these samples allow.
        only: Names of indicators to read; None: all. The default deciding ones take a third of the time.

    Returns:
        Indicator name -> reading, in the order of the catalogue. An unusable reading has a `problem` that says why and,
        if more samples would help, how many; without a value it is NaN.

    Raises:
        InputError: The samples are of the wrong kind, an id is not in the vocabulary, embeddings do not fit, or `only`
            names an unknown indicator.

    Example:
        >>> wild_type = WildType.fit_arrays(np.random.default_rng(0).normal(size=(1000, 2)), group_samples=10)
        >>> readings = measure(wild_type, Evidence(samples=np.random.default_rng(1).normal(size=(60, 2))))
        >>> len(readings["vendi"].replicates), readings["vendi"].group
        (6, '10 samples')
    """
    scores = evidence.scores or {}
    selected = _wanted(only, (*scores, TRAINING_PERPLEXITY))
    of_samples = _of_vectors if wild_type.kind == "vectors" else _of_texts
    evidence = tokenized(wild_type, evidence)
    if evidence.losses is None:
        readings = []
    else:
        rarity = rarity_of_each(wild_type) if wild_type.kind == "text" and "tail_gap" in selected else None
        readings = loss_readings(evidence.losses, stratum, selected, slices=slice_of_each(wild_type), rarity=rarity)
    readings += [] if evidence.training_losses is None else [training_reading(evidence.training_losses)]
    readings += output_readings(evidence, wild_type.group_samples, selected)
    readings += of_samples(wild_type, evidence, selected)
    readings += _reverse(wild_type, evidence, selected, budget)
    readings += score_readings(scores, selected)
    readings = [_with_own_refits(wild_type, reading) for reading in readings]
    if any(reading.slices for reading in readings):
        shown = {"examples": examples_of_each(wild_type)}
        readings = [reading.model_copy(update=shown) if reading.slices else reading for reading in readings]
    return _in_order(readings, selected)


def _with_own_refits(wild_type: WildType, reading: Reading) -> Reading:
    """Add what another training sample does, to readings of own losses that compare real documents with each other."""
    metric = _AMONG_DOCUMENTS.get(reading.indicator)
    if metric is None or not reading.is_usable:
        return reading
    return reading.model_copy(update={"refits": own_refits(wild_type, metric)})


def reference_readings(
    wild_type: WildType, *, sample_tokens: int | None, budget: int | None = None, only: Collection[str] | None = None
) -> dict[str, Reading]:
    """Read the wild type itself: its evaluation documents in the same groups, cut to windows as long as the samples.

    The readings are cached by fingerprint and length. At most 50 groups are embedded, because embedders may be slow.
    The rare words were chosen because they are rare in the wild type, so its own coverage and mass read low: this bias
    can hide harm, but never invents any.

    Args:
        wild_type: The frozen real data.
        sample_tokens: Tokens in a window, as `sample_tokens(wild_type, evidence)` says; None: whole documents.
        budget: Tokens, or rows, that a small model was fitted on (`founding_budget`); None: no reverse readings.
        only: Names of indicators to read; None: all.

    Returns:
        Indicator name -> reading; likelihood is not among them.
    """
    # With and without its custom embedder a wild type has the same fingerprint.
    selected = _wanted(only)
    classes = frozenset(metric for name, metric in all_indicators().items() if name in selected)
    key = (wild_type.fingerprint, sample_tokens, wild_type.can_embed, classes)
    readings = _references.of(key, lambda: _in_order(_reference(wild_type, sample_tokens, selected), selected))
    reverse = [] if budget is None else _reverse_of_wild_type(wild_type, selected, budget)
    return _in_order([*readings.values(), *reverse], selected)


def founding_budget(readings: Readings) -> int | None:
    """How many tokens of samples, or rows, a small model was fitted on for these readings; None: none was."""
    return next((reading.budget for reading in readings.values() if reading.budget is not None), None)


def _reference(wild_type: WildType, sample_tokens: int | None, only: Collection[str]) -> Sequence[Reading]:
    """The readings of the wild type; those of all built-in indicators are kept with it, because each job needs them."""
    if frozenset(built_in()) != frozenset(only) or wild_type.kind == "vectors" or not wild_type.embeds_by_itself:
        return _of_wild_type(wild_type, sample_tokens, only)

    def make() -> dict[str, Any]:
        lines = (f"{reading.model_dump_json()}\n" for reading in _of_wild_type(wild_type, sample_tokens, only))
        return {"json": np.frombuffer("".join(lines).encode(), np.uint8)}

    name = "readings" if sample_tokens is None else f"readings-{sample_tokens}"
    lines = wild_type.kept(name, make)["json"].tobytes().splitlines()
    return [Reading.model_validate_json(line) for line in lines]


def _wanted(only: Collection[str] | None, tasks: Collection[str] = ()) -> frozenset[str]:
    known = (*names(), *tasks)
    unknown = sorted(set(only or ()) - set(known))
    if unknown or isinstance(only, str):
        name = only if isinstance(only, str) else unknown[0]
        raise InputError(f"`only` must be a collection of names of indicators, but got {name!r}: {near(name, known)}")
    return frozenset(known if only is None else only)


def sample_tokens(wild_type: WildType, evidence: Evidence) -> int | None:
    """Median number of tokens of the samples that have any; None where there are none or samples are vectors."""
    if wild_type.kind == "vectors" or evidence.samples is None:
        return None
    lengths = [len(tokens) for tokens in text_samples(wild_type, evidence.samples).tokens if len(tokens)]
    return int(np.median(lengths)) if lengths else None


def _of_vectors(wild_type: WildType, evidence: Evidence, only: Collection[str]) -> list[Reading]:
    vectors = _rows(wild_type, evidence)
    if vectors is None:
        return []
    _warn_of_new_columns(wild_type, vectors)
    prompts = None if evidence.prompts is None else Prompts.of(evidence.prompts).of_dependent
    return _of_points(wild_type, wild_type.measured(vectors), only, "samples", prompts)


def _rows(wild_type: WildType, evidence: Evidence) -> FloatArray | None:
    """Samples that are rows, in their own units; None where there are none."""
    values = evidence.samples if evidence.embeddings is None else evidence.embeddings
    return None if values is None else row_samples(wild_type, values)


def _warn_of_new_columns(wild_type: WildType, vectors: FloatArray) -> None:
    """Say where samples vary in columns that are constant in real data: spread does not tell."""
    varied = varied_columns(wild_type, vectors)
    if varied:
        column, n = max(varied.items(), key=lambda item: item[1])
        labels = of_vectors(wild_type.contents).labels
        name = column if labels is None else f"`{labels[column]:.80}`"
        others = f", and {len(varied) - 1} more such columns vary" if len(varied) > 1 else ""
        message = (
            f"column {name} is constant in real data, but {n:,} of {len(vectors):,} samples have another value"
            f"{others}: spread leaves such columns out, distances see them"
        )
        warnings.warn(message, CollapseGuardWarning, stacklevel=2)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Use one thread: groups are small, and a second thread costs ten times as much if anything else runs."""
    with threadpool_limits(1):
        yield


@_one_thread()
def _of_points(
    wild_type: WildType, vectors: FloatArray, only: Collection[str], source: str, prompts: IntArray | None = None
) -> list[Reading]:
    groups = groups_of_vectors(vectors, wild_type.group_samples, source=source, prompts=prompts)
    frozen = instruments(wild_type)
    whole = WholeSamples([row.tobytes() for row in vectors + 0.0], (), 0, frozen, prompts=prompts)
    return [*row_readings(groups, frozen, only), *whole_readings(whole, only, rows=True, problem=groups.problem)]


@_one_thread()
def _reverse(wild_type: WildType, evidence: Evidence, only: Collection[str], budget: int | None) -> list[Reading]:
    if wild_type.kind == "vectors":
        vectors = _rows(wild_type, evidence)
        return [] if vectors is None else row_worth(wild_type, wild_type.measured(vectors), only, budget)
    if evidence.samples is None:
        return []
    samples = text_samples(wild_type, evidence.samples)
    return [*reverse_readings(wild_type, samples, only, budget), *learning_readings(wild_type, samples, only)]


@_one_thread()
def _reverse_of_wild_type(wild_type: WildType, only: Collection[str], budget: int) -> list[Reading]:
    read = row_worth_of_pool if wild_type.kind == "vectors" else reverse_reference
    return read(wild_type, budget, only)


def _of_texts(wild_type: WildType, evidence: Evidence, only: Collection[str]) -> list[Reading]:
    if evidence.samples is None:
        return [] if evidence.embeddings is None else _of_embeddings(wild_type, evidence.embeddings, None, only)
    samples = text_samples(wild_type, evidence.samples)
    beside = _Beside.of(evidence, samples)
    written = _of_written(wild_type, samples, only, "samples", beside)
    if not need_vectors(only):
        return written
    embeddings = with_embeddings(wild_type, evidence).embeddings
    return written + _of_embeddings(wild_type, embeddings, samples, only, prompts=beside.dependent(len(samples)))


class _Beside(NamedTuple):
    """What is known of samples beside themselves; that of empty ones comes last."""

    prompts: Prompts | None = None
    truncated: FloatArray | None = None

    @classmethod
    def of(cls, evidence: Evidence, samples: TextSamples) -> _Beside:
        prompts, ends = (
            None if part is None else samples.of_rows(part) for part in (evidence.prompts, evidence.truncated)
        )
        return cls(
            None if prompts is None else Prompts.of(prompts),
            None if ends is None else np.array([float(cut is True) for cut in ends]),
        )

    def dependent(self, n: int) -> IntArray | None:
        """The numbers of the prompts of n samples that are not empty, where samples of one are not independent."""
        numbers = None if self.prompts is None else self.prompts.of_dependent
        return None if numbers is None else numbers[:n]


@_one_thread()
def _of_written(
    wild_type: WildType, samples: TextSamples, only: Collection[str], source: str, beside: _Beside | None = None
) -> list[Reading]:
    frozen, budget = instruments(wild_type), wild_type.group_tokens
    types = frozen.types(samples.texts)
    # Windows of the wild type are cut to be as long as the samples, so their length says nothing.
    lengths = None if beside is None else np.array(list(map(len, samples.tokens)), dtype=np.float64)
    beside = beside or _Beside()
    prompts = beside.dependent(len(samples))
    numbers = groups_of_samples(samples.contents, wild_type.group_samples, source, prompts=prompts)
    texts = numbers.of(lambda group: [samples.texts[i] for i in group])
    tokens = groups_of_units(samples.tokens, budget, "tokens", source, different=numbers.different, prompts=prompts)
    words = groups_of_units(types, budget, "words", source, different=numbers.different, prompts=prompts)
    whole = WholeSamples(
        samples.texts,
        samples.texts,
        samples.n_empty,
        frozen,
        lengths=lengths,
        truncated=beside.truncated,
        prompts=None if beside.prompts is None else beside.prompts.of_dependent,
    )
    if not len(samples) and samples.n_empty:
        nothing = no_groups(0, wild_type.group_samples, all_empty(samples.n_empty))
        tokens = words = texts = nothing
    return [
        *group_readings("tokens", tokens, frozen, only),
        *group_readings("words", words, frozen, only),
        *group_readings("samples", texts, frozen, only),
        *whole_readings(whole, only, rows=False),
        *prompt_readings(samples.tokens, beside.prompts, frozen, only),
    ]


@_one_thread()
def _of_embeddings(
    wild_type: WildType,
    embeddings: Any,
    samples: TextSamples | None,
    only: Collection[str],
    source: str = "samples",
    *,
    prompts: IntArray | None = None,
) -> list[Reading]:
    """Readings of the vectors of texts; embeddings are None where nothing can make them."""
    n, contents, size = None, None, wild_type.group_samples
    if samples is not None:
        n, contents = len(samples), samples.contents
        if not n and samples.n_empty:
            nothing = no_groups(0, size, all_empty(samples.n_empty))
            return group_readings("vectors", nothing, instruments(wild_type), only)
    if n is not None and embeddings is None:
        return group_readings("vectors", no_groups(n, size, NO_EMBEDDER), instruments(wild_type), only)
    vectors = vector_samples(embeddings, n=n, dimension=wild_type.geometry.dimension)
    groups = groups_of_vectors(vectors, size, contents=contents, source=source, prompts=prompts)
    return group_readings("vectors", groups, instruments(wild_type), only)


def _of_wild_type(wild_type: WildType, sample_tokens: int | None, only: Collection[str]) -> list[Reading]:
    source = "windows of the wild type"
    if wild_type.kind == "vectors":
        return _of_points(wild_type, wild_type.measured(wild_type.evaluation_vectors), only, source)
    texts = list(wild_type.evaluation)
    tokens = list(wild_type.encode(texts))
    if sample_tokens is not None:
        tokens = windows(tokens, sample_tokens)
        texts = wild_type.decode(tokens)
    samples = TextSamples(texts, tokens)
    written = _of_written(wild_type, samples, only, source)
    if not need_vectors(only):
        return written
    if not wild_type.can_embed:
        return written + _of_embeddings(wild_type, None, samples, only)
    order = content_order(samples.contents)[: _EMBEDDED_REFERENCE_GROUPS * wild_type.group_samples]
    chosen = TextSamples([texts[i] for i in order], [tokens[i] for i in order])
    return written + _of_embeddings(wild_type, wild_type.embed(chosen.texts), chosen, only, source)


def _in_order(readings: Sequence[Reading], only: Collection[str]) -> dict[str, Reading]:
    by_name = {reading.indicator: reading for reading in readings}
    return {name: by_name[name] for name in (*names(), *by_name) if name in by_name and name in only}
