"""What MLflow's user interface shows of lineages: a saved view with charts, and notes. Pure; does not import MLflow.

A saved view is an experiment tag whose JSON MLflow's front end reads (MLflow 3.15 and later). The format is MLflow's
own and not documented, so it is made only here. Where it is not understood the charts of the lineage runs are there all
the same: MLflow groups metrics by the part of their name before the slash, which is the family.
"""

from __future__ import annotations

import base64
import json
import sys
import uuid
import zlib
from collections.abc import Iterable
from typing import Any

from collapse_guard.errors import InputError
from collapse_guard.records import Assessment
from collapse_guard.store.mlflow.address import is_server, scheme_of, without_password
from collapse_guard.store.mlflow.layout import KIND, SEVERITY_METRIC, TAG_LIMIT, cut

VIEW_ID = "collapse-guard"
VIEW_NAME = "Collapse guard"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW_ID}"
VIEW_LIMIT = 20_000
"""Largest number of characters of an experiment tag in MLflow."""

_SECTION_NAMES = {
    "collapse_guard": "Verdict and real share",
    "likelihood": "Likelihood of real data",
    "reverse": "What a successor would learn",
    "diversity": "Diversity of samples",
    "tails": "Tails: what is rare",
    "spread": "Spread of samples",
    "distance": "Distance from the wild type",
    "novelty": "Novelty: what is copied",
    "genetics": "Genetics",
}
_DEFLATED = "deflate;"
_MOST_STATE_BYTES = 2_000_000
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "collapse_guard/dashboard")


def updated_view(installed: str | None, metrics: Iterable[str], *, now: int) -> str | None:
    """The value of `VIEW_TAG` that shows `metrics` too, or None where the installed view does already.

    A view that shows all of them is left alone: a person may have arranged it.

    Args:
        installed: Value of the tag now; None where there is none. Anything unreadable counts as none.
        metrics: Metrics to show, `<family>/<indicator>`; a section per family.
        now: Milliseconds since 1970.

    Returns:
        None, too, where the view would be longer than MLflow takes.
    """
    shown = charted(installed)
    if shown.issuperset(metrics):
        return None
    state = json.dumps(_state(shown.union(metrics)), separators=(",", ":"))
    packed = _DEFLATED + base64.b64encode(zlib.compress(state.encode(), 9)).decode()
    value = json.dumps({"name": VIEW_NAME, "createdAt": now, "updatedAt": now, "state": packed})
    return value if len(value) <= VIEW_LIMIT else None


def charted(installed: str | None) -> frozenset[str]:
    """The metrics that a view has line charts of; none where it cannot be read.

    Example:
        >>> sorted(charted(updated_view(None, ["spread/vendi"], now=0)))
        ['spread/vendi']
    """
    try:
        charts = _unpack(json.loads(installed or "")["state"])["compareRunCharts"]
        return frozenset(str(chart["metricKey"]) for chart in charts if chart["type"] == "LINE")
    except (ValueError, TypeError, KeyError, AttributeError, zlib.error, RecursionError):
        return frozenset()


def _unpack(state: str) -> dict[str, Any]:
    text = state
    if state.startswith(_DEFLATED):
        packed = base64.b64decode(state.removeprefix(_DEFLATED))
        text = zlib.decompressobj().decompress(packed, _MOST_STATE_BYTES).decode()
    unpacked: dict[str, Any] = json.loads(text)
    return unpacked


def _state(metrics: Iterable[str]) -> dict[str, Any]:
    keys = sorted(metrics, key=_place)
    families = list(dict.fromkeys(_family(key) for key in keys))
    return {
        "searchFilter": f"tags.`{KIND}` = 'lineage'",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": ["tags.`collapse_guard.verdict`", f"metrics.`{SEVERITY_METRIC}`"],
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsVisibilityMap": {},
        "runsHiddenMode": "FIRST_20_RUNS",
        "compareRunCharts": [_chart(key) for key in keys],
        "compareRunSections": [_section(family) for family in families],
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": True,
        "groupBy": None,
        "groupsExpanded": {},
        "autoRefreshEnabled": True,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
    }


def _family(metric: str) -> str:
    return metric.rpartition("/")[0]


def _place(metric: str) -> tuple[int, str, bool, str]:
    """Sections in the order of `_SECTION_NAMES`, then the others; the severity before the real share."""
    family, names = _family(metric), list(_SECTION_NAMES)
    place = names.index(family) if family in names else len(names)
    return place, family, metric != SEVERITY_METRIC, metric


def _identity(name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, name))


