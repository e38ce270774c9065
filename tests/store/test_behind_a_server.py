"""One real MLflow server: lineages over HTTP, ways to it that fail, and the dashboard drawn by a real browser.

Each test has an experiment of its own.
"""

import shutil
import subprocess

import pytest
from mlflow import MlflowClient

from collapse_guard.errors import CollapseGuardError, CollapseGuardWarning, LineageError, LineageNotFoundError
from collapse_guard.records import Severity
from collapse_guard.store import dashboard_link
from collapse_guard.store.mlflow.dashboard import section_name
from collapse_guard.store.mlflow.deadline import SETTING
from collapse_guard.store.mlflow.store import MLflowStore
from faulty import Proxy, listening
from servers import running_server
from waiting import PATIENCE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(folder, empty_database):
    """Address of a tracking server that keeps the artifacts itself."""
    shutil.copy(empty_database, folder / "mlflow.db")
    with running_server(folder) as address:
        yield address


def test_behind_a_server_experiments_are_found_by_their_tag_and_faults_stay_with_their_lineage(server, make, folder):
    client, store = MlflowClient(server), MLflowStore(server, "found by its tag")
    for name in ("newsbot", "новости", "broken"):
        store.append(make(name))
    home = client.get_experiment_by_name("found by its tag").experiment_id
    client.rename_experiment(home, "renamed")
    query = "tags.`collapse_guard.lineage` = 'broken' AND tags.`collapse_guard.kind` = 'generation'"
    (run,) = client.search_runs([home], query)
    (file,) = (folder / "artifacts").rglob(f"{run.info.run_id}/artifacts/assessment.json")
    file.unlink()
    after = MLflowStore(server, "found by its tag")
    after.append(make("newsbot", 1))
    assert (after.lineages(), [past.generation.index for past in after.history("newsbot")]) == (
        ["broken", "newsbot", "новости"],
        [0, 1],
    )
    with pytest.raises(LineageError, match=f"run {run.info.run_id} of lineage `broken` is not there: put it back at"):
        after.latest("broken")
    with pytest.raises(LineageNotFoundError, match=f"the store `{server}`, but got 'newsbto': did you mean `newsbot`"):
        after.history("newsbto")


EXPERIMENT, IN_THE_MIDDLE = (
    "a way that fails",
    ("stall_after_the_request", "drip", "reset", "truncate", "say_error", "say_page", "say_garbage"),
)


def test_a_way_that_fails_in_the_middle_loses_nothing_and_counts_nothing_twice(server, make, monkeypatch):
    """The server is asked the same again without the proxy: what was on its way may have arrived.

    Where it fails after the generation counts, a warning says so; warnings are errors here.
    """
    direct, open_way, failed = MLflowStore(server, EXPERIMENT), Proxy(int(server.rpartition(":")[2])), []
    direct.append(make())
    with listening(open_way.treat) as port:
        MLflowStore(f"http://127.0.0.1:{port}", EXPERIMENT).append(make(index=1))
    for index, fault in enumerate(IN_THE_MIDDLE, start=2):
        after = (index - 1) * (open_way.calls - 1) // len(IN_THE_MIDDLE)
        way = Proxy(open_way.to, fault, after=after)
        with monkeypatch.context() as patch, listening(way.treat) as port:
            patch.setenv(SETTING, "2")
            try:
                MLflowStore(f"http://127.0.0.1:{port}", EXPERIMENT).append(make(index=index))
            except (CollapseGuardError, CollapseGuardWarning):
                failed.append(fault)
            else:
                assert direct.latest("newsbot").generation.index == index, "it was said to be stored"
        direct.append(make(index=index))
    assert set(IN_THE_MIDDLE) - set(failed) <= {"say_garbage"}, "an object of JSON may look like an answer"
    stored = [item.to_dict() for item in direct.history("newsbot")]
    assert stored == [make(index=index).to_dict() for index in range(len(IN_THE_MIDDLE) + 2)]


QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=30000",
    "--window-size=1600,3000",
]


def seen_by_chromium(url, profile):
    """The document after the scripts ran, as text."""
    command = ["chromium", *QUIET, f"--user-data-dir={profile}", "--dump-dom", url]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout


def test_lineages_sent_to_a_server_are_drawn_on_the_dashboard(server, make, tmp_path, capfd):
    store = MLflowStore(server)
    course = {
        "replace": ["HEALTHY", "WATCH", "COLLAPSED", "COLLAPSED"],
        "guarded": ["HEALTHY", "COLLAPSED", "WATCH", "HEALTHY"],
    }
    sent = {
        name: [make(name, t, severity=Severity(s), real=0.0 if t else 1.0) for t, s in enumerate(course[name])]
        for name in course
    }
    for items in sent.values():
        for item in items:
            store.append(item)
            store.attach(item.generation.lineage, item.generation.index, {"report.html": "<html></html>"})
    assert capfd.readouterr().out == ""
    again = MLflowStore(server)
    assert again.lineages() == ["guarded", "replace"]
    for name, items in sent.items():
        assert [item.to_dict() for item in again.history(name)] == [item.to_dict() for item in items]

    if shutil.which("chromium") is None:
        pytest.skip("the dashboard was NOT looked at: no `chromium` on the PATH (apt-get install chromium)")
    document = seen_by_chromium(server + dashboard_link(store), tmp_path / "profile")
    for family in ("collapse_guard", "likelihood", "diversity", "tails", "spread"):
        assert section_name(family) in document
    for name in sent:
        assert f">{name}<" in document
    assert "Collapse guard" in document
    assert ">replace generation 3<" not in document
