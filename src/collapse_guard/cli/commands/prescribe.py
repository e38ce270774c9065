"""`collapse-guard prescribe`: how inbred a lineage is, its forecast, and how much real data it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from collapse_guard.cli import options
from collapse_guard.cli.terminal import say
from collapse_guard.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collapse_guard.decision.policy import Policy
    from collapse_guard.records import Assessment, Outlook


def prescribe(
    lineage: options.Lineage,
    selection: options.Selection,
    generation: Annotated[int | None, options.generation("Generation to forecast from. Default: the newest.")] = None,
    target: Annotated[
        float | None, typer.Option(metavar="F", help="Fixation index to hold too, such as 0.05. Default: the policy's.")
    ] = None,
    policy: options.NewPolicy = None,
    documents: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Documents in a training set; with --archive.")
    ] = None,
    archive: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Number of your real documents, to check whether they are enough."),
    ] = None,
    json_file: options.Json = None,
    store: options.Store = None,
) -> None:
    """Show how inbred a lineage is, when it fails if nothing changes, and how much real data prevents that."""
    from collapse_guard.arguments import above, share
    from collapse_guard.cli.generations import judged
    from collapse_guard.cli.outputs import check_outputs, write_text
    from collapse_guard.cli.selection import check_selection, select_into_file
    from collapse_guard.cli.verdicts import show_headline
    from collapse_guard.report import json_text

    if (documents is None) != (archive is None):
        raise InputError(
            "`--documents` and `--archive` must be given together, but got one of them: give both, or none"
        )
    if target is not None:
        above("--target", target, 0.0)
        share("--target", target)
    check_selection(selection)
    outputs = {"--json": json_file, "--out": selection.out}
    check_outputs(outputs, [policy, selection.wild_type], store=store)
    newest = _looking_ahead(*judged(store, lineage, generation, policy), target)
    show_headline(newest)
    if newest.outlook is None:
        say("There is no forecast yet: it needs the founder and at least one generation that descends from it.")
    else:
        _tell(newest, newest.outlook, documents, archive)
        if json_file is not None:
            write_text(json_file, json_text(newest.outlook))
    select_into_file(selection, newest)


def _tell(newest: Assessment, outlook: Outlook, documents: int | None, archive: int | None) -> None:
    from collapse_guard.cli.verdicts import show_outlook
    from collapse_guard.prescription.supply import supply
    from collapse_guard.report import outlook as words

    show_outlook(newest)
    needed = outlook.prescription
    if needed is not None and needed.real_share is not None and documents is not None and archive is not None:
        sentence = words.supplied(
            supply(needed.real_share, documents=documents, archive=archive, horizon=needed.horizon)
        )
        if sentence:
            say(sentence)


def _looking_ahead(history: Sequence[Assessment], policy: Policy | None, target: float | None) -> Assessment:
    """The newest generation with its outlook: the stored one, or a new one for a policy, a target or a missing one."""
    from collapse_guard.decision.policy import Policy, Reinjection
    from collapse_guard.prescription.outlook import outlook

    *past, newest = history
    if target is None and newest.outlook is not None:
        return newest
    rules = policy or Policy()
    if target is not None:
        rule = Reinjection.model_validate({**rules.reinjection.model_dump(), "target_fixation": target})
        rules = rules.model_copy(update={"reinjection": rule})
    return newest.model_copy(update={"outlook": outlook(newest, past, rules)})
