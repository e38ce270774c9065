"""Indicator: the base of all metrics of collapse, which declares what its number means."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import torch
from torch import Tensor
from torchmetrics import Metric

from collapse_guard.indicators.registry import built_in_classes, from_outside
from collapse_guard.records import Direction, EffectScale, Reading

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EvidenceKind = Literal[
    "losses",
    "reverse",
    "learning",
    "outputs",
    "tokens",
    "words",
    "texts",
    "whole",
    "prompts",
    "vectors",
    "columns",
    "scores",
    "lineage",
]
GroupKind = Literal["tokens", "words", "samples", "vectors"]
KINDS: tuple[str, ...] = get_args(EvidenceKind)
_GROUPS: dict[str, GroupKind] = {
    "tokens": "tokens",
    "words": "words",
    "texts": "samples",
    "vectors": "vectors",
    "columns": "vectors",
}
MINIMUM_GROUPS = 5
"""Groups that a comparison of output indicators needs at least: with fewer, the spread between groups is unknown."""
DEFINITIONS = {
    1: "catastrophic rise of the risk",
    2: "any rise of the risk",
    3: "asymptotic divergence",
    4: "collapse of the variance",
    5: "change of the scaling law",
    6: "disappearance of modes",
    7: "disappearance of the tail",
    8: "hallucinated, unreal data",
}
"""The eight definitions of model collapse that Schaeffer et al. (2025), arXiv:2503.03150, found in the literature."""


class Indicator(Metric, ABC):
    """A torchmetrics Metric that declares its name, unit, range and direction of collapse as class constants.

    A subclass holds counts and sums only and leaves the formula to a pure function of its file, so that splitting over
    batches, ranks or files and merging (`merge_state`) changes nothing. Its value is a float64 scalar, NaN where
    undefined. States of metrics that count different things have different names: `MetricCollection` merges metrics
    whose states have equal names and values after the first update.
    """

    name: ClassVar[str]
    """Name in the catalogue, in readings and in MLflow. A class that declares one is an indicator of its own."""
    family: ClassVar[str]
    """Family in the catalogue; the name of the file."""
    unit: ClassVar[str]
    """Unit of the value."""
    direction: ClassVar[Direction]
    """Which way is collapse."""
    value_range: ClassVar[tuple[float, float]]
    """Smallest and largest value possible; an end may be infinite."""
    minimum_n: ClassVar[int]
    """Replicates that a comparison needs at least: documents for losses, groups of equal size for everything else."""
    evidence: ClassVar[EvidenceKind]
    """What it is computed from."""
    undefined: ClassVar[str] = "its formula gives no number"
    """When the value is NaN, as a clause."""
    scale: ClassVar[EffectScale] = EffectScale.LOG_RATIO
    """What its values are: how two of them are compared, and how their difference is shown."""
    groups_of: ClassVar[GroupKind | None] = None
    """What the groups of samples that it reads are cut by: `group_tokens` tokens or words, `group_samples` samples or
    vectors. Follows from `evidence`, unless declared; None where it reads no groups."""
    reads_rows: ClassVar[bool] = False
    """Whether an indicator of text is read from samples that are rows as well, with clusters in the place of tokens."""
    of_draws: ClassVar[bool] = False
    """Whether it is a probability of random draws: its readings say of what (`Reading.drawn`)."""
    shortest: ClassVar[int] = 1
    """Tokens or words that a sample must have to count; without any such sample there is no value."""
    counts_faults: ClassVar[bool] = False
    """Whether it counts samples with a fault, such as copies: then none in any group, here and at the baseline, is a
    pass. Of all others, a value that is the same in every group of both says nothing."""
    is_contrast: ClassVar[bool] = False
    """Whether it tells some documents from the others: less of it is no better, because the others got harder."""
    place: ClassVar[int]
    """Where a built-in one stands in its family; those without a place come last."""
    formula: ClassVar[Callable[..., float]]
    """The pure function that holds the formula, of an indicator whose base computes with it."""
    cost: ClassVar[str] = ""
    """How the time grows with n."""
    misses: ClassVar[str] = ""
    """What it does not see, as a clause."""
    definitions: ClassVar[tuple[int, ...]] = ()
    """Which of the eight definitions of collapse (Schaeffer et al. 2025) it measures; see `DEFINITIONS`."""

    is_differentiable = False
    full_state_update = False
    _states: ClassVar[tuple[tuple[str, torch.dtype], ...]] = ()
    """Sums over updates, merges and ranks, and their types; `_add_sum` adds those that depend on arguments."""
    _sums: tuple[str, ...] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Tell torchmetrics' trackers which way is better, from the direction of collapse."""
        super().__init_subclass__(**kwargs)
        if "evidence" in cls.__dict__ and "groups_of" not in cls.__dict__:
            cls.groups_of = _GROUPS.get(cls.evidence)
        if "direction" in cls.__dict__:
            cls.higher_is_better = {Direction.DOWN: True, Direction.UP: False}.get(cls.direction)
        if "value_range" in cls.__dict__:
            low, high = cls.value_range
            cls.plot_lower_bound = low if math.isfinite(low) else None
            cls.plot_upper_bound = high if math.isfinite(high) else None

    def __init__(self, **kwargs: Any) -> None:
        """Begin with nothing counted."""
        super().__init__(**kwargs)
        for name, dtype in self._states:
            self._add_sum(name, dtype=dtype)

    @classmethod
    def read(cls, *args: Any, **kwargs: Any) -> Any:
        """Compute the indicator from its evidence; what `measure` calls.

        | `evidence` | signature                      | returns                                                  |
        |------------|--------------------------------|----------------------------------------------------------|
        | tokens     | `read(group: TokenGroup)`      | the value of the group, a float; NaN where undefined     |
        | words      | `read(group: WordGroup)`       | the same                                                 |
        | texts      | `read(group: TextGroup)`       | the same                                                 |
        | vectors    | `read(group: VectorGroup)`     | the same                                                 |
        | columns    | `read(group: VectorGroup)`     | the same, where columns are of things of their own       |
        | whole      | `read(whole: WholeSamples)`    | a `Census`, `Clusters`, or a number for each sample      |
        | prompts    | `read(given: PromptedSamples)` | `Rates`: a number for each prompt, and of all            |
        | losses     | `read(scored: ScoredDocuments)`| `Rates`: a number for each document, and of all          |
        | reverse    | `read(scored: ScoredDocuments)`| the same, of losses under a model fitted on samples      |
        | learning   | `read(learnt: Learnt)`         | an `Interval` of real documents                          |
        | outputs    | `read(evidence: Evidence)`     | its value and the `Losses` of samples                    |
        | scores     | `read(scores)`: name -> Scores | `Scores`: a number from 0 to 1 for each item             |
        | lineage    | `read(relatives: Relatives)`   | a `Reading`                                              |

        All but the first five may return None: the evidence lacks what is needed. Groups are in `indicators.samples`,
        `Rates` in `indicators.rates`. What is frozen and takes long to make is made once for each wild type:
        `group.instruments.of(make)`.
        """
        raise NotImplementedError(f"{cls.__name__} must define the classmethod `read`")

    @classmethod
    def lacking(cls, instruments: Any) -> str:  # noqa: ARG003  # what indicators of their own look at
        """Why a wild type allows no value, whatever the samples are, as a clause; empty where it allows one.

        Args:
            instruments: Of the wild type (`indicators.instruments.Instruments`).
        """
        return ""

    @classmethod
    def reading(cls, *, value: float, n: int, n_minimum: int, **parts: Any) -> Reading:
        """A `Reading` of this indicator, with what the class declares filled in."""
        return Reading(
            indicator=cls.name,
            family=cls.family,
            unit=cls.unit,
            direction=cls.direction,
            scale=cls.scale,
            value=value,
            n=n,
            n_minimum=n_minimum,
            **parts,
        )

    def plot(self, val: Tensor | Sequence[Tensor] | None = None, ax: Axes | None = None) -> Any:
        """Plot one value, or a series of values, within the declared range; None: the value of now.

        Returns:
            Figure and axes, as torchmetrics gives them.
        """
        return self._plot(val, ax)

    def merge_state(self, incoming_state: dict[str, Any] | Metric) -> None:
        """Add the state of another metric, as if its updates had been made here."""
        super().merge_state(incoming_state)
        self._note_state_from_elsewhere(incoming_state._update_count if isinstance(incoming_state, Metric) else 1)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        restores = any(prefix + state in state_dict for state in self._defaults)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        if restores:
            self._note_state_from_elsewhere(1)

    def _note_state_from_elsewhere(self, updates: int) -> None:
        # torchmetrics leaves the cached value, so the next compute() would give the one from before.
        self._computed = None
        self._update_count += updates

    def _add_sum(self, name: str, *shape: int, dtype: torch.dtype = torch.float64) -> None:
        """Declare a state that adds up over updates, merges and ranks."""
        self._sums = (*self._sums, name)
        self.add_state(name, torch.zeros(shape, dtype=dtype), dist_reduce_fx="sum")

    def _add_count(self, name: str, *shape: int) -> None:
        """Declare a sum of whole numbers, which does not saturate."""
        self._add_sum(name, *shape, dtype=torch.int64)

    def _add_up(self, *terms: Tensor | float) -> None:
        """Add to each of the sums, in the order in which they were declared."""
        for name, term in zip(self._sums, terms, strict=True):
            setattr(self, name, getattr(self, name) + term)

    @property
    def _totals(self) -> tuple[Tensor, ...]:
        """The sums since the last reset."""
        return tuple(getattr(self, name) for name in self._sums)

    def _scalar(self, value: float) -> Tensor:
        return torch.tensor(value, dtype=torch.float64, device=self.device)


def all_indicators() -> dict[str, type[Indicator]]:
    """Every indicator of the catalogue, and those from outside: name -> class, in the order in which people read them.

    Raises:
        InputError: A package offers what is no indicator (`registry.from_outside`).

    Example:
        >>> all_indicators()["perplexity"].direction
        <Direction.UP: 'up'>
    """
    return built_in_classes() | from_outside()


def reading_of(evidence: EvidenceKind, only: Collection[str] | None = None) -> list[type[Indicator]]:
    """The indicators that are computed from one kind of evidence.

    Args:
        evidence: The kind.
        only: Names of those that are asked for; None: all.
    """
    return [
        metric
        for name, metric in all_indicators().items()
        if metric.evidence == evidence and (only is None or name in only)
    ]