def _section(family: str) -> dict[str, Any]:
    return {
        "uuid": _identity(f"section {family}"),
        "name": section_name(family),
        "columns": 2,
        "display": True,
        "isReordered": True,
        "deleted": False,
        "isGenerated": False,
    }


def section_name(family: str) -> str:
    """Heading of a family's charts.

    Example:
        >>> section_name("likelihood"), section_name("mine")
        ('Likelihood of real data', 'mine')
    """
    return _SECTION_NAMES.get(family, family)


def _chart(metric: str) -> dict[str, Any]:
    return {
        "uuid": _identity(f"chart {metric}"),
        "type": "LINE",
        "isGenerated": False,
        "deleted": False,
        "runsCountToCompare": 20,
        "metricSectionId": _identity(f"section {_family(metric)}"),
        "displayName": f"{metric.rpartition('/')[2]} by generation",
        "metricKey": metric,
        "selectedMetricKeys": [metric],
        "lineSmoothness": 0,
        "scaleType": "linear",
        "xAxisScaleType": "linear",
        "xAxisKey": "step",
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
        "range": {},
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "ignoreOutliers": False,
    }


def dashboard_path(experiment_id: str) -> str:
    """The deep link of the dashboard, to be put behind the address of MLflow's user interface.

    Example:
        >>> dashboard_path("1")
        '/#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=collapse-guard&compareRunsMode=CHART'
    """
    query = f"workflowType=machine_learning&viewStateShareKey={VIEW_ID}&compareRunsMode=CHART"
    return f"/#/experiments/{experiment_id}/runs?{query}"


def ui_command(uri: str, *, port: int = 5000, registry: str = "") -> list[str]:
    """The command, as a list of arguments, that shows a store in a browser on this machine.

    Args:
        uri: A database, or what a plugin of MLflow keeps runs in.
        port: Where to serve.
        registry: Where the models are registered; empty: in the same place.

    Raises:
        InputError: `uri` is the address of a server or a workspace, which shows itself.

    Example:
        >>> ui_command("sqlite:////data/mlflow.db")[1:4]
        ['-m', 'mlflow', 'server']
    """
    if is_server(uri) or scheme_of(uri) in ("", "file", "memory"):
        raise InputError(
            f"`uri` must be a database such as sqlite:///mlflow.db, but got {without_password(uri)!r}: "
            "a server and a Databricks workspace have pages of their own, open their address"
        )
    arguments = ["--backend-store-uri", uri, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    models = ["--registry-store-uri", registry] if registry and not is_server(registry) else []
    return [sys.executable, "-m", "mlflow", "server", *arguments, *models]


def experiment_note(experiment_id: str) -> str:
    """Markdown at the head of the experiment: how to find the dashboard."""
    return (
        "Lineages of models, kept by **collapse_guard**. The dashboard is under **Views > Collapse guard** "
        f"(charts over generations), or behind the address of this server: `{dashboard_path(experiment_id)}`\n\n"
        f"Every run with the tag `{KIND} = lineage` is one lineage, its metrics step by generation; its child runs are "
        "the generations, each with `assessment.json` and its report under Artifacts.\n"
    )


def generation_note(assessment: Assessment) -> str:
    """Markdown of a generation: the verdict and its reasons, worst first, as many as MLflow's limit takes."""
    head = f"**{assessment.verdict.severity}**\n\n"
    rows = [f"- {reason.severity}: {_plain(cut(reason.sentence, 400))}\n" for reason in assessment.verdict.reasons]
    return _fitting(head, rows, "- More reasons are in verdict.json.\n")


def lineage_note(newest_first: Iterable[Assessment]) -> str:
    """Markdown of a lineage: a row per generation, as many as MLflow's limit takes; no more of them are asked for."""
    head = "| generation | verdict | why |\n|---:|---|---|\n"
    return _fitting(head, map(_row, newest_first), "\nEarlier generations are left out here.\n")


def _fitting(head: str, rows: Iterable[str], more: str) -> str:
    """The head and as many rows as fit into a tag, and `more` where some do not."""
    text = head
    for row in rows:
        if len(text) + len(row) + len(more) > TAG_LIMIT:
            return text + more
        text += row
    return text


def _row(assessment: Assessment) -> str:
    verdict = assessment.verdict
    why = verdict.reasons[0].sentence if verdict.reasons else ""
    anew = " (founded anew)" if assessment.generation.founding else ""
    return f"| {assessment.generation.index}{anew} | {verdict.severity} | {_plain(cut(why, 400))} |\n"


def _plain(text: str) -> str:
    """Text on one line inside Markdown: no HTML, no new column of a table."""
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return plain.replace("\\", "\\\\").replace("|", "\\|")
