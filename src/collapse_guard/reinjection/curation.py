r"""Curation: choose the samples of a model that are fit to be trained on. It purges, where re-injection adds.

Evaluation documents are always left out, because they must stay unseen. You choose the other rules.

| rule       | leaves out                                                                                            |
|------------|-------------------------------------------------------------------------------------------------------|
| `exact`    | copies of pool documents and of earlier samples                                                       |
| `near`     | near duplicates of wild-type documents and of earlier samples (Jaccard similarity of word 5-grams,    |
|            | `near`)                                                                                               |
| `quality`  | samples that are shorter or longer, or have more repeated 4-grams or more unknown words, than all but |
|            | a `quantile` of the pool                                                                              |
| `probable` | samples that their model finds more probable per token than all but a `quantile` of real documents    |
| `toward`   | if `n` is given, all but n, drawn at random with more weight on samples like the pool                 |

`toward` is importance resampling. The weight of a sample x is its density ratio, real to written. A classifier that
separates real texts from samples by their words estimates it by its odds,

.. math:: w(x) = \exp\bigl(\tau f(x)\bigr), \qquad f(x) = \ln \frac{P(\text{real} | x)}{P(\text{written} | x)}

Each half of the texts is judged by a classifier fitted to the other half, and tau is fitted to these judgements: if the
two cannot be separated, tau goes to zero and all weights become equal. A topic that is far too frequent comes down most
of the way (State of the Union speeches: from one passage in two about war to one in ten, where one in twenty is real).
A topic that is rare comes down little, since the classifier has little text to learn it from.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
from scipy import sparse

from collapse_guard.arguments import numbers, share, whole
from collapse_guard.arrays import BoolArray, FloatArray, IntArray
from collapse_guard.corpus.documents import content_hash
from collapse_guard.corpus.duplicates import duplicate_labels, near_matches, usable_threshold
from collapse_guard.corpus.lexicon import count_words, words
from collapse_guard.errors import InputError, near
from collapse_guard.frames import texts_of
from collapse_guard.records import Record
from collapse_guard.wildtype import WildType

Rule = Literal["exact", "near", "quality", "probable", "toward"]
RULES: tuple[Rule, ...] = get_args(Rule)
CLIP = 10.0
"""Weights are clipped to this factor above and below their median, so that no sample dominates."""
_BUCKETS, _PENALTY = 1 << 14, 0.03
_REPEATED = 4


class Audited(Record):
    """What a rule left out."""

    rule: str
    """Name of the rule and of its bound."""
    removed: int
    """Samples that it left out."""
    left: int
    """Samples left after it."""
    bound: str
    """The bound, in words."""
    examples: tuple[str, ...] = ()
    """The beginnings of up to three samples that it left out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Curation:
    """Samples that are fit to be trained on."""

    places: IntArray
    """[n]: places of the kept samples, ascending."""
    weights: FloatArray
    """[n]: importance weights toward the wild type, with a mean of one. If samples were drawn by these weights, this is
    the weight that remains: one for all, unless some samples are so scarce that they are kept for certain."""
    audit: tuple[Audited, ...]
    """What each rule left out, in the order in which the rules were applied."""


class _Step(NamedTuple):
    rule: str
    bad: BoolArray
    bound: str


