"""The border between commands and the process: the result or error of a command becomes the exit code."""

from __future__ import annotations

import functools
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec

import typer

from collapse_guard.cli.exit_codes import ExitCode
from collapse_guard.cli.terminal import errors, say, say_error, say_warning
from collapse_guard.errors import CollapseGuardError, CollapseGuardWarning

P = ParamSpec("P")


def exits(command: Callable[P, ExitCode | None]) -> Callable[P, None]:
    """Exit with the code that a command returns (None: it passed), or with a readable message if it raises.

    A `CollapseGuardError` is a sentence for people and exits with 2. Any other error keeps its traceback and exits with
    70, so a defect is never taken for a verdict.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with _own_warnings():
            raise typer.Exit(_code(functools.partial(command, *args, **kwargs)))

    return run


def _code(command: Callable[[], ExitCode | None]) -> ExitCode:
    try:
        return command() or ExitCode.PASSED
    except CollapseGuardError as error:
        say_error(str(error))
        return ExitCode.UNUSABLE
    except KeyboardInterrupt:
        say_error("interrupted")
        return ExitCode.INTERRUPTED
    except Exception:
        say(traceback.format_exc(), to=errors())
        say_error("this is a defect of collapse_guard or of a dependency: please report it with the lines above")
        return ExitCode.DEFECT


@contextmanager
def _own_warnings() -> Iterator[None]:
    """Show warnings of collapse_guard as sentences, without the line of code that they come from."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", CollapseGuardWarning)
        show = warnings.showwarning

        def showwarning(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, CollapseGuardWarning):
                say_warning(str(message))
            else:
                show(message, category, *where, **more)

        warnings.showwarning = showwarning
        yield
