"""Calibration: how much each indicator changes by chance alone, and the policy that follows from it.

There are two kinds of chance. *Sampling* noise: other groups of the same real text. *Seed* noise: control retrains on
real data, each assessed as the founder of its own lineage, against the founder. Seed noise includes sampling noise, and
more documents do not reveal the rest. It goes into `Policy.seed_noise`, which raises margins and watch levels.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

import numpy as np

from collapse_guard.comparison.chance import ASSUMED, quantile
from collapse_guard.comparison.compare import contrast_of, effect_unit, obstacle
from collapse_guard.comparison.effects import limit, phrase, share, size
from collapse_guard.decision.margins import SeedNoise
from collapse_guard.decision.policy import Policy
from collapse_guard.errors import FingerprintMismatchError, InputError
from collapse_guard.records import Assessment, Direction, EffectScale, Reading, Record

SPLITS = 200
COUNTS = (1, 2, 3, 5, 9, 20)
"""Numbers of controls that `bought` tells of."""


class Noise(Record):
    """Noise of one indicator by chance alone."""

    indicator: str
    """Its name."""
    scale: EffectScale
    """What its values are."""
    effect_unit: str
    """Unit of all numbers here, as of `Comparison.effect`."""
    direction: Direction
    """Which way is collapse."""
    sampling_sd: float | None
    """Standard deviation of the effect between two samples of real text as large as the founder's; None: its
    replicates are paired documents, which are the same in every generation."""
    seeds: SeedNoise | None
    """Noise of the controls; None: there are none, or they are not comparable."""
    policy_margin: float
    """Margin of the policy, as an effect."""
    limit: float | None
    """Limit that seeds alone do not reach in any generation of the horizon."""

    @property
    def margin_in_force(self) -> float:
        """The larger of the policy's margin and the limit."""
        return max(self.policy_margin, self.limit or 0.0)


class Calibration(Record):
    """Measured noise, by indicator."""

    founder: str
    """Lineage of the founder."""
    controls: tuple[str, ...]
    """Lineages of the control retrains."""
    noise: tuple[Noise, ...]
    """Noise of each indicator that could be compared, in the order of the catalogue."""
    skipped: dict[str, str]
    """Indicator -> why it has no seed noise."""


def calibrate(
    founder: Assessment, controls: Sequence[Assessment], *, policy: Policy | None = None, seed: int = 0
) -> Calibration:
    """Measure sampling noise on the wild type, and seed noise on control retrains.

    Args:
        founder: Newest founder of the lineage that is to be judged.
        controls: Founders of other lineages: the same training on real data with other seeds. Without any there is
            sampling noise only.
        policy: Policy with the margins and the horizon; None: `Policy()`.
        seed: Seed of the random halves.

    Raises:
        InputError: One of them is not a founder, or is given twice.
        FingerprintMismatchError: A control is measured against another wild type.
    """
    policy = policy or Policy()
    _check(founder, controls)
    effects, skipped = _effects(founder, controls)
    noise = [
        _noise(reading, founder, effects.get(name, []), policy, np.random.default_rng([seed, place]))
        for place, (name, reading) in enumerate(founder.readings.items())
        if reading.is_usable and (name in effects or name in founder.reference)
    ]
    return Calibration(
        founder=founder.generation.lineage,
        controls=tuple(control.generation.lineage for control in controls),
        noise=tuple(noise),
        skipped=skipped,
    )


def sampling_sd(reference: Reading, n_groups: int, rng: np.random.Generator) -> float:
    r"""Standard deviation of the effect between two samples of real text of `n_groups` groups each.

    Groups of the wild type are split in two at random, again and again; between halves of n/2 groups the variance of
    the effect is 4v/n, between samples of g groups 2v/g, so the spread of the halves is scaled by sqrt(n / 2g). NaN
    with fewer than four groups, and where a half has no effect. O(200 n).

    Args:
        reference: The wild type's own reading, not paired.
        n_groups: g.
        rng: Of the splits.

    Example:
        >>> values = tuple(np.random.default_rng(0).normal(1.0, 0.1, 40))
        >>> wild = Reading(indicator="vendi", family="spread", value=1.0, unit="samples", direction="down", n=1,
        ...                n_minimum=1, replicates=values)
        >>> round(sampling_sd(wild, 10, np.random.default_rng(1)), 3)
        0.035
    """
    values, effects = np.array(reference.replicates), []
    half = len(values) // 2
    if half < 2:
        return math.nan
    for _ in range(SPLITS):
        order = rng.permutation(len(values))
        halves = [
            reference.model_copy(update={"replicates": tuple(values[part].tolist())})
            for part in (order[:half], order[half : 2 * half])
        ]
        if obstacle(*halves):
            return math.nan
        effects.append(contrast_of(*halves).effect)
    return float(np.std(effects) * math.sqrt(2 * half / (2 * n_groups)))


