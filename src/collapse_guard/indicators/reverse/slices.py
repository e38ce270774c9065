"""Losses of one kind of document against all others under a small language model that was fitted on samples."""

from __future__ import annotations

from typing import ClassVar

from collapse_guard.indicators.base import EvidenceKind
from collapse_guard.indicators.counts import Values
from collapse_guard.indicators.likelihood.slices import WorstSliceLoss, worst_slice_loss
from collapse_guard.wildtype.slices import FEWEST_DOCUMENTS


def worst_slice_reverse(nats: Values, n_tokens: Values, slices: Values, fewest: int = FEWEST_DOCUMENTS) -> float:
    r"""Nats per token of the slice that stands out most, less those of all others, for a small model fitted on samples.

    As `worst_slice_loss`, but with the losses of a small language model that learnt from the samples of a generation: a
    kind of document that is no longer written is one that a successor cannot learn. It needs no losses of the model.

    Unit: nats per token. Range: (-inf, inf). Collapse: up. Undefined (NaN) where no slice has `fewest` documents, or
    there are no others. O(t) for t tokens of samples and of documents, but for sorting.

    Args:
        nats: d: sums of nats of documents, under the small model.
        n_tokens: d: tokens of each.
        slices: d: number of the slice of each document, from 0; -1 for none, which counts among all others.
        fewest: Documents that a slice needs to count.

    Source: Zhao et al. (2018), Adversarially regularized autoencoders, ICML (reverse perplexity); Shumailov et al.
        (2024), Nature 631:755 (modes that vanish); the contrast of slices is ours.

    Example:
        >>> worst_slice_reverse([2.0, 9.0, 3.0, 5.0], [2, 3, 3, 5], [0, 1, 0, 1], fewest=2)
        0.75
    """
    return worst_slice_loss(nats, n_tokens, slices, fewest)


class WorstSliceReverse(WorstSliceLoss):
    """Loss of the slice that stands out most under a small model fitted on samples; see `worst_slice_reverse`.

    As input to `update`: `nats` (d,), `n_tokens` (d,) and `slices` (d,) of d documents: the number of the slice of
    each, from 0, or -1 for none. Value: float64.

    Args:
        n_slices: Number of slices.
        fewest: Documents that a slice needs to count.

    Example:
        >>> import torch
        >>> metric = WorstSliceReverse(n_slices=2, fewest=1)
        >>> metric.update(torch.tensor([2.0, 9.0]), torch.tensor([2, 3]), torch.tensor([0, 1]))
        >>> metric.compute()
        tensor(2., dtype=torch.float64)
    """

    name, place = "worst_slice_reverse", 30
    family = "reverse"
    evidence: ClassVar[EvidenceKind] = "reverse"
    cost = "O(t) for t tokens of samples and of documents, but for sorting"
    misses = "what only a long context shows, and a slice that differs from the others in nothing that samples show"
    _counted = "learnt"
