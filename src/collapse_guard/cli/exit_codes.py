"""Exit codes of all commands: the one place where verdicts become numbers.

| exit code | meaning                                                                                    |
|-----------|--------------------------------------------------------------------------------------------|
| 0         | HEALTHY; WATCH without `--strict`; UNDECIDED with `--allow-undecided`; any other success     |
| 1         | COLLAPSED; WATCH with `--strict`                                                           |
| 2         | wrong usage, input that cannot be read, a store that does not answer                       |
| 3         | UNDECIDED                                                                                  |
| 70        | a defect of collapse_guard or of a dependency, with its traceback on standard error         |
| 130       | interrupted (Ctrl-C)                                                                       |
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from collapse_guard.records import Severity


class ExitCode(IntEnum):
    """Exit codes of all commands; the table is at the top of the file."""

    PASSED = 0
    FAILED = 1
    UNUSABLE = 2
    UNDECIDED = 3
    DEFECT = 70
    INTERRUPTED = 130


_WORST_FIRST = (ExitCode.FAILED, ExitCode.DEFECT, ExitCode.UNUSABLE, ExitCode.UNDECIDED, ExitCode.PASSED)


def exit_code(severity: Severity, *, strict: bool = False, allow_undecided: bool = False) -> ExitCode:
    """The exit code of a verdict.

    Args:
        severity: Severity of the verdict.
        strict: Whether WATCH fails.
        allow_undecided: Whether UNDECIDED passes.

    Example:
        >>> [int(exit_code(severity)) for severity in Severity]
        [0, 0, 3, 1]
    """
    return {
        Severity.HEALTHY: ExitCode.PASSED,
        Severity.WATCH: ExitCode.FAILED if strict else ExitCode.PASSED,
        Severity.UNDECIDED: ExitCode.PASSED if allow_undecided else ExitCode.UNDECIDED,
        Severity.COLLAPSED: ExitCode.FAILED,
    }[severity]


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The exit code for several generations: an error never hides a collapse.

    Example:
        >>> int(worst([ExitCode.UNDECIDED, ExitCode.UNUSABLE, ExitCode.PASSED]))
        2
    """
    return min(codes, key=_WORST_FIRST.index, default=ExitCode.PASSED)


def meaning(severity: Severity, code: ExitCode) -> str:
    """The exit code as a sentence, so that text and code cannot disagree.

    Example:
        >>> meaning(Severity.UNDECIDED, ExitCode.PASSED)
        'passed although UNDECIDED (--allow-undecided), exit code 0'
    """
    words = {
        (Severity.WATCH, ExitCode.FAILED): "failed because of WATCH (--strict)",
        (Severity.UNDECIDED, ExitCode.PASSED): "passed although UNDECIDED (--allow-undecided)",
    }
    plain = {ExitCode.PASSED: "passed", ExitCode.FAILED: "failed", ExitCode.UNDECIDED: "undecided"}
    return f"{words.get((severity, code)) or plain[code]}, exit code {int(code)}"
