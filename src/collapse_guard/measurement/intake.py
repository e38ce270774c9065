"""Count what was read, before anything is concluded from it: rows, empty ones, different ones, lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from collapse_guard.arrays import IntArray
from collapse_guard.evidence import Evidence, Losses
from collapse_guard.measurement.samples import TextSamples, text_samples, tokenized
from collapse_guard.records import Intake
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.contents import of_vectors

_CUT_SHARE = 0.02
"""Share of texts of exactly the greatest length from which on that length looks like a limit: lengths that nobody
limits hardly ever meet at the greatest."""
_CUT_TEXTS = 5
_QUANTILES = (0.05, 0.25, 0.75, 0.95)


def intake_of(wild_type: WildType, evidence: Evidence) -> tuple[Intake, ...]:
    """Count each part of the evidence.

    Args:
        wild_type: Its tokenizer counts tokens.
        evidence: As it was given: rows are the rows of the files.

    Raises:
        InputError: The samples do not fit the wild type.

    Example:
        >>> wild_type = WildType.fit([f"document {i} of the wild type" for i in range(60)])
        >>> [str(part) for part in intake_of(wild_type, Evidence(samples=["document 1", "", "document 1"]))]
        ['samples: 3 rows, 1 blank, 2 texts, 1 different, median 2 tokens']
    """
    return tuple(_parts(wild_type, evidence))


def texts_intake(texts: Sequence[str], tokens: Sequence[IntArray], **parts: Any) -> Intake:
    """Count texts that are not empty.

    Args:
        texts: n texts.
        tokens: Their token ids.
        parts: Other fields of the `Intake`; `rows` is n and the empty ones.
    """
    lengths = [len(ids) for ids in tokens]
    unit, longest, at_longest = _limit(texts, lengths)
    return Intake(
        different=len(set(texts)),
        median=float(np.median(lengths)) if lengths else None,
        quantiles=tuple(np.quantile(lengths, _QUANTILES).tolist()) if lengths else (),
        longest=longest,
        longest_unit=unit,
        at_longest=at_longest,
        **parts,
    )


def _limit(texts: Sequence[str], tokens: Sequence[int]) -> tuple[str, int | None, float]:
    """The unit in which most texts have just as much as the longest one, that length, and their share."""
    lengths = {"words": [len(text.split()) for text in texts], "tokens": tokens, "characters": list(map(len, texts))}
    found: tuple[str, int | None, float] = ("", None, 0.0)
    for unit, counts in lengths.items():
        longest = max(counts, default=0)
        ends = counts.count(longest) if isinstance(counts, list) else list(counts).count(longest)
        if ends >= _CUT_TEXTS and ends > max(_CUT_SHARE, found[2]) * len(texts):
            found = (unit, longest, ends / len(texts))
    return found


def _parts(wild_type: WildType, evidence: Evidence) -> Iterator[Intake]:
    sources = evidence.sources or {}
    if evidence.samples is not None:
        yield _of_samples(wild_type, evidence, sources.get("samples", ""))
    if evidence.embeddings is not None:
        yield _of_vectors("embeddings", evidence.embeddings, sources.get("embeddings", ""))
    if evidence.prompts is not None:
        source, prompts = sources.get("prompts", ""), evidence.prompts
        yield Intake(part="prompts", unit="prompts", source=source, rows=len(prompts), different=len(set(prompts)))
    for name in ("losses", "own_losses", "founder_losses"):
        losses = getattr(evidence, name)
        if losses is not None:
            yield _of_losses(name, losses, sources.get(name, ""))
    for task, scores in (evidence.scores or {}).items():
        yield Intake(part=task, unit="scores", source=sources.get(f"scores {task}", ""), rows=len(scores))


def _of_samples(wild_type: WildType, evidence: Evidence, source: str) -> Intake:
    if wild_type.kind == "vectors":
        counted = _of_vectors("samples", tokenized(wild_type, evidence).samples, source)
        named = of_vectors(wild_type.contents).columns
        return counted if named is None else counted.model_copy(update={"median": len(named.columns)})
    assert evidence.samples is not None  # noqa: S101
    samples: TextSamples = text_samples(wild_type, evidence.samples)
    parts: dict[str, Any] = {"part": "samples", "unit": "texts", "source": source}
    parts |= {"rows": samples.n_rows, "empty": samples.n_empty, "truncated": _share_cut(evidence)}
    return texts_intake(samples.texts, samples.tokens, **parts)


def _share_cut(evidence: Evidence) -> float | None:
    ends = evidence.truncated
    return sum(cut is True for cut in ends) / len(ends) if ends else None


def _of_vectors(part: str, values: Any, source: str) -> Intake:
    rows = np.asarray(values)
    different = len({row.tobytes() for row in np.ascontiguousarray(rows)})
    columns = rows.shape[1] if rows.ndim == 2 else None
    return Intake(part=part, unit="vectors", source=source, rows=len(rows), different=different, median=columns)


def _of_losses(part: str, losses: Losses, source: str) -> Intake:
    tokens = losses.n_tokens
    mean = float(losses.nll.sum() / tokens.sum()) if len(losses) else None
    median = float(np.median(tokens)) if len(losses) else None
    return Intake(part=part, unit="losses", source=source, rows=len(losses), median=median, mean_nats=mean)
