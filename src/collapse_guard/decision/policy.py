"""Policy: what counts as harm, how sure the guard must be, and how it re-injects. Never read from a checkpoint.

Margins are fractions: 0.10 means "worse by a factor of 1.10", whatever the direction. For losses and entropies, which
are logarithms, that is ln 1.10 = 0.0953 nats. Indicators that may be 0 or negative are compared by difference, and 0.10
means 0.10 in their unit: 10 points of a share. `EffectScale` has the table.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from collapse_guard.arguments import METRIC_NAME, METRIC_NAME_RULE
from collapse_guard.comparison.sequential import generation_share, spending_share
from collapse_guard.decision.alerts import AlertRule
from collapse_guard.decision.margins import (
    DISTANCE,
    DRIFT,
    LIKE_THE_DEFAULT,
    Limits,
    Margin,
    SeedNoise,
    Setting,
    SliceMargin,
    TaskMargin,
)
from collapse_guard.decision.toml_lines import line_of
from collapse_guard.errors import PolicyError, near
from collapse_guard.records import Direction, EffectScale, Share

Probability = Annotated[float, Field(gt=0.0, lt=1.0)]

DECIDES = (
    "perplexity",
    "tail_loss",
    "tail_gap",
    "worst_slice_loss",
    "reverse_perplexity",
    "reverse_tail_loss",
    "worst_slice_reverse",
    "distinct_2",
    "distinct_4",
    "entropy_2",
    "repetition",
    "unique_samples",
    "near_unique_samples",
    "empty_samples",
    "distinct_within_prompts",
    "distinct_between_prompts",
    "rare_coverage",
    "rare_mass",
    "lost_ngrams",
    "total_variance",
    "effective_rank",
    "narrowest_column",
    "vendi",
    "real_equivalent",
)


class Reinjection(Setting):
    """Bounds of the rule that changes the real share after a verdict (`prescription/`)."""

    release: Share = 0.05
    """Step by which the real share is lowered after `release_after` HEALTHY generations in a row."""
    release_after: Annotated[int, Field(ge=1)] = 3
    """HEALTHY generations in a row before the share is lowered."""
    minimum: Share = 0.05
    """The share is never lowered below this: without any fresh real data the guard could not see a need for it."""
    assurance: Annotated[float, Field(ge=0.5, lt=1.0)] = 0.9
    """Probability that the prescribed share keeps the next `horizon` generations within their margins."""
    target_fixation: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """Fixation index F* that the real share should hold too; None: only margins determine the share."""
    budget: Annotated[int, Field(ge=0)] | None = None
    """Real documents that all generations after the founder may be trained on together; None: no limit."""


PRESETS: dict[str, dict[str, Any]] = {
    "strict": {
        "drift": {
            "default": {"margin": 0.05, "watch": 0.03},
            "perplexity": {"margin": 0.05, "watch": 0.02},
            "reverse_perplexity": {"margin": 0.05, "watch": 0.02},
            "tail_gap": {"margin": 0.05, "watch": 0.01},
            "reverse_tail_loss": {"margin": 0.05, "watch": 0.01},
            "worst_slice_loss": {"margin": 0.2, "watch": 0.03},
            "worst_slice_reverse": {"margin": 0.2, "watch": 0.03},
            "rare_coverage": {"margin": 0.5, "watch": 0.25},
            "rare_mass": {"margin": 0.5, "watch": 0.25},
            "lost_ngrams": {"margin": 0.05, "watch": 0.03},
            "empty_samples": {"margin": 0.02, "watch": 0.01},
            "repetition": {"margin": 0.25, "watch": 0.1},
            "copied_ngrams": {"margin": 0.02, "watch": 0.01},
            "real_equivalent": {"margin": 0.5, "watch": 0.2},
            "effective_rank": {"margin": 0.08, "watch": 0.05},
            "narrowest_column": {"margin": 0.5, "watch": 0.25},
            "vendi": {"margin": 0.08, "watch": 0.05},
        }
    },
    "default": {},
    "lenient": {
        "drift": {
            "default": {"margin": 0.20, "watch": 0.10},
            "perplexity": {"margin": 0.20, "watch": 0.08},
            "reverse_perplexity": {"margin": 0.20, "watch": 0.08},
            "tail_gap": {"margin": 0.20, "watch": 0.04},
            "reverse_tail_loss": {"margin": 0.20, "watch": 0.04},
            "worst_slice_loss": {"margin": 0.7, "watch": 0.10},
            "worst_slice_reverse": {"margin": 0.7, "watch": 0.10},
            "rare_coverage": {"margin": 2.0, "watch": 1.0},
            "rare_mass": {"margin": 2.0, "watch": 1.0},
            "lost_ngrams": {"margin": 0.15, "watch": 0.08},
            "empty_samples": {"margin": 0.10, "watch": 0.05},
            "repetition": {"margin": 1.0, "watch": 0.5},
            "copied_ngrams": {"margin": 0.10, "watch": 0.05},
            "real_equivalent": {"margin": 2.0, "watch": 0.5},
            "effective_rank": {"margin": 0.30, "watch": 0.15},
            "narrowest_column": {"margin": 2.0, "watch": 1.0},
            "vendi": {"margin": 0.30, "watch": 0.15},
        }
    },
    # What rewards move in any case decides nothing: losses, words, lengths, phrases that all answers begin with.
    "rl": {
        "decides": (
            "distinct_within_prompts",
            "distinct_between_prompts",
            "entropy_2",
            "unique_samples",
            "near_unique_samples",
            "empty_samples",
            "truncated_samples",
        ),
        "drift": {
            "default": {"margin": 0.20, "watch": 0.10},
            "entropy_2": {"margin": 0.5, "watch": 0.25},
            "empty_samples": {"margin": 0.10, "watch": 0.05},
        },
    },
}
"""What each preset changes; docs/detector.md has the measured false alarms and delays of the first three."""


class Policy(Setting):
    """The promise of the guard, and its requirements.

    The chance that a lineage whose harm stays within its margins ever gets a COLLAPSED is at most `alpha`, for any
    number of generations and of deciding indicators, and that one in which retraining changes nothing ever gets a WATCH
    is at most `watch_alpha` (docs/design/decisions.md).

    Example:
        >>> Policy(drift={"perplexity": {"margin": 0.05, "watch": 0.02}}).margin("perplexity", "founder").margin
        0.05
    """

    alpha: Probability = 0.05
    """Error budget of a whole lineage for false COLLAPSED."""
    watch_alpha: Probability = 0.10
    """Error budget of a whole lineage for false WATCH: it is larger, because a WATCH costs a look and stops nothing."""
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    """Confidence of the intervals shown, and of the claim that an indicator is within its margin."""
    decides: tuple[str, ...] = DECIDES
    """Indicators that decide, if the founder or the generation has them; the others are shown."""
    required: tuple[str, ...] = ()
    """Indicators without which a verdict is UNDECIDED even if the founder lacks them too."""
    lowest_perplexity: Annotated[float, Field(ge=0.0)] = 1.5
    """Losses on wild-type documents that give a lower perplexity are taken for another unit, such as means per token,
    and decide nothing. Lower it for a model that really is so sure, such as one of single bytes; 0 asks nothing."""
    tasks: dict[str, TaskMargin] = Field(default_factory=dict)
    """Task scores that decide, by the name that they are given under (`Evidence.scores`), with their margins."""
    drift: dict[str, Margin] = Field(default_factory=dict, validate_default=True)
    """Margins against the founder, by indicator; "default" for the others. Merged over the built-in ones."""
    distance: dict[str, Margin] = Field(default_factory=dict, validate_default=True)
    """Margins against the wild type, for the founder. Merged over the built-in ones."""
    slices: dict[str, SliceMargin] = Field(default_factory=dict)
    """Margins of single slices of the wild type, by name, of how much worse each may get beyond all others; the others
    have those of `worst_slice_loss` and `worst_slice_reverse`."""
    seed_noise: dict[str, SeedNoise] = Field(default_factory=dict)
    """Seed noise by indicator, as measured by `collapse-guard calibrate`; the margin of drift is never below its limit.
    Empty: not measured, and the verdict says so."""
    horizon: Annotated[int, Field(ge=1)] = 10
    """Expected number of generations of a lineage; only the limit of seed noise depends on it."""
    rotate_folds: Annotated[int, Field(ge=2)] | None = None
    """None: every generation is judged on all wild-type documents, and alpha pays for their reuse. T: generation t is
    judged on the t-th of T disjoint parts, and evidence accumulates over generations; this is also valid if verdicts
    change what later generations are trained on."""
    accumulate: Literal["cusum", "product"] = "cusum"
    """How evidence accumulates over generations if folds rotate."""
    alerts: AlertRule = AlertRule()
    """When an alert is raised and taken back."""
    reinjection: Reinjection = Reinjection()
    """How a verdict changes the mixture."""

    @field_validator("drift", "distance", mode="before")
    @classmethod
    def _over_defaults(cls, value: Any, info: ValidationInfo) -> Any:
        built_in = DRIFT if info.field_name == "drift" else DISTANCE
        return _over(built_in, value) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _knows_its_indicators(self) -> Self:
        from collapse_guard.indicators.registry import names

        known = set(names())
        for task in self.tasks:
            if task in known or not METRIC_NAME.fullmatch(task):
                what = f"`tasks` must have names of {METRIC_NAME_RULE} that no indicator has, but got `{task:.120}`"
                raise PydanticCustomError("unknown_indicator", "{what}", {"what": what, "loc": ("tasks", task)})
        object.__setattr__(self, "decides", tuple(dict.fromkeys((*self.decides, *self.tasks))))
        for field in ("decides", "required", "drift", "distance", "seed_noise"):
            names_here = getattr(self, field)
            for place, name in enumerate(names_here):
                is_task = name in self.tasks and field not in ("drift", "distance")
                if name not in known and name != "default" and not is_task:
                    loc = (field, name if isinstance(names_here, dict) else place)
                    advice = "margins of task scores stand in `tasks`" if name in self.tasks else near(name, known)
                    what = f"`{field}` names the unknown indicator `{name}`: {advice}; name task scores in `tasks`"
                    raise PydanticCustomError("unknown_indicator", "{what}", {"what": what, "loc": loc})
        return self

    @classmethod
    def preset(cls, name: str) -> Policy:
        """A policy with a name: "strict", "default" or "lenient", or "rl" for models trained by reinforcement.

        Example:
            >>> Policy.preset("strict").margin("perplexity", "founder").margin
            0.05
        """
        return cls.from_dict({"preset": name})

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """Read a TOML file, or take a preset by its name.

        A file may begin with `preset = "strict"` and list only what it changes of that preset.

        Raises:
            PolicyError: It names the file, the line or key, and the nearest known key.
        """
        if str(path) in PRESETS and not Path(path).exists():
            return cls.preset(str(path))
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise PolicyError(f"the policy file {str(path)!r} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise PolicyError(f"the policy file {str(path)!r} is not UTF-8 at byte {error.start}") from error
        try:
            return cls.from_dict(tomllib.loads(text))
        except PolicyError as error:
            line = line_of(error.loc, text)
            place = f", line {line}" if line else ""
            raise PolicyError(f"{str(path)!r}{place}: {error}", error.loc) from error
        except (ValueError, RecursionError) as error:  # numbers of thousands of digits are no TOMLDecodeError
            raise PolicyError(f"{str(path)!r} is not valid TOML: {error}") from error

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Policy:
        """Validate settings, on top of a `preset` if one is named; raises a PolicyError that names the key."""
        settings = dict(data)
        name = settings.pop("preset", "default")
        if not isinstance(name, str) or name not in PRESETS:
            what = f"`preset` must be {', '.join(PRESETS)}, but got {name!r}: {near(str(name), PRESETS)}"
            raise PolicyError(what, ("preset",))
        try:
            return cls.model_validate(_merged(PRESETS[name], settings))
        except ValidationError as error:
            # An unknown key says more than the one that is missing in its place.
            problem = min(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
            loc = problem.get("ctx", {}).get("loc", problem["loc"])
            raise PolicyError(_fault(loc, problem["type"], problem["msg"], problem["input"]), loc) from error

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with any setting."""
        # A policy that does not use what came later has the fingerprint that it had before.
        later = {"tasks": {}, "lowest_perplexity": 1.5, "watch_alpha": 0.10, "slices": {}}
        unused = {name for name, default in later.items() if getattr(self, name) == default}
        settings = json.dumps(self.model_dump(mode="json", exclude=unused), sort_keys=True)
        return hashlib.blake2b(settings.encode(), digest_size=8).hexdigest()

    def margin(self, indicator: str, baseline: str) -> Margin:
        """The margin of an indicator: of drift against the founder, of distance against the wild type."""
        if indicator in self.tasks:
            return self.tasks[indicator]
        margins = self.distance if baseline == "wild_type" else self.drift
        return margins.get(indicator, margins["default"])

    def limits(
        self, indicator: str, baseline: str, *, direction: Direction, scale: EffectScale = EffectScale.LOG_RATIO
    ) -> Limits:
        """Margin and watch level as effects: the policy's, or the limit of seed noise if that is larger.

        Another seed takes a healthy lineage of `horizon` generations over any margin, or any watch level, of the
        deciding indicators with probability `alpha` at most.
        """
        margin, watch = self.margin(indicator, baseline).effects(scale)
        noise = self.seed_noise.get(indicator)
        # Equal controls, such as controls without any repeated sample, give no limit for the next one.
        if baseline == "wild_type" or noise is None or noise.sd == 0.0:
            return Limits(margin, watch, seeds=None)
        seeds = noise.limit(self.alpha / self.horizon / max(1, len(self.decides)), direction, watch=watch)
        return Limits(max(margin, seeds), max(watch, seeds), seeds=seeds)

    def slice_limits(self, indicator: str, slice_: str, *, scale: EffectScale) -> Limits:
        """Margin and watch level of one slice, as effects: its own, or those of the indicator."""
        return Limits(*self.slices.get(slice_, self.margin(indicator, "founder")).effects(scale), seeds=None)

    def check_slices(self, known: Collection[str]) -> None:
        """Refuse margins of slices that a wild type does not have.

        Args:
            known: Names of those that it has.

        Raises:
            PolicyError: It names the first of them, and the nearest known name.
        """
        unknown = next((name for name in self.slices if name not in known), None)
        if unknown is not None:
            what = f"`slices` names `{unknown:.120}`, which is no slice of the wild type: {near(unknown, known)}"
            raise PolicyError(what, ("slices", unknown))

    def watch_level(self, since_founder: int, look: int | None = None) -> float:
        """The part of `watch_alpha` that a generation may spend, by the rule of `alert_level`."""
        return self.watch_alpha * generation_share(since_founder) * (1.0 if look is None else spending_share(look))

    def alert_level(self, since_founder: int, look: int | None = None) -> float:
        r"""The part of `alpha` that the t-th generation after its founder may spend: alpha / (t(t + 1)), in sum alpha.

        A generation that is assessed during its training divides its part among its assessments by the same rule.

        Example:
            >>> round(sum(Policy(alpha=0.05).alert_level(t) for t in range(1, 100_000)), 5)
            0.05
        """
        return self.alpha * generation_share(since_founder) * (1.0 if look is None else spending_share(look))


