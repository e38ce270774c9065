"""The founder beside the module in training: a model of its own, whose weights training does not change."""

from __future__ import annotations

from torch import nn

from collapse_guard.errors import InputError
from collapse_guard.probes.weights import held


def check_founder(founder: nn.Module | None, n_samples: int) -> None:
    """Refuse what is no module, and one that has nothing to score.

    Raises:
        InputError: It is neither a module nor None, or there are no samples.
    """
    if founder is None:
        return
    if not isinstance(founder, nn.Module):
        raise InputError(f"`founder` must be an nn.Module, or None, but got {type(founder).__name__}: load it first")
    if n_samples == 0:
        raise InputError("`n_samples` must be positive with a `founder`, which scores the samples, but got 0: raise it")


def check_apart(founder: nn.Module, module: nn.Module) -> None:
    """Refuse a founder that changes with the module, or has nothing of its own.

    A frozen backbone may be shared, where each has parts of its own beside it.

    Raises:
        InputError: A weight that is trained is in both, or all weights are.

    Example:
        >>> backbone = nn.Linear(2, 2).requires_grad_(False)
        >>> check_apart(nn.Sequential(backbone, nn.Linear(2, 1)), nn.Sequential(backbone, nn.Linear(2, 1)))
    """
    of_founder = {_place(weight) for weight in founder.parameters()}
    weights = {name: weight for name, weight in module.named_parameters() if weight.numel()}
    shared = [name for name, weight in weights.items() if _place(weight) in of_founder]
    moving = [name for name in shared if weights[name].requires_grad]
    is_same = {_place(weight) for weight in weights.values()} == of_founder
    if moving or (shared and is_same):
        raise InputError(
            f"`founder` must have weights of its own, but shares `{(moving or shared)[0]}` with the module in "
            "training, so that both would score samples alike: load it from the founder's checkpoint, or give a "
            "`copy.deepcopy` from before training. With PEFT, `get_base_model()` is the module in training itself"
        )


def _place(weight: nn.Parameter) -> tuple[str, int]:
    """Where its numbers are; without numbers, the weight itself."""
    part = held(weight)
    return (str(part.device), part.data_ptr() if part.numel() and not part.is_meta else id(weight))
