"""Causality: whether logits at a place depend on later ids. Where they do, there is no perplexity."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice

import torch
from torch import Tensor, nn

from collapse_guard.errors import InputError
from collapse_guard.probes.forward import GIVE_DECODER, SAMPLES_ALONE, Forward, device_of, is_encoder_decoder
from collapse_guard.probes.memory import is_out_of_memory

LENGTH = 16
"""Ids in a row of the trial, unless a forward takes fewer."""
_ROUNDING = 1e-4
"""Change of logits, as a share of the largest, that is rounding: a convolution by Fourier transforms has 1e-6."""
_TIMES_NOISE = 10.0

_LOOKS_AHEAD = (
    "the module looks ahead: its logits at a place depend on later ids, as BERT's do, so it has no perplexity and "
    f"cannot be sampled from left to right: give `logits=` that do not, {SAMPLES_ALONE}"
)
_ENCODES_FIRST = (
    "the module is an encoder-decoder that reads the whole text before it predicts it, so it has no perplexity: "
    f"{GIVE_DECODER}, {SAMPLES_ALONE}"
)


def trial_rows(tokens: Sequence[int], *, bos: int, longest: int) -> tuple[list[int], list[int], list[int]] | None:
    """Two rows of ids, and the first with other ids in its later half; None: none differ, or rows are too short.

    Example:
        >>> trial_rows([1, 2, 3, 4, 5, 6, 7], bos=0, longest=4)
        ([0, 1, 2, 3], [0, 4, 5, 6], [0, 1, 7, 1])
    """
    length = min(LENGTH, longest)
    if length < 2 or not tokens:
        return None
    before, size = length // 2, length - 1
    stream = list(islice(cycle(tokens), 3 * length))
    first, second, others = stream[:size], stream[size : 2 * size], stream[2 * size :]
    changed = [*first[: before - 1], *others[: length - before]]
    return ([bos, *first], [bos, *second], [bos, *changed]) if changed != first else None


def check_causal(module: nn.Module, forward: Forward, rows: tuple[list[int], list[int], list[int]]) -> Tensor | None:
    """Refuse a module that looks ahead; two forwards of two rows.

    Its first row is changed in the later half: logits of the earlier half may change no more than those of the second
    row do, which is not changed. So neither rounding nor what rows of a batch share is taken for looking ahead.

    Args:
        module: In eval mode.
        forward: How its logits are read.
        rows: `trial_rows`.

    Returns:
        (2, T, V) logits of the first two rows; None where there is no memory for two.

    Raises:
        InputError: It looks ahead, or cannot be asked for logits of ids.
    """
    device = device_of(module)
    first, second, changed = rows
    try:
        logits, others = (
            forward(module, torch.tensor(pair, device=device)) for pair in ((first, second), (changed, second))
        )
    except Exception as error:
        if is_out_of_memory(error):
            return None
        why = forward.misfit(module, error)
        if why:
            raise InputError(why) from error
        raise
    same = next(place for place, pair in enumerate(zip(first, changed, strict=True)) if pair[0] != pair[1])
    allowed = rounding_of(logits) + _TIMES_NOISE * moved(logits[1], others[1])
    if moved(logits[0, :same], others[0, :same]) > allowed:
        raise InputError(_ENCODES_FIRST if is_encoder_decoder(module) else _LOOKS_AHEAD)
    return logits


def rounding_of(logits: Tensor) -> float:
    """How much logits may differ by rounding.

    Example:
        >>> rounding_of(torch.tensor([-2.0, 1.0])), rounding_of(torch.tensor([-2.0, 1.0], dtype=torch.bfloat16))
        (0.0002, 0.125)
    """
    finite = logits[logits.isfinite()].abs()
    step = torch.finfo(logits.dtype).eps if logits.is_floating_point() else 0.0
    return max(_ROUNDING, 8.0 * step) * float(finite.max()) if finite.numel() else 0.0


def moved(before: Tensor, after: Tensor) -> float:
    """The largest change; what is not finite is left out.

    Example:
        >>> moved(torch.tensor([0.0, -torch.inf, 3.0]), torch.tensor([0.5, -torch.inf, torch.nan]))
        0.5
    """
    changes = (after.double() - before.double()).abs()
    finite = changes[changes.isfinite()]
    return float(finite.max()) if finite.numel() else 0.0
