"""Formulas of the likelihood family: averages of nats. A mean is always a sum of nats / a sum of units."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from collapse_guard.arrays import FloatArray
from collapse_guard.errors import InputError
from collapse_guard.indicators.counts import Values, ratio


def perplexity(nats: Values, n_tokens: Values) -> float:
    r"""Perplexity: the number of equally likely tokens that would be as surprising, `exp(sum nats / sum tokens)`.

    Unit: choices per token. Range: [1, inf). Collapse: up, though a series need not be monotone. Undefined (NaN)
    without tokens; infinite above 709 nats per token. O(d) for d documents. Depends on the tokenizer, not on batches
    or their order.

    Args:
        nats: Sums of nats, of documents or of anything else.
        n_tokens: Scored tokens of each.

    Source: Jelinek et al. (1977), J. Acoust. Soc. Am. 62:S63.

    Example:
        >>> round(perplexity([math.log(8), math.log(2)], [1, 3]), 6)
        2.0
    """
    mean = rate(nats, n_tokens)
    return math.exp(mean) if not mean > 709.0 else math.inf


def bits_per_byte(nats: Values, n_bytes: Values) -> float:
    r"""Bits per byte of UTF-8 text: `sum nats / (ln 2 * sum bytes)`; comparable across tokenizers.

    Range: [0, inf). Collapse: up. Undefined (NaN) without bytes. O(d).

    Args:
        nats: Sums of nats of documents.
        n_bytes: UTF-8 bytes of the scored text of each.

    Source: Gao et al. (2020), The Pile, section 3.1.

    Example:
        >>> bits_per_byte([16 * math.log(2)], [8])
        2.0
    """
    return rate(nats, n_bytes) / math.log(2)


def tail_loss(nats: Values, n_tokens: Values, in_tail: Values) -> float:
    r"""Nats per token over the documents that the founder found hardest: `sum nats / sum tokens` over the frozen tail.

    Unit: nats per token. Range: [0, inf). Collapse: up, and before perplexity does: the tail is forgotten first.
    Undefined (NaN) without documents in the tail. O(d).

    The documents were chosen for their loss at the founder, so the founder's own value is biased up (regression to the
    mean) and a healthy generation reads slightly better than its founder: the bias hides harm, it never invents any.

    Args:
        nats: d: sums of nats of documents.
        n_tokens: d: scored tokens.
        in_tail: d: whether the document belongs to the founder's frozen tail (`stratum.freeze_tail`).

    Source: Shumailov et al. (2024), Nature 631:755 (early collapse is the loss of tails).

    Example:
        >>> tail_loss([2.0, 9.0, 6.0], [2, 3, 2], [False, True, True])
        3.0
    """
    tail = _tensor(in_tail).bool()
    return rate(_tensor(nats)[tail], _tensor(n_tokens)[tail])


def tail_token_loss(token_nats: Values, in_tail: Values) -> float:
    r"""Mean nats over the tokens that the founder found hardest, in all documents.

    Unit: nats per token. Range: [0, inf). Collapse: up. Undefined (NaN) without tokens in the tail. O(t). The
    selection biases the founder's value up as in `tail_loss`, and more so: single tokens vary more than documents.

    Args:
        token_nats: t: nats of scored tokens.
        in_tail: t: whether the token belongs to the founder's frozen tail.

    Source: Shumailov et al. (2024), Nature 631:755.

    Example:
        >>> tail_token_loss([0.5, 8.0, 6.0], [False, True, True])
        7.0
    """
    tail = _tensor(token_nats)[_tensor(in_tail).bool()]
    return rate(tail, torch.ones_like(tail))


def cvar_loss(nats: Values, n_tokens: Values, q: float = 0.1) -> float:
    r"""Conditional value at risk: mean nats per token of the worst share q of the documents of this generation.

    .. math:: \mathrm{CVaR}_q = v + \frac{1}{q d} \sum_i \max(x_i - v, 0)

    with x_i the nats per token of document i and v the quantile that a share q exceeds; exact where q d is no whole
    number. Documents weigh the same, so short ones, which vary more, are often among the worst.

    Unit: nats per token. Range: [0, inf). Collapse: up. Undefined (NaN) without documents or where a document has no
    tokens. Its expectation falls a little with few documents: compare it on the same documents. O(d log d).

    The worst documents are found anew in each generation. It therefore sees harm to documents that the founder knew
    well, and it is not biased by selection as `tail_loss` is; but it does not see one hard document take the place of
    another, and the founder's tail may be lost while new documents are worse still. `tail_loss` keeps the documents of
    the founder's tail, so it sees what became of them, and misses what was lost elsewhere. Read both.

    Args:
        nats: d: sums of nats of documents.
        n_tokens: d: scored tokens of each.
        q: Share of the documents that are the worst, in (0, 1]; 1 is the mean over documents.

    Raises:
        InputError: `q` is out of range.

    Source: Rockafellar and Uryasev (2000), Optimization of conditional value-at-risk, Journal of Risk 2:21-41.

    Example:
        >>> cvar_loss([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [1] * 10, q=0.25)
        9.2
    """
    parts = cvar_parts(nats, n_tokens, q)
    return float(parts.mean()) if len(parts) else math.nan


def cvar_parts(nats: Values, n_tokens: Values, q: float = 0.1) -> FloatArray:
    """What each document adds to the conditional value at risk: `v + max(x - v, 0) / q`, whose mean it is exactly.

    To first order their spread is that of the conditional value at risk too: that v is estimated adds nothing.

    Args:
        nats: d: sums of nats of documents.
        n_tokens: d: scored tokens of each.
        q: Share of the documents that are the worst, in (0, 1].

    Raises:
        InputError: `q` is out of range.

    Example:
        >>> cvar_parts([1.0, 2.0, 6.0, 4.0], [1, 1, 1, 1], q=0.5).tolist()
        [4.0, 4.0, 8.0, 4.0]
    """
    check_share("q", q)
    sums, units = _tensor(nats).cpu().numpy(), _tensor(n_tokens).cpu().numpy()
    rates: FloatArray = np.divide(sums, units, out=np.full(len(sums), math.nan), where=units > 0)
    if np.isnan(rates).any() or not len(rates):
        return np.full(len(rates), math.nan)
    worst = max(1, math.ceil(q * len(rates) - 1e-9))
    quantile = np.sort(rates)[-worst]
    # Where the quantile itself is infinite, so is the risk, and inf - inf is not.
    excess = np.subtract(rates, quantile, out=np.zeros(len(rates)), where=rates > quantile)
    parts: FloatArray = quantile + excess / q
    return parts


def check_share(name: str, share: float) -> None:
    """Raise InputError where a share of documents is not in (0, 1]."""
    if not 0.0 < share <= 1.0:
        raise InputError(f"`{name}` must be above 0 and at most 1, but got {share!r}: 0.1 is the hardest tenth")


def entropy(nats: Values, n_tokens: Values) -> float:
    r"""Mean entropy of the next-token distributions on prefixes of real text: `sum nats / sum tokens`.

    Unit: nats. Range: [0, inf), at most ln V for V tokens of vocabulary. Collapse: both: greedy or truncated decoding
    narrows what the next generation expects, noise and forgetting widen it. Undefined (NaN) without tokens. O(d).
    Depends on the tokenizer and the documents, and not on what is sampled: compare it on the same documents.

    Args:
        nats: d: sums of the entropies of documents (`token_entropy`).
        n_tokens: d: scored tokens of each.

    Source: Shannon (1948), A mathematical theory of communication, section 6. Marchi et al. (2024), arXiv:2404.02325
        (any temperature but the right one ends in a small set or in noise).

    Example:
        >>> round(entropy([2 * math.log(8), math.log(2)], [2, 1]) / math.log(2), 6)
        2.333333
    """
    return rate(nats, n_tokens)


def own_perplexity(nats: Values, n_tokens: Values) -> float:
    r"""Perplexity of a model on its own samples: `exp(sum nats / sum tokens)`.

    Unit: choices per token. Range: [1, inf). Collapse: both. Down, where truncated or greedy decoding makes a model
    ever surer of what it writes, often while perplexity on real text rises. Up, where pure sampling drifts towards
    noise. Undefined (NaN) without tokens; infinite above 709 nats per token. O(d) for d samples.

    Depends on the tokenizer, on prompts, decoding and length of the samples (early tokens are harder): keep them. It is
    computed under the whole distribution, whatever part of it the samples were drawn from. It says how sure a model is,
    not whether it is right: read it beside `perplexity`.

    Args:
        nats: d: sums of nats of samples, under the model that wrote them.
        n_tokens: d: scored tokens of each.

    Source: Jelinek et al. (1977), J. Acoust. Soc. Am. 62:S63; Holtzman et al. (2020), The curious case of neural text
        degeneration, ICLR (text that is too probable and text that is too improbable are both degenerate).

    Example:
        >>> round(own_perplexity([math.log(8), math.log(2)], [1, 3]), 6)
        2.0
    """
    return perplexity(nats, n_tokens)


def founder_perplexity(nats: Values, n_tokens: Values) -> float:
    r"""Perplexity of the founder on the samples of a later generation: `exp(sum nats / sum tokens)`.

    Unit: choices per token. Range: [1, inf). Collapse: both. Down, where samples pile up on what the founder found most
    likely and its tails are lost. Up, where errors add up and samples appear that the founder would never have written.
    Both happen at once in one distribution, and may hide each other in its mean. Undefined (NaN) without tokens;
    infinite above 709 nats per token. O(d) for d samples. Depends on the tokenizer, on prompts, decoding and length of
    the samples: keep them.

    Args:
        nats: d: sums of nats of samples, under the founder (generation 0).
        n_tokens: d: scored tokens of each.

    Source: Shumailov et al. (2024), AI models collapse when trained on recursively generated data, Nature 631:755,
        figure 1 (samples of each generation under the first model).

    Example:
        >>> round(founder_perplexity([math.log(8), math.log(2)], [1, 3]), 6)
        2.0
    """
    return perplexity(nats, n_tokens)


def rate(nats: Values, units: Values) -> float:
    """Sum of nats / sum of units; NaN without units."""
    return ratio(float(_tensor(nats).sum()), float(_tensor(units).sum()))


def _tensor(values: Values) -> Tensor:
    """As a tensor; torch warns of arrays that may not be written to, such as those of a file, so these are copied."""
    is_fixed = isinstance(values, np.ndarray) and not values.flags.writeable
    return torch.as_tensor(np.array(values) if is_fixed else values, dtype=torch.float64)