def policy_toml(calibration: Calibration, policy: Policy) -> str:
    """A policy file with the seed noise and, in comments, its evidence; `Policy.load` reads it.

    Args:
        calibration: The measured noise.
        policy: All other settings of the file.
    """
    settings = policy.model_dump(mode="json", exclude={"seed_noise"}, exclude_none=True)
    plain = {name: value for name, value in settings.items() if not isinstance(value, dict)}
    lines = [
        f"# Calibrated for lineage {calibration.founder!r} on {len(calibration.controls)} control retrains.",
        *(f"{name} = {_toml(value)}" for name, value in plain.items()),
    ]
    for table, content in settings.items():
        if isinstance(content, dict):
            lines += ["", f"[{table}]", *(f"{_key(key)} = {_toml(value)}" for key, value in content.items())]
    lines += ["", "[seed_noise]  # the effect of another seed alone; margins are never below its limit"]
    for noise in calibration.noise:
        if noise.seeds is not None:
            setting = f"{_key(noise.indicator)} = {_toml(noise.seeds.model_dump())}"
            lines += [f"# {' '.join(evidence(noise, policy).split())}", setting]
    return "\n".join(lines) + "\n"


def evidence(noise: Noise, policy: Policy) -> str:
    """The evidence of an indicator's seed noise, in one sentence."""
    if noise.seeds is None:
        return f"{noise.indicator}: no seed noise was measured"
    if noise.limit is None:
        return f"all {noise.seeds.controls} controls have the same {noise.indicator}: that gives no limit"
    force = "is raised to that" if noise.limit > noise.policy_margin else "stays"
    return (
        f"{noise.seeds.controls} controls moved {noise.indicator} by {phrase(noise, noise.seeds.mean)} on average, "
        f"SD {size(noise, noise.seeds.sd)}: another seed stays within {limit(noise, noise.limit)} in all "
        f"{policy.horizon} generations with {share(1 - policy.alpha, digits=6)}; the policy's margin of "
        f"{limit(noise, noise.policy_margin)} {force}"
    )


def bought(noise: Noise, policy: Policy) -> dict[int, float]:
    """What more controls would buy: their number -> the limit that they would give, at the noise that was measured.

    Args:
        noise: Of one indicator; without controls, as much as the policy assumes.
        policy: Its watch level, horizon and error budget.

    Example:
        >>> declared = {"scale": "exponential", "effect_unit": "log ratio", "direction": "up", "sampling_sd": None}
        >>> measured = SeedNoise(controls=4, mean=0.0, sd=0.01)
        >>> noise = Noise(indicator="perplexity", **declared, seeds=measured, policy_margin=0.1, limit=0.1)
        >>> [round(limit, 3) for limit in bought(noise, Policy(decides=("perplexity",))).values()]
        [0.039, 0.039, 0.039, 0.038, 0.035, 0.029]
    """
    _, watch = policy.margin(noise.indicator, "founder").effects(noise.scale)
    level = policy.alpha / policy.horizon / max(1, len(policy.decides))
    one_side = level / 2 if noise.direction is Direction.BOTH else level
    sd = watch / quantile(one_side, ASSUMED) if noise.seeds is None else noise.seeds.sd
    mean = 0.0 if noise.seeds is None else noise.seeds.mean
    return {
        n: SeedNoise(controls=n, mean=mean if n > 1 else 0.0, sd=sd).limit(level, noise.direction, watch=watch)
        for n in COUNTS
    }


