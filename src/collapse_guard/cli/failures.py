"""The border between commands and the process: the result or error of a command becomes the exit code."""

from __future__ import annotations

import functools
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, ParamSpec

import typer

from collapse_guard.cli.exit_codes import ExitCode, worst
from collapse_guard.cli.terminal import drop_unwritten, errors, open_closed_streams, say, say_error, say_warning
from collapse_guard.errors import CollapseGuardError, CollapseGuardWarning

P = ParamSpec("P")


def exits(command: Callable[P, ExitCode | None]) -> Callable[P, None]:
    """Exit with the code that a command returns (None: it passed), or with a readable message if it raises.

    A `CollapseGuardError` is a sentence for people and exits with 2, and so does what the system refuses: a file, room
    on a disk, memory. Any other error keeps its traceback and exits with 70, so a defect is never taken for a verdict.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with _own_warnings():
            code = _code(functools.partial(command, *args, **kwargs))
            raise typer.Exit(code if drop_unwritten() else worst([code, ExitCode.UNUSABLE]))

    return run


def finish(app: Callable[[], Any]) -> NoReturn:
    """Run the application and end the process; where its output cannot be written, never with the 1 of a collapse."""
    open_closed_streams()
    try:
        app()
    except SystemExit as end:
        # A pipe that nobody reads any more ends a page of help with 1.
        code = ExitCode.UNUSABLE if isinstance(end.__context__, OSError) else end.code
    except OSError as error:
        code = _refused(error)
    else:
        code = ExitCode.PASSED
    drop_unwritten()
    sys.exit(code)


def _refused(error: OSError) -> ExitCode:
    where = f"{error.filename} " if error.filename else "what this command reads or writes "
    say_error(f"{where}cannot be used: {error.strerror or error}: make room for it or name another")
    return ExitCode.UNUSABLE


def _code(command: Callable[[], ExitCode | None]) -> ExitCode:
    try:
        return command() or ExitCode.PASSED
    except CollapseGuardError as error:
        say_error(str(error))
        return ExitCode.UNUSABLE
    except KeyboardInterrupt:
        say_error("interrupted")
        return ExitCode.INTERRUPTED
    except OSError as error:
        return _refused(error)
    except MemoryError:
        say_error("there is not enough memory for this: give fewer or shorter texts, or use a larger machine")
        return ExitCode.UNUSABLE
    except Exception:
        say(traceback.format_exc(), to=errors())
        say_error("this is a defect of collapse_guard or of a dependency: please report it with the lines above")
        return ExitCode.DEFECT


@contextmanager
def _own_warnings() -> Iterator[None]:
    """Show warnings of collapse_guard as sentences, without the line of code that they come from.

    Those of other libraries are for who writes code: nobody can act on them here. They are shown where Python was asked
    to (`PYTHONWARNINGS=default`), and tests take them for errors.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", append=True)
        warnings.simplefilter("always", CollapseGuardWarning)
        show = warnings.showwarning

        def showwarning(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, CollapseGuardWarning):
                say_warning(str(message))
            else:
                show(message, category, *where, **more)

        warnings.showwarning = showwarning
        yield
