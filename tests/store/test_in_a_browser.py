"""The whole way: a real MLflow server, lineages appended over HTTP, and the dashboard drawn by a real browser."""

import shutil
import subprocess

import pytest

from collapse_guard.records import Severity
from collapse_guard.store import dashboard_link
from collapse_guard.store.mlflow.dashboard import section_name
from collapse_guard.store.mlflow.store import MLflowStore
from waiting import PATIENCE

pytestmark = pytest.mark.slow
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
