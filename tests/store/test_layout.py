import json
import math

from collapse_guard.records import Severity
from collapse_guard.store.base import from_text
from collapse_guard.store.mlflow import layout


def test_metrics_are_the_finite_readings_by_family_with_severity_and_real_share(make):
    item = make(index=2, severity=Severity.UNDECIDED, real=0.25, vendi=math.nan, distinct_2=math.inf)
    assert layout.metrics(item) == {
        "likelihood/perplexity": 577.9,
        "tails/rare_coverage": 0.201,
        "collapse_guard/severity": 2.0,
        "collapse_guard/real_fraction": 0.25,
    }
    assert layout.tags(item)["collapse_guard.not_a_number"] == "distinct_2,vendi"


def test_tags_name_the_generation_and_fit_the_limit_of_mlflow(make):
    item = make(index=3, severity=Severity.COLLAPSED, real=0.3, sentence="x" * 9000)
    tags = layout.tags(item)
    assert tags["collapse_guard.reasons"] == "x" * 7999 + "…"
    assert tags | {"collapse_guard.reasons": ""} == {
        "collapse_guard.kind": "generation",
        "collapse_guard.lineage": "newsbot",
        "collapse_guard.generation": "000003",
        "collapse_guard.parents": "2",
        "collapse_guard.verdict": "COLLAPSED",
        "collapse_guard.reasons": "",
        "collapse_guard.wild_type": "9f2c4be0d17a44e1a6b8c0d2e4f60718",
        "collapse_guard.policy": "5d1e0c9a",
        "collapse_guard.real_fraction": "0.3",
    }


def test_what_is_not_known_has_no_tag_and_no_metric_and_no_dataset(make):
    item = make(real=None)
    assert "collapse_guard.real_fraction" not in layout.tags(item)
    assert "collapse_guard/real_fraction" not in layout.metrics(item)
    assert [entry.name for entry in layout.datasets(item)] == ["wild type"]


def test_the_training_mixture_is_identified_by_what_it_is(make):
    founder, child, other = make(), make(index=1), make(index=1, real=0.5)
    digests = [
        layout.datasets(item)[1].digest for item in (founder, child, other, make(index=1, severity=Severity.WATCH))
    ]
    assert len(set(digests)) == 3
    assert digests[3] == digests[1]
    assert all(len(digest) <= 36 for digest in digests)


def test_the_files_hold_the_whole_record_and_what_people_read(make):
    item = make(vendi=math.nan)
    files = layout.files(item)
    assert from_text(files["assessment.json"], lineage="newsbot", index=0, where="").to_dict() == item.to_dict()
    assert json.loads(files["verdict.json"]) == item.verdict.to_dict()
    reading = json.loads(files["readings.json"])["vendi"]
    assert (reading["value"], reading["n"], reading["problem"]) == ("NaN", 400, "the model overflowed")
    assert "replicates" not in reading
