"""`collapse-guard calibrate`: how much each indicator changes by chance alone, and the policy that follows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from collapse_guard.cli import options
from collapse_guard.cli.terminal import output, printable, say

if TYPE_CHECKING:
    from collapse_guard.decision.calibration import Calibration
    from collapse_guard.decision.policy import Policy
    from collapse_guard.records import Assessment


def calibrate(
    lineage: options.Lineage,
    control: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LINEAGE",
            help="Lineage whose founder is a control retrain: the founder's training on real data with another "
            "seed. Repeat the option: one to three sharpen what the policy assumes, nine need no assumption.",
        ),
    ] = None,
    policy: options.PolicyFile = None,
    out: Annotated[Path | None, options.file("Write the policy here, as TOML. It must not exist yet.")] = None,
    seed: options.Seed = 0,
    store: options.Store = None,
) -> None:
    """Measure how much each indicator changes by chance alone, and write a policy with margins above that."""
    from collapse_guard.cli.outputs import check_new, check_outputs, write_text
    from collapse_guard.decision import calibration
    from collapse_guard.decision.policy import Policy
    from collapse_guard.store import open_store

    check_new(out, "--out")
    check_outputs({"--out": out}, [policy], store=store)
    rules, lineages = Policy() if policy is None else Policy.load(policy), open_store(store)
    founder, *controls = (_founder(lineages.history(name)) for name in (lineage, *(control or [])))
    result = calibration.calibrate(founder, controls, policy=rules, seed=seed)
    output().print(_table(result, rules))
    _remark(result, rules)
    if out is not None:
        write_text(out, calibration.policy_toml(result, rules))
        say(f"The policy is in {out}: use it with `--policy {out}`.")


def _founder(history: Sequence[Assessment]) -> Assessment:
    """The newest founder; the newest generation where it is missing, which calibration refuses."""
    from collapse_guard.records import founder_of

    return founder_of(history, history[-1].generation) or history[-1]


def _table(calibration: Calibration, policy: Policy) -> Table:
    from collapse_guard.decision.calibration import cells

    table = Table(
        "indicator", "sampling SD", "seeds: mean", "seeds: SD", "seeds stay within", "margin", "in force", box=None
    )
    decides = [noise for noise in calibration.noise if noise.indicator in policy.decides]
    for noise in decides or calibration.noise:
        table.add_row(printable(noise.indicator), *map(printable, cells(noise)))
    return table


def _remark(calibration: Calibration, policy: Policy) -> None:
    from collapse_guard.comparison.effects import limit
    from collapse_guard.decision.calibration import bought

    if not calibration.controls:
        say(
            "\nSeed noise was not measured: retrain on real data with another seed, assess that as generation 0 of a "
            "lineage of its own, and name the lineage with --control."
        )
    measured = [noise for noise in calibration.noise if noise.indicator in policy.decides and noise.limit is not None]
    for noise in measured[:1]:
        limits = [f"{n}: {limit(noise, harm)}" for n, harm in bought(noise, policy).items()]
        say(
            f"\nWith as much noise in {printable(noise.indicator)}, another seed would stay within, by the number of "
            f"controls: {', '.join(limits)}. Below 9 the policy's watch level stands in for the missing ones."
        )
    for name, why in calibration.skipped.items():
        say(f"{printable(name)} has no seed noise: {printable(why)}")
