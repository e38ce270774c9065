"""The demo at a tenth of its size: real speeches, real training, a real store. `make demo` is the whole of it."""

import io
from unittest import mock

import pytest
import torch
from rich.console import Console

from collapse_guard.demo.run import Sizes, run_demo
from collapse_guard.lineage import enrol as enrolment
from collapse_guard.records import Mixture
from collapse_guard.store import open_store
from fewer_speeches import fewer_passages

SMALL = Sizes(training_passages=320, epochs=1, width=16)


def run(out, *, generations=3):
    screen = io.StringIO()
    console = Console(file=screen, width=100, no_color=True)
    # To draw a page for each generation takes longer than to train it; that of the whole demo is drawn.
    pages = mock.patch.object(enrolment, "attachments", return_value={})
    with pages, mock.patch("collapse_guard.demo.run.passages", fewer_passages):
        run_demo(out=out, generations=generations, sizes=SMALL, console=console)
    return screen.getvalue()


def readings(out, lineage):
    history = open_store(f"sqlite:///{out / 'mlflow.db'}").history(lineage)
    # As text: a reading that is undefined is NaN, which is not equal to itself.
    return [{name: repr(reading.value) for name, reading in past.readings.items()} for past in history]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    return out, run(out)


@pytest.mark.slow
def test_it_prints_a_row_per_generation_and_writes_what_it_promises(demo):
    out, screen = demo
    rows = [line.split() for line in screen.splitlines() if line.startswith("demo-") and line.split()[1].isdigit()]
    assert [(row[0], row[1]) for row in rows] == [
        (name, str(t)) for t in range(3) for name in ("demo-replace", "demo-guarded")
    ]
    assert "demo-guarded" in (out / "report.html").read_text(encoding="utf-8")
    assert (out / "collapse.png").read_bytes().startswith(b"\x89PNG")
    assert "collapse-guard gate --lineage demo-replace" in screen
    assert "collapse-guard ui" in screen


@pytest.mark.slow
def test_both_lineages_start_from_the_same_founder_and_only_the_guarded_one_gets_what_it_asks_for(demo):
    store = open_store(f"sqlite:///{demo[0] / 'mlflow.db'}")
    replace, guarded = store.history("demo-replace"), store.history("demo-guarded")
    assert readings(demo[0], "demo-replace")[0] == readings(demo[0], "demo-guarded")[0]
    assert [past.generation.mixture for past in replace] == [Mixture(real=1.0), *[Mixture(real=0.0, newest=1.0)] * 2]
    assert [past.generation.parents for past in guarded][:2] == [(), (0,)]
    asked = guarded[1].prescription
    assert asked is None or guarded[2].generation.mixture == asked


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers_and_a_second_run_starts_beside_the_first(demo):
    torch.set_num_threads(2)
    screen = run(demo[0], generations=2)
    assert torch.get_num_threads() == 2
    assert "demo-replace-2" in screen
    again = readings(demo[0], "demo-replace-2")
    assert again == readings(demo[0], "demo-replace")[:2]
    assert len(again) == 2
