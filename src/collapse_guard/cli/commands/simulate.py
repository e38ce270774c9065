"""`collapse-guard simulate`: a world with a known answer, its closed form, and the verdicts of a policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from collapse_guard.cli import options
from collapse_guard.cli.terminal import errors, say
from collapse_guard.errors import InputError
from collapse_guard.records import Assessment, Generation, Mixture, Severity

if TYPE_CHECKING:
    from collapse_guard.decision.policy import Policy
    from collapse_guard.evidence import Evidence
    from collapse_guard.report.tables import Table
    from collapse_guard.wildtype import WildType
    from collapse_guard.worlds import GaussianLineages, Lineages, Observable, TextLineages, Workflow


class World(StrEnum):
    """The world to simulate."""

    GAUSSIAN = "gaussian"
    WRIGHT_FISHER = "wright-fisher"
    REGRESSION = "regression"
    HUTTER = "hutter"
    ZIPF_TEXT = "zipf-text"


class WorkflowName(StrEnum):
    """What each generation is trained on."""

    REPLACE = "replace"
    ACCUMULATE = "accumulate"
    ACCUMULATE_SUBSAMPLE = "accumulate-subsample"
    MIX = "mix"
    FRESH = "fresh"


DIMENSIONS = 4
"""Dimensions of the Gaussian world here."""
SAMPLES = {
    World.GAUSSIAN: (100, f"samples in {DIMENSIONS} dimensions"),
    World.WRIGHT_FISHER: (100, "items of 200 types"),
    World.REGRESSION: (111, "labels in 10 dimensions"),
    World.HUTTER: (1000, "questions"),
    World.ZIPF_TEXT: (1000, "documents of 30 words"),
}
"""Default of `--samples`, and what the items are."""
_VECTORS, _DOCUMENTS = 2048, 2000
"""Samples of a generation, and real ones to measure against, for the guard to judge."""
_SHOWN = 2
"""Observables in the table; the file has all."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The options that say what is simulated and judged."""

    world: Annotated[World, typer.Argument(metavar="WORLD", help=f"One of {', '.join(World)}.")]
    workflow: Annotated[WorkflowName, typer.Option(help="What each generation is trained on.")] = WorkflowName.REPLACE
    real_share: Annotated[
        float | None, typer.Option(metavar="M", min=0.0, max=1.0, help="Share of fresh real data; with --workflow mix.")
    ] = None
    generations: Annotated[int, typer.Option(min=0, help="Generations after the founder.")] = 10
    lineages: Annotated[int, typer.Option(min=1, help="Independent repetitions.")] = 200
    samples: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Items (documents in zipf-text) that each generation writes. Default: "
            + ", ".join(f"{number} in {world}" for world, (number, _) in SAMPLES.items())
            + ".",
        ),
    ] = None
    seed: options.Seed = 0
    judge: Annotated[
        int,
        typer.Option(metavar="K", min=0, help="Let the guard judge the first K lineages; gaussian and zipf-text only."),
    ] = 0
    policy: options.PolicyFile = None

    @property
    def size(self) -> int:
        """Items that each generation writes."""
        return SAMPLES[self.world][0] if self.samples is None else self.samples

    @property
    def trained_on(self) -> Workflow:
        """What each generation is trained on; raises InputError where a share is missing or too much."""
        from collapse_guard.worlds import WORKFLOWS, Workflow

        if (self.workflow is WorkflowName.MIX) != (self.real_share is not None):
            raise InputError(
                "`--real-share` must be given with `--workflow mix` and with no other workflow, but got "
                f"{self.real_share} with `--workflow {self.workflow}`: "
                "give `--workflow mix --real-share 0.1` for a tenth"
            )
        name = dict(zip(WorkflowName, WORKFLOWS, strict=True))[self.workflow]
        return Workflow(name=name, real_share=self.real_share)


def simulate(
    settings: Settings, json_file: Annotated[Path | None, options.file("Write all results as JSON.", "--json")] = None
) -> None:
    """Simulate lineages with a known collapse, compare them with the closed form, and try a policy on them.

    The exit code is 0 for any verdict: a simulated collapse is not a failure.
    """
    from collapse_guard.cli.outputs import check_outputs, write_json
    from collapse_guard.cli.verdicts import show_table

    check_outputs({"--json": json_file}, [settings.policy])
    rule = _checked_policy(settings)
    simulation = _simulated(settings)
    verdicts = _judged(simulation, settings, rule) if rule else []
    if json_file is not None:
        write_json(json_file, _results(settings, simulation, verdicts))
    show_table(_table(settings, simulation.observables[:_SHOWN], verdicts))
    _say_more(settings, simulation.observables)


def _simulated(settings: Settings) -> Lineages:
    from collapse_guard import worlds

    size: dict[str, int] = {
        World.GAUSSIAN: {"samples": settings.size, "dimensions": DIMENSIONS},
        World.ZIPF_TEXT: {"documents": settings.size, "kept": settings.judge, "scored": _DOCUMENTS},
    }.get(settings.world, {"samples": settings.size})
    world: Any = getattr(worlds, settings.world.replace("-", "_"))
    lineages: Lineages = world.simulate(
        workflow=settings.trained_on,
        generations=settings.generations,
        lineages=settings.lineages,
        seed=settings.seed,
        **size,
    )
    return lineages


def _checked_policy(settings: Settings) -> Policy | None:
    """The policy to judge by; None if nothing is judged."""
    if not settings.judge:
        if settings.policy is not None:
            raise InputError("`--policy` must come with `--judge K`, but got no K: give the number of lineages")
        return None
    if settings.world not in (World.GAUSSIAN, World.ZIPF_TEXT):
        raise InputError(
            f"`--judge` must be 0 in the world {settings.world}, which writes nothing to judge, but got "
            f"{settings.judge}: take gaussian or zipf-text"
        )
    if settings.judge > settings.lineages:
        raise InputError(
            f"`--judge` must be at most `--lineages` = {settings.lineages}, but got {settings.judge}: "
            "simulate more lineages"
        )
    from collapse_guard.decision.policy import Policy

    return Policy() if settings.policy is None else Policy.load(settings.policy)