def cells(noise: Noise) -> tuple[str, ...]:
    """Noise of sampling; mean, noise and limit of seeds; margin of the policy and in force: in words, "-" for none."""
    return (
        "-" if noise.sampling_sd is None else size(noise, noise.sampling_sd),
        "-" if noise.seeds is None else phrase(noise, noise.seeds.mean),
        "-" if noise.seeds is None else size(noise, noise.seeds.sd),
        "-" if noise.limit is None else limit(noise, noise.limit),
        limit(noise, noise.policy_margin),
        limit(noise, noise.margin_in_force),
    )


def _check(founder: Assessment, controls: Sequence[Assessment]) -> None:
    wild_type = founder.generation.wild_type
    seen = {founder.generation.lineage}
    for one in (founder, *controls):
        if not one.generation.is_founder:
            raise InputError(
                f"`controls` and `founder` must be founders, but got generation {one.generation.index} of "
                f"{one.generation.lineage!r}: assess each control retrain as generation 0 of a lineage of its own"
            )
        if one.generation.wild_type != wild_type:
            raise FingerprintMismatchError(
                f"control {one.generation.lineage!r} is measured against the wild type {one.generation.wild_type}, the "
                f"founder against {wild_type}: assess both against one"
            )
    for control in controls:
        if control.generation.lineage in seen:
            raise InputError(
                f"`controls` must be other lineages than the founder's, each once, but got "
                f"{control.generation.lineage!r} again"
            )
        seen.add(control.generation.lineage)


def _effects(founder: Assessment, controls: Sequence[Assessment]) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Effects of the controls against the founder, by indicator; and why there are none."""
    effects, skipped = dict[str, list[float]](), dict[str, str]()
    if not controls:
        return {}, {}
    for name, reference in founder.readings.items():
        readings = [_reading(control, name, reference) for control in controls]
        why_not = ["a control lacks it" if reading is None else obstacle(reading, reference) for reading in readings]
        if any(why_not):
            skipped[name] = next(problem for problem in why_not if problem)
            continue
        values = [contrast_of(reading, reference).effect for reading in readings if reading is not None]
        if all(map(math.isfinite, values)):
            effects[name] = values
        else:
            skipped[name] = "an effect is infinite: a control has none of it"
    return effects, skipped


def _reading(control: Assessment, name: str, reference: Reading) -> Reading | None:
    """A control's reading of an indicator. Its tail loss is read on the founder's tail documents, not on its own."""
    perplexity = control.readings.get("perplexity")
    if name != "tail_loss" or perplexity is None:
        return control.readings.get(name)
    place = {key: i for i, key in enumerate(perplexity.keys)}
    if not all(key in place for key in reference.keys):
        return control.readings.get(name)
    rows = [place[key] for key in reference.keys]
    columns = {part: tuple(getattr(perplexity, part)[i] for i in rows) for part in ("keys", "replicates", "weights")}
    return reference.model_copy(update={**columns, "problem": perplexity.problem})


def _noise(
    reading: Reading, founder: Assessment, effects: Sequence[float], policy: Policy, rng: np.random.Generator
) -> Noise:
    name = reading.indicator
    reference = founder.reference.get(name)
    can_split = reference is not None and reference.is_usable and not reading.keys
    seeds = None
    if effects:
        seeds = SeedNoise.of(effects)
    known = policy.model_copy(update={"seed_noise": {name: seeds} if seeds else {}})
    margin, _ = policy.margin(name, "founder").effects(reading.scale)
    limits = known.limits(name, "founder", direction=reading.direction, scale=reading.scale)
    spread = sampling_sd(reference, len(reading.replicates), rng) if can_split and reference is not None else math.nan
    return Noise(
        indicator=name,
        scale=reading.scale,
        effect_unit=effect_unit(reading),
        direction=reading.direction,
        sampling_sd=spread if math.isfinite(spread) else None,
        seeds=seeds,
        policy_margin=margin,
        limit=limits.seeds,
    )


def _key(name: str) -> str:
    return f'"{name}"' if "." in name else name  # a task's name; without quotes a dot begins a table


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(value)  # the TOML of texts, numbers and lists too