def curate(
    synthetic: Sequence[str],
    wild_type: WildType,
    *,
    n: int | None = None,
    nats: npt.ArrayLike | None = None,
    real_nats: npt.ArrayLike | None = None,
    rules: Sequence[Rule] = RULES,
    near: float = 0.8,
    quantile: float = 0.005,
    seed: int = 0,
) -> Curation:
    """Keep the samples that are fit to be trained on, and report what each rule left out.

    Args:
        synthetic: Samples of a model; of a table, its column `text`.
        wild_type: The real data: its pool defines what is usual, and its evaluation documents are left out.
        n: Number of samples to keep; None: all that the rules leave, with weights.
        nats: Nats per token of each sample under the model that wrote it; for `probable`.
        real_nats: Nats per token of real documents under the same model; for `probable`.
        rules: Rules to apply, from `RULES`, in that order.
        near: Smallest similarity that makes two documents near duplicates.
        quantile: Part of the pool that each bound of `quality` and `probable` would leave out.
        seed: Seed of the random draws.

    Raises:
        InputError: An argument is invalid, or fewer than n samples are left (none, without n).

    Cost: linear in the words of samples and pool: 0.15 ms per sample of 30 words, with a pool of 5,000.

    Source: Sugiyama, Suzuki and Kanamori (2012), Density ratio estimation in machine learning, chapter 4; Xie et al.
        (2023), arXiv:2302.03169, for resampling toward a target; Madow (1949), On the theory of systematic sampling II,
        Ann. Math. Stat. 20:333, for the draw.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> texts = [" ".join(rng.choice([f"w{number}" for number in range(60)], 12)) for _ in range(300)]
        >>> wild_type = WildType.fit(texts[:200], seed=0, vocabulary_size=300)
        >>> curation = curate([*texts[200:], texts[200], wild_type.evaluation[0]], wild_type, rules=["exact"])
        >>> len(curation.places), [(row.rule, row.removed) for row in curation.audit]
        (100, [('evaluation', 1), ('exact', 1)])
    """
    texts = _check_arguments(synthetic, wild_type, rules, n)
    if share("quantile", quantile) >= 0.5:
        raise InputError(f"`quantile` must be below 0.5, but got {quantile!r}: 0.005 leaves out what is very unusual")
    usable_threshold("near", near)
    places, audit = np.arange(len(texts)), list[Audited]()

    def leave_out(step: _Step) -> None:
        nonlocal places
        gone, places = places[step.bad], places[~step.bad]
        examples = tuple(" ".join(texts[place].split())[:80] for place in gone[:3])
        audit.append(Audited(rule=step.rule, removed=len(gone), left=len(places), bound=step.bound, examples=examples))
        _check_left(len(places), n, audit)

    for find in _rules(rules, wild_type, texts, nats, real_nats, near=near, quantile=quantile, seed=seed):
        leave_out(find(places))
    if "toward" not in rules:
        if n is not None and n < len(places):
            leave_out(_Step("n", ~_draw(np.full(len(places), n / len(places)), n, seed), f"{n:,} drawn at random"))
        return Curation(places=places, weights=np.ones(len(places)), audit=tuple(audit))
    logs, tau = _log_weights([texts[place] for place in places], list(wild_type.pool), seed)
    weights = _clip(logs)
    if n is None or n == len(places):
        audit.append(_weights_audit(weights, tau))
        return Curation(places=places, weights=weights, audit=tuple(audit))
    chances = _chances(weights, n)
    drawn = _draw(chances, n, seed)
    by = f"by weights of temperature {tau:.2g}" if tau else "at random: they cannot be told from real texts"
    leave_out(_Step("toward", ~drawn, f"{n:,} drawn {by}"))
    left = weights[drawn] / chances[drawn]
    return Curation(places=places, weights=left / left.mean(), audit=tuple(audit))


def _rules(
    rules: Sequence[Rule],
    wild_type: WildType,
    texts: list[str],
    nats: Any,
    real_nats: Any,
    *,
    near: float,
    quantile: float,
    seed: int,
) -> list[Callable[[IntArray], _Step]]:
    """All rules except `toward`; each maps the places that are left to those that it leaves out."""
    steps: list[Callable[[IntArray], _Step]] = [lambda left: _leaks([texts[i] for i in left], wild_type)]
    if "exact" in rules:
        steps.append(lambda left: _copies([texts[i] for i in left], wild_type))
    if "near" in rules:
        steps.append(lambda left: _alike([texts[i] for i in left], wild_type, near, seed))
    if "quality" in rules:
        known = count_words(wild_type.pool)
        real, own = _qualities(list(wild_type.pool), known, own=1), _qualities(texts, known, own=0)
        steps += [
            lambda left, name=name: _outside(name, own[name][left], real[name], quantile)  # type: ignore[misc]
            for name in real
        ]
    if "probable" in rules:
        probable = _probabilities(texts, nats, real_nats, quantile)
        steps.append(lambda left: _Step("probable", probable.bad[left], probable.bound))
    return steps


