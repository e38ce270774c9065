import base64
import json
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.indicators.registry import FAMILIES
from collapse_guard.records import Severity
from collapse_guard.store.mlflow.dashboard import (
    VIEW_LIMIT,
    charted,
    dashboard_path,
    experiment_note,
    generation_note,
    lineage_note,
    section_name,
    ui_command,
    updated_view,
)

METRICS = ["spread/vendi", "likelihood/perplexity", "collapse_guard/real_fraction", "mine/x", "collapse_guard/severity"]


def state_of(view: str) -> dict:
    """Decode as MLflow's front end does: "deflate;" and base64 of zlib."""
    prefix, packed = json.loads(view)["state"].split(";", 1)
    assert prefix == "deflate"
    return json.loads(zlib.decompress(base64.b64decode(packed, validate=True)))


def test_every_family_has_a_heading_and_stands_in_the_order_of_the_catalogue():
    metrics = [f"{family}/x" for family in reversed(FAMILIES)]
    sections = state_of(updated_view(None, metrics, now=0))["compareRunSections"]
    headings = [section["name"] for section in sections]
    assert headings == [section_name(family) for family in FAMILIES]
    assert not set(headings) & set(FAMILIES), "a heading says more than the name of the room"


def test_a_view_has_a_section_per_family_in_the_order_of_the_glossary_and_a_line_chart_per_metric():
    view = updated_view(None, METRICS, now=1_700_000_000_000)
    state = state_of(view)
    names = {section["uuid"]: section["name"] for section in state["compareRunSections"]}
    assert list(names.values()) == ["Verdict and real share", "Likelihood of real data", "Spread of samples", "mine"]
    assert [(names[chart["metricSectionId"]], chart["metricKey"]) for chart in state["compareRunCharts"]] == [
        ("Verdict and real share", "collapse_guard/severity"),
        ("Verdict and real share", "collapse_guard/real_fraction"),
        ("Likelihood of real data", "likelihood/perplexity"),
        ("Spread of samples", "spread/vendi"),
        ("mine", "mine/x"),
    ]
    assert {(chart["type"], chart["xAxisKey"]) for chart in state["compareRunCharts"]} == {("LINE", "step")}
    assert state["searchFilter"] == "tags.`collapse_guard.kind` = 'lineage'"
    assert json.loads(view)["name"] == "Collapse guard"
    assert json.loads(view)["updatedAt"] == 1_700_000_000_000


@pytest.mark.slow
@given(st.sets(st.sampled_from([f"{family}/{name}" for family in "abc" for name in "xyz"])), st.randoms())
def test_a_view_depends_on_the_metrics_and_not_on_their_order(metrics, order: random.Random):
    shuffled = sorted(metrics)
    order.shuffle(shuffled)
    assert updated_view(None, shuffled, now=0) == updated_view(None, sorted(metrics), now=0)
    assert charted(updated_view(None, shuffled, now=0)) == metrics


def test_a_view_is_rewritten_only_where_something_is_missing_and_keeps_what_it_shows():
    installed = updated_view(None, METRICS, now=0)
    assert updated_view(installed, METRICS[:2], now=1) is None
    extended = updated_view(installed, ["tails/rare_mass"], now=2)
    assert charted(extended) == {*METRICS, "tails/rare_mass"}


def test_a_view_saved_by_a_person_without_compression_is_understood():
    state = state_of(updated_view(None, METRICS, now=0)) | {"orderByAsc": True}
    assert updated_view(json.dumps({"name": "mine", "state": json.dumps(state)}), METRICS, now=1) is None


@pytest.mark.parametrize(
    "installed",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"state": 3}',
        '{"state": "deflate;!!"}',
        '{"state": "{}"}',
        '{"state": "[1]"}',
        "[" * 90_000,
    ],
)
def test_a_view_that_cannot_be_read_is_replaced(installed):
    assert charted(updated_view(installed, METRICS, now=0)) == set(METRICS)


def test_a_compressed_bomb_is_not_unpacked():
    state = json.dumps(state_of(updated_view(None, METRICS, now=0))).encode()
    for padding, expected in [(b"", set(METRICS)), (b" " * 50_000_000, set())]:
        packed = "deflate;" + base64.b64encode(zlib.compress(padding + state)).decode()
        assert charted(json.dumps({"state": packed})) == expected


def test_the_view_of_every_indicator_fits_and_one_that_does_not_is_not_made(rng):
    many = [f"family_{i % 8}/an_indicator_{i}" for i in range(60)]
    assert len(updated_view(None, many, now=0)) < VIEW_LIMIT
    too_many = [f"family/{rng.bytes(60).hex()}" for _ in range(300)]
    assert updated_view(None, too_many, now=0) is None


def test_the_note_of_a_lineage_is_a_table_newest_first_and_nothing_in_it_is_markup(make):
    newest_first = [make(index=1, severity=Severity.COLLAPSED, sentence="a|b <script>\n| 7 | x | y |"), make()]
    assert lineage_note(newest_first).splitlines() == [
        "| generation | verdict | why |",
        "|---:|---|---|",
        "| 1 | COLLAPSED | a\\|b &lt;script> \\| 7 \\| x \\| y \\| |",
        "| 0 | HEALTHY | perplexity is within its margin |",
    ]


def test_the_note_of_a_generation_is_its_verdict_and_the_reasons(make):
    note = generation_note(make(severity=Severity.WATCH, sentence="it is <b>\nworse"))
    assert note == "**WATCH**\n\n- WATCH: it is &lt;b> worse\n"


def test_a_long_lineage_keeps_the_newest_rows_within_the_limit_of_mlflow(make):
    note = lineage_note(make(index=index, sentence="why " * 50) for index in reversed(range(100)))
    assert 7000 < len(note) <= 8000
    assert note.splitlines()[2].startswith("| 99 |")
    assert note.endswith("Earlier generations are left out here.\n")


def test_the_note_of_the_experiment_says_where_the_dashboard_is():
    assert dashboard_path("17") in experiment_note("17")
    assert dashboard_path("17").startswith("/#/experiments/17/runs?")


def test_the_command_shows_a_database_on_this_machine_only():
    command = ui_command("sqlite:////data/mlflow.db", port=5001)
    assert command[command.index("--backend-store-uri") + 1] == "sqlite:////data/mlflow.db"
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--port") + 1] == "5001"


def test_the_command_shows_what_a_plugin_keeps_and_the_models_of_another_registry():
    command = ui_command("plugged:/data", registry="sqlite:////data/models.db")
    assert command[command.index("--backend-store-uri") + 1] == "plugged:/data"
    assert command[command.index("--registry-store-uri") + 1] == "sqlite:////data/models.db"
    for registry in ("", "https://ml.example", "databricks"):
        assert "--registry-store-uri" not in ui_command("sqlite:////data/mlflow.db", registry=registry)


@pytest.mark.parametrize("uri", ["http://localhost:5000", "databricks", "file:///data", "memory:", "mlruns"])
def test_the_command_needs_a_database(uri):
    with pytest.raises(InputError, match="`uri` must be a database"):
        ui_command(uri)
