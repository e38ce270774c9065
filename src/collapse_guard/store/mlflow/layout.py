"""The layout of an assessment in MLflow: tags, metrics, datasets and files of a run. Pure; does not import MLflow."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from collapse_guard.records import Assessment
from collapse_guard.store.base import to_text

KIND = "collapse_guard.kind"
"""On an experiment "lineages", on a run "lineage" or "generation"."""
SECOND = "second run of a lineage"
"""In the place of "lineage" on a run that a process made while another one made the first."""
EXPERIMENT = "collapse_guard.experiment"
"""On an experiment: the name under which its store looks for it, whatever it is called now."""
LINEAGE = "collapse_guard.lineage"
GENERATION = "collapse_guard.generation"
VERDICT = "collapse_guard.verdict"
WILD_TYPE = "collapse_guard.wild_type"
FOUNDER = "collapse_guard.founder"
"""Number of the founder that a generation counts from."""
FOUNDING = "collapse_guard.founding"
"""On the run of a generation with which a lineage is founded anew: why."""
COMPLETE = "collapse_guard.complete"
"""Set last on the run of a generation: without it the run does not count."""
DIGEST = "collapse_guard.digest"
"""On the run of a generation: `digest` of its assessment.json."""
SHOWN_BY = "collapse_guard.shown_by"
"""On the run of a generation: the lineage's run that shows it; `NOT_SHOWN` until one does."""
NOT_SHOWN = "none"
OWN = "collapse_guard.own"
"""On the run of a generation that the store made: nobody else is writing to it."""
NEWEST = "collapse_guard.newest"
"""On the run of a lineage: the newest generation that it shows."""
EXPERIMENTS = "collapse_guard.experiments"
"""On the run of a lineage: ids of the experiments that its generations are in, where training runs bring their own."""
PARENT_RUN = "mlflow.parentRunId"
NOTE = "mlflow.note.content"

SEVERITY_METRIC = "collapse_guard/severity"
REAL_FRACTION_METRIC = "collapse_guard/real_fraction"

TAG_LIMIT = 8000
_DIGEST_BYTES = 16


def tags(assessment: Assessment) -> dict[str, str]:
    """Tags of the run of a generation, cut to MLflow's limit; what is not known has no tag."""
    generation, verdict = assessment.generation, assessment.verdict
    undefined = sorted(name for name, reading in assessment.readings.items() if not math.isfinite(reading.value))
    optional = {
        FOUNDING: generation.founding,
        "collapse_guard.real_fraction": "" if generation.mixture is None else f"{generation.mixture.real:g}",
        "collapse_guard.not_a_number": ",".join(undefined),
    }
    return {
        KIND: "generation",
        LINEAGE: generation.lineage,
        GENERATION: number(generation.index),
        FOUNDER: number(generation.founder),
        "collapse_guard.parents": ",".join(str(parent) for parent in generation.parents),
        VERDICT: verdict.severity.value,
        "collapse_guard.reasons": cut("\n".join(reason.sentence for reason in verdict.reasons)),
        WILD_TYPE: verdict.wild_type,
        "collapse_guard.policy": verdict.policy,
    } | {name: cut(value) for name, value in optional.items() if value}


def number(index: int) -> str:
    """The number of a generation as it stands in a tag, so that text sorts like numbers.

    Example:
        >>> number(12)
        '000012'
    """
    return f"{index:06d}"


def digest(record: bytes) -> str:
    """What tells whether the file of a record is as it was written."""
    return hashlib.sha256(record).hexdigest()


def metrics(assessment: Assessment) -> dict[str, float]:
    """Metrics of a generation: every finite reading as `<family>/<indicator>`, the severity (0..3) and the real share.

    A value that is not finite is no metric: MLflow would store infinity as 1.8e308, and its charts break on NaN.
    """
    readings = {f"{r.family}/{r.indicator}": r.value for r in assessment.readings.values() if math.isfinite(r.value)}
    mixture = assessment.generation.mixture
    shares = {} if mixture is None else {REAL_FRACTION_METRIC: mixture.real}
    return readings | shares | {SEVERITY_METRIC: float(assessment.verdict.severity.rank)}


def files(assessment: Assessment) -> dict[str, str]:
    """The artifacts of a generation, name -> text; `assessment.json` is the source of truth, the others for people."""
    readings = {name: reading.to_dict() for name, reading in assessment.readings.items()}
    return {
        "assessment.json": to_text(assessment),
        "verdict.json": _pretty(assessment.verdict.to_dict()),
        "readings.json": _pretty({name: _without_replicates(reading) for name, reading in readings.items()}),
    }


def _without_replicates(reading: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in reading.items() if name not in ("replicates", "weights", "keys", "slices")}


def _pretty(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)


_AS_IT_IS = "A-Za-z0-9_. -"
_ESCAPED = re.compile(rf"(?:[^{_AS_IT_IS}]|_(?=x))+")
_KEY_LIMIT, _KEY_HEAD = 160, 96


def metric_name(name: str) -> str:
    """A name in the letters that every logger takes in the key of a metric; two names never become one.

    ASCII letters, digits, `_`, `.`, `-` and spaces stay. Everything else becomes `_x`, its UTF-16 in hexadecimal
    digits, and `_`; so does an underscore before an x. A name that is too long then is cut, and its digest follows a
    slash.

    Example:
        >>> metric_name("newsbot 2"), metric_name("бот"), metric_name("бор")
        ('newsbot 2', '_x0431043e0442_', '_x0431043e0440_')
    """
    safe = _escaped(name) if not name.strip(".") else _ESCAPED.sub(lambda found: _escaped(found[0]), name)
    if len(safe) <= _KEY_LIMIT:
        return safe
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()
    return f"{safe[:_KEY_HEAD]}/{digest}"


class DatasetEntry(NamedTuple):
    """A dataset that a generation was made from, as MLflow lists it under "inputs"."""

    name: str
    """What it is."""
    digest: str
    """Its identity, at most 36 characters."""
    context: str
    """What it was used for: "reference" or "training"."""
    description: dict[str, Any]
    """What is recorded of it, plain JSON types."""


def _escaped(text: str) -> str:
    return f"_x{text.encode('utf-16-be', 'surrogatepass').hex()}_"


def datasets(assessment: Assessment) -> list[DatasetEntry]:
    """The wild type and, where it is known, the training mixture."""
    generation, wild_type = assessment.generation, assessment.verdict.wild_type
    entries = [DatasetEntry("wild type", wild_type, "reference", {"fingerprint": wild_type})]
    if generation.mixture is not None:
        parents, mixture = list(generation.parents), generation.mixture.to_dict()
        trained_on = {"lineage": generation.lineage, "parents": parents, "mixture": mixture}
        entries.append(DatasetEntry("training mixture", _digest(trained_on), "training", trained_on))
    return entries


def _digest(value: Mapping[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def cut(text: str, limit: int = TAG_LIMIT) -> str:
    """Shorten a text to MLflow's limit of a tag, and show that it was shortened.

    Example:
        >>> cut("abcdef", limit=4)
        'abc…'
    """
    return text if len(text) <= limit else text[: limit - 1] + "…"