def _check_arguments(synthetic: Sequence[str], wild_type: WildType, rules: Sequence[str], n: int | None) -> list[str]:
    if wild_type.kind != "text":
        raise InputError("`wild_type` must be of texts, but got one of vectors: samples are compared by their words")
    for rule in rules:
        if rule not in RULES:
            raise InputError(f"`rules` must be of {', '.join(RULES)}, but got {rule!r:.40}: {near(str(rule), RULES)}")
    texts = [synthetic] if isinstance(synthetic, str) else list(texts_of("synthetic", synthetic))
    strange = next((text for text in texts if not isinstance(text, str)), None)
    if isinstance(synthetic, str) or strange is not None:
        raise InputError(f"`synthetic` must be a sequence of texts, but got {strange or synthetic!r:.80}: give a list")
    if not texts:
        raise InputError("`synthetic` must hold samples, but got none: give the samples that the model wrote")
    if n is not None and whole("n", n, least=1) > len(texts):
        raise InputError(f"`n` must be at most the {len(texts)} samples, but got {n}: ask for fewer, or write more")
    return texts


def _check_left(left: int, n: int | None, audit: Sequence[Audited]) -> None:
    if left >= (n or 1):
        return
    worst = max(audit, key=lambda row: row.removed)
    raise InputError(
        f"`synthetic` must have {n or 1:,} samples that are fit, but {left:,} are left; the rule {worst.rule!r} left "
        f"out {worst.removed:,} ({worst.bound}): write more samples, ask for fewer, or leave out the rule"
    )


def _leaks(texts: list[str], wild_type: WildType) -> _Step:
    held = set(wild_type.evaluation.hashes)
    bad = np.array([content_hash(text) in held for text in texts], dtype=bool)
    return _Step("evaluation", bad, "evaluation documents must stay unseen")


def _copies(texts: list[str], wild_type: WildType) -> _Step:
    seen = set(wild_type.pool.hashes)
    bad = np.zeros(len(texts), dtype=bool)
    for place, text in enumerate(texts):
        name = content_hash(text)
        bad[place] = name in seen
        seen.add(name)
    return _Step("exact", bad, "copies of pool documents and of earlier samples")


def _alike(texts: list[str], wild_type: WildType, threshold: float, seed: int) -> _Step:
    known = [*wild_type.evaluation, *wild_type.pool]
    like = {match.text for match in near_matches(texts, known, threshold=threshold)}
    bad = np.array([text in like for text in texts], dtype=bool)
    others = np.flatnonzero(~bad)
    labels = duplicate_labels([texts[place] for place in others], threshold=threshold, seed=seed)
    bad[np.delete(others, np.unique(labels, return_index=True)[1])] = True
    return _Step("near", bad, f"similarity of at least {threshold:g} to a wild-type document or an earlier sample")


def _qualities(texts: Sequence[str], known: Mapping[str, int], *, own: int) -> dict[str, FloatArray]:
    """Words, share of repeated 4-grams, and share of unknown words of each text.

    For documents of the pool itself (`own` = 1), a word is known only if it occurs in other documents too.
    """
    rows = np.array([_quality(words(text), known, own) for text in texts], dtype=np.float64).reshape(-1, 3)
    return dict(zip(("words", "repeated 4-grams", "unknown words"), rows.T, strict=True))


def _quality(tokens: list[str], known: Mapping[str, int], own: int) -> tuple[float, float, float]:
    grams = [tuple(tokens[i : i + _REPEATED]) for i in range(len(tokens) - _REPEATED + 1)]
    repeated = 1.0 - len(set(grams)) / len(grams) if grams else 0.0
    times = Counter(tokens)
    unknown = sum(count for word, count in times.items() if known.get(word, 0) <= own * count)
    return float(len(tokens)), repeated, unknown / max(1, len(tokens))


def _outside(name: str, values: FloatArray, real: FloatArray, quantile: float) -> _Step:
    high = float(np.quantile(real, 1.0 - quantile))
    if name != "words":
        return _Step(f"quality: {name}", values > high, f"at most {high:.1%}, as in {1 - quantile:.1%} of the pool")
    low = float(np.quantile(real, quantile))
    bound = f"from {low:,.0f} to {high:,.0f}, as in {1 - 2 * quantile:.1%} of the pool"
    return _Step("quality: words", (values < low) | (values > high), bound)


def _probabilities(texts: list[str], nats: Any, real_nats: Any, quantile: float) -> _Step:
    if nats is None and real_nats is not None:
        raise InputError("`nats` must be given with `real_nats`, but got None: score the samples by the same model")
    if nats is None:
        return _Step("probable", np.zeros(len(texts), dtype=bool), "not applied: no nats per token were given")
    if real_nats is None:
        raise InputError("`real_nats` must be given with `nats`, but got None: score real documents by the same model")
    values, real = numbers("nats", nats, least=0.0), numbers("real_nats", real_nats, least=0.0)
    if not real.size:
        raise InputError(
            "`real_nats` must hold the nats per token of real documents, but got none: score some by the same model"
        )
    if values.shape != (len(texts),):
        raise InputError(f"`nats` must be one for each of {len(texts)} samples, but got the shape {values.shape}")
    low = float(np.quantile(real, quantile))
    return _Step(
        "probable", values < low, f"at least {low:.3g} nats per token, as in {1 - quantile:.1%} of real documents"
    )


