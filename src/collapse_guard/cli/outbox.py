"""Sending the evidence that waits because the store did not take it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from collapse_guard.cli.exit_codes import ExitCode, worst
from collapse_guard.cli.terminal import say, say_error
from collapse_guard.cli.verdicts import show_verdict
from collapse_guard.errors import CollapseGuardError, FingerprintMismatchError, StoreUnreachableError
from collapse_guard.lineage.enrol import submit
from collapse_guard.lineage.outbox import PENDING, Pending, discard_pending, list_pending, load_pending
from collapse_guard.records import Severity
from collapse_guard.store import LineageStore, open_store
from collapse_guard.wildtype import WildType


def send_all(store: str | None, code_of: Callable[[Severity], ExitCode], *, founds: bool = False) -> ExitCode:
    """Assess, append and discard what waits, oldest first; the exit code is the worst of all.

    What cannot be sent stays, and so does everything after it in the same lineage: generations keep their order.

    Args:
        store: Address of the store.
        code_of: The exit code of a verdict.
        founds: Whether what waits first for a lineage that the store does not have is its founder.
    """
    waiting = list_pending(PENDING)
    if not waiting:
        say(f"There is nothing to send in {PENDING.absolute()}.")
    lineages, stuck = open_store(store), set[str]()
    codes = []
    for path in waiting:
        try:
            codes.append(_send(lineages, path, stuck, code_of, founds))
        except StoreUnreachableError as error:
            say_error(f"{error}\n{len(waiting) - len(codes)} of {len(waiting)} stay in {PENDING.absolute()}")
            return worst([*codes, ExitCode.UNUSABLE])
    return worst(codes)


def _send(
    lineages: LineageStore, path: Path, stuck: set[str], code_of: Callable[[Severity], ExitCode], founds: bool
) -> ExitCode:
    lineage = ""
    try:
        pending = load_pending(path)
        lineage = pending.request.lineage
        if lineage in stuck:
            say_error(f"{path} stays, because an earlier generation of lineage `{lineage}` does")
            return ExitCode.UNUSABLE
        severity = _enrol(lineages, pending, code_of, founds)
    except StoreUnreachableError:
        raise
    except CollapseGuardError as error:
        stuck.add(lineage)
        say_error(f"{path} stays: {error}")
        return ExitCode.UNUSABLE
    discard_pending(path)
    return code_of(severity)


def _enrol(lineages: LineageStore, pending: Pending, code_of: Callable[[Severity], ExitCode], founds: bool) -> Severity:
    request = pending.request
    if founds and request.index is None and not lineages.has(request.lineage):
        request = request.model_copy(update={"index": 0})
    wild_type = WildType.load(request.wild_type_path)
    if wild_type.fingerprint != request.wild_type:
        raise FingerprintMismatchError(
            f"the evidence was collected for the wild type {request.wild_type}, but {request.wild_type_path} holds "
            f"{wild_type.fingerprint} now: put the first one back"
        )
    enrolled = submit(lineages, wild_type, request, pending.evidence, path=pending.path)
    if enrolled.refusal:
        raise enrolled.refusal.error
    severity = enrolled.assessment.verdict.severity
    show_verdict(enrolled.assessment, code_of(severity), advice=enrolled.already_stored)
    return severity
