"""A generation of a lineage, and the mixture that it was trained on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from collapse_guard.arguments import whole
from collapse_guard.errors import InputError
from collapse_guard.records.record import Record, Share

LONGEST_REASON = 1000
"""Characters of the reason why a lineage is founded anew, at most."""


class Mixture(Record):
    """The shares of real, earlier-synthetic and newest-synthetic data in a training set; they sum to one.

    Example:
        >>> Mixture(real=0.3, newest=0.7).real
        0.3
    """

    real: Share
    """Share of real documents, from the pool."""
    earlier: Share = 0.0
    """Share of samples of generations before the newest."""
    newest: Share = 0.0
    """Share of samples of the newest generation."""

    @model_validator(mode="after")
    def _sums_to_one(self) -> Self:
        total = self.real + self.earlier + self.newest
        if not math.isclose(total, 1.0, abs_tol=1e-6):
            raise ValueError(f"shares must sum to 1, but real + earlier + newest = {total:g}")
        return self

    @classmethod
    def with_real(cls, real: float) -> Mixture:
        """A mixture with a real share; the rest is samples of the newest generation."""
        if not 0.0 <= real <= 1.0:
            raise InputError(f"`real` must be a share between 0 and 1, but got {real!r}")
        return cls(real=real, newest=1.0 - real)

    def weights(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """Loss weights of an item of each source, with the same effect as resampling to these shares.

        A weight is the share of the source divided by its share of the data. If items are drawn from the data, the
        weighted mean loss has the expectation of the mean loss of this mixture, and the weights of all items have a
        mean of one. The variance is larger than with resampling: n items count as n / (mean of squared weights).

        Args:
            sizes: Items of each source (`real`, `earlier`, `newest`) in the data; 0 for those not named.

        Raises:
            InputError: A source with a share has no items, or a name is of no source.

        Example:
            >>> Mixture.with_real(0.4).weights({"real": 1000, "newest": 9000})
            {'real': 4.0, 'newest': 0.6666666666666666}
        """
        shares = {"real": self.real, "earlier": self.earlier, "newest": self.newest}
        for source, size in sizes.items():
            if source not in shares:
                raise InputError(f"`sizes` must be of real, earlier and newest, but got {source!r}: rename it")
            whole(f"sizes[{source}]", size, least=0)
        for source, share in shares.items():
            if share and not sizes.get(source, 0):
                raise InputError(
                    f"`sizes` must have {source} items for a share of {share:g}, but got none: no weight makes up for "
                    "what is not there"
                )
        total = sum(sizes.values())
        return {source: shares[source] * total / size for source, size in sizes.items() if size}


class Generation(Record):
    """One whole train-then-generate cycle of a lineage.

    A founder is what later generations are compared with: generation 0, trained on real data only, and each later one
    at which the lineage was founded anew, as with another tokenizer, wild type or base model.

    Example:
        >>> anew = Generation(lineage="newsbot", index=5, founding="new tokenizer")
        >>> anew.is_founder, Generation(lineage="newsbot", index=7, founder=5).since_founder
        (True, 2)
    """

    lineage: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^/\\\x00-\x1f'\"`]+$")]
    """Name of the lineage that this generation belongs to."""
    index: Annotated[int, Field(ge=0)]
    """t; 0 is the first founder."""
    parents: tuple[int, ...] = ()
    """Indices of the generations whose samples it was trained on; empty for the founder."""
    mixture: Mixture | None = None
    """The mixture that it was trained on; None: not known."""
    parent_shares: tuple[Share, ...] = ()
    """Share of the training set that each of `parents` wrote, in their order; empty: not recorded."""
    items: Annotated[int, Field(ge=1)] | None = None
    """Documents in the training set; None: not recorded."""
    real_origin: Literal["fresh", "archive"] = "fresh"
    """Whether its real documents were fresh, or the founder's again."""
    wild_type: str = ""
    """Fingerprint of the wild type that it is measured against."""
    founder: Annotated[int, Field(ge=0)] = 0
    """Index of the founder that it counts from; its own where it is one."""
    founding: Annotated[str, Field(max_length=LONGEST_REASON)] = ""
    """Why the lineage was founded anew with this generation; empty where it was not."""

    @property
    def is_founder(self) -> bool:
        """Whether it is compared with no earlier generation, and later ones are compared with it."""
        return self.founder == self.index

    @property
    def since_founder(self) -> int:
        """How many generations it is after its founder; 0 for a founder."""
        return self.index - self.founder

    @model_validator(mode="before")
    @classmethod
    def _founds_with_a_reason(cls, fields: object) -> object:
        if isinstance(fields, dict) and fields.get("founding") and "founder" not in fields:
            return {**fields, "founder": fields.get("index", 0)}
        return fields

    @model_validator(mode="after")
    def _founder_fits(self) -> Self:
        if self.founder > self.index:
            raise ValueError(f"founder must not be after generation {self.index}, but got {self.founder}")
        if bool(self.founding) != (self.is_founder and self.index > 0):
            raise ValueError(
                f"founding must be the reason why a lineage is founded anew at generation {self.index}, whose founder "
                f"is {self.founder}, but got {self.founding!r:.120}"
            )
        return self

    @model_validator(mode="after")
    def _parents_and_shares_fit(self) -> Self:
        late = [parent for parent in self.parents if not 0 <= parent < self.index]
        if late:
            raise ValueError(f"parents must be earlier generations than {self.index}, but got {late}")
        if self.parent_shares and len(self.parent_shares) != len(self.parents):
            raise ValueError(
                f"parent_shares must be one for each of {len(self.parents)} parents, but got {len(self.parent_shares)}"
            )
        total = sum(self.parent_shares) + (self.mixture.real if self.mixture else 0.0)
        if self.parent_shares and not math.isclose(total, 1.0, abs_tol=1e-6):
            raise ValueError(f"parent_shares and the real share must sum to 1, but got {total:g}")
        return self


def is_lineage_name(name: str) -> bool:
    """Whether a lineage may have this name."""
    try:
        return bool(Generation.checked(lineage=name, index=0))
    except InputError:
        return False
