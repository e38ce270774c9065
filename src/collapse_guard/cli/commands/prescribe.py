"""`collapse-guard prescribe`: how inbred a lineage is, its forecast, and how much real data it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collapse_guard.cli import options
from collapse_guard.cli.exit_codes import ExitCode
from collapse_guard.cli.failures import exits
from collapse_guard.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collapse_guard.decision.policy import Policy
    from collapse_guard.records import Assessment, Outlook


@exits
def prescribe(
    lineage: options.Lineage,
    generation: options.PrescribedGeneration = None,
    target: options.Target = None,
    policy: options.NewPolicy = None,
    documents: options.Documents = None,
    archive: options.Archive = None,
    select: options.Select = None,
    out: options.SelectionOut = None,
    wild_type: options.PoolOf = None,
    strategy: options.By = options.SelectionStrategy.UNIFORM,
    json_file: options.Json = None,
    store: options.Store = None,
) -> ExitCode:
    """Show how inbred a lineage is, when it fails if nothing changes, and how much real data prevents that."""
    from collapse_guard.arguments import above, share
    from collapse_guard.cli.generations import up_to
    from collapse_guard.cli.outputs import check_writable, write_text
    from collapse_guard.cli.selection import Selection, select_into_file
    from collapse_guard.cli.terminal import say
    from collapse_guard.cli.verdicts import show_headline
    from collapse_guard.decision.policy import Policy
    from collapse_guard.report import json_text
    from collapse_guard.store import open_store

    if (documents is None) != (archive is None):
        raise InputError(
            "`--documents` and `--archive` must be given together, but got one of them: give both, or none"
        )
    if target is not None:
        above("--target", target, 0.0)
        share("--target", target)
    selection = Selection(n=select, out=out, wild_type=wild_type, strategy=strategy.value)
    selection.check()
    if json_file is not None:
        check_writable(json_file, "--json")
    new_policy = None if policy is None else Policy.load(policy)
    stored = up_to(open_store(store).history(lineage), lineage, generation)
    newest = _looking_ahead(stored, new_policy, target)
    show_headline(newest)
    if newest.outlook is None:
        say("There is no forecast yet: it needs the founder and at least one generation that descends from it.")
    else:
        _tell(newest, newest.outlook, documents, archive)
        if json_file is not None:
            write_text(json_file, json_text(newest.outlook))
    summary = select_into_file(selection, newest)
    if summary:
        say(summary)
    return ExitCode.PASSED


def _tell(newest: Assessment, outlook: Outlook, documents: int | None, archive: int | None) -> None:
    from collapse_guard.cli.terminal import say
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


def _looking_ahead(stored: Sequence[Assessment], policy: Policy | None, target: float | None) -> Assessment:
    """The newest generation with its outlook: the stored one, or a new one for a policy, a target or a missing one."""
    from collapse_guard.assessment import replay
    from collapse_guard.decision.policy import Policy, Reinjection
    from collapse_guard.prescription.outlook import outlook

    history = list(stored) if policy is None else replay(stored, policy)
    *past, newest = history
    if target is None and newest.outlook is not None:
        return newest
    rules = policy or Policy()
    if target is not None:
        rule = Reinjection.model_validate({**rules.reinjection.model_dump(), "target_fixation": target})
        rules = rules.model_copy(update={"reinjection": rule})
    return newest.model_copy(update={"outlook": outlook(newest, past, rules)})