def _judged(simulation: Any, settings: Settings, policy: Policy) -> list[Counter[Severity]]:
    """How many lineages have which verdict, by generation."""
    from collapse_guard.assessment import assess

    wild_type, evidence = (_of_vectors if settings.world is World.GAUSSIAN else _of_texts)(simulation, settings)
    judge = partial(assess, wild_type, policy=policy, seed=settings.seed)
    verdicts: list[Counter[Severity]] = [Counter() for _ in range(settings.generations + 1)]
    with errors().status("") as status:
        for lineage in range(settings.judge):
            status.update(f"judging lineage {lineage + 1} of {settings.judge}")
            history: list[Assessment] = []
            for index, counts in enumerate(verdicts):
                generation = generation_of(settings.trained_on, f"{settings.world} {lineage}", index)
                history.append(judge(evidence(lineage, index), history=history, generation=generation))
                counts[history[-1].verdict.severity] += 1
    return verdicts


def generation_of(workflow: Workflow, lineage: str, index: int) -> Generation:
    """The place of a simulated generation in its lineage, and what the workflow trained it on."""
    real = 1.0 if index == 0 else workflow.fresh_share
    oldest = {None: 0, 1.0: index}.get(real, index - 1)
    mixture = None if real is None else Mixture.with_real(real)
    return Generation(lineage=lineage, index=index, parents=tuple(range(oldest, index)), mixture=mixture)


def _of_vectors(simulation: GaussianLineages, settings: Settings) -> tuple[WildType, Callable[[int, int], Evidence]]:
    from collapse_guard.evidence import Evidence
    from collapse_guard.wildtype import WildType
    from collapse_guard.worlds import gaussian

    real = gaussian.real_samples(2 * _VECTORS, dimensions=DIMENSIONS, seed=settings.seed)
    wild_type = WildType.fit_arrays(real, seed=settings.seed, evaluation_fraction=0.5)
    return wild_type, lambda lineage, index: Evidence(
        samples=simulation.write(lineage, index, n=_VECTORS, seed=settings.seed)
    )


def _of_texts(simulation: TextLineages, settings: Settings) -> tuple[WildType, Callable[[int, int], Evidence]]:
    from collapse_guard.evidence import Evidence, Losses
    from collapse_guard.wildtype import WildType
    from collapse_guard.worlds.zipf_text import as_texts

    real = as_texts(simulation.held_out)
    wild_type = WildType.fit(real, seed=settings.seed, evaluation_fraction=0.5, group_tokens=512)
    place = {text: number for number, text in enumerate(real)}
    places = [place[text] for text in wild_type.evaluation]

    def evidence(lineage: int, index: int) -> Evidence:
        nats = simulation.nats[lineage, index, places]
        losses = Losses(
            documents=wild_type.evaluation.hashes,
            nll=nats.sum(axis=1),
            n_tokens=(nats > 0.0).sum(axis=1),
            token_nll=tuple(nats),
        )
        return Evidence(samples=simulation.texts(lineage, index), losses=losses)

    return wild_type, evidence


def _table(settings: Settings, observables: Sequence[Observable], verdicts: Sequence[Counter[Severity]]) -> Table:
    from collapse_guard.report.tables import Cell, Table

    columns, cells = ["generation"], [[Cell(text=str(t)) for t in range(settings.generations + 1)]]
    for seen in observables:
        columns.append(f"{seen.name}: mean (10-90%)")
        ranges = zip(seen.mean, seen.quantile(0.1), seen.quantile(0.9), strict=True)
        cells.append([Cell(text=f"{mean:.4g} ({low:.4g} to {high:.4g})") for mean, low, high in ranges])
        if seen.expected is not None:
            columns.append("limit for large N" if seen.is_limit else "closed form")
            cells.append([Cell(text=f"{value:.4g}") for value in seen.expected])
    for severity in Severity if verdicts else ():
        columns.append(str(severity))
        shares = ((counts[severity], counts[severity] / counts.total()) for counts in verdicts)
        cells.append([Cell(text=f"{share:.0%}", severity=severity if count else None) for count, share in shares])
    what = f"{settings.world} under {settings.trained_on}: {settings.lineages:,} lineages"
    size = f"{settings.size:,} {SAMPLES[settings.world][1]} per generation"
    return Table(
        caption=f"{what}, {size}, seed {settings.seed}; generation 0 is the founder",
        columns=tuple(columns),
        rows=tuple(zip(*cells, strict=True)),
    )


def _say_more(settings: Settings, observables: Sequence[Observable]) -> None:
    """What the table does not say."""
    unknown = [seen.name for seen in observables[:_SHOWN] if seen.expected is None]
    if unknown:
        say(f"No closed form is known for {' and '.join(unknown)} under {settings.trained_on}.")
    if settings.judge:
        say(f"Verdicts are shares of the first {settings.judge} lineages.")


def _results(settings: Settings, simulation: Lineages, verdicts: Sequence[Counter[Severity]]) -> dict[str, object]:
    return {
        "world": settings.world,
        "workflow": settings.trained_on.name,
        "real_share": settings.real_share,
        "generations": settings.generations,
        "lineages": settings.lineages,
        "samples": settings.size,
        "seed": settings.seed,
        "observables": [seen.to_dict() for seen in simulation.observables],
        "verdicts": [{str(severity): counts[severity] for severity in Severity} for counts in verdicts],
    }
