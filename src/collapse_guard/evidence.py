"""Evidence: what was collected from a generation: losses on wild-type documents, samples, embeddings, task scores."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import METRIC_NAME, METRIC_NAME_RULE, several, whole
from collapse_guard.arrays import FloatArray, IntArray, is_usable
from collapse_guard.canonical import array_bytes, normal_samples, rows_bytes, table_bytes, text_bytes
from collapse_guard.errors import InputError
from collapse_guard.frames import samples_of, texts_of
from collapse_guard.table import Table

_NUMBER = re.compile("0|[1-9][0-9]{0,17}")
NATS = {"nats": 1.0, "bits": math.log(2.0), "log10": math.log(10.0)}
"""Unit of losses -> its size in nats."""
PER = ("document", "token")
LARGEST_COUNT = 10**12
"""Most tokens, or bytes, of a document."""
Samples = Sequence[str] | Sequence[Sequence[int]] | npt.NDArray[Any] | Table


@dataclass(frozen=True, kw_only=True, eq=False)
class Losses:
    """Losses in nats, summed over each document: documents of the wild type, the same in every generation, or samples.

    Padding and BOS are not counted. A document of zero tokens is refused: it has no loss.
    """

    documents: tuple[str, ...]
    """Id of each document; a probe uses content hashes."""
    nll: FloatArray
    """d: negative log-likelihood in nats, summed over the document. NaN and infinity are kept, but decide nothing; what
    is larger than 1e30 is infinite."""
    n_tokens: IntArray
    """d: scored tokens of the document."""
    n_bytes: IntArray | None = None
    """d: UTF-8 bytes of the scored text, for bits per byte; None if not known."""
    token_nll: tuple[FloatArray, ...] | None = None
    """Per document, the nats of each scored token; None if not known. The token stratum of the tail needs them."""

    entropy: FloatArray | None = None
    """d: entropies in nats of the next-token distributions, summed over the document; None if not known."""

    def __post_init__(self) -> None:
        """Check that all parts describe the same documents."""
        numbers = {"nll": np.float64, "n_tokens": np.int64, "n_bytes": np.int64, "entropy": np.float64}
        for name, dtype in numbers.items():
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _numbers(name, getattr(self, name), dtype))
        if self.token_nll is not None:
            object.__setattr__(self, "token_nll", tuple(map(_bounded, self.token_nll)))
        count = len(self.documents)
        for name in (*numbers, "token_nll"):
            part = getattr(self, name)
            if part is not None and len(part) != count:
                raise InputError(f"`{name}` must have one entry per document ({count}), but got {len(part)}")
        if len(set(self.documents)) != count:
            twice = next(d for i, d in enumerate(self.documents) if d in self.documents[:i])
            raise InputError(f"`documents` must be unique, but {twice!r} occurs twice: give each document one row")
        if count and int(self.n_tokens.min()) < 1:
            empty = self.documents[int(self.n_tokens.argmin())]
            raise InputError(f"`n_tokens` must be at least 1, but document {empty!r} has {int(self.n_tokens.min())}")

    def __len__(self) -> int:
        """Number of documents."""
        return len(self.documents)

    @property
    def rates(self) -> FloatArray:
        """Nats per token of each document: d."""
        return self.nll / self.n_tokens

    def as_sums(self, *, unit: str = "nats", per: str = "document") -> Losses:
        """The losses in nats, summed over each document, where these are in another unit, or means per token.

        Entropies are converted alike, and the nats of single tokens only from their unit.

        Args:
            unit: "nats", "bits", or "log10" for logarithms to base 10.
            per: "document" where these are sums over documents, "token" where they are means per token.

        Raises:
            InputError: A unit is not known.

        Example:
            >>> means = Losses(documents=("a", "b"), nll=[2.0, 3.0], n_tokens=[10, 20])
            >>> means.as_sums(unit="bits", per="token").nll.round(2).tolist()
            [13.86, 41.59]
        """
        size = NATS.get(unit) if isinstance(unit, str) else None
        if size is None:
            raise InputError(f"`unit` must be {', '.join(NATS)}, but got {unit!r:.80}: convert the losses to nats")
        if per not in PER:
            raise InputError(f"`per` must be {' or '.join(PER)}, but got {per!r:.80}: sum the losses over documents")
        factor = size * (self.n_tokens if per == "token" else 1.0)
        return replace(
            self,
            nll=self.nll * factor,
            entropy=None if self.entropy is None else self.entropy * factor,
            token_nll=None if self.token_nll is None else tuple(size * part for part in self.token_nll),
        )

    def take(self, places: Any) -> Losses:
        """The losses of some documents, by their places and in that order."""
        columns: dict[str, Any] = {field.name: taken(getattr(self, field.name), places) for field in fields(self)}
        return Losses(**columns)

    def by_number(self) -> Losses:
        """In the order of the samples, whose numbers are the documents."""
        return self.take(sorted(range(len(self)), key=lambda place: int(self.documents[place])))


def _numbers(name: str, values: Any, dtype: type[Any]) -> Any:
    """Losses in double precision, or counts, which must be whole numbers; raises InputError."""
    numbers = np.asarray(values)
    if numbers.dtype.kind not in "iufb":
        raise InputError(f"`{name}` must be numbers, but got {values!r:.80}: give one for each document")
    if dtype is np.float64:
        return _bounded(numbers.astype(np.float64, copy=False))
    bad = numbers[~((numbers >= -LARGEST_COUNT) & (numbers <= LARGEST_COUNT) & (numbers == np.floor(numbers)))]
    if len(bad):
        raise InputError(f"`{name}` must be whole numbers of at most {LARGEST_COUNT:,}, but got {bad[0]}: count again")
    return numbers.astype(dtype, copy=False)


def _bounded(nats: Any) -> Any:
    """Losses as they are, but infinite where they are too large to be any."""
    numbers = np.asarray(nats)
    if is_usable(numbers).all():
        return nats
    return np.where(np.isfinite(numbers) & ~is_usable(numbers), np.copysign(np.inf, numbers), numbers)


def taken(column: Any, places: Any) -> Any:
    """The entries of an array, list or tuple at some places, in that order; None of None.

    Example:
        >>> taken(("a", "b", "c"), [2, 0])
        ('c', 'a')
    """
    if column is None or isinstance(column, np.ndarray):
        return column if column is None else column[places]
    return type(column)(column[place] for place in places)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Scores of one task, a number from 0 to 1 for each item: 1 for a right answer and 0 for a wrong one, or parts.

    Example:
        >>> Scores(values=[1, 0, 0.5], items=["capital of France", "boiling point", "first president"]).values.mean()
        np.float64(0.5)
    """

    values: FloatArray
    """n: from 0 to 1; NaN is kept: it decides nothing."""
    items: tuple[str, ...] | None = None
    """n: ids of the items, by which generations are paired; None: the items are not the same in each generation."""
    lower_is_better: bool = False
    """Whether a rise is harm, as for a rate of refusals."""

    def __post_init__(self) -> None:
        """Check the numbers and the ids."""
        try:
            values = np.asarray(self.values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"`scores` must be numbers from 0 to 1, but got {self.values!r:.80}") from error
        outside = values[(values < 0.0) | (values > 1.0)]
        if values.ndim != 1 or not len(values):
            raise InputError(f"`scores` must be one number for each item, but got an array of shape {values.shape}")
        if len(outside):
            raise InputError(
                f"`scores` must be from 0 to 1, but got {outside[0]:g}: divide by the most that an item can get"
            )
        object.__setattr__(self, "values", values)
        if self.items is not None:
            object.__setattr__(self, "items", _checked_items(self.items, len(values)))

    @classmethod
    def of_counts(cls, *, correct: int, total: int) -> Scores:
        """Scores of `correct` right answers to `total` items, where it is not known which they are.

        Raises:
            InputError: `correct` is not from 0 to `total`, or there are no items.

        Example:
            >>> Scores.of_counts(correct=2, total=3).values.tolist()
            [1.0, 1.0, 0.0]
        """
        if not 0 <= whole("correct", correct, least=0) <= whole("total", total, least=1):
            raise InputError(f"`correct` must be at most `total` ({total}), but got {correct}")
        return cls(values=np.repeat([1.0, 0.0], [correct, total - correct]))

    @classmethod
    def of(cls, scores: Any) -> Scores:
        """Scores from `Scores`, from a mapping of the id of each item to its score, or from a list of scores."""
        if isinstance(scores, cls):
            return scores
        if isinstance(scores, Mapping):
            return cls(values=np.array(list(scores.values())), items=tuple(scores))
        return cls(values=scores)

    def __len__(self) -> int:
        """Number of items."""
        return len(self.values)


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What was collected from one generation. An indicator is not read if a part that it needs is missing."""

    samples: Samples | None = None
    """Generated samples: texts, token ids of the wild type's own tokenizer, an n d array of vectors, or an array of
    items of any shape, such as images. A table of pandas, pyarrow or `datasets` gives its column `text`; without one,
    its columns by their names. A text that is missing or blank is kept, as ""."""
    losses: Losses | None = None
    """Losses of the generation on wild-type documents."""
    embeddings: npt.NDArray[np.floating[Any]] | None = None
    """n d: embeddings of the samples; None: the wild type's frozen embedder makes them from the texts."""

    prompts: Sequence[str] | None = None
    """n: the prompt that each sample answers, which is no part of the sample; samples of one prompt are not
    independent, and the same prompts are paired across generations. None: the samples start from nothing."""
    truncated: Sequence[bool | None] | None = None
    """n: whether each sample was cut at a limit of length, so that it has no end; None where that is not known,
    which counts as not cut."""
    own_losses: Losses | None = None
    """Losses of the generation on its own samples; the documents are the numbers of the samples: "0", "1", ..."""
    founder_losses: Losses | None = None
    """Losses of the founder on the samples of this generation; the documents are the numbers of the samples."""
    training_losses: Losses | None = None
    """Losses of the generation on documents that it was trained on, of the same kind as the wild type's: a founder that
    finds its evaluation documents no harder has seen them."""
    scores: Mapping[str, Any] | None = None
    """Name of each task -> its scores: a mapping of the id of each item to its score, a list of scores, or `Scores`, as
    which they are kept. An indicator for each task; see `docs/task-scores.md`."""
    sources: Mapping[str, str] | None = None
    """Part, such as "samples", "losses" or "scores facts" -> the name of the file that it was read from, which is told
    with the counts of what was read; None: it came from Python."""

    def __post_init__(self) -> None:
        """Refuse empty evidence, a single text instead of a list, and losses of samples that are not numbered."""
        parts = [field.name for field in fields(self) if field.name != "sources"]
        if all(getattr(self, name) is None for name in parts):
            names = ", ".join(f"`{name}`" for name in parts)
            raise InputError(f"an Evidence needs one of {names}, but got none of them")
        object.__setattr__(self, "samples", samples_of("samples", several("samples", self.samples)))
        for name, check in (("prompts", _prompt), ("truncated", _is_truncated)):
            object.__setattr__(self, name, self._beside_samples(name, check))
        if self.scores is not None:
            object.__setattr__(self, "scores", {_task(name): Scores.of(given) for name, given in self.scores.items()})
        _check_numbers("own_losses", self.own_losses)
        _check_numbers("founder_losses", self.founder_losses)

    def _beside_samples(self, name: str, check: Callable[[Any], Any]) -> list[Any] | None:
        """A part that has one entry for each sample; raises InputError where it has not."""
        given = getattr(self, name)
        if given is None:
            return None
        values = [check(value) for value in texts_of(name, several(name, given))]
        n = getattr(self.samples, "n_rows", None) or len(() if self.samples is None else self.samples)
        if len(values) != n:
            raise InputError(f"`{name}` must be one for each of {n:,} samples, but got {len(values):,}")
        return values

    def digest(self) -> str:
        """32 hexadecimal digits of all that was collected: the same evidence has the same, wherever it was read from.

        Every bit of every number counts. The order of samples counts too; that of losses and of scores with ids does
        not, nor do the names of files.

        Raises:
            InputError: The samples are neither texts, nor token ids, nor rows of numbers.

        Example:
            >>> named = Evidence(samples=["We", "the people"], sources={"samples": "samples.txt"})
            >>> named.digest() == Evidence(samples=("We", "the people")).digest()
            True
        """
        digest = hashlib.blake2b(digest_size=16)
        for chunk in _chunks(self):
            digest.update(len(chunk).to_bytes(8, "little"))
            digest.update(chunk)
        return digest.hexdigest()


