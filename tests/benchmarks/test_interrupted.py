"""The benchmark of interrupted runs at a reduced size, and that its judge sees what is wrong."""

import contextlib
import importlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from waiting import PATIENCE

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))
judging, trial = (importlib.import_module(f"interrupting.{name}") for name in ("judging", "trial"))
Line = judging.Line

pytestmark = [pytest.mark.ddp, pytest.mark.slow]


RUNS = {"killed": "--trials 8 --seed 1", "forgetful": "--trials 1 --seed 3 --forgetful"}
BOTH = """
import sys, interrupted
for arguments in sys.argv[1:]:
    sys.argv = ["interrupted.py", *arguments.split()]
    print("exit", interrupted.main(), flush=True)
"""
"""What takes longest is to import Lightning: once for both runs."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Run -> its exit status, rows of its table without the heading, and what is told of trials that differ."""
    folder = tmp_path_factory.mktemp("interrupted")
    environment = {**os.environ, "TMPDIR": str(folder), "OMP_NUM_THREADS": "1"}
    path = os.pathsep.join([str(FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-c", BOTH, *RUNS.values()]
    with (folder / "errors.txt").open("w") as stream:
        process = subprocess.Popen(
            command,
            env={**environment, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
            start_new_session=True,
        )
        try:
            told, _ = process.communicate(timeout=PATIENCE)
        finally:
            process.terminate()  # it kills the processes of its trials on its way out
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, (folder / "errors.txt").read_text()[-4000:]
    assert {path.name for path in folder.iterdir()} == {"errors.txt"}
    *pages, rest = re.split(r"^exit (\d)\n", told, flags=re.MULTILINE)
    assert not rest
    return {name: (int(status), *_read(page)) for name, page, status in zip(RUNS, pages[::2], pages[1::2], strict=True)}


def _read(page):
    lines = page.splitlines()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]
    return rows, [line for line in lines if line.startswith("trial ")]


def test_killed_runs_see_what_an_uninterrupted_one_sees(runs):
    status, rows, told = runs["killed"]
    assert (status, told) == (0, [])
    ranks = ["1", "2", "1, then 2", "2, then 1"]
    assert [row[:3] for row in rows[:-1]] == [[rank, workers, "1"] for rank in ranks for workers in ("0", "2")]
    assert all(int(row[4]) >= 10 for row in rows)
    assert {row[-1] for row in rows} == {"0"}
    assert int(rows[-1][3]) == sum(len(trial.draw(number, 1).kills) for number in range(8))
    assert int(rows[-1][5]) > 0, "steps must be trained again"


def test_a_data_module_that_does_not_keep_its_state_is_found_to_differ(runs):
    status, rows, told = runs["forgetful"]
    assert status == 1
    assert rows[-1][-1] == "1"
    assert len(told) == 1
    assert "was to come" in told[0]


class TestJudge:
    @pytest.fixture
    def expected(self):
        return [Line((n // 3, n % 3), n, [10 * n, 10 * n + 1]) for n in range(6)]

    def parts(self, lines):
        return [[line._replace(documents=line.documents[rank : rank + 1]) for line in lines] for rank in (0, 1)]

    def test_steps_that_are_trained_again_with_any_ranks_are_fine(self, expected):
        assert judging.compare(expected, [[expected]]) == ""
        assert judging.compare(expected, [[expected[:4]], [expected[2:]]]) == ""
        assert judging.compare(expected, [[expected[:4]], self.parts(expected[3:])]) == ""
        assert judging.compare(expected, [[expected], [[]]]) == ""
        assert judging.together(self.parts(expected)) == expected

    def test_another_document_is_found_also_where_the_step_was_lost(self, expected):
        wrong = expected[3]._replace(documents=[30, 99])
        assert "start 0, rank 0" in judging.compare(expected, [[[*expected[:3], wrong]], [expected[3:]]])
        assert "start 1, rank 1" in judging.compare(expected, [[expected[:3]], self.parts([wrong, *expected[4:]])])

    def test_a_document_on_the_other_rank_is_found(self, expected):
        assert "rank 0" in judging.compare(expected, [self.parts(expected)[::-1]])

    def test_a_step_that_is_missing_doubled_or_too_many_is_found(self, expected):
        assert judging.compare(expected, [[expected[:5]]]) == "only 5 of 6 steps"
        assert judging.compare(expected, [[expected[:2]], [expected[3:5]]]) == "only 5 of 6 steps"
        assert judging.compare(expected, [[[*expected[:3], *expected[4:]]]])
        assert judging.compare(expected, [[[*expected[:3], expected[2], *expected[3:]]]])
        assert judging.compare(expected, [[[*expected, Line((2, 0), 6, [60, 61])]]])

    def test_a_model_that_was_not_trained_on_what_came_before_is_found(self, expected):
        behind = [line._replace(trained=line.trained - 1) for line in expected[3:]]
        assert judging.compare(expected, [[expected[:3]], [behind]])


def test_trials_are_drawn_from_their_numbers_and_cover_what_they_should():
    drawn = [trial.draw(number, 0) for number in range(100)]
    assert drawn == [trial.draw(number, 0) for number in range(100)]
    for name in ("accumulate", "is_reloaded", "epochs"):
        assert len({getattr(one, name) for one in drawn}) == 2
    assert {len(one.sizes) for one in drawn} == {2, 3}
    assert {len(one.changes) for one in drawn} == {1, 2, 3}
    assert {len(one.kills) for one in drawn} == {1, 2}
    assert {one.keeps for one in drawn} == set(trial.KEEPS)
    assert any(one.is_persistent for one in drawn)
    assert any(one.length % one.global_batch for one in drawn)