def _merged(base: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Settings over those of a preset; the margins of both are tables, in which a key takes the place of a key."""
    drift = settings.get("drift", {})
    if "drift" in base and isinstance(drift, dict):
        return {**base, **settings, "drift": _over(base["drift"], drift)}
    return {**base, **settings}


def _over(built_in: dict[str, Any], margins: dict[str, Any]) -> dict[str, Any]:
    """Margins over built-in ones; a default takes the place of those that differ from it in their watch level only."""
    hidden = LIKE_THE_DEFAULT if "default" in margins else ()
    return {**{name: margin for name, margin in built_in.items() if name not in hidden}, **margins}


def _fault(loc: tuple[str | int, ...], kind: str, message: str, got: Any) -> str:
    key = ".".join(str(part) for part in loc)
    if kind == "extra_forbidden":
        return f"unknown key `{key}`: {near(str(loc[-1]), _section(loc).model_fields)}"
    if kind == "unknown_indicator":
        return message
    return f"`{key or 'policy'}`: {message.removeprefix('Value error, ')}, got {got!r:.120}"


def _section(loc: tuple[Any, ...]) -> type[Setting]:
    """The settings that the last part of a place is a key of."""
    if len(loc) == 1:
        return Policy
    sections: dict[str, type[Setting]] = {"reinjection": Reinjection, "alerts": AlertRule, "seed_noise": SeedNoise}
    return sections.get(str(loc[0]), Margin)