def _chunks(evidence: Evidence) -> Iterator[bytes]:
    """All parts of the evidence, each behind its name, in one form whatever types they were given in."""
    kind, samples = normal_samples(evidence.samples)
    yield f"samples {kind} {0 if samples is None else len(samples)}".encode()
    if kind == "texts":
        yield from map(text_bytes, samples)
    elif kind == "table":
        yield from table_bytes(samples)
    elif samples is not None:
        yield from rows_bytes(samples) if kind == "ids" else array_bytes(samples)
    if evidence.embeddings is not None:
        yield b"embeddings"
        yield from array_bytes(evidence.embeddings)
    if evidence.prompts is not None:
        yield b"prompts"
        yield from map(text_bytes, evidence.prompts)
    if evidence.truncated is not None:
        yield f"truncated {evidence.truncated}".encode()
    for name in ("losses", "own_losses", "founder_losses", "training_losses"):
        losses = getattr(evidence, name)
        if losses is not None:
            yield name.encode()
            yield from _loss_chunks(losses)
    for task, scores in sorted((evidence.scores or {}).items()):
        yield f"scores {task} {len(scores)} {scores.lower_is_better} {scores.items is not None}".encode()
        order = _order(scores.items) if scores.items else slice(None)
        yield from map(text_bytes, taken(scores.items, order) or ())
        yield from array_bytes(scores.values[order])


