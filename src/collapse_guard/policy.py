"""Policy: what counts as harm, how sure the guard must be, and how it re-injects. Never read from a checkpoint.

Margins are fractions: 0.10 means "worse by a factor of 1.10", whatever the indicator and its direction. Indicators that
may be 0 or negative (`scale = "absolute"`) are compared by difference, and 0.10 means 0.10 in their unit.
"""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from collapse_guard.errors import PolicyError, near

Probability = Annotated[float, Field(gt=0.0, lt=1.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]

DECIDES = (
    "perplexity",
    "tail_loss",
    "distinct_2",
    "distinct_4",
    "unique_samples",
    "rare_coverage",
    "rare_mass",
    "total_variance",
    "effective_rank",
    "vendi",
)


class Setting(BaseModel):
    """Base of all settings: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Margin(Setting):
    """How much harm is acceptable, and from where on a generation is watched.

    Example:
        >>> round(Margin(margin=0.10, watch=0.05).effects()[0], 4)
        0.0953
    """

    margin: Annotated[float, Field(gt=0.0)]
    """Acceptable harm as a fraction: 0.10 accepts a perplexity 10 % higher, or a diversity 1.10 times lower."""
    watch: Annotated[float, Field(gt=0.0)]
    """Harm from which on the verdict is WATCH; at most `margin`."""

    @model_validator(mode="after")
    def _watch_comes_first(self) -> Self:
        if self.watch > self.margin:
            raise ValueError(f"`watch` must be at most `margin` ({self.margin:g}), but got {self.watch:g}")
        return self

    def effects(self, scale: str = "log_ratio") -> tuple[float, float]:
        """Margin and watch level as effects: log ratios ln(1 + fraction), or as they are on an absolute scale."""
        if scale == "absolute":
            return self.margin, self.watch
        return math.log1p(self.margin), math.log1p(self.watch)


class Reinjection(Setting):
    """Bounds of the rule by which a verdict changes the real share of the next generation (`prescription.py`)."""

    release: Share = 0.05
    """Taken off the real share after `release_after` HEALTHY generations in a row."""
    release_after: Annotated[int, Field(ge=1)] = 3
    """HEALTHY generations in a row before the share is lowered."""
    minimum: Share = 0.05
    """The share is never released below this: without any fresh real data the guard could not see a need for it."""


DRIFT = {
    "default": Margin(margin=0.10, watch=0.05),
    "rare_coverage": Margin(margin=1.0, watch=0.5),
    "rare_mass": Margin(margin=1.0, watch=0.5),
    "effective_rank": Margin(margin=0.15, watch=0.075),
    "vendi": Margin(margin=0.15, watch=0.075),
}
DISTANCE = {
    "default": Margin(margin=4.0, watch=1.0),
    "rare_coverage": Margin(margin=19.0, watch=4.0),
    "rare_mass": Margin(margin=19.0, watch=4.0),
    # Compared by difference: a half, a fifth.
    "lost_ngrams": Margin(margin=0.5, watch=0.2),
    "mmd": Margin(margin=0.5, watch=0.2),
    "copied_ngrams": Margin(margin=0.5, watch=0.2),
    "near_duplicates": Margin(margin=0.5, watch=0.2),
    "fixation_index": Margin(margin=0.5, watch=0.2),
}


class Policy(Setting):
    """What the guard promises and asks for.

    The chance that a lineage whose harm stays within its margins ever gets a COLLAPSED is at most `alpha`, however many
    generations it grows and however many indicators decide (docs/design/decisions.md).

    Example:
        >>> Policy(drift={"perplexity": {"margin": 0.05, "watch": 0.02}}).margin("perplexity", "founder").margin
        0.05
    """

    alpha: Probability = 0.05
    """Error budget of a whole lineage for false COLLAPSED."""
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    """Confidence of the intervals shown, and of the claim that an indicator is within its margin."""
    decides: tuple[str, ...] = DECIDES
    """Indicators that the verdict rests on, wherever founder or generation has them; the others are shown."""
    required: tuple[str, ...] = ()
    """Indicators without which a verdict is UNDECIDED even if the founder lacks them too."""
    drift: dict[str, Margin] = Field(default_factory=dict, validate_default=True)
    """Margins against the founder, by indicator; "default" for the others. Merged over the built-in ones."""
    distance: dict[str, Margin] = Field(default_factory=dict, validate_default=True)
    """Margins against the wild type, for the founder and for lineages without one. Merged over the built-in ones."""
    reinjection: Reinjection = Reinjection()
    """How a verdict changes the mixture."""

    @field_validator("drift", mode="before")
    @classmethod
    def _drift_over_defaults(cls, value: Any) -> Any:
        return {**DRIFT, **value} if isinstance(value, dict) else value

    @field_validator("distance", mode="before")
    @classmethod
    def _distance_over_defaults(cls, value: Any) -> Any:
        return {**DISTANCE, **value} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _knows_its_indicators(self) -> Self:
        from collapse_guard.indicators.catalogue import names

        known = set(names())
        for field in ("decides", "required", "drift", "distance"):
            for name in getattr(self, field):
                if name not in known and name != "default":
                    raise ValueError(f"`{field}` names the unknown indicator `{name}`: {near(name, known)}")
        return self

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """Read a TOML file; raises PolicyError that names the file, the line or key, and the nearest known key."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise PolicyError(f"the policy file {str(path)!r} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise PolicyError(f"the policy file {str(path)!r} is not UTF-8 at byte {error.start}") from error
        try:
            return cls.from_dict(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise PolicyError(f"{str(path)!r} is not valid TOML: {error}") from error
        except PolicyError as error:
            raise PolicyError(f"{str(path)!r}{_line_of(error, text)}: {error}") from error

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Policy:
        """Validate plain settings; raises PolicyError that names the key."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            problem = error.errors()[0]
            raise _policy_error(problem["loc"], problem["type"], problem["msg"], problem["input"]) from error

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with any setting."""
        settings = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.blake2b(settings.encode(), digest_size=8).hexdigest()

    def margin(self, indicator: str, baseline: str) -> Margin:
        """The margin of an indicator: of drift against the founder, of distance against the wild type."""
        margins = self.distance if baseline == "wild_type" else self.drift
        return margins.get(indicator, margins["default"])

    def alert_level(self, generation: int) -> float:
        r"""The part of `alpha` that generation t may spend: alpha / ((t + 1)(t + 2)), which sums to alpha over all t.

        Example:
            >>> round(sum(Policy(alpha=0.05).alert_level(t) for t in range(100_000)), 6)
            0.05
        """
        return self.alpha / ((generation + 1) * (generation + 2))


def _policy_error(loc: tuple[Any, ...], kind: str, message: str, got: Any) -> PolicyError:
    key = ".".join(str(part) for part in loc)
    if kind == "extra_forbidden":
        settings: dict[int, type[Setting]] = {1: Policy, 2: Reinjection}
        known = settings.get(len(loc), Margin)
        fault = PolicyError(f"unknown key `{key}`: {near(str(loc[-1]), known.model_fields)}")
    else:
        fault = PolicyError(f"`{key or 'policy'}`: {message.removeprefix('Value error, ')}, got {got!r:.120}")
    fault.add_note(str(loc[-1]) if loc else "")
    return fault


def _line_of(error: PolicyError, text: str) -> str:
    key = (error.__notes__ or [""])[0]
    lines = [number for number, line in enumerate(text.splitlines(), 1) if key and key in line.split("#")[0]]
    return f", line {lines[0]}" if lines else ""
