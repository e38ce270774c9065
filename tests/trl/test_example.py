"""The example that people copy trains, and the guard stops it where one answer has won."""

import runpy
from pathlib import Path

import pytest

from collapse_guard.errors import CollapseGuardWarning
from tiny_models import language

EXAMPLE = Path(__file__).parents[2] / "examples" / "reinforcement.py"
pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.* is deprecated:FutureWarning")  # TRL asks


@pytest.mark.slow
def test_a_reward_that_one_answer_wins_is_stopped(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train = runpy.run_path(str(EXAMPLE), run_name="example")["train"]
    with pytest.warns(CollapseGuardWarning) as warned:
        guard = train(language(1500), store=store)
    assert "COLLAPSED" in str([one.message for one in warned])
    assert guard.looks[-1][1] == "COLLAPSED"
    assert [past.generation.index for past in store.history("rewarded")] == [0, 1]
