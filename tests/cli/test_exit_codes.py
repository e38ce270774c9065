"""The exit codes, as a table, and what the process says and does when a command fails."""

import errno
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from collapse_guard.cli.exit_codes import ExitCode, exit_code, meaning, worst
from collapse_guard.cli.failures import exits
from collapse_guard.errors import CollapseGuardWarning, LineageError
from collapse_guard.records import Severity
from waiting import PATIENCE

# severity: plain, --strict, --allow-undecided, both
TABLE = {
    Severity.HEALTHY: (0, 0, 0, 0),
    Severity.WATCH: (0, 1, 0, 1),
    Severity.UNDECIDED: (3, 3, 0, 0),
    Severity.COLLAPSED: (1, 1, 1, 1),
}
FLAGS = ({}, {"strict": True}, {"allow_undecided": True}, {"strict": True, "allow_undecided": True})


@pytest.mark.parametrize("severity", Severity)
def test_the_exit_code_of_every_verdict_under_every_flag(severity):
    assert tuple(int(exit_code(severity, **flags)) for flags in FLAGS) == TABLE[severity]


@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("flags", FLAGS, ids=str)
def test_the_sentence_names_the_code_and_says_passed_only_for_0(severity, flags):
    code = exit_code(severity, **flags)
    sentence = meaning(severity, code)
    assert sentence.endswith(f"exit code {int(code)}")
    assert sentence.startswith("passed") == (code == 0)
    assert ("--strict" in sentence) == (severity is Severity.WATCH and code == 1)
    assert ("--allow-undecided" in sentence) == (severity is Severity.UNDECIDED and code == 0)


def test_the_worst_of_several_codes_never_hides_a_collapse():
    assert worst([]) == 0
    assert worst([ExitCode.PASSED, ExitCode.UNDECIDED]) == 3
    assert worst([ExitCode.UNDECIDED, ExitCode.UNUSABLE]) == 2
    assert worst([ExitCode.UNUSABLE, ExitCode.FAILED, ExitCode.PASSED]) == 1


def _run_command(body):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(exits(body))
    return CliRunner().invoke(app, [])


def test_a_command_that_returns_no_code_has_passed():
    def command() -> None: ...

    assert _run_command(command).exit_code == 0


def test_an_error_of_ours_is_one_block_on_standard_error_without_a_traceback():
    def command() -> ExitCode:
        raise LineageError("no [red]such[/red] lineage\x1b[31m: did you mean `bot`?")

    result = _run_command(command)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == "error: no [red]such[/red] lineage[31m: did you mean `bot`?\n"


def test_a_defect_keeps_its_traceback_and_exits_with_70():
    def command() -> ExitCode:
        raise ZeroDivisionError("boom")

    result = _run_command(command)
    assert result.exit_code == 70
    assert "Traceback" in result.stderr
    assert "ZeroDivisionError: boom" in result.stderr
    assert "this is a defect" in result.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/data/report.html"),
            "/data/report.html cannot be used: No space",
        ),
        (
            OSError(errno.EIO, "Input/output error"),
            "what this command reads or writes cannot be used: Input/output error",
        ),
        (MemoryError(), "there is not enough memory for this: give fewer or shorter texts"),
    ],
)
def test_what_the_system_refuses_is_an_error_and_no_defect(error, said):
    def command() -> ExitCode:
        raise error

    result = _run_command(command)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {said}")
    assert "Traceback" not in result.stderr


def test_warnings_of_other_libraries_are_not_shown_unless_python_is_asked_for_them():
    def command() -> None:
        np.float64(1e308) * np.float64(10)

    with warnings.catch_warnings(record=True) as shown:
        warnings.resetwarnings()
        assert _run_command(command).exit_code == 0
        assert shown == []
        warnings.simplefilter("default")
        assert _run_command(command).exit_code == 0
        assert [str(warning.message) for warning in shown] == ["overflow encountered in scalar multiply"]


def test_ctrl_c_exits_with_130_and_not_with_the_1_of_a_collapse():
    def command() -> ExitCode:
        raise KeyboardInterrupt

    result = _run_command(command)
    assert (result.exit_code, result.stderr) == (130, "error: interrupted\n")


def test_warnings_of_ours_are_sentences_and_those_of_others_stay_warnings():
    def command() -> ExitCode:
        warnings.warn("the run is taken", CollapseGuardWarning, stacklevel=1)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        return ExitCode.PASSED

    with pytest.warns(DeprecationWarning, match="old"):
        result = _run_command(command)
    assert result.exit_code == 0
    assert result.stderr == "warning: the run is taken\n"


@pytest.mark.parametrize(
    "arguments", [[], ["gat"], ["gate"], ["gate", "--lineage"], ["gate", "--generation", "x"]], ids=str
)
def test_wrong_usage_exits_with_2(run, arguments):
    outcome = run(*arguments)
    assert outcome.code == 2
    assert "Traceback" not in outcome.err


def test_help_and_version_exit_with_0_and_name_the_codes(run):
    help_page = run("--help")
    assert help_page.code == 0
    assert "3 undecided" in " ".join(help_page.out.split())
    for command in ("demo", "profile", "assess", "gate", "report", "lineage", "ui"):
        assert run(command, "--help").code == 0
    assert run("--version").out.startswith("collapse-guard 0.")


def test_an_installation_that_cannot_be_imported_exits_with_70(run_process, tmp_path):
    (tmp_path / "typer.py").write_text("raise ImportError('broken')", encoding="utf-8")
    outcome = run_process("gate", "--lineage", "bot", env={"PYTHONPATH": str(tmp_path)})
    assert outcome.code == 70
    assert "ImportError: broken" in outcome.err


def test_importing_all_commands_loads_neither_lightning_nor_mlflow_nor_torch_nor_arrow():
    heavy = ("torch", "mlflow", "pytorch_lightning", "lightning", "pyarrow", "numpy", "scipy", "matplotlib")
    code = f"import sys, collapse_guard.cli.app; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no pipes of this kind")
def test_a_reader_that_goes_away_does_not_change_the_exit_code(world):
    program = Path(sys.executable).with_name("collapse-guard")
    command = f'"{program}" gate --lineage bot --generation 1 --store "{world.uri}" | true; exit "${{PIPESTATUS[0]}}"'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")