def _loss_chunks(losses: Losses) -> Iterator[bytes]:
    ordered = losses.take(_order(losses.documents))
    yield str(len(ordered)).encode()
    yield from map(text_bytes, ordered.documents)
    for name in ("nll", "n_tokens", "n_bytes", "entropy"):
        column = getattr(ordered, name)
        if column is not None:
            yield name.encode()
            yield from array_bytes(column)
    if ordered.token_nll is not None:
        yield b"token_nll"
        yield from rows_bytes([np.asarray(part, dtype=np.float64) for part in ordered.token_nll])


def _order(names: Sequence[str]) -> list[int]:
    return sorted(range(len(names)), key=names.__getitem__)


def _checked_items(items: Sequence[Any], n: int) -> tuple[str, ...]:
    ids = tuple(map(str, items))
    if len(ids) != n:
        raise InputError(f"`items` must be one id for each of {n} scores, but got {len(ids)}")
    if len(set(ids)) != n:
        twice = Counter(ids).most_common(1)[0][0]
        raise InputError(f"`items` must be unique, but {twice!r:.80} stands twice: give each item one score")
    return ids


def _prompt(given: Any) -> str:
    if isinstance(given, str):
        return str(given)
    raise InputError(f"`prompts` must be texts, but got {given!r:.80}: join the messages of a chat to one text")


def _is_truncated(given: Any) -> bool | None:
    if given is None or given == "":  # as what is missing in a column of a table
        return None
    if isinstance(given, bool | np.bool_):
        return bool(given)
    raise InputError(
        f"`truncated` must be True, False or None, but got {given!r:.80}: say of each sample if it was cut"
    )


def _task(name: Any) -> str:
    if isinstance(name, str) and METRIC_NAME.fullmatch(name):
        return name
    raise InputError(f"`scores` must have names of {METRIC_NAME_RULE}, but got {name!r:.120}: rename it")


def _check_numbers(name: str, losses: Losses | None) -> None:
    documents = () if losses is None else losses.documents
    wrong = next((document for document in documents if not _NUMBER.fullmatch(document)), None)
    if wrong is not None:
        raise InputError(
            f"`{name}` must have the numbers of samples as documents, from 0, but got {wrong!r:.80}: "
            "give losses on wild-type documents as `losses`"
        )