def _log_weights(texts: Sequence[str], pool: Sequence[str], seed: int) -> tuple[FloatArray, float]:
    """Log weights of texts toward the pool, and the fitted temperature."""
    ours, theirs = _features(texts), _features(pool)
    rng = np.random.default_rng(seed)
    half, other_half = (rng.permutation(rows.shape[0]) % 2 for rows in (ours, theirs))
    logs, real_logs = np.zeros(ours.shape[0]), np.zeros(theirs.shape[0])
    for one in (0, 1):
        judge = _odds(ours[half != one], theirs[other_half != one])
        logs[half == one], real_logs[other_half == one] = judge(ours[half == one]), judge(theirs[other_half == one])
    tau = _temperature(logs, real_logs)
    return tau * logs, tau


def _odds(written: sparse.csr_array, real: sparse.csr_array) -> Callable[[sparse.csr_array], FloatArray]:
    """Log odds of being real, from a logistic regression; 0 if there is too little to learn from."""
    from sklearn.linear_model import LogisticRegression

    if not (written.shape[0] and real.shape[0]):
        return lambda rows: np.zeros(rows.shape[0])
    labels = np.repeat([0, 1], [written.shape[0], real.shape[0]])
    fit = LogisticRegression(C=_PENALTY, solver="liblinear", max_iter=200).fit(sparse.vstack([written, real]), labels)
    return lambda rows: np.asarray(fit.decision_function(rows)) if rows.shape[0] else np.zeros(0)


def _temperature(logs: FloatArray, real_logs: FloatArray) -> float:
    """Slope of the logistic regression of "is real" on the odds: 1 if the odds are calibrated."""
    from sklearn.linear_model import LogisticRegression

    both = np.concatenate([logs, real_logs])
    scale = float(both.std())
    if scale == 0.0:
        return 0.0
    labels = np.repeat([0, 1], [len(logs), len(real_logs)])
    fit = LogisticRegression(C=1e6).fit(both[:, None] / scale, labels)
    return max(0.0, float(fit.coef_[0, 0]) / scale)


def _features(texts: Sequence[str]) -> sparse.csr_array:
    """Square roots of the counts of hashed words."""
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(
        analyzer=words, n_features=_BUCKETS, alternate_sign=False, norm=None, dtype=np.float64
    )
    return sparse.csr_array(vectorizer.transform(texts).sqrt())


def _clip(logs: FloatArray) -> FloatArray:
    middle, reach = float(np.median(logs)), math.log(CLIP)
    weights = np.exp(np.clip(logs, middle - reach, middle + reach) - middle)
    scaled: FloatArray = weights / weights.mean()
    return scaled


def _weights_audit(weights: FloatArray, tau: float) -> Audited:
    effective = weights.sum() ** 2 / (weights**2).sum()
    bound = f"none left out: weights of temperature {tau:.2g}, worth {effective:,.0f} equal samples"
    return Audited(rule="toward", removed=0, left=len(weights), bound=bound)


def _chances(weights: FloatArray, n: int) -> FloatArray:
    """Probability to be drawn: proportional to the weights, at most 1, with a sum of n."""
    chances, sure = np.zeros(len(weights)), np.zeros(len(weights), dtype=bool)
    while True:
        chances = np.where(sure, 1.0, weights * (n - sure.sum()) / weights[~sure].sum())
        if not (over := chances > 1.0 + 1e-12).any():
            return np.minimum(chances, 1.0)
        sure |= over


def _draw(chances: FloatArray, n: int, seed: int) -> BoolArray:
    """Draw n places, each with exactly its probability, by systematic sampling of a random order (Madow 1949)."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(chances))
    steps = np.floor(np.cumsum(chances[order]) * n / chances.sum() + rng.random()).astype(np.int64)
    drawn = np.zeros(len(chances), dtype=bool)
    drawn[order[np.diff(steps, prepend=0) > 0]] = True
    return drawn
