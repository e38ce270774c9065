"""Workflow: what each generation of a world is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from collapse_guard.arguments import share
from collapse_guard.errors import InputError, near

WorkflowName = Literal["replace", "accumulate", "accumulate_subsample", "mix", "fresh"]
WORKFLOWS: tuple[WorkflowName, ...] = get_args(WorkflowName)
"""Names of the workflows."""


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """What each generation after the founder is trained on; the founder always has n real items.

    | name                   | training set of generation t                                                        |
    |------------------------|-------------------------------------------------------------------------------------|
    | `replace`              | n items that generation t - 1 wrote                                                 |
    | `accumulate`           | the founder's n real items and the n that each earlier generation wrote: (t + 1) n  |
    | `accumulate_subsample` | n of those (t + 1) n, drawn without replacement                                     |
    | `mix`                  | n items, each fresh real with probability `real_share`, else from generation t - 1   |
    | `fresh`                | n fresh real items: a healthy lineage                                               |

    Raises:
        InputError: The name is unknown, the share is missing under `mix`, or is given under another workflow.

    Source: Gerstgrasser et al. (2024), arXiv:2404.01413 (replace, accumulate); Kazdan et al. (2024), arXiv:2410.16713
        (accumulate-subsample); Shumailov et al. (2024), Nature 631:755 (a share of real data in each generation).

    Example:
        >>> Workflow(name="mix", real_share=0.1).fresh_share
        0.1
    """

    name: WorkflowName = "replace"
    """Name of the workflow."""
    real_share: float | None = None
    """m: probability that an item is fresh real data, from 0 to 1; only under `mix`."""

    def __post_init__(self) -> None:
        """Refuse an unknown name, and a share where the workflow has none."""
        if self.name not in WORKFLOWS:
            raise InputError(f"`name` must be a workflow, but got {self.name!r}: {near(str(self.name), WORKFLOWS)}")
        if (self.name == "mix") != (self.real_share is not None):
            raise InputError(
                f"`real_share` must be given under `mix` and under no other workflow, but got {self.real_share!r} "
                f"under `{self.name}`: choose `mix`, or leave the share out"
            )
        if self.real_share is not None:
            share("real_share", self.real_share)

    @property
    def fresh_share(self) -> float | None:
        """Probability that an item is fresh real data; None if the workflow keeps earlier data instead."""
        return {"replace": 0.0, "fresh": 1.0, "mix": self.real_share}.get(self.name)

    def required_of(self, world: str, known: tuple[WorkflowName, ...]) -> Workflow:
        """This workflow; raises InputError if the world does not have it."""
        if self.name not in known:
            raise InputError(
                f"`workflow` must be one that the world {world} has ({', '.join(known)}), but got `{self.name}`: "
                "choose one of them, or another world"
            )
        return self

    def __str__(self) -> str:
        """The name, with the share of real data under `mix`."""
        return self.name if self.real_share is None else f"{self.name} ({self.real_share:.3g} real)"


REPLACE = Workflow()
"""Each generation learns from the newest samples only: the default of every world."""
